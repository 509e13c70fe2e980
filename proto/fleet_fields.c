/* The tables of the fleet document's plain fields. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/fleet_fields.h"

#include "proto/fleet_doc.h"

#define TABLE(name, rows) const struct fleet_fields name = {rows, sizeof(rows) / sizeof((rows)[0])}

const char *const fleet_fields_host_states[] = {"on", "off", "maintenance", NULL};
const char *const fleet_fields_vm_states[] = {"running", "paused", "shutoff", "migrating", NULL};
const char *const fleet_fields_freshness[] = {"fresh", "late", "stale", "lost", NULL};
const char *const fleet_fields_rule_types[] = {
#define X(name, text) text,
    FLEET_RULE_MAP(X)
#undef X
        NULL};

const char fleet_fields_default_policy[] = "xen-v2";

#define AT(type, member) .offset = offsetof(struct type, member)

static const struct doc_field host_rows[] = {
    {.key = "name", .type = DOC_TEXT, .need = DOC_REQUIRED, AT(fleet_host, name)},
    {.key = "state", .type = DOC_CHOICE, AT(fleet_host, state), .choices = fleet_fields_host_states},
    {.key = "cpus", .type = DOC_NUMBER, AT(fleet_host, cpus)},
    {.key = "memory_bytes", .type = DOC_WHOLE, .need = DOC_REQUIRED, AT(fleet_host, memory_bytes), .min = 1},
    {.key = "reserved_memory_bytes", .type = DOC_WHOLE, AT(fleet_host, reserved_memory_bytes)},
    {.key = "boot_s", .type = DOC_NUMBER, AT(fleet_host, boot_s), .fallback = 120},
    {.key = "shutdown_s", .type = DOC_NUMBER, AT(fleet_host, shutdown_s), .fallback = 30},
    {.key = "idle_watts", .type = DOC_NUMBER, AT(fleet_host, idle_watts), .fallback = 150},
    {.key = "peak_watts", .type = DOC_NUMBER, AT(fleet_host, peak_watts), .fallback = 300},
    {.key = "max_migrations", .type = DOC_UNSIGNED, AT(fleet_host, max_migrations)},
};
TABLE(fleet_fields_host, host_rows);

static const struct doc_field host_age_rows[] = {
    {.key = "seen_unix_ms", .type = DOC_INT64, AT(fleet_host, seen_unix_ms)},
    {.key = "freshness", .type = DOC_CHOICE, AT(fleet_host, freshness), .choices = fleet_fields_freshness},
};
TABLE(fleet_fields_host_age, host_age_rows);

static const struct doc_field switch_rows[] = {
    {.key = "name", .type = DOC_TEXT, .need = DOC_REQUIRED, AT(fleet_switch, name)},
    {.key = "capacity_bytes_per_s",
     .type = DOC_POSITIVE,
     .need = DOC_NULLABLE,
     AT(fleet_switch, capacity_bytes_per_s),
     .fallback = FLEET_UNSET},
};
TABLE(fleet_fields_switch, switch_rows);

static const struct doc_field link_rows[] = {
    {.key = "name", .type = DOC_TEXT, .need = DOC_REQUIRED, AT(fleet_link, name)},
    {.key = "capacity_bytes_per_s", .type = DOC_POSITIVE, .need = DOC_REQUIRED, AT(fleet_link, capacity_bytes_per_s)},
    {.key = "goodput_frac", .type = DOC_POSITIVE, AT(fleet_link, goodput_frac), .max = 1, .fallback = 0.94},
    {.key = "background_bytes_per_s", .type = DOC_NUMBER, AT(fleet_link, background_bytes_per_s)},
};
TABLE(fleet_fields_link, link_rows);

static const struct doc_field vm_id_rows[] = {
    {.key = "uuid", .type = DOC_TEXT, .need = DOC_REQUIRED, AT(fleet_vm, uuid)},
    {.key = "name", .type = DOC_TEXT, .need = DOC_NULLABLE, AT(fleet_vm, name)},
};
TABLE(fleet_fields_vm_id, vm_id_rows);

static const struct doc_field vm_rows[] = {
    {.key = "state", .type = DOC_CHOICE, AT(fleet_vm, state), .choices = fleet_fields_vm_states},
    {.key = "memory_bytes", .type = DOC_WHOLE, .need = DOC_REQUIRED, AT(fleet_vm, memory_bytes), .min = 1},
    {.key = "vcpus", .type = DOC_NUMBER, AT(fleet_vm, vcpus), .fallback = 1},
    {.key = "cpu_cores_used", .type = DOC_NUMBER, AT(fleet_vm, cpu_cores_used)},
    {.key = "downtime_budget_ms",
     .type = DOC_WHOLE,
     .need = DOC_NULLABLE,
     AT(fleet_vm, downtime_budget_ms),
     .fallback = FLEET_UNSET},
    {.key = "priority", .type = DOC_NUMBER, AT(fleet_vm, priority), .min = DOC_FIELD_LOWEST},
};
TABLE(fleet_fields_vm, vm_rows);

static const struct doc_field vm_age_rows[] = {
    {.key = "seen_unix_ms", .type = DOC_INT64, AT(fleet_vm, seen_unix_ms)},
};
TABLE(fleet_fields_vm_age, vm_age_rows);

/* Left out, the defaults of the policy's class stay, but for
 * max_bandwidth_bytes_per_s: then it has none of its own. */
