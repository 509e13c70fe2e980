/*
 * The Xen source, a module: the domains of this dom0 and their dirty pages, by
 * libxenctrl and libxenstore. The only file that includes them. What a burst
 * does, and when it keeps its hands off, stands in xen_burst.c.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/source.h"
#include "agent/xen_burst.h"
#include "agent/xen_signs.h"
#include "base/log.h"
#include "base/vec.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenstore.h>

enum { DOMAINS_A_CALL = 256, UUID_BYTES = XEN_BURST_UUID_BYTES, REFRESH_MS = 5000 };

struct domain {
    uint32_t domid;
    uint64_t cpu_time_ns, cpu_read_ns; /* the use of processors is their difference from one reading to the next */
    char uuid[UUID_BYTES];
    char *name; /* heap */
};

struct source {
    uv_loop_t *loop;
    struct source_config config;
    struct source_events events;
    xc_interface *xc;
    struct xs_handle *xs;
    uv_poll_t watch;
    uv_timer_t refresh;
    int n_open; /* handles whose close callback has not come */
    struct fleet_host host;
    char *host_name;
    struct domain *domains;
    struct source_vm *vms; /* beside domains; their texts are the domains' */
    size_t n_domains, domains_capacity, vms_capacity;
    struct xen_bursts *bursts;
};

static struct domain *find_domain(struct source *source, const char *uuid) {
    for (size_t i = 0; i < source->n_domains; i++) {
        if (strcmp(source->domains[i].uuid, uuid) == 0)
            return &source->domains[i];
    }
    return NULL;
}

/* --- hypercalls of a burst --- */

static int log_dirty_on(void *context, uint32_t domid) {
    struct source *source = context;
    return xc_shadow_control(source->xc, domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0) < 0 ? errno : 0;
}

static int log_dirty_off(void *context, uint32_t domid) {
    struct source *source = context;
    return xc_shadow_control(source->xc, domid, XEN_DOMCTL_SHADOW_OP_OFF, NULL, 0) < 0 ? errno : 0;
}

/* Over all frames; what the bitmap says is of before the burst. Never with 0 pages: the counters would go to zero
 * and the bits stay. */
static int clean(void *context, uint32_t domid) {
    struct source *source = context;
    xen_pfn_t highest = 0;
    if (xc_domain_maximum_gpfn(source->xc, domid, &highest) < 0)
        return errno;
    const unsigned long n_frames = (unsigned long)highest + 1;
    const unsigned long n_bytes = (n_frames + 63) / 64 * 8;
    const unsigned long n_pages = (n_bytes + XC_PAGE_SIZE - 1) / XC_PAGE_SIZE;
    if (n_pages > INT_MAX)
        return E2BIG;
    DECLARE_HYPERCALL_BUFFER(unsigned long, bitmap);
    bitmap = xc_hypercall_buffer_alloc_pages(source->xc, bitmap, (int)n_pages);
    if (bitmap == NULL)
        return ENOMEM;
    xc_shadow_op_stats_t stats = {.fault_count = 0};
    const long long r = xc_logdirty_control(source->xc, domid, XEN_DOMCTL_SHADOW_OP_CLEAN, HYPERCALL_BUFFER(bitmap),
                                            n_frames, 0, &stats);
    const int os_errno = r < 0 ? errno : 0;
    xc_hypercall_buffer_free_pages(source->xc, bitmap, (int)n_pages);
    return os_errno;
}

/* EBUSY for a domain that ends or is suspended, as at the end of a migration. */
static int check_runs(struct source *source, uint32_t domid) {
    xc_domaininfo_t info;
    const int n = xc_domain_getinfolist(source->xc, domid, 1, &info);
    if (n < 0)
        return errno;
    if (n == 0 || info.domain != domid)
        return ESRCH;
    return (info.flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown)) != 0 ? EBUSY : 0;
}

/* No bitmap and 0 pages: the counters only. */
static int peek(void *context, uint32_t domid, double *pages_out) {
    struct source *source = context;
    const int r = check_runs(source, domid);
    if (r != 0)
        return r;
    xc_shadow_op_stats_t stats = {.fault_count = 0};
    if (xc_logdirty_control(source->xc, domid, XEN_DOMCTL_SHADOW_OP_PEEK, NULL, 0, 0, &stats) < 0)
        return errno;
    *pages_out = stats.dirty_count;
    return 0;
}

