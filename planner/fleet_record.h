/*
 * What agents said, one record per host and per VM, found by name and uuid.
 * The containers behind fleet_state; fleet_merge reads them.
 *
 * Records are heap objects at fixed addresses, held in arrays sorted by name
 * and by uuid, so that a VM can point at its host.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"
#include "proto/msg_pred.h"

#include <stdbool.h>

struct host_record {
    char *name;
    struct fleet_host said; /* by its agent's last SNAPSHOT; empty until `reported` */
    bool reported;
    bool silent; /* said BYE, or not heard since the planner started: late at least */
    char *instance_id;
    int64_t seen_unix_ms;
    double seen_ms; /* monotonic */
};

/* A host that lists a VM which another has: its old one still, or its next one already. */
struct vm_claim {
    struct host_record *host; /* NULL: none */
    struct fleet_vm said;
};

struct vm_record {
    char uuid[MSG_UUID_BYTES];
    struct host_record *host; /* NULL: gone; kept a while, since it may turn up elsewhere */
    double gone_ms;           /* monotonic, when it went */
    struct fleet_vm said;     /* by the last SNAPSHOT; its index `host` is not used */
    struct vm_claim other;    /* who has it when `host` lists it no more */
    bool predicted;
    bool any_sample; /* its agent began anew, so sample numbers may have, too */
    char *boot_id;   /* of the latest prediction */
    struct msg_prediction latest;
    int64_t seen_unix_ms;
};

struct fleet_records {
    size_t n_hosts, hosts_capacity;
    struct host_record **hosts;
    size_t n_vms, vms_capacity;
    struct vm_record **vms;
};

void fleet_record_dispose(struct fleet_records *records);

/* NULL where there is none. */
struct host_record *fleet_record_find_host(const struct fleet_records *records, const char *name);
struct vm_record *fleet_record_find_vm(const struct fleet_records *records, const char *uuid);

/* Where `host` stands in `hosts`; it must be one of them. */
size_t fleet_record_position(const struct fleet_records *records, const struct host_record *host);

/* Finds or adds; NULL when out of memory. */
struct host_record *fleet_record_host(struct fleet_records *records, const char *name);
struct vm_record *fleet_record_vm(struct fleet_records *records, const char *uuid);

/* The record owns `said`, and lets go of the claim that it had. */
void fleet_record_set_claim(struct vm_record *vm, struct host_record *host, const struct fleet_vm *said);
void fleet_record_drop_claim(struct vm_record *vm);

/* VMs that are on no host now. */
size_t fleet_record_count_gone(const struct fleet_records *records);

/* Forgets VMs that went before `before_ms`. */
void fleet_record_forget_gone(struct fleet_records *records, double before_ms);

/* Replaces the record's prediction by a copy. */
DC_WARN_UNUSED enum dc_status fleet_record_predict(struct vm_record *vm, const char *boot_id,
                                                   const struct msg_prediction *prediction, struct dc_error *err);
