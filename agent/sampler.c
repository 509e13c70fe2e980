/* One timer, a due time per VM, a table of holds. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/sampler.h"

#include "agent/clock.h"
#include "base/log.h"
#include "base/vec.h"
#include "proto/msg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A VM the source would not sample now is asked for again after this part of the interval. */
#define RETRY_FRAC 0.1

struct sampled_vm {
    char uuid[MSG_UUID_BYTES];
    double due_ms;
    bool in_burst;
    bool never;       /* the source cannot sample it */
    bool was_refused; /* the last time too: said once */
    bool still_here;
    double began_ms;
    int64_t began_unix_ms;
};

struct hold {
    char uuid[MSG_UUID_BYTES];
    double until_ms;
};

struct sampler {
    uv_loop_t *loop;
    uv_timer_t timer;
    struct sampler_config config;
    const struct source_ops *ops;
    struct source *source;
    sampler_burst_fn burst;
    void *context;
    double windows_s[SAMPLER_WINDOWS];
    struct sampled_vm *vms;
    size_t n_vms, vms_capacity;
    struct hold *holds;
    size_t n_holds, holds_capacity;
    bool holds_full; /* HOLDs were lost: sample nothing until one that stands ends */
    uint64_t n_bursts;
    double sampled_ms, lived_ms; /* of all VMs together, up to accounted_ms */
    double accounted_ms;
};

void sampler_windows(double longest_s, double *windows_s_out) {
    const double ratio = pow(longest_s / SAMPLER_FIRST_WINDOW_S, 1.0 / (SAMPLER_WINDOWS - 1));
    for (size_t i = 0; i < SAMPLER_WINDOWS; i++)
        windows_s_out[i] = SAMPLER_FIRST_WINDOW_S * pow(ratio, (double)i);
    windows_s_out[SAMPLER_WINDOWS - 1] = longest_s;
}

static double now_ms(const struct sampler *sampler) {
    return (double)uv_now(sampler->loop);
}

static struct sampled_vm *find_vm(struct sampler *sampler, const char *uuid) {
    for (size_t i = 0; i < sampler->n_vms; i++) {
        if (strcmp(sampler->vms[i].uuid, uuid) == 0)
            return &sampler->vms[i];
    }
    return NULL;
}

static struct hold *find_hold(struct sampler *sampler, const char *uuid) {
    for (size_t i = 0; i < sampler->n_holds; i++) {
        if (strcmp(sampler->holds[i].uuid, uuid) == 0)
            return &sampler->holds[i];
    }
    return NULL;
}

static void tell_source(struct sampler *sampler, const char *uuid, bool is_held) {
    if (sampler->ops->set_held != NULL)
        sampler->ops->set_held(sampler->source, uuid, is_held);
}

static void drop_hold(struct sampler *sampler, struct hold *hold) {
    tell_source(sampler, hold->uuid, false);
    *hold = sampler->holds[--sampler->n_holds];
    sampler->holds_full = false;
}

static void expire_holds(struct sampler *sampler, double now) {
    for (size_t i = sampler->n_holds; i > 0; i--) {
        if (sampler->holds[i - 1].until_ms > now)
            continue;
        log_warn("%s: HOLD ran out without RELEASE", sampler->holds[i - 1].uuid);
        drop_hold(sampler, &sampler->holds[i - 1]);
    }
}

static void account(struct sampler *sampler) {
    const double now = now_ms(sampler);
    const double passed_ms = now - sampler->accounted_ms;
    size_t n_sampled = 0;
    for (size_t i = 0; i < sampler->n_vms; i++)
        n_sampled += sampler->vms[i].in_burst;
    sampler->sampled_ms += passed_ms * (double)n_sampled;
    sampler->lived_ms += passed_ms * (double)sampler->n_vms;
    sampler->accounted_ms = now;
}

/* How many more bursts may begin: all VMs' time together keeps the budget. */
static size_t free_slots(const struct sampler *sampler) {
    if (sampler->holds_full)
        return 0;
    if (sampler->ops->is_recording)
        return sampler->n_vms;
    size_t n_running = 0;
    for (size_t i = 0; i < sampler->n_vms; i++)
        n_running += sampler->vms[i].in_burst;
    size_t n_most = (size_t)(sampler->config.budget_frac * (double)sampler->n_vms);
    n_most = n_most > 0 ? n_most : 1;
    return n_most > n_running ? n_most - n_running : 0;
}

/* One VM alone keeps the budget too: its next burst waits until the last one's cost is spread thin enough. */
static double interval_ms(const struct sampler *sampler) {
    return fmax(sampler->config.interval_ms, sampler->config.burst_ms / sampler->config.budget_frac);
}

