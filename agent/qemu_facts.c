/* One function a query, in a table. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/qemu_facts.h"

#include "proto/msg.h"

#include <stdlib.h>
#include <string.h>

static const char *const nil_uuid = "00000000-0000-0000-0000-000000000000";

void qemu_facts_dispose(struct qemu_facts *facts) {
    free(facts->name);
    facts->name = NULL;
}

static enum dc_status take_name(struct qemu_facts *facts, const json_t *value, struct dc_error *err) {
    const char *name = json_string_value(json_object_get(value, "name"));
    qemu_facts_dispose(facts);
    if (name == NULL || name[0] == '\0') /* the uuid does for one */
        return DC_OK;
    if (strlen(name) > MSG_MAX_NAME_BYTES)
        return error_set(err, DC_EPARSE, "name: expected at most %d bytes", (int)MSG_MAX_NAME_BYTES);
    facts->name = strdup(name);
    return facts->name != NULL ? DC_OK : error_set_nomem(err);
}

static enum dc_status take_uuid(struct qemu_facts *facts, const json_t *value, struct dc_error *err) {
    const char *uuid = json_string_value(json_object_get(value, "UUID"));
    if (uuid == NULL || strlen(uuid) + 1 != sizeof(facts->uuid))
        return error_set(err, DC_EPARSE, "UUID: expected one");
    memcpy(facts->uuid, strcmp(uuid, nil_uuid) == 0 ? "" : uuid, strcmp(uuid, nil_uuid) == 0 ? 1 : sizeof(facts->uuid));
    return DC_OK;
}

static enum dc_status take_memory(struct qemu_facts *facts, const json_t *value, struct dc_error *err) {
    const json_t *base = json_object_get(value, "base-memory");
    if (!json_is_integer(base) || json_integer_value(base) <= 0)
        return error_set(err, DC_EPARSE, "base-memory: expected bytes");
    facts->memory_bytes =
        (double)json_integer_value(base) + json_number_value(json_object_get(value, "plugged-memory"));
    return DC_OK;
}

static enum dc_status take_vcpus(struct qemu_facts *facts, const json_t *value, struct dc_error *err) {
    if (!json_is_array(value) || json_array_size(value) > QEMU_FACTS_MOST_VCPUS)
        return error_set(err, DC_EPARSE, "expected a list of at most %d processors", (int)QEMU_FACTS_MOST_VCPUS);
    facts->n_vcpus = json_array_size(value);
    for (size_t i = 0; i < facts->n_vcpus; i++)
        facts->threads[i] = (long)json_integer_value(json_object_get(json_array_get(value, i), "thread-id"));
    return DC_OK;
}

static enum dc_status take_kvm(struct qemu_facts *facts, const json_t *value, struct dc_error *err) {
    (void)err;
    facts->has_kvm = json_is_true(json_object_get(value, "enabled"));
    return DC_OK;
}

static enum dc_status take_status(struct qemu_facts *facts, const json_t *value, struct dc_error *err) {
    static const struct {
        const char *text;
        enum qemu_state state;
    } states[] = {
        {"running", QEMU_RUNS},        {"inmigrate", QEMU_INCOMING},
        {"postmigrate", QEMU_LEFT},    {"shutdown", QEMU_LEFT},
        {"internal-error", QEMU_LEFT}, {"finish-migrate", QEMU_RUNS}, /* for the moment of the hand-over */
    };
    const char *status = json_string_value(json_object_get(value, "status"));
    if (status == NULL)
        return error_set(err, DC_EPARSE, "status: expected a word");
    facts->state = QEMU_PAUSED; /* whatever else: it is here and does not run */
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (strcmp(status, states[i].text) == 0)
            facts->state = states[i].state;
    return DC_OK;
}

static enum dc_status take_migrate(struct qemu_facts *facts, const json_t *value, struct dc_error *err) {
    static const char *const idle[] = {"none", "completed", "failed", "cancelled"};
    const char *status = json_string_value(json_object_get(value, "status"));
    (void)err;
    facts->migrates = status != NULL;
    for (size_t i = 0; status != NULL && i < sizeof(idle) / sizeof(idle[0]); i++)
        facts->migrates = facts->migrates && strcmp(status, idle[i]) != 0;
    return DC_OK;
}

