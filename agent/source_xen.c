/*
 * The Xen source, a module: the domains of this dom0 and their dirty pages, by
 * libxenctrl and libxenstore. The only file that includes them. What a burst
 * does, and when it keeps its hands off, stands in xen_burst.c; how migrations
 * are seen in xen_watch.c and xen_migrations.c.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/source.h"
#include "agent/xen_burst.h"
#include "agent/xen_domains.h"
#include "agent/xen_watch.h"
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenstore.h>

enum { DOMAINS_A_CALL = 256, REFRESH_MS = 5000 };

struct source {
    uv_loop_t *loop;
    struct source_events events;
    struct xen_vm_defaults defaults;
    xc_interface *xc;
    struct xs_handle *xs;
    uv_poll_t xenstore;
    uv_timer_t refresh;
    int n_open; /* handles and parts whose close callback has not come */
    struct fleet_host host;
    char *host_name;
    struct xen_domains domains; /* as of the last refresh */
    struct source_vm *vms;      /* their texts are the domains' */
    size_t n_vms;
    struct xen_bursts *bursts;
    struct xen_watch *watch;
};

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
    const struct xen_domain *domain = xen_domains_of_vm(&source->domains, vm);
    if (domain == NULL)
        return error_set(err, DC_ENOTFOUND, "no such domain");
    if (xen_domains_migrates(&source->domains, domain))
        return error_set(err, DC_EBUSY, "it migrates");
    if (check_runs(source, domain->domid) != 0)
        return error_set(err, DC_EBUSY, "it does not run");
    return xen_bursts_begin(source->bursts, domain->domid, domain->uuid, domain->name, windows_s, n_windows, err);
}

static void xen_cancel_burst(struct source *source, const char *vm) {
    xen_bursts_cancel(source->bursts, vm);
}

static void xen_set_held(struct source *source, const char *vm, bool is_held) {
    xen_watch_hold(source->watch, vm, is_held);
}

/* --- the list of domains --- */

static char *read_name(struct source *source, uint32_t domid) {
    char path[64];
    (void)snprintf(path, sizeof(path), "/local/domain/%u/name", (unsigned)domid);
    unsigned n_bytes = 0;
    return xs_read(source->xs, XBT_NULL, path, &n_bytes);
}

