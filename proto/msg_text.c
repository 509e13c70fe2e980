/* UTF-8, names and uuids, byte by byte. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_text.h"

#include <ctype.h>
#include <stdint.h>

/* Bytes of the UTF-8 character at `bytes`, 0 where it is malformed (RFC 3629, section 4). */
static size_t character_bytes(const uint8_t *bytes, size_t n_left) {
    const uint8_t lead = bytes[0];
    if (lead < 0x80)
        return 1;
    const size_t n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || n > n_left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    }
    const bool overlong = (lead == 0xe0 && bytes[1] < 0xa0) || (lead == 0xf0 && bytes[1] < 0x90);
    const bool surrogate = lead == 0xed && bytes[1] > 0x9f;
    const bool too_large = lead == 0xf4 && bytes[1] > 0x8f;
    return overlong || surrogate || too_large ? 0 : n;
}

bool msg_text_is_utf8(const char *text, size_t n_bytes) {
    const uint8_t *bytes = (const uint8_t *)text;
    for (size_t at = 0; at < n_bytes;) {
        const size_t n = character_bytes(bytes + at, n_bytes - at);
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

bool msg_text_is_line(const char *text, size_t n_bytes, size_t max_bytes) {
    if (n_bytes > max_bytes || !msg_text_is_utf8(text, n_bytes))
        return false;
    for (size_t i = 0; i < n_bytes; i++) {
        const uint8_t byte = (uint8_t)text[i];
        const bool c1_control = byte == 0xc2 && (uint8_t)text[i + 1] < 0xa0; /* U+0080 to U+009F */
        if (byte < 0x20 || byte == 0x7f || c1_control)
            return false;
    }
    return true;
}

bool msg_text_is_name(const char *text, size_t n_bytes) {
    return n_bytes > 0 && msg_text_is_line(text, n_bytes, MSG_MAX_NAME_BYTES);
}

bool msg_text_is_uuid(const char *text, size_t n_bytes) {
    if (n_bytes != MSG_UUID_BYTES - 1)
        return false;
    for (size_t i = 0; i < n_bytes; i++) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    }
    return true;
}
