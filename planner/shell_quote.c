/* Within single quotes the shell reads nothing but their end. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/shell_quote.h"

#include <stdlib.h>

void shell_quote_put(FILE *stream, const char *text) {
    (void)fputc('\'', stream);
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            (void)fputs("'\\''", stream);
        else
            (void)fputc(*text, stream);
    }
    (void)fputc('\'', stream);
}

char *shell_quote_text(const char *text) {
    char *quoted = NULL;
    size_t n_bytes = 0;
    FILE *stream = open_memstream(&quoted, &n_bytes);
    if (stream == NULL)
        return NULL;
    shell_quote_put(stream, text);
    if (fclose(stream) == 0)
        return quoted;
    free(quoted);
    return NULL;
}