/* bytes/s and milliseconds; shares in percent. */
static enum dc_status take_parameters(struct qemu_facts *facts, const json_t *value, struct dc_error *err) {
    const json_t *limit = json_object_get(value, "downtime-limit");
    struct stop_policy *policy = &facts->policy;
    const bool auto_converge = policy->auto_converge;
    const enum dc_status rc = stop_policy_init(policy, "qemu", err);
    if (rc != DC_OK)
        return rc;
    policy->auto_converge = auto_converge;
    if (!json_is_integer(limit) || json_integer_value(limit) < 0)
        return error_set(err, DC_EPARSE, "downtime-limit: expected milliseconds");
    policy->downtime_limit_ms = (double)json_integer_value(limit);
    policy->max_bandwidth_bytes_per_s = json_number_value(json_object_get(value, "max-bandwidth"));
    policy->throttle_trigger_frac = json_number_value(json_object_get(value, "throttle-trigger-threshold")) / 100;
    policy->throttle_initial_frac = json_number_value(json_object_get(value, "cpu-throttle-initial")) / 100;
    policy->throttle_increment_frac = json_number_value(json_object_get(value, "cpu-throttle-increment")) / 100;
    policy->throttle_max_frac = json_number_value(json_object_get(value, "max-cpu-throttle")) / 100;
    return DC_OK;
}

static enum dc_status take_capabilities(struct qemu_facts *facts, const json_t *value, struct dc_error *err) {
    if (!json_is_array(value))
        return error_set(err, DC_EPARSE, "expected a list of capabilities");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *row = json_array_get(value, i);
        const char *name = json_string_value(json_object_get(row, "capability"));
        if (name != NULL && strcmp(name, "auto-converge") == 0)
            facts->policy.auto_converge = json_is_true(json_object_get(row, "state"));
    }
    return DC_OK;
}

static enum dc_status (*const takers[QEMU_FACTS_QUERIES])(struct qemu_facts *, const json_t *, struct dc_error *) = {
    take_name,   take_uuid,    take_memory,     take_vcpus,        take_kvm,
    take_status, take_migrate, take_parameters, take_capabilities,
};

const char *const qemu_facts_queries[QEMU_FACTS_QUERIES] = {
    "query-name",
    "query-uuid",
    "query-memory-size-summary",
    "query-cpus-fast",
    "query-kvm",
    "query-status",
    "query-migrate",
    "query-migrate-parameters",
    "query-migrate-capabilities",
};

enum dc_status qemu_facts_take(struct qemu_facts *facts, size_t query, const json_t *value, struct dc_error *err) {
    const enum dc_status rc = takers[query](facts, value, err);
    if (rc != DC_OK)
        (void)error_prefix(err, "%s", qemu_facts_queries[query]);
    return rc;
}

static bool is_same_number(double a, double b) {
    return a >= b && a <= b;
}

static bool is_same_policy(const struct stop_policy *a, const struct stop_policy *b) {
    return a->auto_converge == b->auto_converge && is_same_number(a->downtime_limit_ms, b->downtime_limit_ms) &&
           is_same_number(a->max_bandwidth_bytes_per_s, b->max_bandwidth_bytes_per_s) &&
           is_same_number(a->throttle_trigger_frac, b->throttle_trigger_frac) &&
           is_same_number(a->throttle_initial_frac, b->throttle_initial_frac) &&
           is_same_number(a->throttle_increment_frac, b->throttle_increment_frac) &&
           is_same_number(a->throttle_max_frac, b->throttle_max_frac);
}

bool qemu_facts_same(const struct qemu_facts *a, const struct qemu_facts *b) {
    const char *name = a->name != NULL ? a->name : "", *other = b->name != NULL ? b->name : "";
    return strcmp(a->uuid, b->uuid) == 0 && strcmp(name, other) == 0 &&
           is_same_number(a->memory_bytes, b->memory_bytes) && a->n_vcpus == b->n_vcpus && a->state == b->state &&
           a->has_kvm == b->has_kvm && a->migrates == b->migrates && is_same_policy(&a->policy, &b->policy);
}
