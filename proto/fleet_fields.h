/*
 * The plain fields of the fleet document, as tables that reader and writer
 * share: keys, ranges and what stands for a field that is left out.
 *
 * Of a host, `cpus` 0 and `max_migrations` 0 mean not limited. A VM without
 * `policy` has none (has_policy false); its policy is then set up with the
 * defaults of fleet_fields_default_policy, so that it can be looked at.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/doc_field.h"

#define FLEET_FIELDS_FORMAT "decamp/fleet"
#define FLEET_FIELDS_VERSION "1.0"

struct fleet_fields {
    const struct doc_field *rows;
    size_t n;
};

extern const struct fleet_fields fleet_fields_host;
extern const struct fleet_fields fleet_fields_host_age; /* what the planner adds */
extern const struct fleet_fields fleet_fields_switch;
extern const struct fleet_fields fleet_fields_link;
extern const struct fleet_fields fleet_fields_vm_id;
extern const struct fleet_fields fleet_fields_vm;
extern const struct fleet_fields fleet_fields_vm_age;
extern const struct fleet_fields fleet_fields_policy;
extern const struct fleet_fields fleet_fields_overhead;
extern const struct fleet_fields fleet_fields_storage;
extern const struct fleet_fields fleet_fields_rate;
extern const struct fleet_fields fleet_fields_point; /* of a prediction, without its quantiles */
extern const struct fleet_fields fleet_fields_rule;

extern const char *const fleet_fields_host_states[];
extern const char *const fleet_fields_vm_states[];
extern const char *const fleet_fields_freshness[];
extern const char *const fleet_fields_rule_types[];

extern const char fleet_fields_default_policy[];

/* The NIC of a host in a document without links. */
enum { FLEET_FIELDS_NIC_BYTES_PER_S = 1250000000 };
