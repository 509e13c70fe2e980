/* One timer a burst; every step looks for signs of a migration first. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/xen_burst.h"

#include "agent/xen_marks.h"
#include "agent/xen_signs.h"
#include "base/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct burst {
    struct xen_bursts *bursts;
    struct burst *next;
    uv_timer_t timer;
    uint32_t domid;
    char uuid[XEN_BURST_UUID_BYTES];
    char *name; /* heap */
    double windows_s[XEN_BURST_WINDOWS];
    struct dirty_point points[XEN_BURST_WINDOWS];
    size_t n_windows, n_points;
    uint64_t began_ns;
};

struct xen_bursts {
    uv_loop_t *loop;
    struct xen_burst_config config;
    struct xen_marks marks;
    struct burst *running;
    uv_timer_t anchor; /* never started: its close callback comes when all is asked to close */
    int n_open;        /* handles whose close callback has not come */
};

static bool in_burst(const struct xen_bursts *bursts, const char *uuid) {
    const struct burst *burst = bursts->running;
    while (burst != NULL && strcmp(burst->uuid, uuid) != 0)
        burst = burst->next;
    return burst != NULL;
}

/* --- log-dirty of one domain --- */

static void let_go(struct xen_bursts *bursts, uint32_t domid, const char *uuid) {
    const int r = bursts->config.calls.log_dirty_off(bursts->config.calls.context, domid);
    if (r != 0 && r != ESRCH)
        log_warn("source xen: %s: log-dirty cannot be turned off: %s", uuid, strerror(r));
    else
        xen_marks_clear(&bursts->marks, domid, uuid);
}

/* Turns log-dirty on, taking back what an earlier run of the agent left on. */
static enum dc_status take(struct xen_bursts *bursts, uint32_t domid, const char *uuid, struct dc_error *err) {
    const struct xen_burst_calls *calls = &bursts->config.calls;
    const bool was_ours = xen_marks_has(&bursts->marks, domid, uuid);
    enum dc_status rc = xen_marks_set(&bursts->marks, domid, uuid, err);
    if (rc != DC_OK)
        return rc;
    int r = calls->log_dirty_on(calls->context, domid);
    if (r == EINVAL && was_ours) {
        (void)calls->log_dirty_off(calls->context, domid);
        r = calls->log_dirty_on(calls->context, domid);
    }
    if (r == 0)
        return DC_OK;
    xen_marks_clear(&bursts->marks, domid, uuid);
    if (r == EINVAL)
        return error_set(err, DC_EBUSY, "log-dirty is on already: it may be migrating");
    if (r == EOPNOTSUPP)
        return error_set(err, DC_EUNSUPPORTED,
                         "Xen has no log-dirty mode for it (a PV domain, where Xen is built without shadow paging): "
                         "it cannot be migrated live either");
    if (r == ESRCH)
        return error_set(err, DC_ENOTFOUND, "it is gone");
    return error_set_errno(err, r, "log-dirty cannot be turned on");
}

/* --- what an earlier run left --- */

struct sweep {
    struct xen_bursts *bursts;
    const struct xen_domains *domains;
};

static void drop_mark(void *context, uint32_t domid, const char *uuid) {
    const struct sweep *sweep = context;
    if (!in_burst(sweep->bursts, uuid) && xen_domains_at(sweep->domains, domid, uuid) == NULL)
        xen_marks_clear(&sweep->bursts->marks, domid, uuid);
}

void xen_bursts_drop_marks(struct xen_bursts *bursts, const struct xen_domains *domains) {
    struct sweep sweep = {bursts, domains};
    xen_marks_each(&bursts->marks, drop_mark, &sweep);
}

/* Ours goes off; with a sign of a migration it stays on, for that. */
static void recover(void *context, uint32_t domid, const char *uuid) {
    const struct sweep *sweep = context;
    struct xen_bursts *bursts = sweep->bursts;
    const struct xen_domain *domain = xen_domains_at(sweep->domains, domid, uuid);
    if (domain == NULL || !xen_marks_has(&bursts->marks, domid, uuid)) { /* of an earlier boot: nothing is left on */
        xen_marks_clear(&bursts->marks, domid, uuid);
        return;
    }
    const char *name = domain->name != NULL ? domain->name : "";
    if (domain->is_dying || xen_domains_migrates(sweep->domains, domain) ||
        xen_signs_in_processes(bursts->config.proc_dir, domid, name) != XEN_SIGNS_NONE) {
        log_warn("source xen: %s (%s): an earlier run left log-dirty on, and a migration may use it now", uuid, name);
        return;
    }
    log_info("source xen: %s (%s): an earlier run left log-dirty on: it goes off", uuid, name);
    let_go(bursts, domid, uuid);
}

