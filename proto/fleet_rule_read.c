/* The rules of the fleet document: sets of VMs and hosts, by reference. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/fleet_fields.h"
#include "proto/fleet_reading.h"

#include <stdio.h>
#include <stdlib.h>

typedef long (*find_fn)(struct fleet_reading *reading, const char *name);

static long find_vm(struct fleet_reading *reading, const char *name) {
    char quoted[DOC_READER_QUOTED_BYTES];
    long vm = doc_index_find(&reading->vm_uuids, name);
    if (vm == DOC_INDEX_NONE)
        vm = doc_index_find(&reading->vm_names, name);
    if (vm == FLEET_READING_AMBIGUOUS)
        doc_reader_fail(&reading->reader, NULL, DC_EINVAL, "several VMs are called %s: give the uuid",
                        doc_reader_quote(name, quoted));
    else if (vm == DOC_INDEX_NONE)
        doc_reader_fail(&reading->reader, NULL, DC_EINVAL, "unknown VM %s", doc_reader_quote(name, quoted));
    return vm;
}

static long find_host(struct fleet_reading *reading, const char *name) {
    char quoted[DOC_READER_QUOTED_BYTES];
    const long host = doc_index_find(&reading->nodes, name);
    if (host != DOC_INDEX_NONE && host < (long)reading->fleet->n_hosts)
        return host;
    doc_reader_fail(&reading->reader, NULL, DC_EINVAL, "unknown host %s", doc_reader_quote(name, quoted));
    return DOC_INDEX_NONE;
}

/* A list of references under way: a set must not name one twice. */
struct reference_list {
    const char *key;
    find_fn find;
    struct doc_index seen; /* an index to its place in the list */
};

static void read_reference(struct fleet_reading *reading, struct reference_list *list, const json_t *value,
                           size_t place, size_t *index_out) {
    struct doc_reader *reader = &reading->reader;
    if (!json_is_string(value)) {
        doc_reader_fail_value(reader, NULL, "a name", value);
        return;
    }
    const long index = list->find(reading, json_string_value(value));
    if (!doc_reader_ok(reader))
        return;
    char key[24];
    (void)snprintf(key, sizeof(key), "%ld", index);
    const long other = doc_index_find(&list->seen, key);
    if (other != DOC_INDEX_NONE)
        doc_reader_fail(reader, NULL, DC_EINVAL, "duplicate of %s[%ld]", list->key, other);
    else
        doc_index_set(reader, &list->seen, key, (long)place);
    *index_out = (size_t)index;
}

static size_t *read_set(struct fleet_reading *reading, const struct doc_object *object, const char *key, find_fn find,
                        size_t *n_out) {
    struct doc_reader *reader = &reading->reader;
    struct reference_list list = {.key = key, .find = find};
    const json_t *array = doc_reader_array(reader, object, key);
    const size_t n = json_array_size(array);
    size_t *indices = doc_reader_alloc(reader, n, sizeof(*indices));
    *n_out = indices != NULL ? n : 0;
    doc_index_init(reader, &list.seen);
    for (size_t i = 0; i < *n_out && doc_reader_ok(reader); i++) {
        doc_reader_enter_item(reader, key, i);
        read_reference(reading, &list, json_array_get(array, i), i, &indices[i]);
        doc_reader_leave(reader);
    }
    doc_index_dispose(&list.seen);
    return indices;
}