static const struct doc_field policy_rows[] = {
    {.key = "max_rounds", .type = DOC_UNSIGNED, .need = DOC_KEEP, AT(stop_policy, max_rounds), .max = 1000000},
    {.key = "target_dirty_pages", .type = DOC_WHOLE, .need = DOC_KEEP, AT(stop_policy, target_dirty_pages)},
    {.key = "max_factor", .type = DOC_NUMBER, .need = DOC_KEEP, AT(stop_policy, max_factor)},
    {.key = "gfn_count", .type = DOC_WHOLE, .need = DOC_KEEP, AT(stop_policy, gfn_count)},
    {.key = "downtime_limit_ms", .type = DOC_WHOLE, .need = DOC_KEEP, AT(stop_policy, downtime_limit_ms)},
    {.key = "max_bandwidth_bytes_per_s",
     .type = DOC_NUMBER,
     .need = DOC_NULLABLE,
     AT(stop_policy, max_bandwidth_bytes_per_s)},
    {.key = "auto_converge", .type = DOC_BOOL, .need = DOC_KEEP, AT(stop_policy, auto_converge)},
    {.key = "throttle_trigger_frac",
     .type = DOC_NUMBER,
     .need = DOC_KEEP,
     AT(stop_policy, throttle_trigger_frac),
     .max = 1},
    {.key = "throttle_initial_frac",
     .type = DOC_NUMBER,
     .need = DOC_KEEP,
     AT(stop_policy, throttle_initial_frac),
     .max = 0.99},
    {.key = "throttle_increment_frac",
     .type = DOC_NUMBER,
     .need = DOC_KEEP,
     AT(stop_policy, throttle_increment_frac),
     .max = 0.99},
    {.key = "throttle_max_frac", .type = DOC_NUMBER, .need = DOC_KEEP, AT(stop_policy, throttle_max_frac), .max = 0.99},
    {.key = "postcopy",
     .type = DOC_CHOICE,
     .need = DOC_KEEP,
     AT(stop_policy, postcopy),
     .choices = stop_policy_postcopy_texts},
};
TABLE(fleet_fields_policy, policy_rows);

static const struct doc_field overhead_rows[] = {
    {.key = "pre_ms", .type = DOC_WHOLE, AT(migration_overhead, pre_ms)},
    {.key = "post_ms", .type = DOC_WHOLE, AT(migration_overhead, post_ms)},
    {.key = "in_flight_bytes", .type = DOC_WHOLE, AT(migration_overhead, in_flight_bytes)},
    {.key = "suspend_pages", .type = DOC_WHOLE, AT(migration_overhead, suspend_pages)},
};
TABLE(fleet_fields_overhead, overhead_rows);

static const struct doc_field storage_rows[] = {
    {.key = "name", .type = DOC_TEXT, .need = DOC_REQUIRED, AT(storage_disk, name)},
    {.key = "size_bytes", .type = DOC_WHOLE, .need = DOC_REQUIRED, AT(storage_disk, size_bytes)},
    {.key = "allocated_bytes", .type = DOC_WHOLE, .need = DOC_NULLABLE, AT(storage_disk, allocated_bytes), .min = 1},
    {.key = "local", .type = DOC_BOOL, AT(storage_disk, local)},
    {.key = "write_bytes_per_s", .type = DOC_NUMBER, AT(storage_disk, write_bytes_per_s)},
    {.key = "block_bytes", .type = DOC_WHOLE, .need = DOC_NULLABLE, AT(storage_disk, block_bytes), .min = 1},
};
TABLE(fleet_fields_storage, storage_rows);

static const struct doc_field rate_rows[] = {
    {.key = "pages_per_s", .type = DOC_NUMBER, .need = DOC_REQUIRED, AT(dirty_profile, pages_per_s)},
    {.key = "working_set_pages", .type = DOC_WHOLE, .need = DOC_REQUIRED, AT(dirty_profile, working_set_pages)},
};
TABLE(fleet_fields_rate, rate_rows);

static const struct doc_field point_rows[] = {
    {.key = "bandwidth_bytes_per_s",
     .type = DOC_POSITIVE,
     .need = DOC_REQUIRED,
     AT(prediction_point, bandwidth_bytes_per_s)},
    {.key = "bytes", .type = DOC_WHOLE, .need = DOC_REQUIRED, AT(prediction_point, bytes)},
    {.key = "rounds", .type = DOC_UNSIGNED, AT(prediction_point, n_rounds)},
    {.key = "converges", .type = DOC_BOOL, AT(prediction_point, converges), .fallback = 1},
};
TABLE(fleet_fields_point, point_rows);

static const struct doc_field rule_rows[] = {
    {.key = "type", .type = DOC_CHOICE, .need = DOC_REQUIRED, AT(fleet_rule, type), .choices = fleet_fields_rule_types},
    {.key = "hard", .type = DOC_BOOL, AT(fleet_rule, hard), .fallback = 1},
    {.key = "continuous", .type = DOC_BOOL, AT(fleet_rule, continuous)},
    {.key = "max", .type = DOC_UNSIGNED, AT(fleet_rule, max)},
};
TABLE(fleet_fields_rule, rule_rows);

_Static_assert(sizeof(enum fleet_host_state) == sizeof(unsigned), "DOC_CHOICE stores an unsigned");
_Static_assert(sizeof(enum fleet_rule_type) == sizeof(unsigned), "DOC_CHOICE stores an unsigned");
_Static_assert(sizeof(enum stop_policy_postcopy) == sizeof(unsigned), "DOC_CHOICE stores an unsigned");
