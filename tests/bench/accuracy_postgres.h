/*
 * The measured migrations of tests/data/qemu-postgres: 8 GiB guests under QEMU
 * with a database at work, ten runs a scenario, and what their counters say about
 * how the guest dirtied its memory.
 *
 * In:  the two CSV files (every 200 ms a look at QEMU's counters).
 * Out: runs, and for each the curve W(t) that its rounds followed.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/dirty_profile.h"

#include <stddef.h>

enum { POSTGRES_MAX_ROUNDS = 256, POSTGRES_MAX_RUNS = 80, POSTGRES_TEXT_BYTES = 48 };

/* What was seen between two syncs: the first look after one and the last before the next. */
struct postgres_round {
    unsigned sync;
    double first_s;
    double last_s;
    double remaining_first_bytes; /* of dirty pages, 4096 each */
    double remaining_last_bytes;
    double transferred_first_bytes; /* on the wire, since the start */
    double transferred_last_bytes;
};

struct postgres_run {
    char scenario[POSTGRES_TEXT_BYTES];
    unsigned number;
    double total_s;
    double downtime_s;
    double bytes;
    double precopy_bytes;
    double zero_pages; /* sent in all rounds */
    double memory_pages;
    size_t n_rounds;
    struct postgres_round rounds[POSTGRES_MAX_ROUNDS];
};

struct postgres_data {
    size_t n;
    struct postgres_run runs[POSTGRES_MAX_RUNS];
};

/* Reads both files; ends the program where they are not as they should be. */
void accuracy_postgres_load(struct postgres_data *data_out);

/* Bytes per second on the wire while the first round lasted. */
double accuracy_postgres_rate(const struct postgres_run *run);

/* Zero pages of all memory, from what the first round's pages took; later
 * rounds send more of them, of memory that was freed and used again. */
double accuracy_postgres_zero_pages(const struct postgres_run *run);

/* When the first round ended, in seconds from the start. */
double accuracy_postgres_first_sync_s(const struct postgres_run *run);

/* Adds W(t) as a burst to `profile`, from the rounds that ended before
 * `until_s`: the workload did not outlast it. */
void accuracy_postgres_curve(const struct postgres_run *run, double until_s, struct dirty_profile *profile);