void xen_bursts_recover(struct xen_bursts *bursts, const struct xen_domains *domains) {
    struct sweep sweep = {bursts, domains};
    xen_marks_each(&bursts->marks, recover, &sweep);
}

/* --- bursts --- */

static void release(struct xen_bursts *bursts) {
    if (--bursts->n_open > 0)
        return;
    const struct xen_burst_config config = bursts->config;
    free(bursts);
    config.closed(config.context);
}

static void on_burst_closed(uv_handle_t *handle) {
    struct burst *burst = handle->data;
    struct xen_bursts *bursts = burst->bursts;
    free(burst->name);
    free(burst);
    release(bursts);
}

static void forget(struct burst *burst) {
    struct burst **link = &burst->bursts->running;
    while (*link != burst)
        link = &(*link)->next;
    *link = burst->next;
    uv_close((uv_handle_t *)&burst->timer, on_burst_closed);
}

static void end(struct burst *burst) {
    struct xen_bursts *bursts = burst->bursts;
    if (xen_signs_in_processes(bursts->config.proc_dir, burst->domid, burst->name) == XEN_SIGNS_THIS)
        log_warn("source xen: %s: a migration begins: log-dirty is left to it", burst->uuid);
    else
        let_go(bursts, burst->domid, burst->uuid);
    forget(burst);
}

static void tell_failure(struct burst *burst, enum dc_status status, const char *why) {
    const struct xen_burst_config *config = &burst->bursts->config;
    struct dc_error err = DC_ERROR_NONE;
    (void)error_set(&err, status, "%s", why);
    config->done(config->context, burst->uuid, NULL, &err);
}

static void on_window(uv_timer_t *timer);

static double left_of_window_s(const struct burst *burst) {
    return burst->windows_s[burst->n_points] - (double)(uv_hrtime() - burst->began_ns) / 1e9;
}

static void wait_for_window(struct burst *burst) {
    const double left_s = left_of_window_s(burst);
    (void)uv_timer_start(&burst->timer, on_window, left_s > 0 ? (uint64_t)(left_s * 1e3 + 1) : 0, 0);
}

/* One more point of the curve. DC_EBUSY: hands off, log-dirty may not be ours any more. */
static enum dc_status measure(struct burst *burst, struct dc_error *err) {
    const struct xen_burst_calls *calls = &burst->bursts->config.calls;
    double pages = 0;
    const int r = calls->peek(calls->context, burst->domid, &pages);
    if (r == EBUSY)
        return error_set(err, DC_EBUSY, "it is suspended or ends");
    if (r == ESRCH)
        return error_set(err, DC_ENOTFOUND, "it is gone");
    if (r != 0)
        return error_set_errno(err, r, "its counters cannot be read");
    if (burst->n_points > 0 && pages < burst->points[burst->n_points - 1].pages) {
        xen_marks_clear(&burst->bursts->marks, burst->domid, burst->uuid);
        return error_set(err, DC_EBUSY, "somebody else cleans its dirty pages");
    }
    const double window_s = (double)(uv_hrtime() - burst->began_ns) / 1e9;
    burst->points[burst->n_points++] = (struct dirty_point){.window_s = window_s, .pages = pages};
    return DC_OK;
}

static void on_window(uv_timer_t *timer) {
    struct burst *burst = timer->data;
    struct xen_bursts *bursts = burst->bursts;
    if (left_of_window_s(burst) > 0) { /* the loop's clock is that of its last turn: a timer can be early */
        wait_for_window(burst);
        return;
    }
    if (xen_signs_in_processes(bursts->config.proc_dir, burst->domid, burst->name) != XEN_SIGNS_NONE) {
        tell_failure(burst, DC_EBUSY, "a migration or save runs on this host");
        end(burst);
        return;
    }
    struct dc_error err = DC_ERROR_NONE;
    const enum dc_status rc = measure(burst, &err);
    if (rc == DC_OK && burst->n_points < burst->n_windows) {
        wait_for_window(burst);
    } else if (rc == DC_OK) {
        const struct dirty_curve curve = {.n_points = burst->n_points, .points = burst->points};
        bursts->config.done(bursts->config.context, burst->uuid, &curve, NULL);
        end(burst);
    } else {
        tell_failure(burst, rc, error_text(&err));
        if (rc == DC_EBUSY)
            forget(burst);
        else
            end(burst);
    }
}

