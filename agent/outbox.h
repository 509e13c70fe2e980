/*
 * What waits to be sent to the planner, and in which order: a session's first
 * SNAPSHOT, then events, the SNAPSHOT that they made necessary, predictions.
 *
 * Back-pressure ends here: of each VM only the newest prediction waits (an unsent one is
 * replaced, conflated), and nothing leaves without credit. No sockets, no
 * loop: it says what to send next and is told what was sent.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/msg_event.h"
#include "proto/msg_pred.h"
#include "proto/msg_snapshot.h"

#include <stdbool.h>

enum {
    OUTBOX_EVENTS = 64,     /* the newest so many are kept, and sent again after every WELCOME */
    OUTBOX_PRED_BATCH = 32, /* predictions in one PRED */
};

struct outbox;

/* Writes the SNAPSHOT of this moment. */
typedef enum dc_status (*outbox_snapshot_fn)(void *context, struct msg_buffer *buffer, struct dc_error *err);

DC_WARN_UNUSED enum dc_status outbox_new(const char *boot_id, const char *instance_id, outbox_snapshot_fn snapshot,
                                         void *context, struct outbox **outbox_out, struct dc_error *err);

/* Idempotent; sets `*outbox` to NULL. */
void outbox_free(struct outbox **outbox);

/* A session began: everything is to be sent again, with `credit` messages to do it. */
void outbox_restart(struct outbox *outbox, uint64_t credit);

/* No session: no credit. */
void outbox_suspend(struct outbox *outbox);

/* CREDIT came. */
void outbox_grant(struct outbox *outbox, uint64_t credit);

/* The SNAPSHOT is out of date. */
void outbox_want_snapshot(struct outbox *outbox);

/* Takes `*prediction` (moved; zeroed). */
DC_WARN_UNUSED enum dc_status outbox_put(struct outbox *outbox, struct msg_prediction *prediction,
                                         struct dc_error *err);

/* The VM is gone: its prediction is not sent any more. */
void outbox_forget(struct outbox *outbox, const char *vm);

/* Appends a copy of `*event`, numbered and with the outbox's instance id; a SNAPSHOT follows it. */
void outbox_event(struct outbox *outbox, const struct msg_event *event);

/* The next message into `buffer`; the kind in `*kind_out`, 0 when there is none to send
 * or no credit. It stays the next until outbox_sent is called. */
DC_WARN_UNUSED enum dc_status outbox_next(struct outbox *outbox, unsigned *kind_out, struct msg_buffer *buffer,
                                          struct dc_error *err);

/* What outbox_next gave last went out: one credit less. */
void outbox_sent(struct outbox *outbox);

/* What outbox_next could not write is given up, so that the rest goes on. */
void outbox_drop(struct outbox *outbox);

/* Predictions that were replaced before they were sent. */
uint64_t outbox_n_conflated(const struct outbox *outbox);
