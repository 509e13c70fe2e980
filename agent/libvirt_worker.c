/* Bursts are a list that the loop adds to and takes from; their inner fields are the thread's until one is over. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/libvirt_worker.h"

#include "base/clock.h"
#include "base/log.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { LOOK_MS = 500, KEEPALIVE_S = 2, KEEPALIVE_MISSES = 2 };

/* A window that QEMU does not end within so much more is given up. */
static const double patience_s = 10;

struct libvirt_worker {
    const char *uri;
    void (*wake)(void *context);
    void *context;
    uv_thread_t thread, events;
    uv_mutex_t lock;
    uv_cond_t called;
    /* under the lock */
    bool is_stopping, is_over, has_news;
    struct libvirt_facts news;
    struct libvirt_burst *bursts;
    /* the thread's */
    virConnectPtr connection;
    struct libvirt_facts seen;
    bool was_refused;                      /* said once */
    struct libvirt_migrations *migrations; /* has a lock of its own */
};

static bool is_stopping(struct libvirt_worker *worker) {
    uv_mutex_lock(&worker->lock);
    const bool is = worker->is_stopping;
    uv_mutex_unlock(&worker->lock);
    return is;
}

/* --- bursts --- */

static void end_burst(struct libvirt_worker *worker, struct libvirt_burst *burst) {
    uv_mutex_lock(&worker->lock);
    burst->is_over = true;
    uv_mutex_unlock(&worker->lock);
    worker->wake(worker->context);
}

static void fail_burst(struct libvirt_worker *worker, struct libvirt_burst *burst, enum dc_status status,
                       const char *why) {
    (void)error_set(&burst->error, status, "%s", why);
    end_burst(worker, burst);
}

static bool begin_window(struct libvirt_burst *burst, virDomainPtr domain, int window_s) {
    burst->window_s = window_s;
    burst->asked_s = clock_monotonic_s();
    return virDomainStartDirtyRateCalc(domain, window_s, VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING) == 0;
}

/* -1: libvirt failed; 0: not yet; 1: there it is. */
static int read_rate(virDomainPtr domain, double *mib_per_s_out) {
    virDomainPtr domains[] = {domain, NULL};
    virDomainStatsRecordPtr *records = NULL;
    if (virDomainListGetStats(domains, VIR_DOMAIN_STATS_DIRTYRATE, &records, 0) != 1) {
        virDomainStatsRecordListFree(records);
        return -1;
    }
    int status = VIR_DOMAIN_DIRTYRATE_UNSTARTED;
    long long mib_per_s = 0;
    const virDomainStatsRecord *record = records[0];
    int r = -1;
    if (virTypedParamsGetInt(record->params, record->nparams, "dirtyrate.calc_status", &status) == 1)
        r = status == VIR_DOMAIN_DIRTYRATE_MEASURED ? 1 : 0;
    if (r == 1 &&
        virTypedParamsGetLLong(record->params, record->nparams, "dirtyrate.megabytes_per_second", &mib_per_s) != 1)
        r = -1;
    virDomainStatsRecordListFree(records);
    *mib_per_s_out = (double)mib_per_s;
    return mib_per_s < 0 ? -1 : r;
}

static void work_on_window(struct libvirt_worker *worker, struct libvirt_burst *burst, virDomainPtr domain) {
    double mib_per_s = 0;
    const double waited_s = clock_monotonic_s() - burst->asked_s;
    if (waited_s < burst->window_s)
        return;
    const int r = read_rate(domain, &mib_per_s);
    if (r < 0) {
        fail_burst(worker, burst, DC_EIO, "libvirt does not tell the dirty rate");
        return;
    }
    if (r == 0) {
        if (waited_s > burst->window_s + patience_s)
            fail_burst(worker, burst, DC_ETIMEOUT, "QEMU does not end a window");
        return;
    }
    qemu_window_add(burst->points, &burst->n_points, burst->window_s, mib_per_s, burst->memory_pages);
    const int next_s = qemu_window_next_s(burst->window_s, burst->n_points, burst->longest_s);
    if (next_s == 0)
        end_burst(worker, burst);
    else if (!begin_window(burst, domain, next_s))
        fail_burst(worker, burst, DC_EIO, virGetLastErrorMessage());
}

static void work_on_burst(struct libvirt_worker *worker, struct libvirt_burst *burst) {
    virDomainPtr domain =
        worker->connection != NULL ? virDomainLookupByUUIDString(worker->connection, burst->vm) : NULL;
    if (domain == NULL) {
        fail_burst(worker, burst, DC_EIO, "libvirt has no such guest any more");
        return;
    }
    if (burst->window_s > 0)
        work_on_window(worker, burst, domain);
    else if (!begin_window(burst, domain, 1))
        fail_burst(worker, burst, DC_EIO, virGetLastErrorMessage());
    (void)virDomainFree(domain);
}

