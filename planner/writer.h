/*
 * Writing results: lists of records and lines for people, behind one small
 * interface. A verb describes its columns once; as a table they are printed
 * with units for people, as JSON with the documents' keys and plain numbers.
 *
 * In:  fields (key, heading, kind) and values in documents' units.
 * Out: text on a stream.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum writer_kind {
    WRITER_TEXT,
    WRITER_COUNT,
    WRITER_NUMBER,    /* one digit after the point for people */
    WRITER_BYTES,     /* bytes */
    WRITER_RATE,      /* bytes per second */
    WRITER_DURATION,  /* ms */
    WRITER_CLOCK,     /* ms from the plan's start, as m:ss.t */
    WRITER_QUANTILES, /* ms, p50 and p95 */
    WRITER_SPREAD,    /* ms, p50, p90 and p95; one figure where they are the same */
    WRITER_RATIO,     /* a factor, three digits */
    WRITER_PERCENT,   /* a difference as a fraction, for people in percent */
    WRITER_SHARE,     /* a part of a whole, likewise but without a sign */
    WRITER_TIME,      /* unix ms, for people the local day and time */
    WRITER_BOOL,      /* number 0 or 1 */
};

struct writer_field {
    const char *key;     /* in JSON, with its unit */
    const char *heading; /* in tables */
    enum writer_kind kind;
    bool wide; /* only in wide tables (and in JSON) */
};

struct writer_value {
    bool known;
    const char *text; /* lent */
    double number;    /* p50 of QUANTILES and SPREAD */
    double p90;       /* of SPREAD */
    double p95;
};

#define WRITER_UNKNOWN ((struct writer_value){.known = false})

struct writer;

struct writer_class {
    enum dc_status (*begin)(struct writer *writer, const char *key, const struct writer_field *fields, size_t n_fields,
                            struct dc_error *err);
    enum dc_status (*row)(struct writer *writer, const struct writer_value *values, struct dc_error *err);
    enum dc_status (*end)(struct writer *writer, struct dc_error *err);
    enum dc_status (*line)(struct writer *writer, const char *text, struct dc_error *err);
    enum dc_status (*finish)(struct writer *writer, struct dc_error *err);
    void (*free)(struct writer *writer);
};

/* First member of every implementation's own struct. */
struct writer {
    const struct writer_class *vtable;
};

/* Writers print on `stream`, which stays the caller's. */
DC_WARN_UNUSED enum dc_status writer_table_new(FILE *stream, bool wide, bool colour, struct writer **writer_out,
                                               struct dc_error *err);
DC_WARN_UNUSED enum dc_status writer_json_new(FILE *stream, struct writer **writer_out, struct dc_error *err);
void writer_free(struct writer **writer);

/* A list of records called `key`; `fields` is lent until writer_end(). A column of which no value is
 * known is left out of a table. */
DC_WARN_UNUSED enum dc_status writer_begin(struct writer *writer, const char *key, const struct writer_field *fields,
                                           size_t n_fields, struct dc_error *err);
DC_WARN_UNUSED enum dc_status writer_row(struct writer *writer, const struct writer_value *values,
                                         struct dc_error *err);
DC_WARN_UNUSED enum dc_status writer_end(struct writer *writer, struct dc_error *err);

/* A line for people; nothing in JSON. */
DC_WARN_UNUSED enum dc_status writer_line(struct writer *writer, struct dc_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Once, after the last list and line. */
DC_WARN_UNUSED enum dc_status writer_finish(struct writer *writer, struct dc_error *err);

/* Values. */
struct writer_value writer_text(const char *text);
struct writer_value writer_number(double number);
struct writer_value writer_quantiles(double p50, double p95);
struct writer_value writer_spread(double p50, double p90, double p95);