static struct burst *new_burst(struct xen_bursts *bursts, uint32_t domid, const char *uuid, const char *name) {
    struct burst *burst = calloc(1, sizeof(*burst));
    char *name_copy = strdup(name);
    if (burst == NULL || name_copy == NULL) {
        free(burst);
        free(name_copy);
        return NULL;
    }
    burst->bursts = bursts;
    burst->name = name_copy;
    burst->domid = domid;
    memcpy(burst->uuid, uuid, strnlen(uuid, XEN_BURST_UUID_BYTES - 1));
    (void)uv_timer_init(bursts->loop, &burst->timer); /* cannot fail */
    burst->timer.data = burst;
    bursts->n_open++;
    burst->next = bursts->running;
    bursts->running = burst;
    return burst;
}

enum dc_status xen_bursts_begin(struct xen_bursts *bursts, uint32_t domid, const char *uuid, const char *name,
                                const double *windows_s, size_t n_windows, struct dc_error *err) {
    if (n_windows == 0 || n_windows > XEN_BURST_WINDOWS)
        return error_set(err, DC_ERANGE, "%zu windows", n_windows);
    if (domid == 0)
        return error_set(err, DC_EUNSUPPORTED, "dom0 is never sampled");
    if (in_burst(bursts, uuid)) /* it was rebooted in the middle of one */
        return error_set(err, DC_EBUSY, "its last burst has not ended");
    if (xen_signs_in_name(name))
        return error_set(err, DC_EBUSY, "its name \"%s\" is one of a migration", name);
    if (xen_signs_in_processes(bursts->config.proc_dir, domid, name) != XEN_SIGNS_NONE)
        return error_set(err, DC_EBUSY, "a migration or save runs on this host");
    const enum dc_status rc = take(bursts, domid, uuid, err);
    if (rc != DC_OK)
        return rc;
    const struct xen_burst_calls *calls = &bursts->config.calls;
    const int r = calls->clean(calls->context, domid);
    struct burst *burst = r == 0 ? new_burst(bursts, domid, uuid, name) : NULL;
    if (burst == NULL) {
        let_go(bursts, domid, uuid);
        return r == 0       ? error_set_nomem(err)
               : r == ESRCH ? error_set(err, DC_ENOTFOUND, "it is gone")
                            : error_set_errno(err, r, "its dirty pages cannot be read");
    }
    memcpy(burst->windows_s, windows_s, n_windows * sizeof(*windows_s));
    burst->n_windows = n_windows;
    burst->began_ns = uv_hrtime();
    wait_for_window(burst);
    return DC_OK;
}

void xen_bursts_cancel(struct xen_bursts *bursts, const char *uuid) {
    for (struct burst *burst = bursts->running; burst != NULL; burst = burst->next) {
        if (strcmp(burst->uuid, uuid) == 0) {
            end(burst);
            return;
        }
    }
}

enum dc_status xen_bursts_open(uv_loop_t *loop, const struct xen_burst_config *config, struct xen_bursts **bursts_out,
                               struct dc_error *err) {
    *bursts_out = NULL;
    struct xen_bursts *bursts = calloc(1, sizeof(*bursts));
    if (bursts == NULL)
        return error_set_nomem(err);
    *bursts = (struct xen_bursts){.loop = loop, .config = *config, .n_open = 1};
    const enum dc_status rc = xen_marks_init(&bursts->marks, config->state_dir, config->proc_dir, err);
    if (rc != DC_OK) {
        free(bursts);
        return rc;
    }
    (void)uv_timer_init(loop, &bursts->anchor); /* cannot fail */
    bursts->anchor.data = bursts;
    *bursts_out = bursts;
    return DC_OK;
}

static void on_anchor_closed(uv_handle_t *handle) {
    release(handle->data);
}

void xen_bursts_close(struct xen_bursts *bursts) {
    while (bursts->running != NULL)
        end(bursts->running);
    uv_close((uv_handle_t *)&bursts->anchor, on_anchor_closed);
}
