/* The answers to one refresh are taken as a whole, or not at all. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/qemu_guest.h"

#include "agent/clock.h"
#include "agent/guest_memory.h"
#include "agent/qemu_migration.h"
#include "base/log.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNT_UP_MS = 50 };

/* What the worker thread has; nothing else of the guest's is touched there. */
struct memory_look {
    uv_work_t work;
    bool is_on;
    pid_t process;
    double memory_bytes, zero_frac;
    struct dc_error error;
};

struct qemu_guest {
    uv_loop_t *loop;
    struct qemu_guest_events events;
    enum qemu_dirty_mode mode;
    struct qmp_link *link;
    uv_timer_t counting; /* asks again for a migration that QEMU has not counted up yet */
    unsigned n_open;     /* the link, the timer, the look at its memory */
    bool is_ready, is_closing, has_facts;
    struct qemu_facts facts, coming; /* `coming`: of a refresh that is under way */
    size_t n_answers;                /* taken of a refresh; QEMU_FACTS_QUERIES: none is under way */
    bool is_refresh_bad;
    bool is_refresh_stale; /* something happened while it was under way */
    struct qemu_migration migration;
    struct qemu_burst *burst;
    struct memory_look look;
    double zero_frac; /* negative: not known */
    double cpu_s, cpu_read_s, cores_used;
};

/* --- its end --- */

static void release(struct qemu_guest *guest) {
    if (--guest->n_open > 0)
        return;
    const struct qemu_guest_events events = guest->events;
    qemu_facts_dispose(&guest->facts);
    qemu_facts_dispose(&guest->coming);
    free(guest);
    events.closed(events.context);
}

static void on_link_closed(void *context) {
    release(context);
}

static void on_timer_closed(uv_handle_t *handle) {
    release(handle->data);
}

void qemu_guest_close(struct qemu_guest *guest) {
    if (guest->is_closing)
        return;
    qemu_guest_cancel_burst(guest);
    guest->is_closing = true;
    qmp_link_close(guest->link);
    uv_close((uv_handle_t *)&guest->counting, on_timer_closed);
}

/* --- migrations --- */

static void on_counted(void *context, const json_t *value, const struct dc_error *err) {
    struct qemu_guest *guest = context;
    struct source_migration told;
    (void)err; /* then events must do */
    if (guest->is_closing || guest->migration.ended_unix_ms <= 0)
        return;
    if (qemu_migration_end(&guest->migration, value, guest->facts.uuid, &told) == DC_EBUSY)
        return; /* the timer asks again */
    (void)uv_timer_stop(&guest->counting);
    guest->events.migration(guest->events.context, &told);
    qemu_guest_refresh(guest);
}

static void on_counting(uv_timer_t *timer) {
    struct qemu_guest *guest = timer->data;
    struct dc_error err = DC_ERROR_NONE;
    if (qmp_link_send(guest->link, "query-migrate", NULL, on_counted, guest, &err) != DC_OK)
        (void)uv_timer_stop(timer); /* the link is lost: closing tells it */
}

static void on_event(void *context, const struct qmp_message *message) {
    struct qemu_guest *guest = context;
    if (!guest->has_facts) /* nobody knows whose it would be */
        return;
    const enum qemu_migration_news news = qemu_migration_event(&guest->migration, message);
    if (news == QEMU_MIGRATION_BEGAN || news == QEMU_MIGRATION_ARRIVED) {
        const struct source_migration told = qemu_migration_tell(&guest->migration, news, guest->facts.uuid);
        qemu_guest_cancel_burst(guest);
        guest->events.migration(guest->events.context, &told);
    }
    if (news == QEMU_MIGRATION_ENDED)
        (void)uv_timer_start(&guest->counting, on_counting, 0, COUNT_UP_MS);
    qemu_guest_refresh(guest);
}

/* --- facts --- */

