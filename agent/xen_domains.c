/* Lists of domains are short: every search is a scan. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/xen_domains.h"

#include "agent/xen_signs.h"
#include "base/vec.h"

#include <stdlib.h>
#include <string.h>

bool xen_domains_add(struct xen_domains *domains, const struct xen_domain *domain) {
    if (!vec_reserve((void **)&domains->items, &domains->capacity, domains->n + 1, sizeof(*domains->items))) {
        free(domain->name);
        return false;
    }
    domains->items[domains->n++] = *domain;
    return true;
}

void xen_domains_dispose(struct xen_domains *domains) {
    for (size_t i = 0; i < domains->n; i++)
        free(domains->items[i].name);
    free(domains->items);
    *domains = (struct xen_domains){.n = 0};
}

const struct xen_domain *xen_domains_at(const struct xen_domains *domains, uint32_t domid, const char *uuid) {
    for (size_t i = 0; i < domains->n; i++) {
        if (domains->items[i].domid == domid && strcmp(domains->items[i].uuid, uuid) == 0)
            return &domains->items[i];
    }
    return NULL;
}

/* Without an online processor it is still being built, or being received, and its memory is not all there yet. A
 * domain suspended by the end of its migration is still here. */
static bool is_here(const struct xen_domain *domain) {
    return domain->name != NULL && domain->n_online_vcpus > 0 && !domain->is_dying &&
           (!domain->is_shutdown || domain->is_suspended);
}

const struct xen_domain *xen_domains_of_vm(const struct xen_domains *domains, const char *uuid) {
    for (size_t i = 0; i < domains->n; i++) {
        if (is_here(&domains->items[i]) && strcmp(domains->items[i].uuid, uuid) == 0)
            return &domains->items[i];
    }
    return NULL;
}

bool xen_domains_has_twin(const struct xen_domains *domains, const struct xen_domain *domain) {
    for (size_t i = 0; i < domains->n; i++) {
        const struct xen_domain *other = &domains->items[i];
        if (other->domid != domain->domid && !other->is_dying && strcmp(other->uuid, domain->uuid) == 0)
            return true;
    }
    return false;
}

bool xen_domains_migrates(const struct xen_domains *domains, const struct xen_domain *domain) {
    return domain->is_suspended || (domain->name != NULL && xen_signs_in_name(domain->name)) ||
           xen_domains_has_twin(domains, domain);
}

bool xen_domain_runs(const struct xen_domain *domain) {
    return domain->n_online_vcpus > 0 && !domain->is_dying && !domain->is_shutdown && !domain->is_paused;
}

static double cores_used(const struct xen_domain *domain, const struct xen_domain *before) {
    if (before == NULL || domain->cpu_read_ns <= before->cpu_read_ns || domain->cpu_time_ns < before->cpu_time_ns)
        return 0;
    return (double)(domain->cpu_time_ns - before->cpu_time_ns) / (double)(domain->cpu_read_ns - before->cpu_read_ns);
}

static void fill_vm(const struct xen_domains *domains, const struct xen_domain *domain,
                    const struct xen_domains *before, const struct xen_vm_defaults *defaults, struct source_vm *vm) {
    *vm = (struct source_vm){.zero_pages = 0};
    struct fleet_vm *facts = &vm->facts;
    facts->uuid = (char *)domain->uuid; /* only read */
    facts->name = domain->name;
    facts->state = xen_domains_migrates(domains, domain) ? FLEET_VM_MIGRATING
                   : domain->is_paused                   ? FLEET_VM_PAUSED
                                                         : FLEET_VM_RUNNING;
    facts->memory_bytes = domain->memory_bytes;
    facts->vcpus = domain->n_online_vcpus;
    facts->cpu_cores_used = cores_used(domain, xen_domains_at(before, domain->domid, domain->uuid));
    facts->downtime_budget_ms = FLEET_UNSET;
    facts->has_policy = true;
    facts->policy = defaults->policy;
    facts->policy.gfn_count = domain->gfn_count;
    facts->has_overhead = true;
    facts->overhead = defaults->overhead;
}

bool xen_domains_vms(const struct xen_domains *domains, const struct xen_domains *before,
                     const struct xen_vm_defaults *defaults, struct source_vm **vms_out, size_t *n_vms_out) {
    *n_vms_out = 0;
    *vms_out = calloc(domains->n + 1, sizeof(**vms_out));
    if (*vms_out == NULL)
        return false;
    for (size_t i = 0; i < domains->n; i++) {
        const struct xen_domain *domain = &domains->items[i];
        if (xen_domains_of_vm(domains, domain->uuid) == domain)
            fill_vm(domains, domain, before, defaults, &(*vms_out)[(*n_vms_out)++]);
    }
    return true;
}

static bool is_same(const struct fleet_vm *a, const struct fleet_vm *b) {
    return strcmp(a->uuid, b->uuid) == 0 && strcmp(a->name, b->name) == 0 && a->state == b->state &&
           a->memory_bytes == b->memory_bytes && a->vcpus == b->vcpus && a->policy.gfn_count == b->policy.gfn_count;
}

bool xen_domains_same_vms(const struct source_vm *a, size_t n_a, const struct source_vm *b, size_t n_b) {
    bool same = n_a == n_b;
    for (size_t i = 0; same && i < n_a; i++)
        same = is_same(&a[i].facts, &b[i].facts);
    return same;
}
