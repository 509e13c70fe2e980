/* Reads the fleet document: its frame; the sections have files of their own. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/file_text.h"
#include "proto/digest.h"
#include "proto/fleet_doc.h"
#include "proto/fleet_fields.h"
#include "proto/fleet_learned.h"
#include "proto/fleet_reading.h"

#include <stdlib.h>
#include <string.h>

json_t *fleet_reading_section(struct fleet_reading *reading, const char *key, size_t *n_items_out) {
    json_t *section = doc_reader_array(&reading->reader, &reading->root, key);
    *n_items_out = json_array_size(section);
    return section;
}

static const char *defaults_path(const char *defaults_key) {
    if (defaults_key == NULL)
        return NULL;
    if (strcmp(defaults_key, "host") == 0)
        return "defaults.host";
    return strcmp(defaults_key, "link") == 0 ? "defaults.link" : "defaults.vm";
}

bool fleet_reading_item(struct fleet_reading *reading, const json_t *section, size_t i, const char *defaults_key,
                        struct doc_object *object_out) {
    const bool ok = doc_reader_item(&reading->reader, section, i, object_out);
    object_out->defaults_path = defaults_path(defaults_key);
    object_out->defaults = defaults_key != NULL ? json_object_get(reading->defaults.own, defaults_key) : NULL;
    return ok;
}

void fleet_reading_labels(struct doc_reader *reader, const struct doc_object *object, struct fleet_label **labels_out,
                          size_t *n_labels_out) {
    json_t *labels = doc_reader_object(reader, object, "labels");
    const size_t n = json_object_size(labels);
    *labels_out = n > 0 ? doc_reader_alloc(reader, n, sizeof(**labels_out)) : NULL;
    *n_labels_out = 0;
    if (*labels_out == NULL)
        return;
    const char *key = NULL;
    json_t *value = NULL;
    doc_reader_enter(reader, "labels");
    json_object_foreach(labels, key, value) {
        if (!doc_reader_ok(reader))
            break;
        struct fleet_label *label = &(*labels_out)[(*n_labels_out)++];
        if (!json_is_string(value)) {
            doc_reader_fail_value(reader, key, "a string", value);
            break;
        }
        label->key = strdup(key);
        label->value = strdup(json_string_value(value));
        if (label->key == NULL || label->value == NULL)
            doc_reader_fail_nomem(reader);
    }
    doc_reader_leave(reader);
}

static void read_defaults(struct fleet_reading *reading) {
    static const char *const keys[] = {"host", "link", "vm"};
    reading->defaults.own = doc_reader_object(&reading->reader, &reading->root, "defaults");
    doc_reader_enter(&reading->reader, "defaults");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        (void)doc_reader_object(&reading->reader, &reading->defaults, keys[i]);
    doc_reader_leave(&reading->reader);
}

static void read_frame(struct fleet_reading *reading) {
    static const struct doc_field rows[] = {
        {.key = "taken_unix_ms", .type = DOC_INT64, .offset = offsetof(struct fleet, taken_unix_ms)},
    };
    static const char *const required[] = {"hosts", "vms"};
    doc_field_read(&reading->reader, &reading->root, rows, 1, reading->fleet);
    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
        if (json_object_get(reading->root.own, required[i]) == NULL)
            doc_reader_fail_value(&reading->reader, required[i], "an array", NULL);
    }
    read_defaults(reading);
}

enum dc_status fleet_doc_read(const char *text, size_t n_bytes, struct fleet *fleet_out, struct dc_error *err) {
    *fleet_out = (struct fleet){0};
    struct fleet_reading reading = {.fleet = fleet_out};
    doc_reader_open(&reading.reader, FLEET_FIELDS_FORMAT, text, n_bytes, err);
    reading.root.own = reading.reader.root;
    doc_index_init(&reading.reader, &reading.nodes);
    doc_index_init(&reading.reader, &reading.vm_uuids);
    doc_index_init(&reading.reader, &reading.vm_names);
    if (doc_reader_ok(&reading.reader)) {
        read_frame(&reading);
        fleet_reading_hosts(&reading);
        fleet_reading_switches(&reading);
        fleet_reading_links(&reading);
        fleet_reading_vms(&reading);
        fleet_reading_rules(&reading);
        fleet_learned_read(&reading);
        digest_sha256_text(text, n_bytes, fleet_out->digest);
    }
    doc_index_dispose(&reading.nodes);
    doc_index_dispose(&reading.vm_uuids);
    doc_index_dispose(&reading.vm_names);
    const enum dc_status rc = doc_reader_close(&reading.reader);
    if (rc != DC_OK)
        fleet_doc_dispose(fleet_out);
    return rc;
}

enum dc_status fleet_doc_read_file(const char *path, struct fleet *fleet_out, struct dc_error *err) {
    char *text = NULL;
    size_t n_bytes = 0;
    *fleet_out = (struct fleet){0};
    enum dc_status rc = file_text_read(path, DOC_READER_MAX_BYTES, &text, &n_bytes, err);
    if (rc != DC_OK)
        return rc;
    rc = fleet_doc_read(text, n_bytes, fleet_out, err);
    if (rc != DC_OK)
        (void)error_prefix(err, "%s", strcmp(path, "-") == 0 ? "standard input" : path);
    free(text);
    return rc;
}
