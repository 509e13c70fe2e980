/* The life of observations: see the table of stages in the header. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/observation_log.h"

#include "base/log.h"
#include "base/vec.h"
#include "planner/fleet_calibrate.h"
#include "planner/observation_merge.h"
#include "planner/observation_sample.h"

#include <stdlib.h>
#include <string.h>

static const double merge_window_ms = 60e3;
static const double longest_migration_ms = 6 * 3600e3;
static const double order_after_restart_ms = 3600e3; /* how long its HOLD still holds is not known then */
static const double same_migration_ms = 600e3;       /* an agent that restarts sees it begin again */
/* Of what a path carries, wanted of it by all migrations at the same time. One that follows another closely overlaps it
 * by its hand-over. */
static const double most_demand_frac = 1.3;
static const double longest_startup_ms = 10e3; /* later ones waited for something else */

struct record {
    struct fleet_observation seen;
    enum observation_log_stage stage;
    int64_t number;    /* of its row; 0: not in the store yet */
    double expires_ms; /* monotonic: when its stage ends by itself; of ENDED: until when others may add to it */
};

struct observation_log {
    struct store *store;
    size_t n_records, capacity; /* oldest first */
    struct record *records;
    size_t n_calibration;
    struct calibration *calibration;
};

struct observation_log *observation_log_new(struct store *store) {
    struct observation_log *log = calloc(1, sizeof(*log));
    if (log != NULL)
        log->store = store;
    return log;
}

void observation_log_free(struct observation_log **log) {
    if (*log == NULL)
        return;
    for (size_t i = 0; i < (*log)->n_records; i++)
        fleet_observation_dispose(&(*log)->records[i].seen);
    free((*log)->records);
    calibration_free(&(*log)->calibration, &(*log)->n_calibration);
    free(*log);
    *log = NULL;
}

static bool has_ended(const struct record *record) {
    return record->stage == OBSERVATION_LOG_ENDED || record->stage == OBSERVATION_LOG_UNENDED;
}

/* Forgets a record here; its row stays. */
static void forget(struct observation_log *log, struct record *record) {
    fleet_observation_dispose(&record->seen);
    const size_t at = (size_t)(record - log->records);
    log->n_records--;
    memmove(record, record + 1, (log->n_records - at) * sizeof(*record));
}

/* The oldest that ended make room. */
static void trim(struct observation_log *log) {
    size_t n_ended = 0;
    for (size_t i = 0; i < log->n_records; i++)
        n_ended += has_ended(&log->records[i]);
    for (size_t i = 0; n_ended > OBSERVATION_LOG_KEPT && i < log->n_records;) {
        if (has_ended(&log->records[i])) {
            forget(log, &log->records[i]);
            n_ended--;
        } else {
            i++;
        }
    }
}

static struct record *add(struct observation_log *log) {
    if (!vec_reserve((void **)&log->records, &log->capacity, log->n_records + 1, sizeof(*log->records)))
        return NULL;
    struct record *record = &log->records[log->n_records++];
    *record = (struct record){.seen = {.memory_bytes = FLEET_UNSET,
                                       .bandwidth_bytes_per_s = FLEET_UNSET,
                                       .startup_ms = FLEET_UNSET,
                                       .migration_ms = FLEET_UNSET,
                                       .downtime_ms = FLEET_UNSET,
                                       .bytes = FLEET_UNSET,
                                       .n_rounds = FLEET_UNSET}};
    return record;
}

/* The VM's newest record, or NULL. */
static struct record *find(const struct observation_log *log, const char *vm) {
    for (size_t i = log->n_records; i-- > 0;) {
        if (strcmp(log->records[i].seen.vm, vm) == 0)
            return &log->records[i];
    }
    return NULL;
}

static enum dc_status save(struct observation_log *log, struct record *record, struct dc_error *err) {
    char *text = NULL;
    enum dc_status rc = fleet_observation_write(&record->seen, &text, err);
    if (rc == DC_OK)
        rc = store_put_observation(log->store, &record->number, (int)record->stage, text, err);
    free(text);
    return rc;
}

static enum dc_status drop(struct observation_log *log, struct record *record, struct dc_error *err) {
    const int64_t number = record->number;
    forget(log, record);
    return number != 0 ? store_drop_observation(log->store, number, err) : DC_OK;
}

/* Did it share its path with others more than plans foresee? Migrations that nobody planned do: their times teach how
 * they hindered each other, not what the path carries. */
