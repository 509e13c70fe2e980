/*
 * What one QEMU's events tell of its guest's migrations, as a pure state machine.
 *
 *   began      MIGRATION setup or active where the guest runs; with its announcement (a HOLD), if that was just before
 *   suspended  STOP while it goes on
 *   ended      MIGRATION completed, failed or cancelled, with the figures of query-migrate
 *   arrived    RESUME where the guest was awaited
 *
 * MIGRATION is sent where the capability `events` is on. Times are milliseconds since 1970 by the clock of QEMU's
 * host, which is the agent's.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "agent/source.h"
#include "proto/qmp.h"

struct qemu_migration {
    bool is_out;     /* one from here goes on */
    bool is_awaited; /* the guest is to come here */
    bool has_succeeded;
    double ordered_unix_ms; /* a migration of it was announced; 0: none */
    double began_unix_ms, set_up_unix_ms, stopped_unix_ms, resumed_unix_ms, ended_unix_ms;
};

/* A migration that begins within this time after it was announced began with the announcement: before QEMU is told to
 * migrate, its other end is started. */
enum { QEMU_MIGRATION_ORDER_MS = 10000 };

enum qemu_migration_news {
    QEMU_MIGRATION_NOTHING,
    QEMU_MIGRATION_BEGAN,   /* tell it */
    QEMU_MIGRATION_ENDED,   /* query-migrate, then qemu_migration_end() */
    QEMU_MIGRATION_ARRIVED, /* tell it */
};

enum qemu_migration_news qemu_migration_event(struct qemu_migration *migration, const struct qmp_message *event);

/* What to tell of a beginning or an arrival; `vm` is lent. */
struct source_migration qemu_migration_tell(const struct qemu_migration *migration, enum qemu_migration_news news,
                                            const char *vm);

/* What to tell of the end, from the answer to query-migrate (NULL: none was had, events must do). DC_EBUSY: QEMU has
 * not counted it up yet (total-time is 0 for a moment after `completed`): ask again. */
DC_WARN_UNUSED enum dc_status qemu_migration_end(struct qemu_migration *migration, const json_t *answer, const char *vm,
                                                 struct source_migration *told_out);

/* QEMU is gone. True: a migration was under way or has not been told; end it without an answer. */
bool qemu_migration_break(struct qemu_migration *migration, double now_unix_ms);
