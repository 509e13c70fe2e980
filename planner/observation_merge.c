/* Filling in. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/observation_merge.h"

#include "proto/fleet_doc.h"

#include <stdlib.h>
#include <string.h>

static enum dc_status fill_name(char **name, const char *said, struct dc_error *err) {
    if (*name != NULL || said == NULL)
        return DC_OK;
    *name = strdup(said);
    return *name != NULL ? DC_OK : error_set_nomem(err);
}

static void fill_number(double *number, double said) {
    if (*number < 0 && said >= 0)
        *number = said;
}

static void fill_time(int64_t *unix_ms, int64_t said_unix_ms) {
    if (*unix_ms == 0)
        *unix_ms = said_unix_ms;
}

static bool is_source(const struct fleet_observation *seen, const char *host) {
    return seen->from != NULL && strcmp(seen->from, host) == 0;
}

/* The two hosts, from whichever side it is told. The target that was ordered gives way to the one that it was. */
static enum dc_status fill_hosts(struct fleet_observation *seen, const char *host, const struct msg_event *event,
                                 struct dc_error *err) {
    const bool by_source = is_source(seen, host);
    const char *to = by_source ? event->peer_host : host;
    if (to != NULL && seen->to != NULL && strcmp(seen->to, to) != 0) {
        free(seen->to);
        seen->to = NULL;
    }
    enum dc_status rc = fill_name(&seen->to, to, err);
    if (rc == DC_OK && !by_source)
        rc = fill_name(&seen->from, event->peer_host, err);
    return rc;
}

enum dc_status observation_merge_added(struct fleet_observation *seen, const char *host, struct dc_error *err) {
    return is_source(seen, host) ? DC_OK : fill_name(&seen->to, host, err);
}

enum dc_status observation_merge_began(struct fleet_observation *seen, const char *host, const struct msg_event *event,
                                       struct dc_error *err) {
    if (is_source(seen, host))
        fill_time(&seen->began_unix_ms, event->at_unix_ms);
    if (event->bandwidth_bytes_per_s > 0)
        fill_number(&seen->bandwidth_bytes_per_s, event->bandwidth_bytes_per_s);
    return fill_hosts(seen, host, event, err);
}

enum dc_status observation_merge_ended(struct fleet_observation *seen, const char *host, const struct msg_event *event,
                                       bool is_first, struct dc_error *err) {
    if (is_first)
        seen->succeeded = event->succeeded;
    fill_number(&seen->migration_ms, event->migration_ms);
    /* One clock told of both. */
    if (is_source(seen, host) && seen->began_unix_ms > 0 && event->at_unix_ms > seen->began_unix_ms)
        fill_number(&seen->migration_ms, (double)(event->at_unix_ms - seen->began_unix_ms));
    fill_number(&seen->downtime_ms, event->downtime_ms);
    fill_number(&seen->bytes, event->bytes);
    if (event->n_rounds > 0)
        fill_number(&seen->n_rounds, event->n_rounds);
    fill_time(&seen->suspended_unix_ms, event->suspended_unix_ms);
    fill_time(&seen->resumed_unix_ms, event->resumed_unix_ms);
    if (seen->suspended_unix_ms > 0 && seen->resumed_unix_ms >= seen->suspended_unix_ms)
        fill_number(&seen->downtime_ms, (double)(seen->resumed_unix_ms - seen->suspended_unix_ms));
    return fill_hosts(seen, host, event, err);
}