static bool is_contended(const struct observation_log *log, size_t i, double nominal_bytes_per_s) {
    const struct fleet_observation *seen = &log->records[i].seen;
    double demand_bytes_per_s = seen->predicted.bandwidth_bytes_per_s;
    for (size_t k = 0; k < log->n_records; k++)
        if (k != i && log->records[k].stage == OBSERVATION_LOG_ENDED)
            demand_bytes_per_s += observation_demand(seen, &log->records[k].seen);
    return demand_bytes_per_s > most_demand_frac * nominal_bytes_per_s;
}

enum dc_status observation_log_learn(struct observation_log *log, struct dc_error *err) {
    struct calibration_sample *samples = calloc(log->n_records + 1, sizeof(*samples));
    struct calibration *entries = NULL;
    size_t n_entries = 0;
    size_t n = 0;
    if (samples == NULL)
        return error_set_nomem(err);
    trim(log);
    for (size_t i = 0; i < log->n_records; i++) {
        if (log->records[i].stage == OBSERVATION_LOG_ENDED && observation_sample(&log->records[i].seen, &samples[n]) &&
            !is_contended(log, i, samples[n].nominal_bytes_per_s))
            n++;
    }
    const enum dc_status rc = calibration_learn(samples, n, &entries, &n_entries, err);
    free(samples);
    if (rc != DC_OK)
        return rc;
    calibration_free(&log->calibration, &log->n_calibration);
    log->calibration = entries;
    log->n_calibration = n_entries;
    return DC_OK;
}

enum dc_status observation_log_restore(struct observation_log *log, int64_t number, int stage, const char *text,
                                       struct dc_error *err) {
    struct dc_error why = DC_ERROR_NONE;
    struct fleet_observation seen;
    enum dc_status rc = fleet_observation_read(text, strlen(text), &seen, &why);
    if (rc == DC_OK && (stage < OBSERVATION_LOG_ORDERED || stage > OBSERVATION_LOG_UNENDED)) {
        fleet_observation_dispose(&seen);
        rc = error_set(&why, DC_EVERSION, "stage %d is not known", stage);
    }
    if (rc != DC_OK) {
        log_warn("store: observation %lld is not restored: %s", (long long)number, error_text(&why));
        return DC_OK;
    }
    struct record *record = add(log);
    if (record == NULL) {
        fleet_observation_dispose(&seen);
        return error_set_nomem(err);
    }
    const double now_ms = fleet_clock_now().monotonic_ms;
    *record = (struct record){.seen = seen, .stage = (enum observation_log_stage)stage, .number = number};
    if (stage == OBSERVATION_LOG_ORDERED)
        record->expires_ms = now_ms + order_after_restart_ms;
    else
        record->expires_ms = now_ms + (stage == OBSERVATION_LOG_UNDER_WAY ? longest_migration_ms : merge_window_ms);
    if (log->n_records > (size_t)2 * OBSERVATION_LOG_KEPT)
        trim(log);
    return DC_OK;
}

static bool copy_text(const char *text, char **copy_out) {
    *copy_out = text != NULL ? strdup(text) : NULL;
    return text == NULL || *copy_out != NULL;
}

/* A record of a VM of the fleet, with what is predicted of it now. */
static enum dc_status open_record(struct observation_log *log, struct fleet *fleet, size_t index,
                                  const struct foresight_wish *wish, struct record **record_out, struct dc_error *err) {
    struct fleet_vm *vm = &fleet->vms[index];
    struct record *record = add(log);
    if (record == NULL)
        return error_set_nomem(err);
    struct fleet_observation *seen = &record->seen;
    *record_out = record;
    if (!copy_text(vm->uuid, &seen->vm) || !copy_text(vm->name, &seen->name) ||
        !copy_text(fleet->hosts[vm->host].name, &seen->from) || !copy_text(wish->to, &seen->to) ||
        !copy_text(vm->has_policy ? vm->policy.policy->name : NULL, &seen->policy)) {
        forget(log, record);
        return error_set_nomem(err);
    }
    seen->memory_bytes = vm->memory_bytes;
    if (wish->bandwidth_bytes_per_s > 0)
        seen->bandwidth_bytes_per_s = wish->bandwidth_bytes_per_s;
    enum dc_status rc = observation_log_export(log, false, fleet, err);
    if (rc == DC_OK)
        rc = foresight_make(fleet, vm, wish, &seen->predicted, err);
    if (rc != DC_OK)
        forget(log, record);
    return rc;
}

