/* An option table with one row of every type. */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/options.h"

struct config_example {
    char *store_path;
    char *note;
    uint64_t n_workers;
    double load_frac;
    bool verbose;
    double buffer_bytes;
    double bandwidth_bytes_per_s;
    double interval_ms;
    unsigned output;
};

static const char *const config_example_outputs[] = {"table", "wide", "json", NULL};

#define FIELD(field) offsetof(struct config_example, field)

static const struct option_spec config_example_specs[] = {
    {"store_path", OPTION_STRING, FIELD(store_path), NULL, 0, 0, NULL, true, "where the store is"},
    {"note", OPTION_STRING, FIELD(note), "none", 0, 0, NULL, false, "for people"},
    {"n_workers", OPTION_UINT, FIELD(n_workers), "2", 1, 64, NULL, false, "threads"},
    {"load_frac", OPTION_DOUBLE, FIELD(load_frac), "0.5", 0, 1, NULL, false, "share"},
    {"verbose", OPTION_BOOL, FIELD(verbose), NULL, 0, 0, NULL, false, "say more"},
    {"buffer_bytes", OPTION_BYTES, FIELD(buffer_bytes), "1MiB", 4096, 1073741824, NULL, false, "memory"},
    {"bandwidth_bytes_per_s", OPTION_RATE, FIELD(bandwidth_bytes_per_s), "1Gbit/s", 0, 0, NULL, false, "a link"},
    {"interval_ms", OPTION_DURATION_MS, FIELD(interval_ms), "5s", 100, 3600000, NULL, false, "how often"},
    {"output", OPTION_CHOICE, FIELD(output), "wide", 0, 0, config_example_outputs, false, "how"},
};

#undef FIELD

static const struct option_table config_example_table = {config_example_specs, 9};
