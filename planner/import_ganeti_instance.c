/* One instance to one VM: what it needs, and where its disks let it go. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/import_ganeti_state.h"

#include <math.h>
#include <string.h>

static const double mib = 1024.0 * 1024;

enum { NAME, MEMORY, DISK, VCPUS, STATUS, AUTO_BALANCE, PRIMARY, SECONDARY, TEMPLATE, TAGS, FIELDS };

/* Ganeti's words; those of nodes that do not answer say nothing of a running instance. */
static const struct {
    const char *text;
    bool runs;
} states[] = {
    {"running", true},     {"ERROR_up", true},        {"ERROR_wrongnode", true},
    {"ADMIN_down", false}, {"ADMIN_offline", false},  {"USER_down", false},
    {"ERROR_down", false}, {"ERROR_nodedown", false}, {"ERROR_nodeoffline", false},
};

enum template_kind { SHARED, LOCAL, MIRRORED };

static const struct {
    const char *text;
    enum template_kind kind;
} templates[] = {
    {"diskless", SHARED}, {"sharedfile", SHARED}, {"blockdev", SHARED}, {"rbd", SHARED},    {"ext", SHARED},
    {"gluster", SHARED},  {"plain", LOCAL},       {"file", LOCAL},      {"drbd", MIRRORED},
};

static long find_state(const char *text) {
    for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
        if (strcmp(states[i].text, text) == 0)
            return (long)i;
    return -1;
}

static long find_template(const char *text) {
    for (size_t i = 0; i < sizeof(templates) / sizeof(*templates); i++)
        if (strcmp(templates[i].text, text) == 0)
            return (long)i;
    return -1;
}

struct instance {
    double memory_mib, disk_mib, vcpus;
    bool runs;
    enum template_kind kind;
};

static enum dc_status read_fields(const struct import_ganeti *import, const struct import_line *line,
                                  struct instance *instance, struct dc_error *err) {
    if (line->n_fields < FIELDS)
        return error_set(err, DC_EPARSE, "line %zu: expected an instance of at least %d fields, got %zu", line->number,
                         FIELDS, line->n_fields);
    const long state = find_state(line->fields[STATUS]), kind = find_template(line->fields[TEMPLATE]);
    enum dc_status rc = import_table_number(line, MEMORY, "memory", &instance->memory_mib, err);
    if (rc == DC_OK)
        rc = import_table_number(line, DISK, "disk", &instance->disk_mib, err);
    if (rc == DC_OK)
        rc = import_table_number(line, VCPUS, "virtual cores", &instance->vcpus, err);
    if (rc != DC_OK)
        return rc;
    if (instance->memory_mib < 1)
        return import_table_refuse(line, MEMORY, "memory", "at least 1 MiB", err);
    if (state < 0)
        return import_table_refuse(line, STATUS, "status", "one of Ganeti's, such as running or ADMIN_down", err);
    if (kind < 0)
        return import_table_refuse(line, TEMPLATE, "disk template", "one of Ganeti's, such as plain or drbd", err);
    if (json_object_get(import->nodes, line->fields[PRIMARY]) == NULL)
        return import_table_refuse(line, PRIMARY, "primary node", "a node of the second section", err);
    instance->runs = states[state].runs;
    instance->kind = templates[kind].kind;
    if (instance->kind == MIRRORED && json_object_get(import->nodes, line->fields[SECONDARY]) == NULL)
        return import_table_refuse(line, SECONDARY, "secondary node", "a node of the second section, as drbd needs one",
                                   err);
    return DC_OK;
}

/* Every tag, with the instance and its node: which of them exclude is known later. */
static enum dc_status note_tags(struct import_ganeti *import, const struct import_line *line, struct dc_error *err) {
    char *rest = line->fields[TAGS];
    for (char *tag = strsep(&rest, ","); tag != NULL; tag = strsep(&rest, ",")) {
        if (tag[0] == '\0')
            continue;
        json_t *entry = json_object_get(import->tagged, tag);
        if (entry == NULL) {
            entry = json_pack("{s:[], s:[]}", "vms", "nodes");
            if (json_object_set_new(import->tagged, tag, entry) != 0)
                return error_set(err, DC_EINVAL, "line %zu, column %d (tags): expected UTF-8", line->number, TAGS + 1);
        }
        if (json_array_append_new(json_object_get(entry, "vms"), json_string(line->fields[NAME])) != 0 ||
            json_array_append_new(json_object_get(entry, "nodes"), json_string(line->fields[PRIMARY])) != 0)
            return error_set_nomem(err);
    }
    return DC_OK;
}