enum dc_status observation_log_order(struct observation_log *log, struct fleet *fleet, size_t vm,
                                     const struct foresight_wish *wish, double for_ms, struct fleet_clock now,
                                     struct dc_error *err) {
    struct record *record = find(log, fleet->vms[vm].uuid);
    enum dc_status rc = DC_OK;
    if (record != NULL && record->stage == OBSERVATION_LOG_UNDER_WAY)
        return DC_OK; /* a HOLD that is prolonged */
    if (record != NULL && record->stage == OBSERVATION_LOG_ORDERED)
        rc = drop(log, record, err);
    if (rc == DC_OK)
        rc = open_record(log, fleet, vm, wish, &record, err);
    if (rc != DC_OK)
        return rc;
    record->seen.ordered_unix_ms = now.unix_ms;
    record->expires_ms = now.monotonic_ms + for_ms;
    return save(log, record, err);
}

/* Whether the beginning that `event` tells of is that of the record, told by the other host or again. */
static bool is_same_migration(const struct record *record, const struct msg_event *event) {
    return record->seen.began_unix_ms == 0 ||
           (double)llabs(event->at_unix_ms - record->seen.began_unix_ms) < same_migration_ms;
}

/* The target's agent told of the end before the source's could tell of the beginning. */
static bool is_overtaken(const struct record *record, struct fleet_clock now) {
    return record->stage == OBSERVATION_LOG_ENDED && record->seen.began_unix_ms == 0 &&
           now.monotonic_ms <= record->expires_ms;
}

static enum dc_status begin(struct observation_log *log, struct fleet *fleet, const char *host,
                            const struct msg_event *event, struct fleet_clock now, struct dc_error *err) {
    const long vm = fleet_doc_find_vm(fleet, event->vm);
    struct record *record = find(log, event->vm);
    enum dc_status rc = DC_OK;
    if (record != NULL && is_overtaken(record, now)) {
        rc = observation_merge_began(&record->seen, host, event, err);
        return rc == DC_OK ? save(log, record, err) : rc;
    }
    if (record != NULL && record->stage == OBSERVATION_LOG_UNDER_WAY && !is_same_migration(record, event)) {
        record->stage = OBSERVATION_LOG_UNENDED;
        rc = save(log, record, err);
        record = NULL;
    }
    if (rc != DC_OK || ((record == NULL || has_ended(record)) && vm == FLEET_NO_INDEX))
        return rc;
    if (record == NULL || has_ended(record)) {
        const bool by_source = strcmp(fleet->hosts[fleet->vms[vm].host].name, host) == 0;
        const struct foresight_wish wish = {.to = by_source ? event->peer_host : host,
                                            .bandwidth_bytes_per_s = event->bandwidth_bytes_per_s};
        rc = open_record(log, fleet, (size_t)vm, &wish, &record, err);
        if (rc != DC_OK || record == NULL)
            return rc;
    }
    struct fleet_observation *seen = &record->seen;
    const double waited_ms = (double)(now.unix_ms - seen->ordered_unix_ms);
    if (record->stage == OBSERVATION_LOG_ORDERED && seen->ordered_unix_ms > 0 && waited_ms <= longest_startup_ms)
        seen->startup_ms = waited_ms > 0 ? waited_ms : 0;
    record->stage = OBSERVATION_LOG_UNDER_WAY;
    record->expires_ms = now.monotonic_ms + longest_migration_ms;
    rc = observation_merge_began(seen, host, event, err);
    return rc == DC_OK ? save(log, record, err) : rc;
}

/* The record that an end belongs to: of an earlier migration only what may still be added to. */
static struct record *find_ending(struct observation_log *log, const char *host, const struct msg_event *event,
                                  struct fleet_clock now) {
    for (size_t i = log->n_records; i-- > 0;) {
        struct record *record = &log->records[i];
        const struct fleet_observation *seen = &record->seen;
        if (strcmp(seen->vm, event->vm) != 0)
            continue;
        const bool by_source = seen->from != NULL && strcmp(seen->from, host) == 0;
        if (by_source && seen->began_unix_ms > event->at_unix_ms)
            continue;
        return record->stage == OBSERVATION_LOG_ENDED && now.monotonic_ms > record->expires_ms ? NULL : record;
    }
    return NULL;
}

static enum dc_status end(struct observation_log *log, struct fleet *fleet, const char *host,
                          const struct msg_event *event, struct fleet_clock now, struct dc_error *err) {
    struct record *record = find_ending(log, host, event, now);
    const long vm = fleet_doc_find_vm(fleet, event->vm);
    enum dc_status rc = DC_OK;
    if (record == NULL) {
        /* Its beginning was not told; only the source's word is worth a line then, and no prediction. */
        if (vm == FLEET_NO_INDEX || strcmp(fleet->hosts[fleet->vms[vm].host].name, host) != 0)
            return DC_OK;
        const struct foresight_wish wish = {.to = event->peer_host};
        rc = open_record(log, fleet, (size_t)vm, &wish, &record, err);
        if (rc != DC_OK || record == NULL)
            return rc;
        record->seen.predicted = (struct fleet_foresight){0};
    }
    const bool is_first = record->stage != OBSERVATION_LOG_ENDED;
    rc = observation_merge_ended(&record->seen, host, event, is_first, err);
    record->stage = OBSERVATION_LOG_ENDED;
    if (is_first)
        record->expires_ms = now.monotonic_ms + merge_window_ms;
    if (rc == DC_OK)
        rc = save(log, record, err);
    return rc == DC_OK ? observation_log_learn(log, err) : rc;
}

