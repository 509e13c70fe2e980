/* The part of writing that every writer shares. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/writer.h"

#include <stdarg.h>
#include <stdlib.h>

void writer_free(struct writer **writer) {
    if (*writer != NULL)
        (*writer)->vtable->free(*writer);
    *writer = NULL;
}

enum dc_status writer_begin(struct writer *writer, const char *key, const struct writer_field *fields, size_t n_fields,
                            struct dc_error *err) {
    return writer->vtable->begin(writer, key, fields, n_fields, err);
}

enum dc_status writer_row(struct writer *writer, const struct writer_value *values, struct dc_error *err) {
    return writer->vtable->row(writer, values, err);
}

enum dc_status writer_end(struct writer *writer, struct dc_error *err) {
    return writer->vtable->end(writer, err);
}

enum dc_status writer_line(struct writer *writer, struct dc_error *err, const char *format, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, format);
    const int r = vasprintf(&text, format, args);
    va_end(args);
    if (r < 0)
        return error_set_nomem(err);
    const enum dc_status rc = writer->vtable->line(writer, text, err);
    free(text);
    return rc;
}

enum dc_status writer_finish(struct writer *writer, struct dc_error *err) {
    return writer->vtable->finish(writer, err);
}

struct writer_value writer_text(const char *text) {
    return (struct writer_value){.known = text != NULL, .text = text};
}

struct writer_value writer_number(double number) {
    return (struct writer_value){.known = true, .number = number};
}

struct writer_value writer_quantiles(double p50, double p95) {
    return (struct writer_value){.known = true, .number = p50, .p95 = p95};
}

struct writer_value writer_spread(double p50, double p90, double p95) {
    return (struct writer_value){.known = true, .number = p50, .p90 = p90, .p95 = p95};
}
