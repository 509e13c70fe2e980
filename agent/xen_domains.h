/*
 * The domains of this dom0 as plain data, without the hypercalls that list
 * them, and what the agent makes of them: which one stands for a VM, whether
 * that VM migrates, its facts for the planner.
 *
 * While a VM migrates within one host two domains have its uuid; the planner is
 * shown one, the source until it is gone.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "agent/source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { XEN_DOMAIN_UUID_BYTES = 37 };

struct xen_domain {
    uint32_t domid;
    char uuid[XEN_DOMAIN_UUID_BYTES];
    char *name; /* heap, the list's; NULL: it has none yet */
    bool is_paused, is_dying;
    bool is_shutdown;  /* for whatever reason */
    bool is_suspended; /* is_shutdown, by the end of a migration or save */
    unsigned n_online_vcpus;
    double memory_bytes;
    double gfn_count;                  /* guest frames incl. holes; 0: not known */
    uint64_t cpu_time_ns, cpu_read_ns; /* the use of processors is their difference from one list to the next */
};

struct xen_domains {
    struct xen_domain *items;
    size_t n, capacity;
};

/* What all VMs of this host have in common. */
struct xen_vm_defaults {
    struct stop_policy policy; /* without gfn_count */
    struct migration_overhead overhead;
};

/* Appends `*domain`, whose name becomes the list's; false when out of memory, the name is then freed. */
DC_WARN_UNUSED bool xen_domains_add(struct xen_domains *domains, const struct xen_domain *domain);

/* Idempotent. */
void xen_domains_dispose(struct xen_domains *domains);

/* NULL: not among them. */
const struct xen_domain *xen_domains_at(const struct xen_domains *domains, uint32_t domid, const char *uuid);

/* The domain that stands for the VM: not one that is being built, received or ends. Of two that are here the one that
 * came first. */
const struct xen_domain *xen_domains_of_vm(const struct xen_domains *domains, const char *uuid);

/* Another domain has its uuid: it migrates within this host. */
bool xen_domains_has_twin(const struct xen_domains *domains, const struct xen_domain *domain);

/* Signs that the list itself has of a migration of `domain`: its name, its suspension, its twin. */
bool xen_domains_migrates(const struct xen_domains *domains, const struct xen_domain *domain);

/* Its guest runs here. */
bool xen_domain_runs(const struct xen_domain *domain);

/* The VMs, one for each uuid, into the heap array `*vms_out`, which the caller frees and whose texts are those of
 * `domains`. `before` is the list of an earlier moment, for the use of processors. False when out of memory. */
DC_WARN_UNUSED bool xen_domains_vms(const struct xen_domains *domains, const struct xen_domains *before,
                                    const struct xen_vm_defaults *defaults, struct source_vm **vms_out,
                                    size_t *n_vms_out);

/* Do two lists of VMs tell the planner the same, but for the use of processors? */
bool xen_domains_same_vms(const struct source_vm *a, size_t n_a, const struct source_vm *b, size_t n_b);
