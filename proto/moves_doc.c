/* Reads the moves document. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/moves_doc.h"

#include "base/file_text.h"
#include "proto/doc_field.h"
#include "proto/doc_index.h"

#include <stdlib.h>
#include <string.h>

void moves_doc_dispose(struct moves *moves) {
    if (moves == NULL)
        return;
    for (size_t i = 0; i < moves->n_moves; i++) {
        free(moves->moves[i].vm);
        free(moves->moves[i].to);
    }
    free(moves->moves);
    *moves = (struct moves){0};
}

static void read_move(struct doc_reader *reader, const struct doc_object *object, struct doc_index *vms, size_t i,
                      struct move *move) {
    static const struct doc_field rows[] = {
        {.key = "vm", .type = DOC_TEXT, .need = DOC_REQUIRED, .offset = offsetof(struct move, vm)},
        {.key = "to", .type = DOC_TEXT, .need = DOC_REQUIRED, .offset = offsetof(struct move, to)},
    };
    doc_field_read(reader, object, rows, sizeof(rows) / sizeof(rows[0]), move);
    if (!doc_reader_ok(reader))
        return;
    const long other = doc_index_find(vms, move->vm);
    if (other != DOC_INDEX_NONE)
        doc_reader_fail(reader, "vm", DC_EINVAL, "duplicate of moves[%ld].vm", other);
    else
        doc_index_set(reader, vms, move->vm, (long)i);
}

static void read_moves(struct doc_reader *reader, struct moves *moves) {
    const struct doc_object root = {.own = reader->root};
    struct doc_index vms = {0};
    const json_t *array = doc_reader_array(reader, &root, "moves");
    const size_t n = json_array_size(array);
    if (array == NULL)
        doc_reader_fail_value(reader, "moves", "an array", NULL);
    moves->moves = doc_reader_alloc(reader, n, sizeof(*moves->moves));
    moves->n_moves = moves->moves != NULL ? n : 0;
    doc_index_init(reader, &vms);
    for (size_t i = 0; i < moves->n_moves && doc_reader_ok(reader); i++) {
        struct doc_object object;
        doc_reader_enter_item(reader, "moves", i);
        if (doc_reader_item(reader, array, i, &object))
            read_move(reader, &object, &vms, i, &moves->moves[i]);
        doc_reader_leave(reader);
    }
    doc_index_dispose(&vms);
}

enum dc_status moves_doc_read(const char *text, size_t n_bytes, struct moves *moves_out, struct dc_error *err) {
    struct doc_reader reader;
    *moves_out = (struct moves){0};
    doc_reader_open(&reader, "decamp/moves", text, n_bytes, err);
    if (doc_reader_ok(&reader))
        read_moves(&reader, moves_out);
    const enum dc_status rc = doc_reader_close(&reader);
    if (rc != DC_OK)
        moves_doc_dispose(moves_out);
    return rc;
}

enum dc_status moves_doc_read_file(const char *path, struct moves *moves_out, struct dc_error *err) {
    char *text = NULL;
    size_t n_bytes = 0;
    *moves_out = (struct moves){0};
    enum dc_status rc = file_text_read(path, DOC_READER_MAX_BYTES, &text, &n_bytes, err);
    if (rc != DC_OK)
        return rc;
    rc = moves_doc_read(text, n_bytes, moves_out, err);
    if (rc != DC_OK)
        (void)error_prefix(err, "%s", strcmp(path, "-") == 0 ? "standard input" : path);
    free(text);
    return rc;
}