static double next_due_ms(struct sampler *sampler, const char *uuid, double otherwise_ms) {
    if (sampler->ops->next_burst_ms == NULL)
        return now_ms(sampler) + otherwise_ms;
    return now_ms(sampler) + sampler->ops->next_burst_ms(sampler->source, uuid);
}

static void begin_burst(struct sampler *sampler, struct sampled_vm *vm) {
    struct dc_error err = DC_ERROR_NONE;
    const enum dc_status rc =
        sampler->ops->begin_burst(sampler->source, vm->uuid, sampler->windows_s, SAMPLER_WINDOWS, &err);
    if (rc == DC_OK) {
        account(sampler);
        vm->in_burst = true;
        vm->was_refused = false;
        vm->began_ms = now_ms(sampler);
        vm->began_unix_ms = clock_unix_ms();
        vm->due_ms = next_due_ms(sampler, vm->uuid, interval_ms(sampler));
        return;
    }
    vm->due_ms = now_ms(sampler) + interval_ms(sampler) * RETRY_FRAC;
    vm->never = rc == DC_EUNSUPPORTED;
    const enum log_level level = vm->never ? LOG_LEVEL_WARN : vm->was_refused ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    log_write(level, "%s is not sampled%s: %s", vm->uuid, vm->never ? "" : " now", error_text(&err));
    vm->was_refused = true;
}

static bool may_begin(struct sampler *sampler, const struct sampled_vm *vm) {
    return !vm->in_burst && !vm->never && find_hold(sampler, vm->uuid) == NULL;
}

static struct sampled_vm *first_due(struct sampler *sampler) {
    struct sampled_vm *first = NULL;
    for (size_t i = 0; i < sampler->n_vms; i++) {
        struct sampled_vm *vm = &sampler->vms[i];
        if (may_begin(sampler, vm) && (first == NULL || vm->due_ms < first->due_ms))
            first = vm;
    }
    return first;
}

static void on_timer(uv_timer_t *timer);

/* Begins what is due, then sleeps until the next VM is due or the next hold ends. */
static void run(struct sampler *sampler) {
    const double now = now_ms(sampler);
    expire_holds(sampler, now);
    size_t n_free = free_slots(sampler);
    struct sampled_vm *due = first_due(sampler);
    for (; n_free > 0 && due != NULL && due->due_ms <= now; due = first_due(sampler)) {
        begin_burst(sampler, due);
        n_free -= due->in_burst;
    }
    double wake_ms = n_free > 0 && due != NULL ? due->due_ms : INFINITY;
    for (size_t i = 0; i < sampler->n_holds; i++)
        wake_ms = fmin(wake_ms, sampler->holds[i].until_ms);
    if (!isfinite(wake_ms)) {
        (void)uv_timer_stop(&sampler->timer); /* burst_done, release or set_vms go on */
        return;
    }
    (void)uv_timer_start(&sampler->timer, on_timer, (uint64_t)fmax(1, ceil(wake_ms - now)), 0);
}

static void on_timer(uv_timer_t *timer) {
    run(timer->data);
}

/* Runs from the loop, so that nobody is called back from within their own call. */
static void run_soon(struct sampler *sampler) {
    (void)uv_timer_start(&sampler->timer, on_timer, 0, 0);
}

enum dc_status sampler_open(uv_loop_t *loop, const struct sampler_config *config, const struct source_ops *ops,
                            struct source *source, sampler_burst_fn burst, void *context, struct sampler **sampler_out,
                            struct dc_error *err) {
    *sampler_out = NULL;
    struct sampler *sampler = calloc(1, sizeof(*sampler));
    if (sampler == NULL)
        return error_set_nomem(err);
    *sampler = (struct sampler){
        .loop = loop, .config = *config, .ops = ops, .source = source, .burst = burst, .context = context};
    const int r = uv_timer_init(loop, &sampler->timer);
    if (r != 0) {
        free(sampler);
        return error_set(err, DC_EINTERNAL, "timer: %s", uv_strerror(r));
    }
    sampler->timer.data = sampler;
    sampler->accounted_ms = now_ms(sampler);
    sampler_windows(config->burst_ms / 1e3, sampler->windows_s);
    *sampler_out = sampler;
    return DC_OK;
}

static void on_closed(uv_handle_t *handle) {
    struct sampler *sampler = handle->data;
    free(sampler->vms);
    free(sampler->holds);
    free(sampler);
}

void sampler_close(struct sampler **sampler) {
    if (*sampler != NULL)
        uv_close((uv_handle_t *)&(*sampler)->timer, on_closed);
    *sampler = NULL;
}

