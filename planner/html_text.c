/* Byte by byte where that is enough, by code points for what is not shown as it is. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/html_text.h"

#include <stdbool.h>
#include <stddef.h>

/* [first, last] of what is shown by its number; page_model.js has the same. */
static const unsigned hidden[][2] = {
    {0x0000, 0x001f}, {0x007f, 0x009f}, {0x00ad, 0x00ad}, {0x061c, 0x061c}, {0x200b, 0x200f},
    {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb},
};

static bool is_hidden(unsigned code) {
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        if (code >= hidden[i][0] && code <= hidden[i][1])
            return true;
    }
    return false;
}

/* The code point at `text` and in `*n_bytes_out` how long it is; a byte that begins none counts as Latin-1. */
static unsigned decode(const unsigned char *text, size_t *n_bytes_out) {
    const size_t n = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : text[0] >= 0xc0 ? 2 : 1;
    unsigned code = n == 1 ? text[0] : text[0] & (0xffU >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            *n_bytes_out = 1;
            return text[0];
        }
        code = code << 6 | (text[i] & 0x3fU);
    }
    *n_bytes_out = n;
    return code;
}

static const char *entity_of(unsigned code) {
    switch (code) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void html_text_put(FILE *stream, const char *text) {
    size_t n = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at += n) {
        const unsigned code = decode(at, &n);
        const char *entity = entity_of(code);
        if (entity != NULL)
            (void)fputs(entity, stream);
        else if (is_hidden(code))
            (void)fprintf(stream, "[U+%04X]", code);
        else
            (void)fwrite(at, 1, n, stream);
    }
}

/* Outside of its strings JSON has none of these characters, and in a string each may be written by its number. */
void html_text_put_json(FILE *stream, const char *json) {
    size_t n = 0;
    for (const unsigned char *at = (const unsigned char *)json; *at != '\0'; at += n) {
        const unsigned code = decode(at, &n);
        if (code == '<' || code == '>' || code == '&' || (code >= 0x7f && is_hidden(code)))
            (void)fprintf(stream, "\\u%04x", code);
        else
            (void)fwrite(at, 1, n, stream);
    }
}
