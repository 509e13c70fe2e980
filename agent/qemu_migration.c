/* The order of events: setup, active, STOP, completed; a failed one ends with RESUME or without STOP. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/qemu_migration.h"

#include <math.h>
#include <string.h>

static bool is_one_of(const char *text, const char *const *list) {
    for (; text != NULL && *list != NULL; list++)
        if (strcmp(text, *list) == 0)
            return true;
    return false;
}

static enum qemu_migration_news take_status(struct qemu_migration *migration, const struct qmp_message *event) {
    static const char *const begun[] = {"setup", "active", "wait-unplug", "pre-switchover", NULL};
    static const char *const over[] = {"completed", "failed", "cancelled", NULL};
    const char *status = json_string_value(json_object_get(event->data, "status"));
    if (is_one_of(status, begun) && !migration->is_out && !migration->is_awaited) {
        const double early_ms = event->at_unix_ms - migration->ordered_unix_ms;
        const bool is_ordered = migration->ordered_unix_ms > 0 && early_ms >= 0 && early_ms < QEMU_MIGRATION_ORDER_MS;
        *migration = (struct qemu_migration){.is_out = true,
                                             .began_unix_ms = event->at_unix_ms - (is_ordered ? early_ms : 0),
                                             .set_up_unix_ms = event->at_unix_ms};
        return QEMU_MIGRATION_BEGAN;
    }
    if (is_one_of(status, over) && migration->is_out) {
        migration->ended_unix_ms = event->at_unix_ms;
        migration->has_succeeded = strcmp(status, "completed") == 0;
        return QEMU_MIGRATION_ENDED;
    }
    return QEMU_MIGRATION_NOTHING;
}

enum qemu_migration_news qemu_migration_event(struct qemu_migration *migration, const struct qmp_message *event) {
    if (strcmp(event->name, "MIGRATION") == 0)
        return take_status(migration, event);
    if (strcmp(event->name, "STOP") == 0 && migration->is_out)
        migration->stopped_unix_ms = event->at_unix_ms;
    if (strcmp(event->name, "RESUME") != 0)
        return QEMU_MIGRATION_NOTHING;
    migration->resumed_unix_ms = event->at_unix_ms;
    if (!migration->is_awaited)
        return QEMU_MIGRATION_NOTHING;
    migration->is_awaited = false;
    return QEMU_MIGRATION_ARRIVED;
}

struct source_migration qemu_migration_tell(const struct qemu_migration *migration, enum qemu_migration_news news,
                                            const char *vm) {
    const bool has_ended = news == QEMU_MIGRATION_ARRIVED;
    const double at_ms = has_ended ? migration->resumed_unix_ms : migration->began_unix_ms;
    return (struct source_migration){
        .vm = vm,
        .has_ended = has_ended,
        .at_unix_ms = llround(at_ms),
        .succeeded = has_ended,
        .migration_ms = -1,
        .downtime_ms = -1,
        .bytes = -1,
        .resumed_unix_ms = has_ended ? llround(at_ms) : 0,
    };
}

static double number_or_none(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : -1;
}

enum dc_status qemu_migration_end(struct qemu_migration *migration, const json_t *answer, const char *vm,
                                  struct source_migration *told_out) {
    const bool succeeded = migration->has_succeeded;
    double total_ms = number_or_none(answer, "total-time");
    if (answer != NULL && succeeded && total_ms <= 0)
        return DC_EBUSY;
    if (!succeeded || answer == NULL)
        total_ms = migration->ended_unix_ms - migration->set_up_unix_ms;
    total_ms += migration->set_up_unix_ms - migration->began_unix_ms;
    *told_out = (struct source_migration){
        .vm = vm,
        .has_ended = true,
        .at_unix_ms = llround(migration->ended_unix_ms),
        .succeeded = succeeded,
        .migration_ms = total_ms,
        .downtime_ms = succeeded ? number_or_none(answer, "downtime") : -1,
        .bytes = number_or_none(json_object_get(answer, "ram"), "transferred"),
        .suspended_unix_ms = llround(migration->stopped_unix_ms),
        .resumed_unix_ms = succeeded ? 0 : llround(migration->resumed_unix_ms),
    };
    *migration = (struct qemu_migration){0};
    return DC_OK;
}

bool qemu_migration_break(struct qemu_migration *migration, double now_unix_ms) {
    if (!migration->is_out)
        return false;
    if (migration->ended_unix_ms <= 0)
        migration->ended_unix_ms = now_unix_ms;
    return true;
}