/* One group behind the others; its own set, so a host may be in several. */
static void read_group(struct fleet_reading *reading, const json_t *array, size_t group, struct fleet_rule *rule) {
    struct doc_reader *reader = &reading->reader;
    char key[32];
    (void)snprintf(key, sizeof(key), "groups[%zu]", group);
    struct reference_list list = {.key = key, .find = find_host};
    const size_t n = json_array_size(array);
    if (!json_is_array(array) || n == 0) {
        doc_reader_fail_value(reader, NULL, "a list of at least one host", array);
        return;
    }
    size_t *hosts = realloc(rule->hosts, (rule->n_hosts + n) * sizeof(*hosts));
    if (hosts == NULL) {
        doc_reader_fail(reader, NULL, DC_ENOMEM, "out of memory");
        return;
    }
    rule->hosts = hosts;
    doc_index_init(reader, &list.seen);
    for (size_t i = 0; i < n && doc_reader_ok(reader); i++) {
        doc_reader_enter_subitem(reader, i);
        rule->hosts[rule->n_hosts] = 0;
        read_reference(reading, &list, json_array_get(array, i), i, &rule->hosts[rule->n_hosts++]);
        doc_reader_leave(reader);
    }
    doc_index_dispose(&list.seen);
    rule->group_end[group] = rule->n_hosts;
}

/* Of an among rule: its groups, or its hosts as the only one. */
static void read_groups(struct fleet_reading *reading, const struct doc_object *object, struct fleet_rule *rule) {
    struct doc_reader *reader = &reading->reader;
    const json_t *array = doc_reader_array(reader, object, "groups");
    if (rule->type != FLEET_RULE_AMONG || !doc_reader_ok(reader))
        return;
    if (array != NULL && rule->n_hosts > 0) {
        doc_reader_fail(reader, "groups", DC_EINVAL, "stands beside \"hosts\": give one of them");
        return;
    }
    const size_t n = array != NULL ? json_array_size(array) : 1;
    rule->group_end = doc_reader_alloc(reader, n, sizeof(*rule->group_end));
    rule->n_groups = rule->group_end != NULL ? n : 0;
    if (array == NULL && rule->n_groups == 1)
        rule->group_end[0] = rule->n_hosts;
    for (size_t group = 0; array != NULL && group < rule->n_groups && doc_reader_ok(reader); group++) {
        doc_reader_enter_item(reader, "groups", group);
        read_group(reading, json_array_get(array, group), group, rule);
        doc_reader_leave(reader);
    }
}

static void check_rule(struct doc_reader *reader, const struct doc_object *object, const struct fleet_rule *rule) {
    const bool wants_hosts = rule->type == FLEET_RULE_BAN || rule->type == FLEET_RULE_FENCE ||
                             rule->type == FLEET_RULE_AMONG || rule->type == FLEET_RULE_MAX_ONLINE;
    const bool wants_vms = rule->type != FLEET_RULE_MAX_ONLINE;
    if (wants_vms && rule->n_vms == 0)
        doc_reader_fail_value(reader, "vms", "at least one VM", json_object_get(object->own, "vms"));
    if (wants_hosts && rule->n_hosts == 0)
        doc_reader_fail_value(reader, "hosts", "at least one host", json_object_get(object->own, "hosts"));
    if (rule->type == FLEET_RULE_MAX_ONLINE && json_object_get(object->own, "max") == NULL)
        doc_reader_fail_value(reader, "max", "an integer >= 0", NULL);
}

void fleet_reading_rules(struct fleet_reading *reading) {
    size_t n = 0;
    struct doc_reader *reader = &reading->reader;
    const json_t *section = fleet_reading_section(reading, "rules", &n);
    struct fleet *fleet = reading->fleet;
    fleet->rules = doc_reader_alloc(reader, n, sizeof(*fleet->rules));
    fleet->n_rules = fleet->rules != NULL ? n : 0;
    for (size_t i = 0; i < fleet->n_rules && doc_reader_ok(reader); i++) {
        struct doc_object object;
        struct fleet_rule *rule = &fleet->rules[i];
        doc_reader_enter_item(reader, "rules", i);
        if (fleet_reading_item(reading, section, i, NULL, &object)) {
            doc_field_read(reader, &object, fleet_fields_rule.rows, fleet_fields_rule.n, rule);
            rule->vms = read_set(reading, &object, "vms", find_vm, &rule->n_vms);
            rule->hosts = read_set(reading, &object, "hosts", find_host, &rule->n_hosts);
            read_groups(reading, &object, rule);
            check_rule(reader, &object, rule);
        }
        doc_reader_leave(reader);
    }
}
