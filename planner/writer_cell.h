/*
 * A value as people read it in a cell of a table, with its unit.
 *
 * In:  a kind and a value of planner/writer.h. Out: text, the same on a terminal and in a page.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/units.h"
#include "planner/writer.h"

enum { WRITER_CELL_BYTES = 3 * UNITS_TEXT_BYTES + 8 };

/* The text: the value's own (lent), or what was put into `number`. `value` must be known. */
const char *writer_cell_text(enum writer_kind kind, const struct writer_value *value, char number[WRITER_CELL_BYTES]);
