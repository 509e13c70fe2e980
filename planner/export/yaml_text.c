/* YAML's \U escapes hold any character; a pair of JSON's \u escapes would be two. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/export/yaml_text.h"

#include <stdint.h>
#include <string.h>

static const uint32_t replacement = 0xFFFD;

/* The character at `*text`, which is moved past it. */
static uint32_t next_character(const char **text) {
    const unsigned char first = (unsigned char)*(*text)++;
    if (first < 0x80)
        return first;
    const int n_more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
    uint32_t character = n_more > 0 ? first & (0x3FU >> n_more) : replacement;
    for (int i = 0; i < n_more; i++) {
        const unsigned char more = (unsigned char)**text;
        if ((more & 0xC0) != 0x80)
            return replacement;
        character = character << 6 | (more & 0x3F);
        (*text)++;
    }
    return character;
}

void yaml_text_put(FILE *stream, const char *text) {
    (void)fputs("!unsafe \"", stream);
    while (*text != '\0') {
        const uint32_t character = next_character(&text);
        if (character == '"' || character == '\\')
            (void)fprintf(stream, "\\%c", (int)character);
        else if (character >= ' ' && character <= '~')
            (void)fputc((int)character, stream);
        else
            (void)fprintf(stream, "\\U%08X", (unsigned)character);
    }
    (void)fputc('"', stream);
}

void yaml_text_put_block(FILE *stream, const char *text, int indent) {
    while (*text != '\0') {
        const size_t length = strcspn(text, "\n");
        if (length > 0)
            (void)fprintf(stream, "%*s%.*s", indent, "", (int)length, text);
        (void)fputc('\n', stream);
        text += length + (text[length] == '\n' ? 1 : 0);
    }
}