static enum dc_status xen_begin_burst(struct source *source, const char *vm, const double *windows_s, size_t n_windows,
                                      struct dc_error *err) {
    const struct domain *domain = find_domain(source, vm);
    if (domain == NULL)
        return error_set(err, DC_ENOTFOUND, "no such domain");
    if (check_runs(source, domain->domid) != 0)
        return error_set(err, DC_EBUSY, "it does not run");
    return xen_bursts_begin(source->bursts, domain->domid, domain->uuid, domain->name, windows_s, n_windows, err);
}

static void xen_cancel_burst(struct source *source, const char *vm) {
    xen_bursts_cancel(source->bursts, vm);
}

/* --- the list of domains --- */

static char *read_name(struct source *source, uint32_t domid) {
    char path[64];
    (void)snprintf(path, sizeof(path), "/local/domain/%u/name", (unsigned)domid);
    unsigned n_bytes = 0;
    return xs_read(source->xs, XBT_NULL, path, &n_bytes);
}

static void format_uuid(const xen_domain_handle_t handle, char uuid_out[UUID_BYTES]) {
    char *end = uuid_out;
    for (size_t i = 0; i < sizeof(xen_domain_handle_t); i++)
        end += sprintf(end, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", (unsigned)handle[i]);
}

/* A domain suspended by the end of its migration or save is still here. */
static bool is_suspended(const xc_domaininfo_t *info) {
    return (info->flags & XEN_DOMINF_shutdown) != 0 &&
           ((info->flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask) == SHUTDOWN_suspend;
}

/* Without an online processor it is still being built, or being received, and its memory is not all there yet. */
static bool is_here(const xc_domaininfo_t *info) {
    return info->nr_online_vcpus > 0 && (info->flags & XEN_DOMINF_dying) == 0 &&
           ((info->flags & XEN_DOMINF_shutdown) == 0 || is_suspended(info));
}

static void fill_vm(struct source *source, const xc_domaininfo_t *info, const struct domain *before,
                    struct domain *domain, struct source_vm *vm) {
    *vm = (struct source_vm){.zero_pages = 0};
    struct fleet_vm *facts = &vm->facts;
    facts->uuid = domain->uuid;
    facts->name = domain->name;
    facts->state = (info->flags & XEN_DOMINF_paused) != 0 ? FLEET_VM_PAUSED : FLEET_VM_RUNNING;
    if (xen_signs_in_name(domain->name) || is_suspended(info))
        facts->state = FLEET_VM_MIGRATING;
    facts->memory_bytes = (double)info->tot_pages * XC_PAGE_SIZE;
    facts->vcpus = info->nr_online_vcpus;
    if (before != NULL && domain->cpu_read_ns > before->cpu_read_ns && domain->cpu_time_ns >= before->cpu_time_ns)
        facts->cpu_cores_used =
            (double)(domain->cpu_time_ns - before->cpu_time_ns) / (double)(domain->cpu_read_ns - before->cpu_read_ns);
    facts->downtime_budget_ms = FLEET_UNSET;
    xen_pfn_t highest = 0;
    struct dc_error err = DC_ERROR_NONE;
    facts->has_policy = stop_policy_init(&facts->policy, "xen-v2", &err) == DC_OK;
    if (xc_domain_maximum_gpfn(source->xc, domain->domid, &highest) == 0)
        facts->policy.gfn_count = (double)highest + 1;
    facts->has_overhead = true;
    facts->overhead = source->config.overhead;
}

/* One domain at the end of the new lists. A domain without a name is not there yet: it comes with the next refresh. */
static bool add_domain(struct source *source, const xc_domaininfo_t *info, struct source *lists) {
    if (!is_here(info))
        return true;
    char *name = read_name(source, info->domain);
    if (name == NULL)
        return true;
    const size_t n = lists->n_domains;
    if (!vec_reserve((void **)&lists->domains, &lists->domains_capacity, n + 1, sizeof(*lists->domains)) ||
        !vec_reserve((void **)&lists->vms, &lists->vms_capacity, n + 1, sizeof(*lists->vms))) {
        free(name);
        return false;
    }
    struct domain *domain = &lists->domains[lists->n_domains++];
    *domain =
        (struct domain){.domid = info->domain, .cpu_time_ns = info->cpu_time, .cpu_read_ns = uv_hrtime(), .name = name};
    format_uuid(info->handle, domain->uuid);
    fill_vm(source, info, find_domain(source, domain->uuid), domain, &lists->vms[n]);
    return true;
}

/* All domains but dom0, DOMAINS_A_CALL at a time. */
static bool list_domains(struct source *source, struct source *lists) {
    xc_domaininfo_t *infos = calloc(DOMAINS_A_CALL, sizeof(*infos));
    uint32_t first = 1;
    bool ok = infos != NULL;
    for (int n = DOMAINS_A_CALL; ok && n == DOMAINS_A_CALL;) {
        n = xc_domain_getinfolist(source->xc, first, DOMAINS_A_CALL, infos);
        ok = n >= 0;
        for (int i = 0; ok && i < n; i++)
            ok = add_domain(source, &infos[i], lists);
        if (ok && n > 0)
            first = (uint32_t)infos[n - 1].domain + 1;
    }
    for (size_t i = 0; i < lists->n_domains; i++)
        lists->vms[i].facts.uuid = lists->domains[i].uuid; /* the array may have moved while it grew */
    free(infos);
    return ok;
}

static bool are_same(const struct source *a, const struct source *b) {
    if (a->n_domains != b->n_domains)
        return false;
    for (size_t i = 0; i < a->n_domains; i++) {
        const struct fleet_vm *x = &a->vms[i].facts, *y = &b->vms[i].facts;
        if (a->domains[i].domid != b->domains[i].domid || strcmp(x->uuid, y->uuid) != 0 ||
            strcmp(x->name, y->name) != 0 || x->state != y->state || x->memory_bytes != y->memory_bytes ||
            x->vcpus != y->vcpus || x->policy.gfn_count != y->policy.gfn_count)
            return false;
    }
    return true;
}

static void free_lists(struct source *lists) {
    for (size_t i = 0; i < lists->n_domains; i++)
        free(lists->domains[i].name);
    free(lists->domains);
    free(lists->vms);
}

/* The host as Xen counts it: what neither guests nor free memory are is reserved (dom0, Xen itself). */
static void refresh_host(struct source *source) {
    xc_physinfo_t info = {.threads_per_core = 0};
    if (xc_physinfo(source->xc, &info) != 0)
        return;
    double guests_bytes = 0;
    for (size_t i = 0; i < source->n_domains; i++)
        guests_bytes += source->vms[i].facts.memory_bytes;
    source->host.cpus = info.nr_cpus;
    source->host.memory_bytes = (double)info.total_pages * XC_PAGE_SIZE;
    const double reserved_bytes = (double)(info.total_pages - info.free_pages) * XC_PAGE_SIZE - guests_bytes;
    source->host.reserved_memory_bytes = reserved_bytes > 0 ? reserved_bytes : 0;
}

static bool is_listed(void *context, uint32_t domid, const char *uuid) {
    const struct source *source = context;
    for (size_t i = 0; i < source->n_domains; i++) { /* two of one uuid while it migrates within this host */
        if (source->domains[i].domid == domid && strcmp(source->domains[i].uuid, uuid) == 0)
            return true;
    }
    return false;
}

/* Reads all anew; true when something but the use of processors changed. */
static bool refresh_domains(struct source *source) {
    struct source lists = {.n_domains = 0}; /* only its lists */
    if (!list_domains(source, &lists)) {
        log_warn("source xen: the domains cannot be listed: %s", strerror(errno));
        free_lists(&lists);
        return false;
    }
    const bool changed = !are_same(source, &lists);
    free_lists(source);
    source->domains = lists.domains;
    source->vms = lists.vms;
    source->n_domains = lists.n_domains;
    source->domains_capacity = lists.domains_capacity;
    source->vms_capacity = lists.vms_capacity;
    refresh_host(source);
    xen_bursts_drop_marks(source->bursts, is_listed, source);
    return changed;
}

static void refresh_and_tell(struct source *source) {
    if (refresh_domains(source))
        source->events.vms_changed(source->events.context);
}

static void on_refresh(uv_timer_t *timer) {
    refresh_and_tell(timer->data);
}

static void on_watch(uv_poll_t *poll, int status, int events) {
    struct source *source = poll->data;
    (void)status;
    (void)events;
    for (char **path = xs_check_watch(source->xs); path != NULL; path = xs_check_watch(source->xs))
        free(path);
    refresh_and_tell(source);
}

/* --- open and close --- */

static void release(struct source *source) {
    if (--source->n_open > 0)
        return;
    free_lists(source);
    free(source->host_name);
    if (source->xs != NULL)
        xs_close(source->xs);
    if (source->xc != NULL)
        (void)xc_interface_close(source->xc);
    free(source);
}

static void on_bursts_closed(void *context) {
    release(context);
}

static void on_handle_closed(uv_handle_t *handle) {
    release(handle->data);
}

static void xen_close(struct source *source) {
    if (source->bursts != NULL)
        xen_bursts_close(source->bursts);
    (void)uv_poll_stop(&source->watch);
    uv_close((uv_handle_t *)&source->watch, on_handle_closed);
    uv_close((uv_handle_t *)&source->refresh, on_handle_closed);
}

static void on_burst_done(void *context, const char *vm, const struct dirty_curve *curve, const struct dc_error *err) {
    struct source *source = context;
    source->events.burst_done(source->events.context, vm, curve, err);
}

static enum dc_status connect_to_xen(struct source *source, struct dc_error *err) {
    if (access("/dev/xen/privcmd", R_OK | W_OK) != 0)
        return error_set(err, DC_EUNSUPPORTED, "source xen: cannot open /dev/xen/privcmd: %s: is this a Xen dom0?",
                         strerror(errno));
    source->xc = xc_interface_open(NULL, NULL, 0);
    if (source->xc == NULL)
        return error_set(err, DC_EUNSUPPORTED, "source xen: the hypervisor cannot be reached: %s", strerror(errno));
    source->xs = xs_open(0);
    if (source->xs == NULL || !xs_watch(source->xs, "@introduceDomain", "domains") ||
        !xs_watch(source->xs, "@releaseDomain", "domains"))
        return error_set(err, DC_EUNSUPPORTED, "source xen: xenstore cannot be reached: %s", strerror(errno));
    return DC_OK;
}

static enum dc_status xen_open(uv_loop_t *loop, const struct source_config *config, const struct source_events *events,
                               struct source **source_out, struct dc_error *err) {
    *source_out = NULL;
    struct source *source = calloc(1, sizeof(*source));
    char *host_name = strdup(config->host);
    if (source == NULL || host_name == NULL) {
        free(source);
        free(host_name);
        return error_set_nomem(err);
    }
    *source = (struct source){.loop = loop, .config = *config, .events = *events, .host_name = host_name, .n_open = 1};
    source->host.name = host_name;
    source->host.state = FLEET_HOST_ON;
    enum dc_status rc = connect_to_xen(source, err);
    const struct xen_burst_config bursts = {
        .state_dir = config->state_dir,
        .proc_dir = "/proc",
        .calls = {source, log_dirty_on, log_dirty_off, clean, peek},
        .context = source,
        .done = on_burst_done,
        .closed = on_bursts_closed,
    };
    if (rc == DC_OK && uv_poll_init(loop, &source->watch, xs_fileno(source->xs)) != 0)
        rc = error_set(err, DC_EINTERNAL, "source xen: xenstore cannot be watched");
    if (rc != DC_OK) {
        release(source);
        return rc;
    }
    (void)uv_timer_init(loop, &source->refresh); /* cannot fail */
    source->watch.data = source;
    source->refresh.data = source;
    source->n_open = 2;
    rc = xen_bursts_open(loop, &bursts, &source->bursts, err);
    if (rc != DC_OK) {
        xen_close(source);
        return rc;
    }
    source->n_open++;
    (void)refresh_domains(source);
    (void)uv_poll_start(&source->watch, UV_READABLE, on_watch);
    (void)uv_timer_start(&source->refresh, on_refresh, REFRESH_MS, REFRESH_MS);
    *source_out = source;
    return DC_OK;
}

static const struct fleet_host *xen_host(struct source *source) {
    return &source->host;
}

static const struct source_vm *xen_vms(struct source *source, size_t *n_vms_out) {
    *n_vms_out = source->n_domains;
    return source->vms;
}

static const struct source_ops xen_ops = {
    .name = "xen",
    .open = xen_open,
    .close = xen_close,
    .host = xen_host,
    .vms = xen_vms,
    .begin_burst = xen_begin_burst,
    .cancel_burst = xen_cancel_burst,
};

extern const struct source_module_info decamp_source_module;
const struct source_module_info decamp_source_module = {.abi = SOURCE_ABI, .ops = &xen_ops};
