/*
 * Pre-copy simulation: the clock, the link and the stop-and-copy. The live
 * rounds are the stop policy's (policy_*.c).
 *
 *   migration time = pre + disks + live rounds + stop-and-copy + post + post-copy
 *   stop-and-copy  = (rest + buffered bytes) / bandwidth
 *   post-copy      = what the policy leaves for after the hand-over / bandwidth
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/precopy.h"

#include "model/precopy_state.h"

#include <math.h>

/* Less than this is nothing: it ends loops that floating point would not. */
static const double NEGLIGIBLE_BYTES = 1e-3;

/* A link full of mirrored writes: what it still leaves for anything else. */
static const double LEAST_LEFT_FRAC = 0.01;

double precopy_link_rate(const struct precopy *precopy) {
    const double rate = precopy->steps->bytes_per_s;
    return precopy->mirror_bytes_per_s > 0 ? fmax(rate - precopy->mirror_bytes_per_s, LEAST_LEFT_FRAC * rate) : rate;
}

double precopy_next_step_s(const struct precopy *precopy) {
    return precopy->n_steps > 1 ? precopy->steps[1].from_s : INFINITY;
}

/* Moves the clock by `duration_s` which must not pass the next step's start;
 * takes that step when it is reached. */
static void advance(struct precopy *precopy, double duration_s) {
    const double next_s = precopy_next_step_s(precopy);
    precopy->time_s += duration_s;
    if (precopy->mirror_bytes_per_s > 0)
        precopy->result->storage_bytes += (precopy->steps->bytes_per_s - precopy_link_rate(precopy)) * duration_s;
    if (precopy->time_s < next_s)
        return;
    precopy->time_s = next_s;
    precopy->steps++;
    precopy->n_steps--;
}

double precopy_push_rate(const struct precopy *precopy) {
    return fmin(precopy->live_cap_bytes_per_s, precopy_link_rate(precopy));
}

/* Fills the buffer at once, as far as `bytes` go: a sender without a cap of
 * its own writes into memory. Returns what it took. */
static double fill_buffer(struct precopy *precopy, double bytes) {
    const double taken = fmin(bytes, precopy->vm->overhead.in_flight_bytes - precopy->buffered_bytes);
    precopy->buffered_bytes += taken;
    return taken;
}

/* One stretch at constant rates of a sender with a cap. Below the link's rate
 * its buffer runs empty, above it the buffer fills. Returns the bytes pushed. */
static double push_capped(struct precopy *precopy, double bytes, double stretch_s) {
    const double link = precopy_link_rate(precopy);
    const double room = precopy->vm->overhead.in_flight_bytes - precopy->buffered_bytes;
    const double cap = precopy->live_cap_bytes_per_s;
    const double push = cap < link || room > NEGLIGIBLE_BYTES ? cap : link;
    double duration_s = fmin(bytes / push, stretch_s);
    if (push > link)
        duration_s = fmin(duration_s, room / (push - link));
    const double level = precopy->buffered_bytes + (push - link) * duration_s;
    precopy->buffered_bytes = fmin(fmax(level, 0), precopy->vm->overhead.in_flight_bytes);
    advance(precopy, duration_s);
    return push * duration_s;
}

void precopy_carry(struct precopy *precopy, double bytes) {
    while (bytes > NEGLIGIBLE_BYTES) {
        const double rate = precopy_push_rate(precopy);
        const double duration_s = fmin(bytes / rate, precopy_next_step_s(precopy) - precopy->time_s);
        bytes -= rate * duration_s;
        advance(precopy, duration_s);
    }
}

void precopy_send(struct precopy *precopy, double bytes) {
    if (isinf(precopy->live_cap_bytes_per_s)) {
        precopy_carry(precopy, bytes - fill_buffer(precopy, bytes));
        return;
    }
    while (bytes > NEGLIGIBLE_BYTES)
        bytes -= push_capped(precopy, bytes, precopy_next_step_s(precopy) - precopy->time_s);
}

void precopy_close_round(struct precopy *precopy, struct page_load load, double from_s) {
    struct precopy_result *result = precopy->result;
    result->bytes += load.bytes;
    result->n_rounds++;
    if (result->n_trace < PRECOPY_TRACE_ROUNDS)
        result->trace[result->n_trace++] =
            (struct precopy_round){.pages = load.pages, .bytes = load.bytes, .duration_s = precopy->time_s - from_s};
}

double precopy_dirtied(const struct precopy *precopy, double window_s) {
    const struct precopy_vm *vm = precopy->vm;
    return dirty_curve_pages(vm->curve, window_s, vm->memory_pages - vm->zero_pages);
}