/* The next burst after `burst` (NULL: the first) that goes on. The loop only adds at the front and takes those over. */
static struct libvirt_burst *next_open(struct libvirt_worker *worker, const struct libvirt_burst *burst) {
    uv_mutex_lock(&worker->lock);
    struct libvirt_burst *next = burst == NULL ? worker->bursts : burst->next;
    for (; next != NULL && (next->is_over || next->is_cancelled); next = next->next)
        next->is_over = true;
    uv_mutex_unlock(&worker->lock);
    return next;
}

static void work_on_bursts(struct libvirt_worker *worker) {
    for (struct libvirt_burst *burst = next_open(worker, NULL), *next = NULL; burst != NULL; burst = next) {
        next = next_open(worker, burst); /* before: one that is over may be gone */
        work_on_burst(worker, burst);
    }
}

/* --- the connection --- */

static void disconnect(struct libvirt_worker *worker) {
    if (worker->connection != NULL)
        (void)virConnectClose(worker->connection);
    worker->connection = NULL;
}

static void connect_to(struct libvirt_worker *worker) {
    worker->connection = virConnectOpen(worker->uri);
    if (worker->connection == NULL) {
        log_write(worker->was_refused ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, "source libvirt: libvirt_uri: %s: %s",
                  worker->uri, virGetLastErrorMessage());
        worker->was_refused = true;
        return;
    }
    worker->was_refused = false;
    (void)virConnectSetKeepAlive(worker->connection, KEEPALIVE_S, KEEPALIVE_MISSES);
    if (!libvirt_migrations_watch(worker->migrations, worker->connection))
        log_warn("source libvirt: migrations are not observed: %s", virGetLastErrorMessage());
    log_info("source libvirt: connected to %s", worker->uri);
}

static bool copy_facts(const struct libvirt_facts *facts, struct libvirt_facts *copy) {
    *copy = *facts;
    copy->n_vms = 0;
    copy->vms = calloc(facts->n_vms + 1, sizeof(*copy->vms));
    bool ok = copy->vms != NULL;
    for (size_t i = 0; ok && i < facts->n_vms; i++) {
        copy->vms[i] = facts->vms[i];
        copy->vms[i].name = strdup(facts->vms[i].name);
        ok = copy->vms[i].name != NULL;
        copy->n_vms += ok;
    }
    if (!ok)
        libvirt_facts_dispose(copy);
    return ok;
}

static void look(struct libvirt_worker *worker) {
    struct libvirt_facts facts = {.n_vms = 0};
    struct libvirt_facts copy = {.n_vms = 0};
    struct dc_error err = DC_ERROR_NONE;
    if (libvirt_facts_read(worker->connection, &worker->seen, &facts, &err) != DC_OK) {
        log_warn("source libvirt: %s", error_text(&err));
        disconnect(worker);
        return;
    }
    libvirt_facts_dispose(&worker->seen);
    worker->seen = facts;
    libvirt_migrations_look(worker->migrations, &facts);
    if (!copy_facts(&facts, &copy))
        return;
    uv_mutex_lock(&worker->lock);
    libvirt_facts_dispose(&worker->news);
    worker->news = copy;
    worker->has_news = true;
    uv_mutex_unlock(&worker->lock);
    worker->wake(worker->context);
}

/* --- the threads --- */

static void on_tick(int timer, void *context) {
    (void)timer;
    (void)context;
}

static void run_events(void *context) {
    struct libvirt_worker *worker = context;
    const int timer = virEventAddTimeout(LOOK_MS, on_tick, NULL, NULL); /* so that it looks whether it is to end */
    while (!is_stopping(worker) && virEventRunDefaultImpl() == 0)
        continue;
    if (timer >= 0)
        (void)virEventRemoveTimeout(timer);
}

static void run_worker(void *context) {
    struct libvirt_worker *worker = context;
    while (!is_stopping(worker)) {
        if (worker->connection == NULL)
            connect_to(worker);
        if (worker->connection != NULL)
            look(worker);
        work_on_bursts(worker);
        uv_mutex_lock(&worker->lock);
        if (!worker->is_stopping)
            (void)uv_cond_timedwait(&worker->called, &worker->lock, LOOK_MS * 1000000ULL);
        uv_mutex_unlock(&worker->lock);
    }
    disconnect(worker);
    (void)uv_thread_join(&worker->events);
    libvirt_facts_dispose(&worker->seen);
    uv_mutex_lock(&worker->lock);
    worker->is_over = true;
    uv_mutex_unlock(&worker->lock);
    worker->wake(worker->context);
}

static void ignore_error(void *context, virErrorPtr error) { /* else libvirt writes to stderr */
    (void)context;
    (void)error;
}

