/*
 * The pre-scan over arbitrary bytes. What it accepts, the unpacker must accept
 * too, to the last byte: the two agree on what a message is.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_scan.h"

#include <msgpack.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes) {
    struct dc_error err = DC_ERROR_NONE;
    if (msg_scan(data, n_bytes, &err) != DC_OK) {
        if (err.status == DC_OK || err.text[0] == '\0')
            abort();
        return 0;
    }
    msgpack_unpacked unpacked;
    size_t at = 0;
    msgpack_unpacked_init(&unpacked);
    if (msgpack_unpack_next(&unpacked, (const char *)data, n_bytes, &at) != MSGPACK_UNPACK_SUCCESS || at != n_bytes ||
        unpacked.data.type != MSGPACK_OBJECT_MAP)
        abort();
    msgpack_unpacked_destroy(&unpacked);
    return 0;
}
