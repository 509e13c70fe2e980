/*
 * What the Xen source's refresh costs between bursts, without Xen: 50 domains
 * from a fake list, the processes of this machine. Prints CPU time a refresh
 * and its share of a core at one every 5 s, and the same for close looks while
 * a VM is held. Fails where the refresh takes more than 0.5% of a core.
 *
 * Not in it: one getinfolist, and for each domain one read of xenstore and one
 * hypercall. agent_cpu.py beside it measures the rest of the agent.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/xen_watch.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { N_DOMAINS = 50, N_REFRESHES = 100, REFRESH_MS = 5000, HELD_MS = 4000 };
#define MOST_FRAC 0.005

static double cpu_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static bool list(void *context, struct xen_domains *domains_out) {
    (void)context;
    bool ok = true;
    for (unsigned i = 1; ok && i <= N_DOMAINS; i++) {
        char name[32];
        struct xen_domain domain = {.domid = i, .n_online_vcpus = 2, .memory_bytes = 4e9, .gfn_count = 1e6};
        (void)snprintf(name, sizeof(name), "vm%u", i);
        (void)snprintf(domain.uuid, sizeof(domain.uuid), "00000000-0000-0000-0000-%012u", i);
        domain.name = strdup(name);
        ok = xen_domains_add(domains_out, &domain);
    }
    return ok;
}

static void on_migration(void *context, const struct source_migration *migration) {
    (void)context;
    printf("a migration of %s on this machine: the figures are not those of an idle agent\n", migration->vm);
}

static void on_closed(void *context) {
    (void)context;
}

static bool refresh(struct xen_watch *watch, const struct xen_vm_defaults *defaults) {
    struct xen_domains before = {.n = 0}, now = {.n = 0};
    struct source_vm *vms = NULL;
    size_t n_vms = 0;
    const bool ok = list(NULL, &now) && xen_domains_vms(&now, &before, defaults, &vms, &n_vms) &&
                    xen_domains_same_vms(vms, n_vms, vms, n_vms);
    if (ok)
        xen_watch_look(watch, &now);
    free(vms);
    xen_domains_dispose(&now);
    return ok;
}

static size_t count_processes(void) {
    size_t n = 0;
    DIR *proc = opendir("/proc");
    for (const struct dirent *entry = proc != NULL ? readdir(proc) : NULL; entry != NULL; entry = readdir(proc))
        n += isdigit((unsigned char)entry->d_name[0]) != 0;
    if (proc != NULL)
        (void)closedir(proc);
    return n;
}

static void on_stop(uv_timer_t *timer) {
    uv_stop(timer->loop);
}

/* CPU ms while the loop runs for HELD_MS with a VM on HOLD. */
static double measure_held(uv_loop_t *loop, uv_timer_t *timer, struct xen_watch *watch) {
    (void)uv_timer_start(timer, on_stop, HELD_MS, 0);
    xen_watch_hold(watch, "00000000-0000-0000-0000-000000000001", true);
    const double began_ms = cpu_ms();
    (void)uv_run(loop, UV_RUN_DEFAULT);
    return cpu_ms() - began_ms;
}

int main(void) {
    uv_loop_t loop;
    uv_timer_t timer;
    struct xen_watch *watch = NULL;
    struct xen_vm_defaults defaults = {.overhead = {.pre_ms = 0}};
    struct dc_error err = DC_ERROR_NONE;
    const struct xen_watch_config config = {
        .host = "h1", .proc_dir = "/proc", .list = list, .migration = on_migration, .closed = on_closed};
    if (uv_loop_init(&loop) != 0 || uv_timer_init(&loop, &timer) != 0 ||
        stop_policy_init(&defaults.policy, "xen-v2", &err) != DC_OK ||
        xen_watch_open(&loop, &config, &watch, &err) != DC_OK) {
        fprintf(stderr, "%s\n", error_text(&err));
        return 1;
    }
    bool ok = true;
    const double began_ms = cpu_ms();
    for (int i = 0; ok && i < N_REFRESHES; i++)
        ok = refresh(watch, &defaults);
    const double refresh_ms = (cpu_ms() - began_ms) / N_REFRESHES;
    const double held_ms = measure_held(&loop, &timer, watch);
    printf("refresh of %d domains, %zu processes: %.2f ms, %.3f%% of a core at one every %d s\n", N_DOMAINS,
           count_processes(), refresh_ms, 100 * refresh_ms / REFRESH_MS, REFRESH_MS / 1000);
    printf("close looks while a VM is held: %.2f%% of a core\n", 100 * held_ms / HELD_MS);
    xen_watch_close(watch);
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    ok = uv_loop_close(&loop) == 0 && ok;
    return ok && refresh_ms / REFRESH_MS <= MOST_FRAC ? 0 : 1;
}