static json_t *storage_of(const struct instance *instance) {
    if (instance->kind != LOCAL || instance->disk_mib <= 0)
        return json_array();
    return json_pack("[{s:s, s:I, s:b}]", "name", "disk0", "size_bytes", (json_int_t)floor(instance->disk_mib * mib),
                     "local", 1);
}

static enum dc_status add_vm(struct import_ganeti *import, const struct import_line *line,
                             const struct instance *instance, json_t *group, struct dc_error *err) {
    const char *name = line->fields[NAME], *primary = line->fields[PRIMARY];
    const double ratio = json_number_value(json_object_get(group, "ratio"));
    json_t *vm = json_pack("{s:s, s:s, s:s, s:s, s:I, s:f, s:f, s:{s:s}, s:o}", "uuid", name, "name", name, "host",
                           primary, "state", instance->runs ? "running" : "shutoff", "memory_bytes",
                           (json_int_t)floor(instance->memory_mib * mib), "vcpus", instance->vcpus, "cpu_cores_used",
                           instance->vcpus / ratio, "policy", "name", import->policy, "storage", storage_of(instance));
    if (vm == NULL)
        return import_table_refuse(line, NAME, "instance name", "UTF-8", err);
    if (line->fields[TAGS][0] != '\0' &&
        json_object_set_new(vm, "labels", json_pack("{s:s}", "tags", line->fields[TAGS])) != 0) {
        json_decref(vm);
        return import_table_refuse(line, TAGS, "tags", "UTF-8", err);
    }
    if (json_array_append_new(import->vms, vm) != 0 ||
        json_array_append_new(json_object_get(group, "vms"), json_string(name)) != 0)
        return error_set_nomem(err);
    return DC_OK;
}

/* A DRBD instance runs on its two nodes only. */
static enum dc_status fence_mirrored(struct import_ganeti *import, const struct import_line *line,
                                     struct dc_error *err) {
    json_t *vms = json_pack("[s]", line->fields[NAME]);
    json_t *hosts = json_pack("[s, s]", line->fields[PRIMARY], line->fields[SECONDARY]);
    const enum dc_status rc = vms == NULL || hosts == NULL ? error_set_nomem(err)
                                                           : import_ganeti_rule(import, "fence", vms, hosts, true, err);
    json_decref(vms);
    json_decref(hosts);
    return rc;
}

static enum dc_status use_memory(json_t *node, const struct instance *instance, struct dc_error *err) {
    const double used = json_number_value(json_object_get(node, "used_bytes"));
    if (!instance->runs)
        return DC_OK;
    const int r = json_object_set_new(node, "used_bytes", json_real(used + instance->memory_mib * mib));
    return r == 0 ? DC_OK : error_set_nomem(err);
}

enum dc_status import_ganeti_instance(struct import_ganeti *import, const struct import_line *line,
                                      struct dc_error *err) {
    struct instance instance = {0};
    enum dc_status rc = read_fields(import, line, &instance, err);
    if (rc != DC_OK)
        return rc;
    json_t *node = json_object_get(import->nodes, line->fields[PRIMARY]);
    json_t *group = json_object_get(import->groups, json_string_value(json_object_get(node, "group")));
    if (json_object_get(import->vm_names, line->fields[NAME]) != NULL || line->fields[NAME][0] == '\0')
        return import_table_refuse(line, NAME, "instance name", "one that no instance before has", err);
    if (json_object_set_new(import->vm_names, line->fields[NAME], json_true()) != 0)
        return import_table_refuse(line, NAME, "instance name", "UTF-8", err);
    rc = add_vm(import, line, &instance, group, err);
    if (rc == DC_OK)
        rc = use_memory(node, &instance, err);
    if (rc == DC_OK && instance.kind == MIRRORED)
        rc = fence_mirrored(import, line, err);
    if (rc == DC_OK && strcmp(line->fields[STATUS], "ERROR_wrongnode") == 0)
        rc = import_ganeti_warn(import, err, "line %zu: instance %s runs on another node than its primary",
                                line->number, line->fields[NAME]);
    return rc == DC_OK ? note_tags(import, line, err) : rc;
}
