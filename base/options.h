/*
 * Option tables: every setting of a program is one row with its type, unit,
 * range, default and help text. Configuration files, --check-config and the
 * manual are all served by the same row.
 *
 * In:  a name and a text. Out: the typed field of the caller's struct.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_STRING,      /* char *, heap, owned by the target struct */
    OPTION_UINT,        /* uint64_t */
    OPTION_DOUBLE,      /* double */
    OPTION_BOOL,        /* bool: true/false, yes/no, on/off */
    OPTION_BYTES,       /* double, bytes: "2GiB" */
    OPTION_RATE,        /* double, bytes per second: "1Gbit/s" */
    OPTION_DURATION_MS, /* double, milliseconds: "30s" */
    OPTION_CHOICE,      /* unsigned: index into `choices` */
};

struct option_spec {
    const char *name; /* the key, with '_' between words */
    enum option_type type;
    size_t offset;              /* offsetof the field in the target struct */
    const char *default_text;   /* parsed like user text; NULL: unset (string NULL, number 0) */
    double min, max;            /* range of numbers in the field's unit; both 0: not limited */
    const char *const *choices; /* NULL-terminated, for OPTION_CHOICE */
    bool required;
    const char *help;
};

struct option_table {
    const struct option_spec *specs;
    size_t n_specs;
};

/* Zeroes nothing: `target` must start zeroed. Sets every field to its default. */
DC_WARN_UNUSED enum dc_status options_set_defaults(const struct option_table *table, void *target,
                                                   struct dc_error *err);

/* Sets the field called `name` from `text`. DC_ENOTFOUND for an unknown name
 * (the nearest known one is suggested), DC_EINVAL or DC_ERANGE for a value
 * that does not fit; the text says what was expected. */
DC_WARN_UNUSED enum dc_status options_set(const struct option_table *table, void *target, const char *name,
                                          const char *text, struct dc_error *err);

/* Names the first required option that is still unset, as DC_EINVAL. */
DC_WARN_UNUSED enum dc_status options_check_required(const struct option_table *table, const void *target,
                                                     struct dc_error *err);

/* Frees the strings of `target` and sets them to NULL. Idempotent. */
void options_dispose(const struct option_table *table, void *target);