/* Moves the clock by `duration_s` with nothing sent. */
static void pass_time(struct precopy *precopy, double duration_s) {
    const double end_s = precopy->time_s + duration_s;
    while (precopy_next_step_s(precopy) <= end_s)
        advance(precopy, precopy_next_step_s(precopy) - precopy->time_s);
    precopy->time_s = end_s;
}

/* The guest stands still: the rest goes out, the buffer drains, and the
 * sender's own cap no longer holds. */
static void stop_and_copy(struct precopy *precopy) {
    const double from_s = precopy->time_s;
    const double buffered_bytes = precopy->buffered_bytes;
    precopy->mirror_bytes_per_s = 0; /* nothing writes */
    precopy->live_cap_bytes_per_s = INFINITY;
    precopy->buffered_bytes = precopy->vm->overhead.in_flight_bytes; /* full: only the link moves bytes now */
    precopy_send(precopy, precopy->rest.bytes + buffered_bytes);
    precopy_close_round(precopy, precopy->rest, from_s);
    precopy->result->stop_copy_s = precopy->time_s - from_s;
}

/* The guest runs at its target and gets the pages it has not got yet. */
static void postcopy(struct precopy *precopy) {
    const double from_s = precopy->time_s;
    precopy_send(precopy, precopy->postcopy.bytes);
    precopy->result->bytes += precopy->postcopy.bytes;
    precopy->result->postcopy_s = precopy->time_s - from_s;
}

static enum dc_status check_vm(const struct precopy_vm *vm, struct dc_error *err) {
    const struct migration_overhead *overhead = &vm->overhead;
    if (vm->policy.policy == NULL || vm->curve == NULL)
        return error_set(err, DC_EINVAL, "no stop policy or no curve to simulate with");
    if (!(vm->memory_pages > 0) || !isfinite(vm->memory_pages))
        return error_set(err, DC_EINVAL, "a VM of %g pages; expected at least one", vm->memory_pages);
    if (!(vm->zero_pages >= 0 && vm->zero_pages <= vm->memory_pages))
        return error_set(err, DC_EINVAL, "%g zero pages of %g; expected 0 to all of them", vm->zero_pages,
                         vm->memory_pages);
    const double figures[] = {overhead->pre_ms, overhead->post_ms, overhead->in_flight_bytes, overhead->suspend_pages};
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        if (!(figures[i] >= 0) || !isfinite(figures[i]))
            return error_set(err, DC_EINVAL, "an overhead of %g; expected a number of at least 0", figures[i]);
    }
    return storage_check(&vm->storage, err);
}

static enum dc_status check_steps(const struct bandwidth_step *steps, size_t n_steps, struct dc_error *err) {
    if (n_steps == 0)
        return error_set(err, DC_EINVAL, "no bandwidth given");
    for (size_t i = 0; i < n_steps; i++) {
        if (!(steps[i].bytes_per_s > 0) || !isfinite(steps[i].bytes_per_s))
            return error_set(err, DC_EINVAL, "steps[%zu]: a bandwidth of %g bytes/s; expected more than 0", i,
                             steps[i].bytes_per_s);
        if (!isfinite(steps[i].from_s) || (i > 0 && steps[i].from_s < steps[i - 1].from_s))
            return error_set(err, DC_EINVAL, "steps[%zu]: from %g s; expected ascending times", i, steps[i].from_s);
    }
    return DC_OK;
}

enum dc_status precopy_simulate(const struct precopy_vm *vm, const struct bandwidth_step *steps, size_t n_steps,
                                struct precopy_result *result_out, struct dc_error *err) {
    result_out->n_trace = 0;
    result_out->n_rounds = 0;
    result_out->bytes = 0;
    result_out->converges = true;
    result_out->throttle_frac = 0;
    result_out->storage_s = 0;
    result_out->storage_bytes = 0;
    result_out->redirty_basis = REDIRTY_NONE;
    enum dc_status rc = check_vm(vm, err);
    if (rc == DC_OK)
        rc = check_steps(steps, n_steps, err);
    if (rc != DC_OK)
        return rc;
    struct precopy precopy = {
        .vm = vm,
        .steps = steps,
        .n_steps = n_steps,
        .live_cap_bytes_per_s = INFINITY,
        .result = result_out,
        .err = err,
    };
    pass_time(&precopy, vm->overhead.pre_ms / 1000);
    storage_copy(&precopy);
    vm->policy.policy->run_live_rounds(&precopy);
    if (precopy.rc != DC_OK)
        return precopy.rc;
    stop_and_copy(&precopy);
    pass_time(&precopy, vm->overhead.post_ms / 1000);
    postcopy(&precopy);
    result_out->bytes += result_out->storage_bytes;
    result_out->migration_s = precopy.time_s;
    result_out->downtime_s = result_out->stop_copy_s + vm->overhead.post_ms / 1000;
    return DC_OK;
}
