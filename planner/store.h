/*
 * The planner's memory over restarts: one SQLite file.
 *
 *   host   the last SNAPSHOT of each host as it came, and when its agent was heard
 *   vm     each VM: its host (NULL: gone), its last PRED as it came
 *   event  what happened, once per (instance_id, event_number)
 *   plan   plan documents
 *   observation  migrations that were ordered, are under way, or were observed
 *
 * WAL with synchronous=NORMAL: a killed process loses nothing committed, and
 * a power cut can lose the last commits but never the file's integrity; what is
 * lost then the agents send again at their next HELLO. Plans are the exception
 * (nobody sends them again) and are committed with synchronous=FULL.
 *
 * Writes since the last store_commit are one transaction.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/msg_event.h"
#include "proto/msg_pred.h"
#include "proto/msg_snapshot.h"

#include <stdbool.h>

struct store;

/* Opens or makes the file; DC_EVERSION for one of a newer decamp, DC_EPARSE for one that is no store. */
DC_WARN_UNUSED enum dc_status store_open(const char *path, struct store **store_out, struct dc_error *err);
void store_close(struct store **store); /* what is not committed is lost */

DC_WARN_UNUSED enum dc_status store_commit(struct store *store, struct dc_error *err);

DC_WARN_UNUSED enum dc_status store_put_seen(struct store *store, const char *host, int64_t seen_unix_ms,
                                             struct dc_error *err);

/* `bytes` is the map that `snapshot` was read from. VMs of the host that it does not list are marked gone. */
DC_WARN_UNUSED enum dc_status store_put_snapshot(struct store *store, const char *host,
                                                 const struct msg_snapshot *snapshot, const void *bytes, size_t n_bytes,
                                                 int64_t seen_unix_ms, struct dc_error *err);

/* Says where a VM is now; `host` NULL: gone. */
DC_WARN_UNUSED enum dc_status store_put_vm_host(struct store *store, const char *uuid, const char *host,
                                                int64_t seen_unix_ms, struct dc_error *err);

DC_WARN_UNUSED enum dc_status store_put_prediction(struct store *store, const char *boot_id,
                                                   const struct msg_prediction *prediction, int64_t seen_unix_ms,
                                                   struct dc_error *err);

/* DC_EEXIST for an event that is there already: it is left as it is. */
DC_WARN_UNUSED enum dc_status store_put_event(struct store *store, const char *host, const struct msg_event *event,
                                              const void *bytes, size_t n_bytes, struct dc_error *err);

/* Of so many newest observations the rest is forgotten. */
enum { STORE_OBSERVATIONS_KEPT = 5000 };

/* Adds an observation (`*number` 0: it gets one) or replaces the one of that number. `stage` and
 * `text` (of fleet_observation_write()) come back as they are. */
DC_WARN_UNUSED enum dc_status store_put_observation(struct store *store, int64_t *number, int stage, const char *text,
                                                    struct dc_error *err);
DC_WARN_UNUSED enum dc_status store_drop_observation(struct store *store, int64_t number, struct dc_error *err);

/* Of so many newest plans the fleet is kept, too. */
enum { STORE_FLEETS_KEPT = 32 };

/* Texts are lent for the call. */
struct store_plan {
    const char *id;
    int64_t made_unix_ms;
    const char *summary;  /* what the list shows of it, a JSON object */
    const char *document; /* the plan document */
    const char *fleet;    /* the fleet document it was made from */
};

/* Commits at once. */
DC_WARN_UNUSED enum dc_status store_put_plan(struct store *store, const struct store_plan *plan, struct dc_error *err);

/* The plan document (heap, the caller's); DC_ENOTFOUND. */
DC_WARN_UNUSED enum dc_status store_get_plan(struct store *store, const char *id, char **document_out,
                                             struct dc_error *err);

/* The fleet document it was made from, likewise; DC_ENOTFOUND also where it is kept no longer. */
DC_WARN_UNUSED enum dc_status store_get_plan_fleet(struct store *store, const char *id, char **fleet_out,
                                                   struct dc_error *err);

/* What was stored, read back by store_restore; the first failure of a visit ends it. */
struct store_visitor {
    void *context;
    /* Hosts come first, the one whose SNAPSHOT is oldest first. `bytes` NULL: no SNAPSHOT yet. Lent for the call. */
    enum dc_status (*host)(void *context, const char *name, const void *bytes, size_t n_bytes, int64_t seen_unix_ms,
                           struct dc_error *err);
    /* `host` NULL: gone; `bytes` NULL: no prediction. */
    enum dc_status (*vm)(void *context, const char *uuid, const char *host, const void *bytes, size_t n_bytes,
                         int64_t seen_unix_ms, struct dc_error *err);
    /* By number. NULL: they are not asked for. */
    enum dc_status (*observation)(void *context, int64_t number, int stage, const char *text, struct dc_error *err);
};

DC_WARN_UNUSED enum dc_status store_restore(struct store *store, const struct store_visitor *visitor,
                                            struct dc_error *err);

/* Calls `visit` with the summary of each plan, newest first. */
DC_WARN_UNUSED enum dc_status store_list_plans(struct store *store, void (*visit)(void *context, const char *summary),
                                               void *context, struct dc_error *err);
