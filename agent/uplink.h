/*
 * The conversation with the planner: HELLO, WELCOME, then what the outbox has
 * to say as far as the credit goes, STATUS at the planner's interval, BYE.
 *
 * Between the outbox (what waits) and the publisher (the socket). A message from the planner that makes no sense
 * is dropped, counted and logged; it never ends the agent.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "agent/outbox.h"
#include "agent/publisher.h"
#include "proto/msg_status.h"

#include <uv.h>

struct uplink;

struct uplink_config {
    const char *host; /* texts are lent for the uplink's life */
    const char *boot_id;
    const char *instance_id;
};

struct uplink_events {
    void *context;
    void (*hold)(void *context, const char *vm, uint64_t for_ms);
    void (*release)(void *context, const char *vm);
    void (*fill_status)(void *context, struct msg_status *status);
};

/* `outbox` must outlive the uplink; it is flushed by it whenever uplink_flush is called. */
DC_WARN_UNUSED enum dc_status uplink_open(uv_loop_t *loop, const struct uplink_config *config,
                                          const struct publisher_config *publisher, const struct uplink_events *events,
                                          struct outbox *outbox, struct uplink **uplink_out, struct dc_error *err);

/* Sends what the outbox has, as far as credit and socket go. */
void uplink_flush(struct uplink *uplink);

/* Says BYE where there is a session, closes, sets `*uplink` to NULL; its memory goes when the loop has run dry. */
void uplink_close(struct uplink **uplink, const char *reason);
