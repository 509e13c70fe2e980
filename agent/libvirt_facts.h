/*
 * A host's guests as libvirt tells of them. Every call blocks: for the worker thread (libvirt_worker.h).
 *
 * Out: memory in bytes, cores used between two looks, the state, and the policy as libvirt's two settings make it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "proto/fleet_doc.h"

#include <libvirt/libvirt.h>
#include <stddef.h>

struct libvirt_vm {
    char uuid[VIR_UUID_STRING_BUFLEN];
    char *name; /* owned */
    double memory_bytes, vcpus, cores_used;
    double cpu_s, read_s; /* vCPU time so far, and when that was; s of a monotonic clock */
    enum fleet_vm_state state;
    double downtime_limit_ms, max_bandwidth_bytes_per_s; /* 0: no cap; negative: not told */
};

struct libvirt_facts {
    size_t n_vms;
    struct libvirt_vm *vms;
    double cpus, memory_bytes; /* of the host */
};

/* All guests that run here or are paused; one that comes from elsewhere is its old host's until it runs. `before`
 * (may be empty) gives the use of processors. */
DC_WARN_UNUSED enum dc_status libvirt_facts_read(virConnectPtr connection, const struct libvirt_facts *before,
                                                 struct libvirt_facts *facts_out, struct dc_error *err);

/* NULL: no such guest. Lent by `facts`. */
const struct libvirt_vm *libvirt_facts_find(const struct libvirt_facts *facts, const char *uuid);

/* All but the use of processors. */
bool libvirt_facts_same(const struct libvirt_facts *a, const struct libvirt_facts *b);

/* Idempotent. */
void libvirt_facts_dispose(struct libvirt_facts *facts);