enum dc_status libvirt_worker_start(const char *uri, void (*wake)(void *context), void *context,
                                    struct libvirt_worker **worker_out, struct dc_error *err) {
    *worker_out = NULL;
    virSetErrorFunc(NULL, ignore_error);
    if (virInitialize() != 0 || virEventRegisterDefaultImpl() != 0)
        return error_set(err, DC_EINTERNAL, "source libvirt: %s", virGetLastErrorMessage());
    struct libvirt_worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return error_set_nomem(err);
    *worker = (struct libvirt_worker){.uri = uri, .wake = wake, .context = context};
    worker->migrations = libvirt_migrations_new(wake, context);
    if (worker->migrations == NULL) {
        free(worker);
        return error_set_nomem(err);
    }
    (void)uv_mutex_init(&worker->lock); /* cannot fail, nor the next */
    (void)uv_cond_init(&worker->called);
    const bool has_events = uv_thread_create(&worker->events, run_events, worker) == 0;
    if (has_events && uv_thread_create(&worker->thread, run_worker, worker) == 0) {
        *worker_out = worker;
        return DC_OK;
    }
    libvirt_worker_stop(worker);
    if (has_events)
        (void)uv_thread_join(&worker->events);
    libvirt_migrations_free(worker->migrations);
    uv_cond_destroy(&worker->called);
    uv_mutex_destroy(&worker->lock);
    free(worker);
    return error_set(err, DC_EINTERNAL, "source libvirt: no thread can be started");
}

void libvirt_worker_stop(struct libvirt_worker *worker) {
    uv_mutex_lock(&worker->lock);
    worker->is_stopping = true;
    uv_cond_signal(&worker->called);
    uv_mutex_unlock(&worker->lock);
}

bool libvirt_worker_is_over(struct libvirt_worker *worker) {
    uv_mutex_lock(&worker->lock);
    const bool is_over = worker->is_over;
    uv_mutex_unlock(&worker->lock);
    return is_over;
}

void libvirt_worker_free(struct libvirt_worker *worker) {
    (void)uv_thread_join(&worker->thread);
    libvirt_facts_dispose(&worker->news);
    while (worker->bursts != NULL) {
        struct libvirt_burst *burst = worker->bursts;
        worker->bursts = burst->next;
        free(burst);
    }
    libvirt_migrations_free(worker->migrations);
    uv_cond_destroy(&worker->called);
    uv_mutex_destroy(&worker->lock);
    free(worker);
}

bool libvirt_worker_take_migration(struct libvirt_worker *worker, struct source_migration *told_out) {
    return libvirt_migrations_take(worker->migrations, told_out);
}

bool libvirt_worker_take(struct libvirt_worker *worker, struct libvirt_facts *facts_out) {
    uv_mutex_lock(&worker->lock);
    const bool has_news = worker->has_news;
    if (has_news) {
        *facts_out = worker->news;
        worker->news = (struct libvirt_facts){.n_vms = 0};
        worker->has_news = false;
    }
    uv_mutex_unlock(&worker->lock);
    return has_news;
}

enum dc_status libvirt_worker_burst(struct libvirt_worker *worker, const char *vm, double longest_s,
                                    double memory_pages, struct dc_error *err) {
    struct libvirt_burst *burst = calloc(1, sizeof(*burst));
    if (burst == NULL)
        return error_set_nomem(err);
    burst->longest_s = longest_s;
    burst->memory_pages = memory_pages;
    memcpy(burst->vm, vm, strnlen(vm, sizeof(burst->vm) - 1));
    uv_mutex_lock(&worker->lock);
    const struct libvirt_burst *other = worker->bursts;
    while (other != NULL && strcmp(other->vm, vm) != 0)
        other = other->next;
    if (other == NULL) {
        burst->next = worker->bursts;
        worker->bursts = burst;
        uv_cond_signal(&worker->called);
    }
    uv_mutex_unlock(&worker->lock);
    if (other == NULL)
        return DC_OK;
    free(burst);
    return error_set(err, DC_EBUSY, "a burst of it goes on");
}

void libvirt_worker_cancel(struct libvirt_worker *worker, const char *vm) {
    uv_mutex_lock(&worker->lock);
    for (struct libvirt_burst *burst = worker->bursts; burst != NULL; burst = burst->next)
        if (strcmp(burst->vm, vm) == 0)
            burst->is_cancelled = true;
    uv_mutex_unlock(&worker->lock);
}

struct libvirt_burst *libvirt_worker_next_over(struct libvirt_worker *worker) {
    uv_mutex_lock(&worker->lock);
    struct libvirt_burst **link = &worker->bursts;
    while (*link != NULL && !(*link)->is_over)
        link = &(*link)->next;
    struct libvirt_burst *burst = *link;
    if (burst != NULL)
        *link = burst->next;
    uv_mutex_unlock(&worker->lock);
    return burst;
}
