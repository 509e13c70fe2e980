/* Groups, nodes, tags and policies; instances are in import_ganeti_instance.c. Columns are those of htools(1); files of
 * older versions have fewer, the last ones are left out. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/import_ganeti.h"

#include "planner/import_ganeti_state.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const double mib = 1024.0 * 1024;
static const double default_vcpu_ratio = 4; /* Ganeti's own */
static const char exclusion_prefix[] = "htools:iextags:";

enum { GROUPS, NODES, INSTANCES, CLUSTER_TAGS, POLICIES };
enum { GROUP_NAME, GROUP_UUID, GROUP_ALLOCATION, GROUP_FIELDS };
enum {
    NODE_NAME,
    NODE_TOTAL,
    NODE_OWN,
    NODE_FREE,
    NODE_CORES = 6,
    NODE_ROLE,
    NODE_GROUP,
    NODE_FIELDS,
    NODE_OWN_CPUS = 13
};
enum { POLICY_OWNER, POLICY_RATIO = 4 };

struct import_section import_ganeti_section(const struct import_ganeti *import, size_t section) {
    return section < import->table.n_sections ? import->table.sections[section] : (struct import_section){0};
}

enum dc_status import_ganeti_warn(struct import_ganeti *import, struct dc_error *err, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return json_array_append_new(import->warnings, json_string(text)) == 0 ? DC_OK : error_set_nomem(err);
}

enum dc_status import_ganeti_rule(struct import_ganeti *import, const char *type, json_t *vms, json_t *hosts, bool hard,
                                  struct dc_error *err) {
    json_t *rule = json_pack("{s:s, s:O, s:b}", "type", type, "vms", vms, "hard", hard);
    if (rule == NULL || (hosts != NULL && json_object_set(rule, "hosts", hosts) != 0)) {
        json_decref(rule);
        return error_set_nomem(err);
    }
    return json_array_append_new(import->rules, rule) == 0 ? DC_OK : error_set_nomem(err);
}

static enum dc_status read_group(struct import_ganeti *import, const struct import_line *line, struct dc_error *err) {
    if (line->n_fields < GROUP_FIELDS)
        return error_set(err, DC_EPARSE, "line %zu: expected a node group of at least %d fields, got %zu", line->number,
                         GROUP_FIELDS, line->n_fields);
    if (json_object_get(import->groups, line->fields[GROUP_UUID]) != NULL)
        return import_table_refuse(line, GROUP_UUID, "group UUID", "one that no group before has", err);
    json_t *group = json_pack("{s:s, s:[], s:[], s:f}", "name", line->fields[GROUP_NAME], "hosts", "vms", "ratio",
                              default_vcpu_ratio);
    if (group == NULL)
        return import_table_refuse(line, GROUP_NAME, "group name", "UTF-8", err);
    if (json_object_set_new(import->groups, line->fields[GROUP_UUID], group) != 0)
        return import_table_refuse(line, GROUP_UUID, "group UUID", "UTF-8", err);
    if (strcmp(line->fields[GROUP_ALLOCATION], "unallocable") == 0)
        return import_ganeti_warn(import, err,
                                  "line %zu: group %s is unallocable: its own VMs may move in it all the same",
                                  line->number, line->fields[GROUP_NAME]);
    return DC_OK;
}

