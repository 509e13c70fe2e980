/* Whatever the text, the reader of moves documents refuses it in one line or
 * reads complete moves. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/moves_doc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes) {
    struct moves moves;
    struct dc_error err = DC_ERROR_NONE;
    if (moves_doc_read((const char *)data, n_bytes, &moves, &err) != DC_OK) {
        if (err.text[0] == '\0' || strchr(err.text, '\n') != NULL)
            abort();
        return 0;
    }
    for (size_t i = 0; i < moves.n_moves; i++) {
        if (moves.moves[i].vm == NULL || moves.moves[i].to == NULL)
            abort();
    }
    moves_doc_dispose(&moves);
    return 0;
}
