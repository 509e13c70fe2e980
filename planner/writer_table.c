/* Records as a table for people, by libsmartcols: numbers to the right with
 * their units, headings bold on a terminal. Cells are kept until the list ends, so that
 * columns nobody filled can be left out. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/writer.h"

#include "planner/writer_cell.h"

#include <libsmartcols.h>
#include <stdlib.h>

struct table_writer {
    struct writer writer;
    FILE *stream;
    bool wide;
    bool colour;
    struct writer_cells list;
};

static enum dc_status table_begin(struct writer *writer, const char *key, const struct writer_field *fields,
                                  size_t n_fields, struct dc_error *err) {
    struct table_writer *self = (struct table_writer *)writer;
    (void)key;
    (void)err;
    writer_cells_begin(&self->list, fields, n_fields);
    return DC_OK;
}

static enum dc_status table_row(struct writer *writer, const struct writer_value *values, struct dc_error *err) {
    struct table_writer *self = (struct table_writer *)writer;
    return writer_cells_add(&self->list, values, err);
}

static bool is_shown(const struct table_writer *self, size_t field) {
    return (self->wide || !self->list.fields[field].wide) && writer_cells_is_filled(&self->list, field);
}

/* The shown columns in order; false when out of memory. */
static bool add_columns(const struct table_writer *self, struct libscols_table *table) {
    for (size_t i = 0; i < self->list.n_fields; i++) {
        if (!is_shown(self, i))
            continue;
        const bool left = writer_cells_is_left(&self->list, i);
        struct libscols_column *column =
            scols_table_new_column(table, self->list.fields[i].heading, 0, left ? 0 : SCOLS_FL_RIGHT);
        if (column == NULL)
            return false;
        if (self->colour)
            (void)scols_cell_set_color(scols_column_get_header(column), "bold");
    }
    return true;
}

static bool add_lines(const struct table_writer *self, struct libscols_table *table) {
    for (size_t row = 0; row < self->list.n_cells; row += self->list.n_fields) {
        struct libscols_line *line = scols_table_new_line(table, NULL);
        size_t column = 0;
        for (size_t i = 0; line != NULL && i < self->list.n_fields; i++) {
            if (!is_shown(self, i))
                continue;
            const char *cell = self->list.cells[row + i] != NULL ? self->list.cells[row + i] : "-";
            if (scols_line_set_data(line, column++, cell) != 0)
                return false;
        }
        if (line == NULL)
            return false;
    }
    return true;
}

static enum dc_status table_end(struct writer *writer, struct dc_error *err) {
    struct table_writer *self = (struct table_writer *)writer;
    if (self->list.n_cells == 0)
        return DC_OK;
    struct libscols_table *table = scols_new_table();
    if (table == NULL)
        return error_set_nomem(err);
    (void)scols_table_set_stream(table, self->stream);
    (void)scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
    (void)scols_table_set_column_separator(table, "  ");
    (void)scols_table_enable_colors(table, self->colour);
    const bool ok = add_columns(self, table) && add_lines(self, table) && scols_print_table(table) == 0;
    scols_unref_table(table);
    writer_cells_clear(&self->list);
    return ok ? DC_OK : error_set_nomem(err);
}

static enum dc_status table_line(struct writer *writer, const char *text, struct dc_error *err) {
    struct table_writer *self = (struct table_writer *)writer;
    if (fprintf(self->stream, "%s\n", text) < 0)
        return error_set(err, DC_EIO, "cannot write a line");
    return DC_OK;
}

static enum dc_status table_finish(struct writer *writer, struct dc_error *err) {
    (void)writer;
    (void)err;
    return DC_OK;
}

static void table_free(struct writer *writer) {
    struct table_writer *self = (struct table_writer *)writer;
    writer_cells_dispose(&self->list);
    free(self);
}

enum dc_status writer_table_new(FILE *stream, bool wide, bool colour, struct writer **writer_out,
                                struct dc_error *err) {
    static const struct writer_class vtable = {table_begin, table_row, table_end, table_line, table_finish, table_free};
    struct table_writer *self = calloc(1, sizeof(*self));
    if (self == NULL)
        return error_set_nomem(err);
    *self = (struct table_writer){.writer.vtable = &vtable, .stream = stream, .wide = wide, .colour = colour};
    *writer_out = &self->writer;
    return DC_OK;
}