/* By policy: the cluster's for all groups, then a group's own. */
static enum dc_status read_policy(struct import_ganeti *import, const struct import_line *line, struct dc_error *err) {
    double ratio = default_vcpu_ratio;
    const char *owner = line->fields[POLICY_OWNER];
    bool is_known = owner[0] == '\0';
    if (line->n_fields <= POLICY_RATIO)
        return error_set(err, DC_EPARSE, "line %zu: expected a policy of at least %d fields, got %zu", line->number,
                         POLICY_RATIO + 1, line->n_fields);
    const enum dc_status rc =
        import_table_number(line, POLICY_RATIO, "ratio of virtual to physical cores", &ratio, err);
    if (rc != DC_OK)
        return rc;
    if (ratio <= 0)
        return import_table_refuse(line, POLICY_RATIO, "ratio of virtual to physical cores", "more than 0", err);
    const char *uuid = NULL;
    json_t *group = NULL;
    json_object_foreach(import->groups, uuid, group) {
        if (owner[0] != '\0' && strcmp(owner, json_string_value(json_object_get(group, "name"))) != 0)
            continue;
        is_known = true;
        if (json_object_set_new(group, "ratio", json_real(ratio)) != 0)
            return error_set_nomem(err);
    }
    return is_known ? DC_OK : import_table_refuse(line, POLICY_OWNER, "owner", "a group's name, or nothing", err);
}

/* An offline node's figures may be question marks; it then counts as one that is off. */
static bool has_figures(const struct import_line *line) {
    for (size_t column = NODE_TOTAL; column <= NODE_CORES; column++)
        if (strcmp(line->fields[column], "?") == 0)
            return false;
    return true;
}

struct node {
    double total_mib, own_mib, free_mib, cores, own_cores;
    bool is_offline;
};

static enum dc_status read_figures(const struct import_line *line, struct node *node, struct dc_error *err) {
    const char *role = line->fields[NODE_ROLE];
    if (strlen(role) != 1 || strchr("YNM", role[0]) == NULL)
        return import_table_refuse(line, NODE_ROLE, "offline or role", "Y, N or M", err);
    *node = (struct node){.total_mib = 1, .is_offline = role[0] == 'Y'};
    if (!has_figures(line))
        return node->is_offline ? DC_OK
                                : import_table_refuse(line, NODE_ROLE, "offline or role", "Y beside a '?'", err);
    enum dc_status rc = import_table_number(line, NODE_TOTAL, "total memory", &node->total_mib, err);
    if (rc == DC_OK)
        rc = import_table_number(line, NODE_OWN, "memory of the node itself", &node->own_mib, err);
    if (rc == DC_OK)
        rc = import_table_number(line, NODE_FREE, "free memory", &node->free_mib, err);
    if (rc == DC_OK)
        rc = import_table_number(line, NODE_CORES, "physical cores", &node->cores, err);
    if (rc == DC_OK && line->n_fields > NODE_OWN_CPUS)
        rc = import_table_number(line, NODE_OWN_CPUS, "virtual cores of the node itself", &node->own_cores, err);
    if (rc == DC_OK && node->total_mib < 1 && !node->is_offline)
        rc = import_table_refuse(line, NODE_TOTAL, "total memory", "at least 1 MiB", err);
    if (rc == DC_OK && node->free_mib + node->own_mib > node->total_mib)
        rc = import_table_refuse(line, NODE_FREE, "free memory", "no more than the total less the node's own", err);
    return rc;
}

static enum dc_status add_node(struct import_ganeti *import, const struct import_line *line, const struct node *node,
                               json_t *group, struct dc_error *err) {
    const char *name = line->fields[NODE_NAME];
    const double ratio = json_number_value(json_object_get(group, "ratio"));
    const char *state = !node->is_offline ? "on" : has_figures(line) ? "maintenance" : "off";
    json_t *host = json_pack("{s:s, s:s, s:f, s:I, s:I, s:{s:O}}", "name", name, "state", state, "cpus",
                             fmax(0, node->cores - node->own_cores / ratio), "memory_bytes",
                             (json_int_t)floor(fmax(1, node->total_mib) * mib), "reserved_memory_bytes",
                             (json_int_t)floor(node->own_mib * mib), "labels", "group", json_object_get(group, "name"));
    if (host == NULL || json_array_append_new(import->hosts, host) != 0)
        return import_table_refuse(line, NODE_NAME, "node name", "UTF-8", err);
    json_t *entry = json_pack("{s:s, s:f, s:f, s:i}", "group", line->fields[NODE_GROUP], "used_bytes", 0.0,
                              "free_bytes", node->free_mib * mib, "host", (int)json_array_size(import->hosts) - 1);
    if (entry == NULL || json_object_set_new(import->nodes, name, entry) != 0 ||
        json_array_append_new(json_object_get(group, "hosts"), json_string(name)) != 0)
        return error_set_nomem(err);
    return DC_OK;
}

