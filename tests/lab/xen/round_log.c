/*
 * The truth about a migration: put before libxenctrl (LD_PRELOAD) in xl and the
 * save helper that it starts, this writes each log-dirty operation, the moment
 * the guest is suspended and the moment its copy runs, as they happen.
 *
 * Out: lines "TIME_S EVENT DOMID VALUE" (CLOCK_MONOTONIC of dom0) at the end of
 * the file that ROUND_LOG names:
 *   log_dirty_on, log_dirty_off   VALUE is what the call returned
 *   clean                         VALUE is how many pages its bitmap names (the
 *                                 counter beside it starts with what an earlier
 *                                 user of log-dirty left)
 *   suspended                     seen by looking each LOOK_MS; VALUE is 0
 *   unpaused                      VALUE is what the call returned
 * Names and signatures are those of Xen 4.17's xenctrl.h.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE // NOLINT: RTLD_NEXT
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xenctrl.h>

enum { LOOK_MS = 4 };

static void tell(const char *event, uint32_t domid, long long value) {
    const int errno_before = errno;
    const char *path = getenv("ROUND_LOG");
    const int file = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
    if (file >= 0) {
        struct timespec now;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        (void)dprintf(file, "%.6f %s %u %lld\n", (double)now.tv_sec + (double)now.tv_nsec / 1e9, event, domid, value);
        (void)close(file);
    }
    errno = errno_before;
}

/* Ends with the guest suspended or gone, or with the save helper. */
static void *wait_for_suspension(void *argument) {
    const uint32_t domid = *(const uint32_t *)argument;
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);
    xc_domaininfo_t info;
    while (xc != NULL && xc_domain_getinfolist(xc, domid, 1, &info) == 1 && info.domain == domid) {
        if ((info.flags & XEN_DOMINF_shutdown) != 0) {
            tell("suspended", domid, 0);
            break;
        }
        (void)usleep(LOOK_MS * 1000);
    }
    if (xc != NULL)
        (void)xc_interface_close(xc);
    return NULL;
}

static long long count_bits(const xc_hypercall_buffer_t *buffer, unsigned long n_bits) {
    while (buffer->param_shadow != NULL)
        buffer = buffer->param_shadow;
    const uint64_t *words = buffer->hbuf; /* whole pages: the last word is all there */
    long long n = 0;
    for (unsigned long i = 0; i < n_bits / 64; i++)
        n += __builtin_popcountll(words[i]);
    return n_bits % 64 == 0 ? n : n + __builtin_popcountll(words[n_bits / 64] & ((UINT64_C(1) << n_bits % 64) - 1));
}

int xc_shadow_control(xc_interface *xch, uint32_t domid, unsigned int sop, unsigned int *mb, unsigned int mode) {
    int (*next)(xc_interface *, uint32_t, unsigned int, unsigned int *, unsigned int);
    *(void **)&next = dlsym(RTLD_NEXT, "xc_shadow_control");
    const int r = next(xch, domid, sop, mb, mode);
    if (sop == XEN_DOMCTL_SHADOW_OP_OFF)
        tell("log_dirty_off", domid, r);
    if (sop == XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY) {
        static uint32_t watched; /* a save helper saves one domain */
        pthread_t thread;
        tell("log_dirty_on", domid, r);
        watched = domid;
        if (r == 0 && pthread_create(&thread, NULL, wait_for_suspension, &watched) == 0)
            (void)pthread_detach(thread);
    }
    return r;
}

long long xc_logdirty_control(xc_interface *xch, uint32_t domid, unsigned int sop, xc_hypercall_buffer_t *dirty_bitmap,
                              unsigned long pages, unsigned int mode, xc_shadow_op_stats_t *stats) {
    long long (*next)(xc_interface *, uint32_t, unsigned int, xc_hypercall_buffer_t *, unsigned long, unsigned int,
                      xc_shadow_op_stats_t *);
    *(void **)&next = dlsym(RTLD_NEXT, "xc_logdirty_control");
    const long long r = next(xch, domid, sop, dirty_bitmap, pages, mode, stats);
    if (sop == XEN_DOMCTL_SHADOW_OP_CLEAN)
        tell("clean", domid, r < 0 || dirty_bitmap == NULL ? -1 : count_bits(dirty_bitmap, pages));
    return r;
}

int xc_domain_unpause(xc_interface *xch, uint32_t domid) {
    int (*next)(xc_interface *, uint32_t);
    *(void **)&next = dlsym(RTLD_NEXT, "xc_domain_unpause");
    const int r = next(xch, domid);
    tell("unpaused", domid, r);
    return r;
}
