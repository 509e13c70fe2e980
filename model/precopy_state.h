/*
 * The running simulation of one migration: what a stop policy works on.
 *
 * precopy.c owns the clock and the link; a policy decides how many pages each
 * live round sends and when the guest stops. It calls precopy_send() for what
 * it sends, precopy_close_round() after each round, and leaves in `rest` what
 * is still to be sent when the guest stands still.
 *
 * The sender runs ahead of the link: what it has pushed and the link has not
 * carried yet is `buffered_bytes`, at most the VM's `in_flight_bytes`. Pages
 * are read from the guest when they are PUSHED, so a round lasts as long as
 * its pushing; the buffer drains in the stop-and-copy.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/precopy.h"

/* Pages to send and what they take on the wire; zero pages count as pages. */
struct page_load {
    double pages;
    double bytes;
};

struct precopy {
    const struct precopy_vm *vm;
    const struct bandwidth_step *steps; /* from the current one on */
    size_t n_steps;                     /* of them; at least 1 */
    double time_s;                      /* since the migration's start */
    double buffered_bytes;
    double live_cap_bytes_per_s; /* the sender's own cap; INFINITY without one */
    double mirror_bytes_per_s;   /* of the link, what writes to disks take that are mirrored */
    struct page_load rest;       /* set by the policy: what the stop-and-copy sends */
    struct page_load postcopy;   /* set by the policy: what follows once the guest runs at its target */
    struct precopy_result *result;
    enum dc_status rc; /* set by a policy that fails, with `err` */
    struct dc_error *err;
};

/* Pushes `bytes` and moves the clock to when the last of them is pushed. */
void precopy_send(struct precopy *precopy, double bytes);

/* What mirrored writes leave of the bandwidth, at least a hundredth. */
double precopy_link_rate(const struct precopy *precopy);

/* Sends `bytes` past the buffer, as fast as sender and link can. */
void precopy_carry(struct precopy *precopy, double bytes);

/* Copies the disks, as far as the policy does (storage.c): moves the clock to when
 * memory can go, and counts the copy in the result. */
void storage_copy(struct precopy *precopy);

/* What the sender can push at this moment, once its buffer is full. */
double precopy_push_rate(const struct precopy *precopy);

/* When the bandwidth changes next; INFINITY for never. */
double precopy_next_step_s(const struct precopy *precopy);

/* Counts a round that sent `load` from `from_s` until now. */
void precopy_close_round(struct precopy *precopy, struct page_load load, double from_s);

/* Unique pages dirtied in `window_s`, at most the pages that can be. */
double precopy_dirtied(const struct precopy *precopy, double window_s);

/* The policies' live rounds; see struct stop_policy_class. */
void policy_xen_v2_run(struct precopy *precopy);
void policy_xen_xapi_run(struct precopy *precopy);
void policy_xen_legacy_run(struct precopy *precopy);
void policy_qemu_run(struct precopy *precopy);
