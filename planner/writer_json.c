/* Records as JSON: {"hosts": [{"name": "h1", ...}, ...]}. Dimensioned numbers are
 * integers in the unit their key names; what is not known is left out. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/writer_json.h"

#include <math.h>
#include <stdlib.h>

struct json_writer {
    struct writer writer;
    FILE *stream;
    json_t *root;
    json_t *list; /* lent by root */
    const struct writer_field *fields;
    size_t n_fields;
};

static enum dc_status json_begin(struct writer *writer, const char *key, const struct writer_field *fields,
                                 size_t n_fields, struct dc_error *err) {
    struct json_writer *self = (struct json_writer *)writer;
    self->fields = fields;
    self->n_fields = n_fields;
    self->list = json_array();
    if (json_object_set_new(self->root, key, self->list) != 0)
        return error_set_nomem(err);
    return DC_OK;
}

static json_t *integer(double value) {
    return json_integer((json_int_t)llround(value));
}

json_t *writer_json_value(enum writer_kind kind, const struct writer_value *value) {
    switch (kind) {
    case WRITER_TEXT:
        return json_string(value->text);
    case WRITER_NUMBER:
    case WRITER_RATIO:
    case WRITER_PERCENT:
    case WRITER_SHARE:
        return json_real(value->number);
    case WRITER_BOOL:
        return json_boolean(value->number != 0);
    case WRITER_QUANTILES:
        return json_pack("{s:o, s:o}", "p50", integer(value->number), "p95", integer(value->p95));
    case WRITER_SPREAD:
        return json_pack("{s:o, s:o, s:o}", "p50", integer(value->number), "p90", integer(value->p90), "p95",
                         integer(value->p95));
    case WRITER_COUNT:
    case WRITER_BYTES:
    case WRITER_RATE:
    case WRITER_DURATION:
    case WRITER_CLOCK:
    case WRITER_TIME:
        break;
    }
    return integer(value->number);
}

static enum dc_status json_row(struct writer *writer, const struct writer_value *values, struct dc_error *err) {
    struct json_writer *self = (struct json_writer *)writer;
    json_t *record = json_object();
    if (json_array_append_new(self->list, record) != 0)
        return error_set_nomem(err);
    for (size_t i = 0; i < self->n_fields; i++) {
        if (values[i].known &&
            json_object_set_new(record, self->fields[i].key, writer_json_value(self->fields[i].kind, &values[i])) != 0)
            return error_set_nomem(err);
    }
    return DC_OK;
}

static enum dc_status json_end(struct writer *writer, struct dc_error *err) {
    (void)writer;
    (void)err;
    return DC_OK;
}

static enum dc_status json_line(struct writer *writer, const char *text, struct dc_error *err) {
    (void)writer;
    (void)text;
    (void)err;
    return DC_OK;
}

static enum dc_status json_finish(struct writer *writer, struct dc_error *err) {
    struct json_writer *self = (struct json_writer *)writer;
    if (json_dumpf(self->root, self->stream, JSON_INDENT(2)) != 0 || fputc('\n', self->stream) == EOF)
        return error_set(err, DC_EIO, "cannot write JSON");
    return DC_OK;
}

static void json_free(struct writer *writer) {
    struct json_writer *self = (struct json_writer *)writer;
    json_decref(self->root);
    free(self);
}

enum dc_status writer_json_new(FILE *stream, struct writer **writer_out, struct dc_error *err) {
    static const struct writer_class vtable = {json_begin, json_row, json_end, json_line, json_finish, json_free};
    struct json_writer *self = calloc(1, sizeof(*self));
    json_t *root = json_object();
    if (self == NULL || root == NULL) {
        free(self);
        json_decref(root);
        return error_set_nomem(err);
    }
    *self = (struct json_writer){.writer.vtable = &vtable, .stream = stream, .root = root};
    *writer_out = &self->writer;
    return DC_OK;
}
