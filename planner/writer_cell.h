/*
 * A value as people read it in a cell of a table, with its unit; and the cells of a list, kept until it ends, so that
 * columns nobody filled can be left out.
 *
 * In:  kinds and values of planner/writer.h. Out: text, the same on a terminal and in a page.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/units.h"
#include "planner/writer.h"

enum { WRITER_CELL_BYTES = 3 * UNITS_TEXT_BYTES + 8 };

/* The text: the value's own (lent), or what was put into `number`. `value` must be known. */
const char *writer_cell_text(enum writer_kind kind, const struct writer_value *value, char number[WRITER_CELL_BYTES]);

/* The rows of one list. Zeroed, it is empty. */
struct writer_cells {
    const struct writer_field *fields; /* lent */
    size_t n_fields;
    size_t n_cells, capacity; /* n_fields a row */
    char **cells;             /* NULL: not known */
};

/* Forgets the rows of the list before. */
void writer_cells_begin(struct writer_cells *list, const struct writer_field *fields, size_t n_fields);

/* `values` [n_fields]. DC_ENOMEM. */
DC_WARN_UNUSED enum dc_status writer_cells_add(struct writer_cells *list, const struct writer_value *values,
                                               struct dc_error *err);

/* Is the field known in any row? */
bool writer_cells_is_filled(const struct writer_cells *list, size_t field);

/* Texts stand to the left, numbers to the right. */
bool writer_cells_is_left(const struct writer_cells *list, size_t field);

/* Forgets the rows. */
void writer_cells_clear(struct writer_cells *list);
void writer_cells_dispose(struct writer_cells *list);