static enum dc_status read_node(struct import_ganeti *import, const struct import_line *line, struct dc_error *err) {
    struct node node = {0};
    if (line->n_fields < NODE_FIELDS)
        return error_set(err, DC_EPARSE, "line %zu: expected a node of at least %d fields, got %zu", line->number,
                         NODE_FIELDS, line->n_fields);
    if (line->fields[NODE_NAME][0] == '\0' || json_object_get(import->nodes, line->fields[NODE_NAME]) != NULL)
        return import_table_refuse(line, NODE_NAME, "node name", "one that no node before has", err);
    json_t *group = json_object_get(import->groups, line->fields[NODE_GROUP]);
    if (group == NULL)
        return import_table_refuse(line, NODE_GROUP, "group UUID", "that of a group in the first section", err);
    const enum dc_status rc = read_figures(line, &node, err);
    return rc == DC_OK ? add_node(import, line, &node, group, err) : rc;
}

/* What is neither free nor a running instance's is the node's. */
static enum dc_status reserve_unexplained(struct import_ganeti *import, struct dc_error *err) {
    const char *name = NULL;
    json_t *node = NULL;
    json_object_foreach(import->nodes, name, node) {
        json_t *host = json_array_get(import->hosts, (size_t)json_integer_value(json_object_get(node, "host")));
        const double total = json_number_value(json_object_get(host, "memory_bytes"));
        const double own = json_number_value(json_object_get(host, "reserved_memory_bytes"));
        const double explained = json_number_value(json_object_get(node, "free_bytes")) +
                                 json_number_value(json_object_get(node, "used_bytes"));
        const double reserved = floor(fmax(own, total - explained));
        if (strcmp(json_string_value(json_object_get(host, "state")), "off") != 0 &&
            json_object_set_new(host, "reserved_memory_bytes", json_integer((json_int_t)reserved)) != 0)
            return error_set_nomem(err);
    }
    return DC_OK;
}

/* Cluster tags that say which tags exclude one another; other tags of htools have no counterpart. */
static enum dc_status read_cluster_tag(struct import_ganeti *import, const struct import_line *line,
                                       struct dc_error *err) {
    const char *tag = line->fields[0];
    if (strncmp(tag, "htools:", strlen("htools:")) == 0 &&
        strncmp(tag, exclusion_prefix, strlen(exclusion_prefix)) != 0)
        return import_ganeti_warn(import, err, "line %zu: tag %s has no counterpart: left out", line->number, tag);
    return DC_OK;
}

static bool names_differ(const json_t *names) {
    size_t i = 0, k = 0;
    json_t *a = NULL, *b = NULL;
    json_array_foreach(names, i, a) {
        json_array_foreach(names, k, b) {
            if (k < i && json_equal(a, b))
                return false;
        }
    }
    return true;
}

static bool is_exclusive(const struct import_ganeti *import, const char *tag) {
    const struct import_section tags = import_ganeti_section(import, CLUSTER_TAGS);
    for (size_t i = 0; i < tags.n_lines; i++) {
        const char *text = tags.lines[i].fields[0];
        if (strncmp(text, exclusion_prefix, strlen(exclusion_prefix)) != 0)
            continue;
        const char *prefix = text + strlen(exclusion_prefix);
        const size_t n = strlen(prefix);
        if (n > 0 && strncmp(tag, prefix, n) == 0 && (prefix[n - 1] == ':' || tag[n] == ':'))
            return true;
    }
    return false;
}

