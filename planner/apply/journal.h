/*
 * The journal of one applied plan: every intention before it is carried out, every outcome after.
 *
 * In and out: entries, and the plan as it was at first and after each re-planning. On disk: STATE_DIR/PLAN_ID/, an
 * SQLite file of its own; what a call returned DC_OK for survives a crash of this machine.
 *
 * A journal that is open is locked: no second apply of the plan can run at the same time.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define JOURNAL_KIND_MAP(X)                                                                 \
    X(INTENT, "intent")     /* about to be done */                                          \
    X(DONE, "done")         /* the step did what it should */                               \
    X(FAILED, "failed")     /* it did not and is not tried again; its VM is where it was */ \
    X(STUCK, "stuck")       /* it does not converge, or where its VM is is not clear */     \
    X(NOT_DONE, "not_done") /* it did not, and may be tried again */                        \
    X(ABORT, "abort")       /* about to be asked to end */                                  \
    X(CAP, "cap")           /* about to get another bandwidth cap */                        \
    X(NOTE, "note")         /* what a reader of the journal may want to know */             \
    X(END, "end")           /* nothing is left to do; the text says what came of it */

enum journal_kind {
#define X(name, text) JOURNAL_##name,
    JOURNAL_KIND_MAP(X)
#undef X
};

/* Texts are never NULL; "" where they do not apply. */
struct journal_entry {
    enum journal_kind kind;
    int64_t at_unix_ms; /* set by journal_write() */
    unsigned revision;  /* of the plan; its first is 0 */
    unsigned step;      /* id in that revision; 0: none */
    unsigned attempt;   /* 1.. */
    const char *vm;     /* uuid */
    const char *from;
    const char *to;
    const char *text;
};

struct journal;

/* Makes the folders. DC_EBUSY where the plan is being applied by another process. On failure `*journal_out` is NULL. */
DC_WARN_UNUSED enum dc_status journal_open(const char *state_dir, const char *plan_id, struct journal **journal_out,
                                           struct dc_error *err);
void journal_close(struct journal **journal);

/* The plan's own folder, and the file in it. Lent. */
const char *journal_dir(const struct journal *journal);

/* How many revisions there are; 0: nothing was ever begun. */
DC_WARN_UNUSED enum dc_status journal_count(struct journal *journal, unsigned *n_revisions_out, struct dc_error *err);

/* Adds the next revision: the plan document, and why. */
DC_WARN_UNUSED enum dc_status journal_add_plan(struct journal *journal, const char *document, const char *reason,
                                               struct dc_error *err);

/* A revision's document (heap, the caller frees it). DC_ENOTFOUND where there is none. */
DC_WARN_UNUSED enum dc_status journal_plan(struct journal *journal, unsigned revision, char **document_out,
                                           struct dc_error *err);

DC_WARN_UNUSED enum dc_status journal_write(struct journal *journal, const struct journal_entry *entry,
                                            struct dc_error *err);

/* All entries, oldest first; the entry is lent for the call. Stops where `each` does not return DC_OK. */
DC_WARN_UNUSED enum dc_status journal_read(struct journal *journal,
                                           enum dc_status (*each)(void *context, const struct journal_entry *entry,
                                                                  struct dc_error *err),
                                           void *context, struct dc_error *err);

const char *journal_kind_text(enum journal_kind kind);
