/* Records as tables of HTML, lines as lists of what is said and about what. Cells are kept until the list ends, so that
 * columns nobody filled can be left out. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/writer_html.h"

#include "planner/html_text.h"
#include "planner/writer_cell.h"

#include <stdlib.h>
#include <string.h>

enum { LABEL_CHARS = 13 }; /* where lines for people are about something, it stands in so many columns */

struct html_writer {
    struct writer writer;
    FILE *lists, *lines;
    const char *key;
    struct writer_cells list;
};

static enum dc_status html_begin(struct writer *writer, const char *key, const struct writer_field *fields,
                                 size_t n_fields, struct dc_error *err) {
    struct html_writer *self = (struct html_writer *)writer;
    (void)err;
    self->key = key;
    writer_cells_begin(&self->list, fields, n_fields);
    return DC_OK;
}

static enum dc_status html_row(struct writer *writer, const struct writer_value *values, struct dc_error *err) {
    struct html_writer *self = (struct html_writer *)writer;
    return writer_cells_add(&self->list, values, err);
}

/* The headings, or the cells from `row` on. */
static void put_row(const struct html_writer *self, bool is_head, const size_t *shown, size_t n_shown, size_t row) {
    const char *tag = is_head ? "th" : "td";
    (void)fputs("<tr>", self->lists);
    for (size_t i = 0; i < n_shown; i++) {
        const char *cell = is_head ? self->list.fields[shown[i]].heading : self->list.cells[row + shown[i]];
        (void)fprintf(self->lists, "<%s%s>", tag, writer_cells_is_left(&self->list, shown[i]) ? "" : " class=\"n\"");
        html_text_put(self->lists, cell != NULL ? cell : "-");
        (void)fprintf(self->lists, "</%s>", tag);
    }
    (void)fputs("</tr>\n", self->lists);
}

static enum dc_status html_end(struct writer *writer, struct dc_error *err) {
    struct html_writer *self = (struct html_writer *)writer;
    size_t n_shown = 0;
    if (self->list.n_cells == 0)
        return DC_OK;
    size_t *shown = calloc(self->list.n_fields, sizeof(*shown));
    if (shown == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < self->list.n_fields; i++) {
        if (writer_cells_is_filled(&self->list, i))
            shown[n_shown++] = i;
    }
    (void)fprintf(self->lists, "<table id=\"%s\">\n<thead>", self->key);
    put_row(self, true, shown, n_shown, 0);
    (void)fputs("</thead>\n<tbody>\n", self->lists);
    for (size_t row = 0; row < self->list.n_cells; row += self->list.n_fields)
        put_row(self, false, shown, n_shown, row);
    (void)fputs("</tbody>\n</table>\n", self->lists);
    free(shown);
    writer_cells_clear(&self->list);
    return DC_OK;
}

/* The label's length without its blanks; 0 where the line goes on with what the one before is about. */
static size_t label_chars(const char *text) {
    size_t n = LABEL_CHARS;
    while (n > 0 && text[n - 1] == ' ')
        n--;
    return n;
}

static enum dc_status html_line(struct writer *writer, const char *text, struct dc_error *err) {
    struct html_writer *self = (struct html_writer *)writer;
    char label[LABEL_CHARS + 1] = "";
    (void)err;
    if (text[0] == '\0')
        return DC_OK;
    const bool has_label = strlen(text) > LABEL_CHARS && text[LABEL_CHARS - 1] == ' ';
    if (has_label)
        memcpy(label, text, label_chars(text));
    (void)fputs(strcmp(label, "conflict") == 0 ? "<dt class=\"bad\">" : "<dt>", self->lines);
    html_text_put(self->lines, label);
    (void)fputs("</dt><dd>", self->lines);
    html_text_put(self->lines, has_label ? text + LABEL_CHARS : text);
    (void)fputs("</dd>\n", self->lines);
    return DC_OK;
}

static enum dc_status html_finish(struct writer *writer, struct dc_error *err) {
    (void)writer;
    (void)err;
    return DC_OK;
}

static void html_free(struct writer *writer) {
    struct html_writer *self = (struct html_writer *)writer;
    writer_cells_dispose(&self->list);
    free(self);
}

enum dc_status writer_html_new(FILE *lists, FILE *lines, struct writer **writer_out, struct dc_error *err) {
    static const struct writer_class vtable = {html_begin, html_row, html_end, html_line, html_finish, html_free};
    struct html_writer *self = calloc(1, sizeof(*self));
    if (self == NULL)
        return error_set_nomem(err);
    *self = (struct html_writer){.writer.vtable = &vtable, .lists = lists, .lines = lines};
    *writer_out = &self->writer;
    return DC_OK;
}
