/*
 * Names to numbers while a document is read: the hash table behind every check for
 * duplicates and every reference.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/doc_reader.h"

enum { DOC_INDEX_NONE = -1 };

struct doc_index {
    json_t *numbers;
};

/* Fails the reader without memory. */
void doc_index_init(struct doc_reader *reader, struct doc_index *index);
void doc_index_dispose(struct doc_index *index); /* idempotent */

/* The number of `name`, or DOC_INDEX_NONE. */
long doc_index_find(const struct doc_index *index, const char *name);

/* Gives `name` a number, replacing one that it has. */
void doc_index_set(struct doc_reader *reader, struct doc_index *index, const char *name, long number);
