/*
 * Text in sections of lines of fields, with the number of each line for what is said about it.
 *
 * In:  text whose sections are parted by one empty line, and fields by '|'.
 * Out: sections, lines, fields; numbers from fields.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { IMPORT_TABLE_MOST_FIELDS = 32 };

struct import_line {
    size_t number; /* from 1 */
    size_t n_fields;
    char *fields[IMPORT_TABLE_MOST_FIELDS]; /* lent by the text */
};

struct import_section {
    size_t n_lines;
    const struct import_line *lines;
};

struct import_table {
    size_t n_sections;
    struct import_section *sections;
    struct import_line *lines;
};

/* Cuts up `text` (changed, lent for the table's life). DC_EPARSE names the line. On failure `*table_out` is empty. */
DC_WARN_UNUSED enum dc_status import_table_read(char *text, size_t n_bytes, struct import_table *table_out,
                                                struct dc_error *err);
void import_table_dispose(struct import_table *table);

/* Sets a DC_EINVAL that names line and column: "line 7, column 2 (total memory): expected ..., got '...'". */
DC_WARN_UNUSED enum dc_status import_table_refuse(const struct import_line *line, size_t column, const char *what,
                                                  const char *expected, struct dc_error *err);

/* A number of 0 .. 1e12 in a column (from 0) that exists. */
DC_WARN_UNUSED enum dc_status import_table_number(const struct import_line *line, size_t column, const char *what,
                                                  double *number_out, struct dc_error *err);
