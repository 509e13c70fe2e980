/* Sections, lines and fields in place: separators become ends of strings. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/import_table.h"

#include <stdlib.h>
#include <string.h>

static const double most = 1e12;

static size_t count(const char *text, char which) {
    size_t n = 0;
    for (; *text != '\0'; text++)
        n += *text == which;
    return n;
}

static enum dc_status cut_line(char *text, struct import_line *line, struct dc_error *err) {
    char *field = text;
    for (;;) {
        if (line->n_fields == IMPORT_TABLE_MOST_FIELDS)
            return error_set(err, DC_EPARSE, "line %zu: expected at most %d fields", line->number,
                             IMPORT_TABLE_MOST_FIELDS);
        line->fields[line->n_fields++] = field;
        char *bar = strchr(field, '|');
        if (bar == NULL)
            return DC_OK;
        *bar = '\0';
        field = bar + 1;
    }
}

/* An empty line ends a section; the last one needs none. */
static enum dc_status cut_lines(char *text, struct import_table *table, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    struct import_line *next = table->lines;
    table->sections[0].lines = next;
    table->n_sections = 1;
    for (size_t number = 1; rc == DC_OK && text != NULL; number++) {
        char *end = strchr(text, '\n');
        const bool is_last = end == NULL || end[1] == '\0';
        if (end != NULL)
            *end = '\0';
        const size_t n = strlen(text);
        if (n > 0 && text[n - 1] == '\r')
            text[n - 1] = '\0';
        if (text[0] == '\0' && !is_last) {
            table->sections[table->n_sections++].lines = next;
        } else if (text[0] != '\0') {
            next->number = number;
            rc = cut_line(text, next++, err);
            table->sections[table->n_sections - 1].n_lines++;
        }
        text = is_last ? NULL : end + 1;
    }
    return rc;
}

enum dc_status import_table_read(char *text, size_t n_bytes, struct import_table *table_out, struct dc_error *err) {
    *table_out = (struct import_table){0};
    if (memchr(text, '\0', n_bytes) != NULL)
        return error_set(err, DC_EPARSE, "line %zu: expected text, got a zero byte", count(text, '\n') + 1);
    const size_t most_lines = count(text, '\n') + 2;
    enum dc_status rc = DC_OK;
    table_out->lines = calloc(most_lines, sizeof(*table_out->lines));
    table_out->sections = calloc(most_lines, sizeof(*table_out->sections));
    if (table_out->lines == NULL || table_out->sections == NULL)
        rc = error_set_nomem(err);
    else
        rc = cut_lines(text, table_out, err);
    if (rc != DC_OK)
        import_table_dispose(table_out);
    return rc;
}

void import_table_dispose(struct import_table *table) {
    free(table->lines);
    free(table->sections);
    *table = (struct import_table){0};
}

enum dc_status import_table_refuse(const struct import_line *line, size_t column, const char *what,
                                   const char *expected, struct dc_error *err) {
    return error_set(err, DC_EINVAL, "line %zu, column %zu (%s): expected %s, got '%.60s'", line->number, column + 1,
                     what, expected, line->fields[column]);
}

enum dc_status import_table_number(const struct import_line *line, size_t column, const char *what, double *number_out,
                                   struct dc_error *err) {
    const char *text = line->fields[column];
    char *end = NULL;
    *number_out = strtod(text, &end);
    if (strspn(text, "0123456789.") != strlen(text) || end == text || *end != '\0' || !(*number_out <= most))
        return import_table_refuse(line, column, what, "a number", err);
    return DC_OK;
}
