/* One timer; the list of processes between two walks through /proc. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/xen_watch.h"

#include "agent/clock.h"
#include "base/log.h"
#include "base/vec.h"

#include <stdlib.h>
#include <string.h>

enum { CLOSE_MS = 50, CLOSEST_MS = 10 };
/* A walk through /proc costs milliseconds. A process says itself when it was started, so nothing is lost between. */
#define WALK_MS 500.0

struct held {
    char uuid[XEN_DOMAIN_UUID_BYTES];
};

struct xen_watch {
    struct xen_watch_config config;
    struct xen_migrations *migrations;
    uv_timer_t timer;
    struct held *held;
    size_t n_held, held_capacity;
    struct xen_process *processes;
    size_t n_processes, processes_capacity;
    double walked_ms;
    enum xen_migrations_pace pace; /* after the last look */
};

/* Not uv_now, which is that of the loop's last turn. */
static double now_ms(void) {
    return (double)uv_hrtime() / 1e6;
}

static bool keep_process(void *context, const struct xen_process *process, const struct xen_cmdline *cmdline) {
    struct xen_watch *watch = context;
    (void)cmdline;
    if (!vec_reserve((void **)&watch->processes, &watch->processes_capacity, watch->n_processes + 1,
                     sizeof(*watch->processes)))
        return false;
    watch->processes[watch->n_processes++] = *process;
    return true;
}

static void walk(struct xen_watch *watch) {
    watch->n_processes = 0;
    xen_processes_each(watch->config.proc_dir, keep_process, watch);
    watch->walked_ms = now_ms();
}

static void read_again(struct xen_watch *watch) {
    size_t n_left = 0;
    for (size_t i = 0; i < watch->n_processes; i++) {
        if (xen_processes_again(watch->config.proc_dir, &watch->processes[i]))
            watch->processes[n_left++] = watch->processes[i];
    }
    watch->n_processes = n_left;
}

static void on_timer(uv_timer_t *timer);

static void look(struct xen_watch *watch, const struct xen_domains *domains) {
    const struct xen_look now = {
        .now_ms = now_ms(),
        .now_unix_ms = clock_unix_ms(),
        .domains = domains,
        .processes = watch->processes,
        .n_processes = watch->n_processes,
    };
    watch->pace = xen_migrations_look(watch->migrations, &now);
    if (watch->pace == XEN_MIGRATIONS_IDLE && watch->n_held == 0)
        (void)uv_timer_stop(&watch->timer);
    else
        (void)uv_timer_start(&watch->timer, on_timer, watch->pace == XEN_MIGRATIONS_CLOSEST ? CLOSEST_MS : CLOSE_MS, 0);
}

/* The processes before the domains: what a process that is gone did shows in the list. No walk while a guest is
 * suspended: the time of its downtime's end is wanted. */
static void on_timer(uv_timer_t *timer) {
    struct xen_watch *watch = timer->data;
    if (watch->pace != XEN_MIGRATIONS_CLOSEST && now_ms() - watch->walked_ms >= WALK_MS)
        walk(watch);
    else
        read_again(watch);
    struct xen_domains domains = {.n = 0};
    if (watch->config.list(watch->config.context, &domains))
        look(watch, &domains);
    else
        (void)uv_timer_start(timer, on_timer, CLOSE_MS, 0); /* whoever lists them said why */
    xen_domains_dispose(&domains);
}

void xen_watch_look(struct xen_watch *watch, const struct xen_domains *domains) {
    walk(watch);
    look(watch, domains);
}

void xen_watch_hold(struct xen_watch *watch, const char *uuid, bool is_held) {
    size_t i = 0;
    while (i < watch->n_held && strcmp(watch->held[i].uuid, uuid) != 0)
        i++;
    if (!is_held) {
        if (i < watch->n_held)
            watch->held[i] = watch->held[--watch->n_held];
        return; /* the next look stops the timer */
    }
    if (i < watch->n_held)
        return;
    if (!vec_reserve((void **)&watch->held, &watch->held_capacity, watch->n_held + 1, sizeof(*watch->held))) {
        log_error("source xen: %s is not watched: out of memory", uuid);
        return;
    }
    struct held *held = &watch->held[watch->n_held++];
    *held = (struct held){.uuid = ""};
    memcpy(held->uuid, uuid, strnlen(uuid, sizeof(held->uuid) - 1));
    (void)uv_timer_start(&watch->timer, on_timer, 0, 0);
}

enum dc_status xen_watch_open(uv_loop_t *loop, const struct xen_watch_config *config, struct xen_watch **watch_out,
                              struct dc_error *err) {
    *watch_out = NULL;
    struct xen_watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL)
        return error_set_nomem(err);
    *watch = (struct xen_watch){.config = *config, .walked_ms = -WALK_MS};
    watch->migrations = xen_migrations_new(config->host, config->migration, config->context);
    if (watch->migrations == NULL) {
        free(watch);
        return error_set_nomem(err);
    }
    (void)uv_timer_init(loop, &watch->timer); /* cannot fail */
    watch->timer.data = watch;
    *watch_out = watch;
    return DC_OK;
}

static void on_closed(uv_handle_t *handle) {
    struct xen_watch *watch = handle->data;
    const struct xen_watch_config config = watch->config;
    xen_migrations_free(&watch->migrations);
    free(watch->held);
    free(watch->processes);
    free(watch);
    config.closed(config.context);
}

void xen_watch_close(struct xen_watch *watch) {
    uv_close((uv_handle_t *)&watch->timer, on_closed);
}
