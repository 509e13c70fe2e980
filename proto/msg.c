/* The table of kinds and the buffer that messages are written to. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg.h"

#include <stdlib.h>

const char *msg_kind_text(unsigned kind) {
    switch (kind) {
#define X(name, value) \
    case value:        \
        return #name;
        MSG_KIND_MAP(X)
#undef X
    default:
        return NULL;
    }
}

void msg_buffer_dispose(struct msg_buffer *buffer) {
    free(buffer->bytes);
    *buffer = (struct msg_buffer){0};
}
