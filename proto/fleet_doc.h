/*
 * The fleet document: hosts, network, VMs with their profiles and predictions,
 * and rules. What `decamp snapshot` writes and every offline question reads.
 *
 * In:  JSON text (format "decamp/fleet", version 1.x). Out: struct fleet, with
 *      every default of the document applied and every reference resolved to an
 *      index; and back.
 *
 * Numbers keep the document's units: bytes, bytes/s, ms, s. An unset limit is
 * FLEET_UNSET where zero would be a value.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "model/calibration.h"
#include "model/dirty_profile.h"
#include "model/precopy.h"
#include "model/prediction.h"
#include "model/stop_policy.h"
#include "proto/fleet_observation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLEET_UNSET (-1.0)
enum { FLEET_NO_INDEX = -1 };

struct fleet_label {
    char *key;
    char *value;
};

enum fleet_host_state { FLEET_HOST_ON, FLEET_HOST_OFF, FLEET_HOST_MAINTENANCE };

/* How old the data of a host is; set by the planner, absent in files written
 * by hand. */
enum fleet_freshness { FLEET_FRESH, FLEET_LATE, FLEET_STALE, FLEET_LOST };

struct fleet_host {
    char *name;
    enum fleet_host_state state;
    double cpus;
    double memory_bytes;
    double reserved_memory_bytes;
    double boot_s;
    double shutdown_s;
    double idle_watts;
    double peak_watts;
    unsigned max_migrations; /* in flight at once, in and out together; 0 = not limited */
    size_t n_cpu_features;
    char **cpu_features;
    size_t n_labels;
    struct fleet_label *labels;
    int64_t seen_unix_ms; /* last word from its agent; 0 = never, or not known */
    enum fleet_freshness freshness;
};

struct fleet_switch {
    char *name;
    double capacity_bytes_per_s; /* FLEET_UNSET: non-blocking */
};

/* A link's end: a host or a switch. */
struct fleet_endpoint {
    bool is_switch;
    size_t index;
};

struct fleet_link {
    char *name;
    struct fleet_endpoint between[2];
    double capacity_bytes_per_s; /* in each direction */
    double goodput_frac;         /* of the capacity that migration payload achieves */
    bool has_goodput;            /* false: the document left it out, what is learned may stand for it */
    double background_bytes_per_s;
};

enum fleet_vm_state { FLEET_VM_RUNNING, FLEET_VM_PAUSED, FLEET_VM_SHUTOFF, FLEET_VM_MIGRATING };

struct fleet_vm {
    char *uuid;
    char *name;
    size_t host; /* index into hosts */
    enum fleet_vm_state state;
    double memory_bytes;
    double vcpus;
    double cpu_cores_used;
    double downtime_budget_ms; /* FLEET_UNSET: none */
    double priority;
    size_t n_cpu_features; /* features the VM needs of its host */
    char **cpu_features;
    size_t n_labels;
    struct fleet_label *labels;
    bool has_policy;
    struct stop_policy policy;
    struct dirty_profile profile; /* kind NONE where absent */
    struct prediction prediction; /* n_points 0 where absent */
    bool has_overhead;
    bool overhead_is_agents;            /* said by its agent: what is learned counts for more */
    struct migration_overhead overhead; /* the prediction includes it */
    /* Not in documents, learned: widens p95 of what is computed here; from the order to a migration's beginning. */
    double spread_frac, startup_ms;
    size_t n_storage;
    struct storage_disk *storage;
    int64_t seen_unix_ms;
};

#define FLEET_RULE_MAP(X)                                                                  \
    X(SPREAD, "spread")         /* no two of the VMs on one host */                        \
    X(GATHER, "gather")         /* all of the VMs on one host */                           \
    X(BAN, "ban")               /* none of the VMs on any of the hosts */                  \
    X(FENCE, "fence")           /* the VMs only on the hosts */                            \
    X(LONELY, "lonely")         /* the VMs share hosts with no others */                   \
    X(AMONG, "among")           /* all of the VMs within one of several groups of hosts */ \
    X(MAX_ONLINE, "max_online") /* at most max of the hosts on */                          \
    X(PRECEDENCE, "precedence") /* vms[i] ends before vms[i + 1] starts */                 \
    X(SERIALIZE, "serialize")   /* never two of the VMs in flight at once */               \
    X(TOGETHER, "together")     /* all of the VMs start at once */

enum fleet_rule_type {
#define X(name, text) FLEET_RULE_##name,
    FLEET_RULE_MAP(X)
#undef X
};

struct fleet_rule {
    enum fleet_rule_type type;
    size_t n_vms;
    size_t *vms; /* indices */
    size_t n_hosts;
    size_t *hosts;   /* indices; of among: group after group */
    size_t n_groups; /* among: group g is hosts[group_end[g - 1] .. group_end[g]), the first from 0 */
    size_t *group_end;
    bool hard;
    bool continuous; /* also while migrating: a VM then counts on both hosts */
    unsigned max;    /* max_online */
};

struct fleet {
    int64_t taken_unix_ms;
    char digest[72]; /* "sha256:" and 64 hex digits of the text it was read from or last written as */
    size_t n_hosts, n_switches, n_links, n_vms, n_rules;
    struct fleet_host *hosts;
    struct fleet_switch *switches;
    struct fleet_link *links; /* never empty after reading: see fleet_doc_read */
    struct fleet_vm *vms;
    struct fleet_rule *rules;
    size_t n_calibration, n_observations;
    struct calibration *calibration;        /* what was learned from observed migrations */
    struct fleet_observation *observations; /* oldest first */
};

void fleet_doc_dispose(struct fleet *fleet);

/* Reads a document from `text` (`n_bytes`, need not be terminated). Without
 * links, every host gets one NIC "HOST-nic" of the default capacity on one
 * non-blocking switch "switch". Errors name the path: DC_EPARSE for JSON that is none,
 * DC_EVERSION for another major version, DC_EINVAL for a value
 * ("vms[3].memory_bytes: expected ..., got ..."). On failure `*fleet_out` is empty. */
DC_WARN_UNUSED enum dc_status fleet_doc_read(const char *text, size_t n_bytes, struct fleet *fleet_out,
                                             struct dc_error *err);

/* The same from a file ("-" is standard input); errors start with its name. */
DC_WARN_UNUSED enum dc_status fleet_doc_read_file(const char *path, struct fleet *fleet_out, struct dc_error *err);

/* Writes the document as JSON text (heap, the caller frees it), keys in fixed
 * order, the same bytes for the same fleet. Sets `fleet->digest`. */
DC_WARN_UNUSED enum dc_status fleet_doc_write(struct fleet *fleet, char **text_out, struct dc_error *err);

/* Index by name (hosts) or by uuid, else unique name (VMs); FLEET_NO_INDEX
 * where there is none. */
long fleet_doc_find_host(const struct fleet *fleet, const char *name);
long fleet_doc_find_vm(const struct fleet *fleet, const char *uuid_or_name);

/* The text of a state or a rule as documents spell it; static storage. */
const char *fleet_doc_host_state_text(enum fleet_host_state state);
const char *fleet_doc_vm_state_text(enum fleet_vm_state state);
const char *fleet_doc_freshness_text(enum fleet_freshness freshness);
const char *fleet_doc_rule_text(enum fleet_rule_type type);