static void add_vm(struct sampler *sampler, const char *uuid) {
    if (!vec_reserve((void **)&sampler->vms, &sampler->vms_capacity, sampler->n_vms + 1, sizeof(*sampler->vms))) {
        log_error("%s is not sampled: out of memory", uuid);
        return;
    }
    struct sampled_vm *vm = &sampler->vms[sampler->n_vms++];
    *vm = (struct sampled_vm){.still_here = true, .due_ms = INFINITY};
    memcpy(vm->uuid, uuid, strnlen(uuid, MSG_UUID_BYTES - 1));
}

void sampler_set_vms(struct sampler *sampler, const struct source_vm *vms, size_t n_vms) {
    account(sampler);
    for (size_t i = 0; i < sampler->n_vms; i++)
        sampler->vms[i].still_here = false;
    const size_t n_known = sampler->n_vms;
    for (size_t i = 0; i < n_vms; i++) {
        struct sampled_vm *vm = find_vm(sampler, vms[i].facts.uuid);
        if (vm != NULL)
            vm->still_here = true;
        else
            add_vm(sampler, vms[i].facts.uuid);
    }
    const size_t n_new = sampler->n_vms - n_known;
    for (size_t i = 0; i < n_new; i++) { /* spread over one interval, the first at once */
        struct sampled_vm *vm = &sampler->vms[n_known + i];
        vm->due_ms = next_due_ms(sampler, vm->uuid, interval_ms(sampler) * (double)i / (double)n_new);
    }
    size_t n_left = 0;
    for (size_t i = 0; i < sampler->n_vms; i++) {
        if (sampler->vms[i].still_here)
            sampler->vms[n_left++] = sampler->vms[i];
    }
    sampler->n_vms = n_left;
    run_soon(sampler);
}

/* Timers are late by a little, each burst by another: W at the nominal windows, so that all bursts share them. */
static void align(const struct sampler *sampler, const struct dirty_curve *measured,
                  struct dirty_point points_out[SAMPLER_WINDOWS]) {
    for (size_t i = 0; i < SAMPLER_WINDOWS; i++) {
        points_out[i].window_s = sampler->windows_s[i];
        points_out[i].pages = dirty_curve_pages(measured, sampler->windows_s[i], INFINITY);
    }
}

void sampler_burst_done(struct sampler *sampler, const char *vm, const struct dirty_curve *curve,
                        const struct dc_error *err) {
    struct sampled_vm *sampled = find_vm(sampler, vm);
    if (sampled == NULL || !sampled->in_burst)
        return;
    account(sampler);
    sampled->in_burst = false;
    run_soon(sampler);
    if (curve == NULL) {
        log_info("%s: burst given up: %s", vm, error_text(err));
        return;
    }
    sampler->n_bursts++;
    struct dirty_point points[SAMPLER_WINDOWS];
    const struct dirty_curve aligned = {.n_points = SAMPLER_WINDOWS, .points = points};
    if (!sampler->ops->is_recording) {
        align(sampler, curve, points);
        curve = &aligned;
    }
    sampler->burst(sampler->context, vm, sampled->began_unix_ms, curve);
}

bool sampler_hold(struct sampler *sampler, const char *vm, uint64_t for_ms) {
    struct sampled_vm *sampled = find_vm(sampler, vm);
    if (sampled != NULL && sampled->in_burst) {
        account(sampler);
        sampler->ops->cancel_burst(sampler->source, vm);
        sampled->in_burst = false;
    }
    run_soon(sampler);
    struct hold *hold = find_hold(sampler, vm);
    if (hold == NULL) {
        if (sampler->n_holds == SAMPLER_MAX_HOLDS ||
            !vec_reserve((void **)&sampler->holds, &sampler->holds_capacity, sampler->n_holds + 1, sizeof(*hold))) {
            sampler->holds_full = true;
            return false;
        }
        hold = &sampler->holds[sampler->n_holds++];
        *hold = (struct hold){.until_ms = 0};
        memcpy(hold->uuid, vm, strnlen(vm, MSG_UUID_BYTES - 1));
        tell_source(sampler, hold->uuid, true);
    }
    hold->until_ms = now_ms(sampler) + (double)for_ms;
    return true;
}

void sampler_release(struct sampler *sampler, const char *vm) {
    struct hold *hold = find_hold(sampler, vm);
    if (hold == NULL)
        return;
    drop_hold(sampler, hold);
    run_soon(sampler);
}

struct sampler_stats sampler_stats(struct sampler *sampler) {
    account(sampler);
    return (struct sampler_stats){
        .n_bursts = sampler->n_bursts,
        .n_held = sampler->n_holds,
        .sampling_frac = sampler->lived_ms > 0 ? fmin(1, sampler->sampled_ms / sampler->lived_ms) : 0,
    };
}
