/*
 * The YAML of a configuration file, event by event: one mapping of scalars.
 * Lines are counted from the parser's marks, so that every complaint has one.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/config_file.h"

#include "base/file_text.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { MAX_CONFIG_BYTES = 1 << 20 };

struct config_reader {
    const char *path;
    const struct option_table *table;
    void *target;
    yaml_parser_t parser;
    bool *seen; /* per option of the table */
};

static size_t line_of(const yaml_event_t *event) {
    return event->start_mark.line + 1;
}

static enum dc_status next_event(struct config_reader *reader, yaml_event_t *event, struct dc_error *err) {
    if (yaml_parser_parse(&reader->parser, event))
        return DC_OK;
    if (reader->parser.error == YAML_MEMORY_ERROR)
        return error_set_nomem(err);
    const char *problem = reader->parser.problem != NULL ? reader->parser.problem : "not YAML";
    return error_set(err, DC_EPARSE, "%s:%zu: %s", reader->path, reader->parser.problem_mark.line + 1, problem);
}

/* The next event must be of `type`; what it holds is dropped. */
static enum dc_status expect_event(struct config_reader *reader, yaml_event_type_t type, const char *expected,
                                   struct dc_error *err) {
    yaml_event_t event;
    enum dc_status rc = next_event(reader, &event, err);
    if (rc != DC_OK)
        return rc;
    if (event.type != type)
        rc = error_set(err, DC_EPARSE, "%s:%zu: expected %s", reader->path, line_of(&event), expected);
    yaml_event_delete(&event);
    return rc;
}

static enum dc_status check_repeated(struct config_reader *reader, const char *key, size_t line, struct dc_error *err) {
    for (size_t i = 0; i < reader->table->n_specs; i++) {
        if (strcmp(reader->table->specs[i].name, key) != 0)
            continue;
        if (reader->seen[i])
            return error_set(err, DC_EEXIST, "%s:%zu: %s: given twice", reader->path, line, key);
        reader->seen[i] = true;
    }
    return DC_OK;
}

static enum dc_status read_value(struct config_reader *reader, const char *key, size_t key_line, struct dc_error *err) {
    yaml_event_t event;
    enum dc_status rc = next_event(reader, &event, err);
    if (rc != DC_OK)
        return rc;
    const char *value = event.type == YAML_SCALAR_EVENT ? (const char *)event.data.scalar.value : NULL;
    if (value == NULL)
        rc = error_set(err, DC_EPARSE, "%s:%zu: %s: expected one plain value", reader->path, line_of(&event), key);
    else if (strlen(value) != event.data.scalar.length)
        rc = error_set(err, DC_EPARSE, "%s:%zu: %s: holds a NUL character", reader->path, line_of(&event), key);
    else if (*value == '\0' && event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        rc = error_set(err, DC_EINVAL, "%s:%zu: %s: has no value", reader->path, key_line, key);
    else if ((rc = options_set(reader->table, reader->target, key, value, err)) != DC_OK)
        (void)error_prefix(err, "%s:%zu", reader->path, key_line);
    yaml_event_delete(&event);
    return rc;
}

static enum dc_status read_entry(struct config_reader *reader, const yaml_event_t *event, struct dc_error *err) {
    if (event->type != YAML_SCALAR_EVENT)
        return error_set(err, DC_EPARSE, "%s:%zu: expected a plain key", reader->path, line_of(event));
    const char *key = (const char *)event->data.scalar.value;
    if (strlen(key) != event->data.scalar.length)
        return error_set(err, DC_EPARSE, "%s:%zu: %s: holds a NUL character", reader->path, line_of(event), key);
    const enum dc_status rc = check_repeated(reader, key, line_of(event), err);
    return rc != DC_OK ? rc : read_value(reader, key, line_of(event), err);
}

static enum dc_status read_mapping(struct config_reader *reader, struct dc_error *err) {
    for (;;) {
        yaml_event_t event;
        enum dc_status rc = next_event(reader, &event, err);
        if (rc != DC_OK)
            return rc;
        const bool ended = event.type == YAML_MAPPING_END_EVENT;
        if (!ended)
            rc = read_entry(reader, &event, err);
        yaml_event_delete(&event);
        if (ended || rc != DC_OK)
            return rc;
    }
}

/* The one document's content: nothing, or a mapping. */
static enum dc_status read_content(struct config_reader *reader, struct dc_error *err) {
    yaml_event_t event;
    enum dc_status rc = next_event(reader, &event, err);
    if (rc != DC_OK)
        return rc;
    const bool empty = event.type == YAML_SCALAR_EVENT && event.data.scalar.length == 0;
    if (event.type == YAML_MAPPING_START_EVENT)
        rc = read_mapping(reader, err);
    else if (!empty)
        rc = error_set(err, DC_EPARSE, "%s:%zu: expected lines of \"key: value\"", reader->path, line_of(&event));
    yaml_event_delete(&event);
    return rc;
}

static enum dc_status read_stream(struct config_reader *reader, struct dc_error *err) {
    enum dc_status rc = expect_event(reader, YAML_STREAM_START_EVENT, "a YAML stream", err);
    if (rc != DC_OK)
        return rc;
    yaml_event_t event;
    rc = next_event(reader, &event, err);
    if (rc != DC_OK)
        return rc;
    const bool empty = event.type == YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
    if (empty)
        return DC_OK;
    rc = read_content(reader, err);
    if (rc == DC_OK)
        rc = expect_event(reader, YAML_DOCUMENT_END_EVENT, "the end of the document", err);
    if (rc == DC_OK)
        rc = expect_event(reader, YAML_STREAM_END_EVENT, "one document, found a second", err);
    return rc;
}

static enum dc_status read_file(struct config_reader *reader, struct dc_error *err) {
    char *text = NULL;
    size_t n_bytes = 0;
    enum dc_status rc = file_text_read(reader->path, MAX_CONFIG_BYTES, &text, &n_bytes, err);
    if (rc != DC_OK)
        return rc;
    reader->seen = calloc(reader->table->n_specs + 1, sizeof(*reader->seen));
    if (reader->seen == NULL || !yaml_parser_initialize(&reader->parser)) {
        rc = error_set_nomem(err);
    } else {
        yaml_parser_set_input_string(&reader->parser, (const unsigned char *)text, n_bytes);
        rc = read_stream(reader, err);
        yaml_parser_delete(&reader->parser);
    }
    free(reader->seen);
    free(text);
    return rc;
}

enum dc_status config_file_load(const char *path, const struct option_table *table, void *target,
                                struct dc_error *err) {
    struct config_reader reader = {.path = path, .table = table, .target = target};
    enum dc_status rc = options_set_defaults(table, target, err);
    if (rc == DC_OK)
        rc = read_file(&reader, err);
    if (rc == DC_OK && (rc = options_check_required(table, target, err)) != DC_OK)
        (void)error_prefix(err, "%s", path);
    if (rc != DC_OK)
        options_dispose(table, target);
    return rc;
}
