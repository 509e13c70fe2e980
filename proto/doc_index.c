/* Names to numbers, in a JSON object: jansson's hash table is seeded against
 * names that were chosen to collide. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/doc_index.h"

void doc_index_init(struct doc_reader *reader, struct doc_index *index) {
    index->numbers = json_object();
    if (index->numbers == NULL)
        doc_reader_fail_nomem(reader);
}

void doc_index_dispose(struct doc_index *index) {
    json_decref(index->numbers);
    index->numbers = NULL;
}

long doc_index_find(const struct doc_index *index, const char *name) {
    const json_t *number = json_object_get(index->numbers, name);
    return number != NULL ? (long)json_integer_value(number) : DOC_INDEX_NONE;
}

void doc_index_set(struct doc_reader *reader, struct doc_index *index, const char *name, long number) {
    if (doc_reader_ok(reader) && json_object_set_new_nocheck(index->numbers, name, json_integer(number)) != 0)
        doc_reader_fail_nomem(reader);
}