/* A VM turned up: the target of a migration that nobody named. */
static enum dc_status arrive(struct observation_log *log, const char *host, const struct msg_event *event,
                             struct fleet_clock now, struct dc_error *err) {
    struct record *record = find(log, event->vm);
    if (record == NULL || record->seen.to != NULL || record->stage == OBSERVATION_LOG_ORDERED ||
        now.monotonic_ms > record->expires_ms)
        return DC_OK;
    enum dc_status rc = observation_merge_added(&record->seen, host, err);
    if (rc == DC_OK)
        rc = save(log, record, err);
    return rc == DC_OK ? observation_log_learn(log, err) : rc;
}

enum dc_status observation_log_event(struct observation_log *log, struct fleet *fleet, const char *host,
                                     const struct msg_event *event, struct fleet_clock now, struct dc_error *err) {
    struct msg_event known = *event;
    if (known.peer_host != NULL && fleet_doc_find_host(fleet, known.peer_host) == FLEET_NO_INDEX)
        known.peer_host = NULL;
    switch (event->type) {
    case MSG_EVENT_VM_ADDED:
        return arrive(log, host, &known, now, err);
    case MSG_EVENT_VM_REMOVED:
        return DC_OK;
    case MSG_EVENT_MIGRATION_BEGAN:
        return begin(log, fleet, host, &known, now, err);
    case MSG_EVENT_MIGRATION_ENDED:
        return end(log, fleet, host, &known, now, err);
    }
    return DC_OK;
}

enum dc_status observation_log_release(struct observation_log *log, const char *vm, struct fleet_clock now,
                                       struct dc_error *err) {
    struct record *record = find(log, vm);
    if (record != NULL && record->stage == OBSERVATION_LOG_ORDERED)
        return drop(log, record, err);
    if (record != NULL && record->stage == OBSERVATION_LOG_UNDER_WAY)
        record->expires_ms = now.monotonic_ms + merge_window_ms; /* the word of its end may be on its way */
    return DC_OK;
}

enum dc_status observation_log_expire(struct observation_log *log, struct fleet_clock now, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t i = log->n_records; rc == DC_OK && i-- > 0;) {
        struct record *record = &log->records[i];
        if (has_ended(record) || now.monotonic_ms <= record->expires_ms)
            continue;
        if (record->stage == OBSERVATION_LOG_ORDERED) {
            rc = drop(log, record, err);
            continue;
        }
        record->stage = OBSERVATION_LOG_UNENDED;
        rc = save(log, record, err);
    }
    return rc;
}

static enum dc_status export_calibration(const struct observation_log *log, struct fleet *fleet, struct dc_error *err) {
    free(fleet->calibration);
    fleet->calibration = calloc(log->n_calibration + 1, sizeof(*fleet->calibration));
    if (fleet->calibration == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < log->n_calibration; i++) {
        struct calibration *copy = &fleet->calibration[i];
        *copy = log->calibration[i];
        const bool ok = copy_text(log->calibration[i].from, &copy->from);
        const bool both = copy_text(log->calibration[i].to, &copy->to) && ok;
        fleet->n_calibration++;
        if (!both)
            return error_set_nomem(err);
    }
    return DC_OK;
}

enum dc_status observation_log_export(const struct observation_log *log, bool with_observations, struct fleet *fleet,
                                      struct dc_error *err) {
    enum dc_status rc = fleet->n_calibration == 0 ? export_calibration(log, fleet, err) : DC_OK;
    if (rc == DC_OK)
        fleet_calibrate_links(fleet);
    if (rc != DC_OK || !with_observations)
        return rc;
    free(fleet->observations);
    fleet->observations = calloc(log->n_records + 1, sizeof(*fleet->observations));
    if (fleet->observations == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; rc == DC_OK && i < log->n_records; i++) {
        if (!has_ended(&log->records[i]))
            continue;
        rc = fleet_observation_copy(&log->records[i].seen, &fleet->observations[fleet->n_observations], err);
        fleet->n_observations += rc == DC_OK;
    }
    return rc;
}