/* Spread by exclusion tag, soft where it is broken already; fences by group, where there is more than one. */
static enum dc_status add_rules(struct import_ganeti *import, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(import->tagged, key, value) {
        json_t *vms = json_object_get(value, "vms");
        const bool holds = names_differ(json_object_get(value, "nodes"));
        if (rc == DC_OK && is_exclusive(import, key) && json_array_size(vms) > 1)
            rc = import_ganeti_rule(import, "spread", vms, NULL, holds, err);
        if (rc == DC_OK && is_exclusive(import, key) && !holds)
            rc = import_ganeti_warn(import, err, "instances with tag %s share a node: their spread rule is soft", key);
    }
    json_object_foreach(import->groups, key, value) {
        if (rc == DC_OK && json_object_size(import->groups) > 1 && json_array_size(json_object_get(value, "vms")) > 0)
            rc = import_ganeti_rule(import, "fence", json_object_get(value, "vms"), json_object_get(value, "hosts"),
                                    true, err);
    }
    return rc;
}

typedef enum dc_status (*line_fn)(struct import_ganeti *import, const struct import_line *line, struct dc_error *err);

static enum dc_status each(struct import_ganeti *import, size_t section, line_fn read, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    const struct import_section lines = import_ganeti_section(import, section);
    for (size_t i = 0; rc == DC_OK && i < lines.n_lines; i++)
        rc = read(import, &lines.lines[i], err);
    return rc;
}

static enum dc_status read_all(struct import_ganeti *import, struct dc_error *err) {
    if (import->table.n_sections <= INSTANCES)
        return error_set(err, DC_EPARSE,
                         "expected sections of groups, nodes and instances, each ended by an empty line, got %zu",
                         import->table.n_sections);
    enum dc_status rc = each(import, GROUPS, read_group, err);
    if (rc == DC_OK)
        rc = each(import, POLICIES, read_policy, err);
    if (rc == DC_OK)
        rc = each(import, NODES, read_node, err);
    if (rc == DC_OK)
        rc = each(import, INSTANCES, import_ganeti_instance, err);
    if (rc == DC_OK)
        rc = each(import, CLUSTER_TAGS, read_cluster_tag, err);
    if (rc == DC_OK)
        rc = reserve_unexplained(import, err);
    return rc == DC_OK ? add_rules(import, err) : rc;
}

static void dispose(struct import_ganeti *import) {
    json_decref(import->hosts);
    json_decref(import->vms);
    json_decref(import->rules);
    json_decref(import->warnings);
    json_decref(import->groups);
    json_decref(import->nodes);
    json_decref(import->tagged);
    json_decref(import->vm_names);
    import_table_dispose(&import->table);
}

enum dc_status import_ganeti(char *text, size_t n_bytes, const char *policy, json_t **fleet_out, json_t **warnings_out,
                             struct dc_error *err) {
    struct import_ganeti import = {.policy = policy,
                                   .hosts = json_array(),
                                   .vms = json_array(),
                                   .rules = json_array(),
                                   .warnings = json_array(),
                                   .groups = json_object(),
                                   .nodes = json_object(),
                                   .tagged = json_object(),
                                   .vm_names = json_object()};
    *fleet_out = *warnings_out = NULL;
    enum dc_status rc = import_table_read(text, n_bytes, &import.table, err);
    if (rc == DC_OK)
        rc = read_all(&import, err);
    if (rc == DC_OK) {
        *fleet_out = json_pack("{s:s, s:s, s:i, s:O, s:O, s:O}", "format", "decamp/fleet", "format_version", "1.0",
                               "taken_unix_ms", 0, "hosts", import.hosts, "vms", import.vms, "rules", import.rules);
        *warnings_out = json_incref(import.warnings);
        if (*fleet_out == NULL) {
            json_decref(*warnings_out);
            *warnings_out = NULL;
            rc = error_set_nomem(err);
        }
    }
    dispose(&import);
    return rc;
}