/* user and system time of one thread, in seconds; 0 where it has gone */
static double thread_s(pid_t process, long thread) {
    char path[96], text[1024];
    (void)snprintf(path, sizeof(path), "/proc/%ld/task/%ld/stat", (long)process, thread);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    const size_t n = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[n] = '\0';
    const char *rest = strrchr(text, ')'); /* a thread's name may hold anything */
    unsigned long user = 0, system = 0;
    if (rest == NULL || sscanf(rest + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu", &user, &system) != 2)
        return 0;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void read_cpu(struct qemu_guest *guest) {
    const pid_t process = qmp_link_process(guest->link);
    const double now_s = (double)uv_now(guest->loop) / 1e3;
    double cpu_s = 0;
    for (size_t i = 0; process > 0 && i < guest->facts.n_vcpus; i++)
        cpu_s += thread_s(process, guest->facts.threads[i]);
    if (guest->cpu_read_s > 0 && now_s > guest->cpu_read_s && cpu_s >= guest->cpu_s)
        guest->cores_used = (cpu_s - guest->cpu_s) / (now_s - guest->cpu_read_s);
    guest->cpu_s = cpu_s;
    guest->cpu_read_s = now_s;
}

static void take_facts(struct qemu_guest *guest) {
    const bool changed = !guest->has_facts || !qemu_facts_same(&guest->facts, &guest->coming);
    if (changed) { /* else its texts stay where they are: they are lent */
        qemu_facts_dispose(&guest->facts);
        guest->facts = guest->coming;
        guest->coming = (struct qemu_facts){.name = NULL};
    }
    guest->has_facts = true;
    if (guest->facts.state == QEMU_INCOMING)
        guest->migration.is_awaited = true;
    if (guest->facts.state == QEMU_RUNS)
        guest->migration.is_awaited = false;
    read_cpu(guest);
    if (changed)
        guest->events.changed(guest->events.context);
}

/* Answers come in the order of the queries. */
static void on_answer(void *context, const json_t *value, const struct dc_error *err) {
    struct qemu_guest *guest = context;
    struct dc_error why = DC_ERROR_NONE;
    const size_t query = guest->n_answers++;
    if (guest->is_closing)
        return;
    enum dc_status rc = value != NULL ? qemu_facts_take(&guest->coming, query, value, &why)
                                      : error_set(&why, err->status, "%s", error_text(err));
    if (rc != DC_OK && !guest->is_refresh_bad) {
        guest->is_refresh_bad = true;
        log_warn("source qemu: %s: %s", guest->facts.uuid, error_text(&why));
    }
    if (guest->n_answers < QEMU_FACTS_QUERIES)
        return;
    if (!guest->is_refresh_bad)
        take_facts(guest);
    if (guest->is_refresh_stale)
        qemu_guest_refresh(guest);
}

void qemu_guest_refresh(struct qemu_guest *guest) {
    struct dc_error err = DC_ERROR_NONE;
    guest->is_refresh_stale = guest->n_answers < QEMU_FACTS_QUERIES;
    if (!guest->is_ready || guest->is_closing || guest->is_refresh_stale)
        return;
    qemu_facts_dispose(&guest->coming);
    guest->coming = (struct qemu_facts){.name = NULL};
    guest->is_refresh_bad = false;
    guest->n_answers = 0;
    for (size_t i = 0; i < QEMU_FACTS_QUERIES; i++) {
        if (qmp_link_send(guest->link, qemu_facts_queries[i], NULL, on_answer, guest, &err) == DC_OK)
            continue;
        guest->is_refresh_bad = true; /* no answer to this one will be counted: count it here */
        guest->n_answers++;
    }
}

const struct qemu_facts *qemu_guest_facts(const struct qemu_guest *guest) {
    return guest->has_facts ? &guest->facts : NULL;
}

double qemu_guest_zero_pages(const struct qemu_guest *guest) {
    return guest->zero_frac > 0 ? guest->zero_frac * guest->facts.memory_bytes / UNITS_PAGE_BYTES : 0;
}

double qemu_guest_cores_used(const struct qemu_guest *guest) {
    return guest->cores_used;
}

void qemu_guest_announce(struct qemu_guest *guest, bool is_announced) {
    guest->migration.ordered_unix_ms = is_announced ? (double)clock_unix_ms() : 0;
}

bool qemu_guest_migrates(const struct qemu_guest *guest) {
    return guest->facts.migrates || guest->migration.is_out || guest->migration.is_awaited;
}

/* --- bursts --- */

static void on_burst_done(void *context, const struct dirty_curve *curve, const struct dc_error *err) {
    struct qemu_guest *guest = context;
    guest->burst = NULL;
    guest->events.burst_done(guest->events.context, guest->facts.uuid, curve, err);
}

static void look(uv_work_t *work) {
    struct qemu_guest *guest = work->data;
    struct memory_look *at = &guest->look;
    if (guest_memory_zero_frac(at->process, at->memory_bytes, &at->zero_frac, &at->error) != DC_OK)
        at->zero_frac = -1;
}

static void on_looked(uv_work_t *work, int status) {
    struct qemu_guest *guest = work->data;
    const struct memory_look *at = &guest->look;
    (void)status; /* it is never cancelled */
    guest->look.is_on = false;
    if (at->zero_frac < 0 && guest->zero_frac < 0 && !guest->is_closing)
        log_warn("source qemu: %s: its zero pages are not known, predictions will be too long: %s", guest->facts.uuid,
                 error_text(&at->error));
    if (at->zero_frac >= 0)
        guest->zero_frac = at->zero_frac;
    release(guest);
}

static void begin_look(struct qemu_guest *guest) {
    if (guest->look.is_on)
        return;
    guest->look = (struct memory_look){.work.data = guest,
                                       .is_on = true,
                                       .process = qmp_link_process(guest->link),
                                       .memory_bytes = guest->facts.memory_bytes,
                                       .zero_frac = -1};
    guest->look.is_on = uv_queue_work(guest->loop, &guest->look.work, look, on_looked) == 0;
    guest->n_open += guest->look.is_on;
}

/* Modes that crash QEMU without KVM are not asked for there. */
static enum qemu_dirty_mode safe_mode(const struct qemu_guest *guest) {
    return guest->facts.has_kvm ? guest->mode : QEMU_PAGE_SAMPLING;
}

enum dc_status qemu_guest_begin_burst(struct qemu_guest *guest, double longest_s, struct dc_error *err) {
    if (!guest->has_facts || guest->is_closing || guest->facts.state != QEMU_RUNS)
        return error_set(err, DC_EBUSY, "it does not run");
    if (qemu_guest_migrates(guest))
        return error_set(err, DC_EBUSY, "it migrates");
    if (guest->burst != NULL)
        return error_set(err, DC_EBUSY, "it is being sampled");
    const struct qemu_burst_config config = {
        .mode = safe_mode(guest),
        .longest_s = longest_s,
        .memory_pages = guest->facts.memory_bytes / UNITS_PAGE_BYTES,
        .context = guest,
        .done = on_burst_done,
    };
    const enum dc_status rc = qemu_burst_begin(guest->loop, guest->link, &config, &guest->burst, err);
    if (rc == DC_OK)
        begin_look(guest);
    return rc;
}

void qemu_guest_cancel_burst(struct qemu_guest *guest) {
    if (guest->burst != NULL)
        qemu_burst_cancel(guest->burst);
    guest->burst = NULL;
}

/* --- its beginning --- */

static void on_capability(void *context, const json_t *value, const struct dc_error *err) {
    struct qemu_guest *guest = context;
    if (value == NULL && !guest->is_closing && err->status != DC_ECANCELED)
        log_info("source qemu: migrations that are under way now are not seen: %s", error_text(err));
}

/* Without the capability `events` QEMU tells of no migration. */
static void on_ready(void *context) {
    struct qemu_guest *guest = context;
    struct dc_error err = DC_ERROR_NONE;
    guest->is_ready = true;
    json_t *arguments = json_pack("{s:[{s:s,s:b}]}", "capabilities", "capability", "events", "state", 1);
    if (qmp_link_send(guest->link, "migrate-set-capabilities", arguments, on_capability, guest, &err) != DC_OK)
        log_warn("source qemu: %s", error_text(&err));
    qemu_guest_refresh(guest);
}

static void on_lost(void *context, const struct dc_error *err) {
    struct qemu_guest *guest = context;
    struct source_migration told;
    if (qemu_migration_break(&guest->migration, (double)clock_unix_ms()) &&
        qemu_migration_end(&guest->migration, NULL, guest->facts.uuid, &told) == DC_OK)
        guest->events.migration(guest->events.context, &told);
    guest->events.lost(guest->events.context, guest, err);
}

enum dc_status qemu_guest_open(uv_loop_t *loop, const char *path, enum qemu_dirty_mode mode,
                               const struct qemu_guest_events *events, struct qemu_guest **guest_out,
                               struct dc_error *err) {
    *guest_out = NULL;
    struct qemu_guest *guest = calloc(1, sizeof(*guest));
    if (guest == NULL)
        return error_set_nomem(err);
    *guest = (struct qemu_guest){
        .loop = loop, .events = *events, .mode = mode, .n_answers = QEMU_FACTS_QUERIES, .zero_frac = -1};
    const struct qmp_link_events link_events = {guest, on_ready, on_event, on_lost, on_link_closed};
    const enum dc_status rc = qmp_link_open(loop, path, &link_events, &guest->link, err);
    if (rc != DC_OK) {
        free(guest);
        return rc;
    }
    (void)uv_timer_init(loop, &guest->counting); /* cannot fail */
    guest->counting.data = guest;
    guest->n_open = 2;
    *guest_out = guest;
    return DC_OK;
}
