/*
 * What QEMU says of its guest, out of the answers to a fixed list of queries.
 *
 * In:  one answer each. Out: identity, size, state, stop policy.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "model/stop_policy.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { QEMU_FACTS_UUID_BYTES = 37, QEMU_FACTS_MOST_VCPUS = 1024 };

enum qemu_state {
    QEMU_RUNS,
    QEMU_PAUSED,
    QEMU_INCOMING, /* waits for a migration, or takes one */
    QEMU_LEFT,     /* its guest runs elsewhere by now, or nowhere any more */
};

struct qemu_facts {
    char uuid[QEMU_FACTS_UUID_BYTES]; /* "": QEMU was given none */
    char *name;                       /* owned; NULL: none */
    double memory_bytes;
    size_t n_vcpus;
    long threads[QEMU_FACTS_MOST_VCPUS]; /* the system's ids of the vCPUs' */
    enum qemu_state state;
    bool has_kvm;
    bool migrates; /* out, as QEMU says */
    struct stop_policy policy;
};

enum { QEMU_FACTS_QUERIES = 9 };
extern const char *const qemu_facts_queries[QEMU_FACTS_QUERIES];

/* Idempotent. */
void qemu_facts_dispose(struct qemu_facts *facts);

/* The answer to the query of that number. DC_EPARSE names what was expected. */
DC_WARN_UNUSED enum dc_status qemu_facts_take(struct qemu_facts *facts, size_t query, const json_t *value,
                                              struct dc_error *err);

/* All that the planner is told; not the use of processors. */
bool qemu_facts_same(const struct qemu_facts *a, const struct qemu_facts *b);
