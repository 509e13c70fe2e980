/*
 * Observed migrations of the running planner: each from its order or its
 * beginning, with the prediction frozen at that moment, to its end as the
 * agents of one or both hosts tell it; and the calibration learned from them.
 *
 *   ORDERED  a HOLD said that it is about to begin   -> UNDER_WAY, or forgotten at RELEASE or when the HOLD ends
 *   UNDER_WAY  "migration-began"                     -> ENDED, or UNENDED a minute after RELEASE or after 6 hours
 *   UNENDED  nobody told of its end                  -> ENDED, should somebody tell after all
 *   ENDED    "migration-ended"; within a minute the other host's agent may add what the first did not know
 *
 * Every change is written to the store, in the same transaction as the event that caused it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/fleet_clock.h"
#include "planner/foresight.h"
#include "planner/store.h"
#include "proto/msg_event.h"

/* Of so many newest observations calibration learns, and documents tell. */
enum { OBSERVATION_LOG_KEPT = 500 };

enum observation_log_stage {
    OBSERVATION_LOG_ORDERED,
    OBSERVATION_LOG_UNDER_WAY,
    OBSERVATION_LOG_ENDED,
    OBSERVATION_LOG_UNENDED,
};

struct observation_log;

/* `store` is lent. NULL when out of memory. */
struct observation_log *observation_log_new(struct store *store);
void observation_log_free(struct observation_log **log);

/* Reads back one of the store, oldest first; what cannot be read is left out with a warning. After the last,
 * observation_log_learn(). */
DC_WARN_UNUSED enum dc_status observation_log_restore(struct observation_log *log, int64_t number, int stage,
                                                      const char *text, struct dc_error *err);
DC_WARN_UNUSED enum dc_status observation_log_learn(struct observation_log *log, struct dc_error *err);

/* VM `vm` of `fleet` will migrate as `wish` says, within `for_ms`. Replaces an earlier order of it. */
DC_WARN_UNUSED enum dc_status observation_log_order(struct observation_log *log, struct fleet *fleet, size_t vm,
                                                    const struct foresight_wish *wish, double for_ms,
                                                    struct fleet_clock now, struct dc_error *err);

/* Takes in what the agent of `host` said. `fleet` is what was known before: it holds the event's VM, if that is known.
 */
DC_WARN_UNUSED enum dc_status observation_log_event(struct observation_log *log, struct fleet *fleet, const char *host,
                                                    const struct msg_event *event, struct fleet_clock now,
                                                    struct dc_error *err);

/* The VM's HOLD was taken back. */
DC_WARN_UNUSED enum dc_status observation_log_release(struct observation_log *log, const char *vm,
                                                      struct fleet_clock now, struct dc_error *err);

/* Closes what was never heard of again. */
DC_WARN_UNUSED enum dc_status observation_log_expire(struct observation_log *log, struct fleet_clock now,
                                                     struct dc_error *err);

/* Copies the calibration, and where `with_observations` the newest observations that ended, into a fleet that has
 * none; its links get the learned goodput. */
DC_WARN_UNUSED enum dc_status observation_log_export(const struct observation_log *log, bool with_observations,
                                                     struct fleet *fleet, struct dc_error *err);
