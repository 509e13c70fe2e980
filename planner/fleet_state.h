/*
 * The latest known state of every host and VM, with its age.
 *
 * In:  the topology document (what agents cannot know: switches, links, limits,
 *      rules) and what agents say.
 * Out: a struct fleet of its own for a snapshot or a question.
 *
 * Freshness of a host, by the time since its agent's last word in status
 * intervals: late after 2, stale after 3, lost after 10. BYE makes it late at
 * once, and so does a restart of the planner until its agent is heard. A host
 * of the topology whose agent was never heard is lost: what runs on it is not
 * known.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/fleet_clock.h"
#include "proto/fleet_doc.h"
#include "proto/msg_event.h"
#include "proto/msg_pred.h"
#include "proto/msg_snapshot.h"

struct fleet_state;

/* NULL when out of memory. */
struct fleet_state *fleet_state_new(double status_interval_ms);
void fleet_state_free(struct fleet_state **state);

/* Takes over `topology`, which becomes empty. */
void fleet_state_set_topology(struct fleet_state *state, struct fleet *topology);

/* The host's agent was heard. */
DC_WARN_UNUSED enum dc_status fleet_state_seen(struct fleet_state *state, const char *host, struct fleet_clock now,
                                               struct dc_error *err);

/* An agent's run began: with a new instance, sample numbers may start again. */
DC_WARN_UNUSED enum dc_status fleet_state_hello(struct fleet_state *state, const char *host, const char *instance_id,
                                                struct fleet_clock now, struct dc_error *err);

/* Replaces what is known of the host and its set of VMs. VMs that stay, or come
 * from another host, keep their predictions; VMs it no longer lists are gone
 * unless another host has claimed them. A paused VM that runs on another host
 * is on its way in, and still counted there. */
DC_WARN_UNUSED enum dc_status fleet_state_snapshot(struct fleet_state *state, const char *host,
                                                   const struct msg_snapshot *snapshot, struct fleet_clock now,
                                                   struct dc_error *err);

/* One prediction; the latest by (boot, sample number) wins. DC_ENOTFOUND for a
 * VM that is not on this host, DC_EEXIST for an older sample than the known one. */
DC_WARN_UNUSED enum dc_status fleet_state_predict(struct fleet_state *state, const char *host, const char *boot_id,
                                                  const struct msg_prediction *prediction, struct fleet_clock now,
                                                  struct dc_error *err);

/* A VM came, went, or moved. */
DC_WARN_UNUSED enum dc_status fleet_state_event(struct fleet_state *state, const char *host,
                                                const struct msg_event *event, struct fleet_clock now,
                                                struct dc_error *err);

void fleet_state_bye(struct fleet_state *state, const char *host);

/* Restored from the store: when the host was last heard; it is late at least. */
DC_WARN_UNUSED enum dc_status fleet_state_restore_host(struct fleet_state *state, const char *host,
                                                       int64_t seen_unix_ms, struct fleet_clock now,
                                                       struct dc_error *err);

/* Restored from the store: where the VM was (`host` NULL: gone) and its
 * prediction (NULL: none). */
DC_WARN_UNUSED enum dc_status fleet_state_restore_vm(struct fleet_state *state, const char *uuid, const char *host,
                                                     const char *boot_id, const struct msg_prediction *prediction,
                                                     int64_t seen_unix_ms, struct fleet_clock now,
                                                     struct dc_error *err);

/* The name of the host that runs the VM, lent until the state changes; NULL where it is unknown or gone. */
const char *fleet_state_host_of(const struct fleet_state *state, const char *uuid);

/* Everything, merged with the topology, as a fleet of its own. */
DC_WARN_UNUSED enum dc_status fleet_state_export(const struct fleet_state *state, struct fleet_clock now,
                                                 struct fleet *fleet_out, struct dc_error *err);

/* The same of one VM alone, with all hosts and links; without it where it is unknown or gone. */
DC_WARN_UNUSED enum dc_status fleet_state_export_vm(const struct fleet_state *state, const char *uuid,
                                                    struct fleet_clock now, struct fleet *fleet_out,
                                                    struct dc_error *err);