static void format_uuid(const xen_domain_handle_t handle, char uuid_out[XEN_DOMAIN_UUID_BYTES]) {
    char *end = uuid_out;
    for (size_t i = 0; i < sizeof(xen_domain_handle_t); i++)
        end += sprintf(end, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", (unsigned)handle[i]);
}

/* A round trip to xenstore and a hypercall: only where the list is made anew. */
static void read_slow_facts(struct source *source, struct xen_domain *domain) {
    domain->name = read_name(source, domain->domid);
    xen_pfn_t highest = 0;
    if (xc_domain_maximum_gpfn(source->xc, domain->domid, &highest) == 0)
        domain->gfn_count = (double)highest + 1;
}

static void copy_slow_facts(struct source *source, const struct xen_domain *known, struct xen_domain *domain) {
    domain->name = known->name != NULL ? strdup(known->name) : read_name(source, domain->domid);
    domain->gfn_count = known->gfn_count;
}

static bool add_domain(struct source *source, const xc_domaininfo_t *info, bool is_anew, struct xen_domains *domains) {
    const unsigned reason = (info->flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;
    struct xen_domain domain = {
        .domid = info->domain,
        .is_paused = (info->flags & XEN_DOMINF_paused) != 0,
        .is_dying = (info->flags & XEN_DOMINF_dying) != 0,
        .is_shutdown = (info->flags & XEN_DOMINF_shutdown) != 0,
        .n_online_vcpus = info->nr_online_vcpus,
        .memory_bytes = (double)info->tot_pages * XC_PAGE_SIZE,
        .cpu_time_ns = info->cpu_time,
        .cpu_read_ns = uv_hrtime(),
    };
    domain.is_suspended = domain.is_shutdown && reason == SHUTDOWN_suspend;
    format_uuid(info->handle, domain.uuid);
    const struct xen_domain *known = is_anew ? NULL : xen_domains_at(&source->domains, domain.domid, domain.uuid);
    if (known != NULL)
        copy_slow_facts(source, known, &domain);
    else
        read_slow_facts(source, &domain);
    return xen_domains_add(domains, &domain);
}

/* All domains but dom0, DOMAINS_A_CALL at a time. Unless `is_anew`, names are those of the last refresh. */
static bool list_domains(struct source *source, bool is_anew, struct xen_domains *domains) {
    xc_domaininfo_t *infos = calloc(DOMAINS_A_CALL, sizeof(*infos));
    uint32_t first = 1;
    bool ok = infos != NULL;
    for (int n = DOMAINS_A_CALL; ok && n == DOMAINS_A_CALL;) {
        n = xc_domain_getinfolist(source->xc, first, DOMAINS_A_CALL, infos);
        ok = n >= 0;
        for (int i = 0; ok && i < n; i++)
            ok = add_domain(source, &infos[i], is_anew, domains);
        if (ok && n > 0)
            first = (uint32_t)infos[n - 1].domain + 1;
    }
    if (!ok)
        log_warn("source xen: the domains cannot be listed: %s", strerror(errno));
    free(infos);
    return ok;
}

static bool list_for_watch(void *context, struct xen_domains *domains_out) {
    return list_domains(context, false, domains_out);
}

/* The host as Xen counts it: what neither guests nor free memory are is reserved (dom0, Xen itself). */
static void refresh_host(struct source *source) {
    xc_physinfo_t info = {.threads_per_core = 0};
    if (xc_physinfo(source->xc, &info) != 0)
        return;
    double guests_bytes = 0;
    for (size_t i = 0; i < source->domains.n; i++)
        guests_bytes += source->domains.items[i].memory_bytes;
    source->host.cpus = info.nr_cpus;
    source->host.memory_bytes = (double)info.total_pages * XC_PAGE_SIZE;
    const double reserved_bytes = (double)(info.total_pages - info.free_pages) * XC_PAGE_SIZE - guests_bytes;
    source->host.reserved_memory_bytes = reserved_bytes > 0 ? reserved_bytes : 0;
}

/* Reads all anew, or leaves all as it was and returns false. `*changed_out`: something but the use of processors. */
static bool refresh_domains(struct source *source, bool *changed_out) {
    struct xen_domains domains = {.n = 0};
    struct source_vm *vms = NULL;
    size_t n_vms = 0;
    if (!list_domains(source, true, &domains) ||
        !xen_domains_vms(&domains, &source->domains, &source->defaults, &vms, &n_vms)) {
        xen_domains_dispose(&domains);
        return false;
    }
    *changed_out = !xen_domains_same_vms(source->vms, source->n_vms, vms, n_vms);
    xen_domains_dispose(&source->domains);
    free(source->vms);
    source->domains = domains;
    source->vms = vms;
    source->n_vms = n_vms;
    refresh_host(source);
    return true;
}

static void refresh_and_tell(struct source *source) {
    bool changed = false;
    if (!refresh_domains(source, &changed))
        return;
    if (changed)
        source->events.vms_changed(source->events.context);
    xen_bursts_drop_marks(source->bursts, &source->domains);
    xen_watch_look(source->watch, &source->domains);
}

static void on_refresh(uv_timer_t *timer) {
    refresh_and_tell(timer->data);
}

static void on_xenstore(uv_poll_t *poll, int status, int events) {
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
    xen_domains_dispose(&source->domains);
    free(source->vms);
    free(source->host_name);
    if (source->xs != NULL)
        xs_close(source->xs);
    if (source->xc != NULL)
        (void)xc_interface_close(source->xc);
    free(source);
}

static void on_part_closed(void *context) {
    release(context);
}

static void on_handle_closed(uv_handle_t *handle) {
    release(handle->data);
}

static void xen_close(struct source *source) {
    if (source->bursts != NULL)
        xen_bursts_close(source->bursts);
    if (source->watch != NULL)
        xen_watch_close(source->watch);
    (void)uv_poll_stop(&source->xenstore);
    uv_close((uv_handle_t *)&source->xenstore, on_handle_closed);
    uv_close((uv_handle_t *)&source->refresh, on_handle_closed);
}

static void on_burst_done(void *context, const char *vm, const struct dirty_curve *curve, const struct dc_error *err) {
    struct source *source = context;
    source->events.burst_done(source->events.context, vm, curve, err);
}

static void on_migration(void *context, const struct source_migration *migration) {
    struct source *source = context;
    if (source->events.migration != NULL)
        source->events.migration(source->events.context, migration);
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

/* The parts without hypercalls of their own. */
static enum dc_status open_parts(struct source *source, const struct source_config *config, struct dc_error *err) {
    const struct xen_burst_config bursts = {
        .state_dir = config->state_dir,
        .proc_dir = "/proc",
        .calls = {source, log_dirty_on, log_dirty_off, clean, peek},
        .context = source,
        .done = on_burst_done,
        .closed = on_part_closed,
    };
    const struct xen_watch_config watch = {
        .host = source->host_name,
        .proc_dir = "/proc",
        .context = source,
        .list = list_for_watch,
        .migration = on_migration,
        .closed = on_part_closed,
    };
    enum dc_status rc = xen_bursts_open(source->loop, &bursts, &source->bursts, err);
    if (rc != DC_OK)
        return rc;
    source->n_open++;
    rc = xen_watch_open(source->loop, &watch, &source->watch, err);
    if (rc == DC_OK)
        source->n_open++;
    return rc;
}

/* NULL when out of memory. */
static struct source *make_source(uv_loop_t *loop, const struct source_config *config,
                                  const struct source_events *events) {
    struct source *source = calloc(1, sizeof(*source));
    char *host_name = strdup(config->host);
    if (source == NULL || host_name == NULL) {
        free(source);
        free(host_name);
        return NULL;
    }
    *source = (struct source){.loop = loop, .events = *events, .host_name = host_name, .n_open = 1};
    source->defaults.overhead = config->overhead;
    source->host.name = host_name;
    source->host.state = FLEET_HOST_ON;
    return source;
}

static enum dc_status xen_open(uv_loop_t *loop, const struct source_config *config, const struct source_events *events,
                               struct source **source_out, struct dc_error *err) {
    *source_out = NULL;
    struct source *source = make_source(loop, config, events);
    if (source == NULL)
        return error_set_nomem(err);
    enum dc_status rc = stop_policy_init(&source->defaults.policy, config->xen_policy, err);
    if (rc == DC_OK)
        rc = connect_to_xen(source, err);
    if (rc == DC_OK && uv_poll_init(loop, &source->xenstore, xs_fileno(source->xs)) != 0)
        rc = error_set(err, DC_EINTERNAL, "source xen: xenstore cannot be watched");
    if (rc != DC_OK) {
        release(source);
        return rc;
    }
    (void)uv_timer_init(loop, &source->refresh); /* cannot fail */
    source->xenstore.data = source;
    source->refresh.data = source;
    source->n_open = 2;
    rc = open_parts(source, config, err);
    bool changed = false;
    if (rc == DC_OK && !refresh_domains(source, &changed)) /* without a list no mark can be judged */
        rc = error_set(err, DC_EIO, "source xen: the domains cannot be listed");
    if (rc != DC_OK) {
        xen_close(source);
        return rc;
    }
    xen_bursts_recover(source->bursts, &source->domains);
    (void)uv_poll_start(&source->xenstore, UV_READABLE, on_xenstore);
    (void)uv_timer_start(&source->refresh, on_refresh, 0, REFRESH_MS); /* at once: the first look for migrations */
    *source_out = source;
    return DC_OK;
}

static const struct fleet_host *xen_host(struct source *source) {
    return &source->host;
}

static const struct source_vm *xen_vms(struct source *source, size_t *n_vms_out) {
    *n_vms_out = source->n_vms;
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
    .set_held = xen_set_held,
};

extern const struct source_module_info decamp_source_module;
const struct source_module_info decamp_source_module = {.abi = SOURCE_ABI, .ops = &xen_ops};
