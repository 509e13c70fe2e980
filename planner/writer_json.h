/*
 * Single values as JSON, for documents with more shape than lists of records.
 *
 * In:  a kind and a value of planner/writer.h. Out: the JSON the JSON writer
 *      prints for it: whole numbers in the unit that the key names.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/writer.h"

#include <jansson.h>

/* A new reference, the caller's; NULL when out of memory. `value` must be known. */
json_t *writer_json_value(enum writer_kind kind, const struct writer_value *value);
