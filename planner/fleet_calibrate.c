/* Learned figures into a fleet. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/fleet_calibrate.h"

#include <math.h>

/* Overheads are whole milliseconds in documents; what is planned with is what a document can say. */
static struct migration_overhead learned_overhead(const struct fleet_vm *vm, const struct calibration *learned) {
    struct migration_overhead overhead = vm->overhead;
    overhead.pre_ms = round(learned->pre_ms);
    overhead.post_ms = round(learned->post_ms);
    return overhead;
}

/* By `by_ms`, and not below `floor`. */
static void move(struct prediction_quantiles *quantiles, double by_ms, const struct prediction_quantiles *floor) {
    quantiles->p50 = fmax(floor->p50, quantiles->p50 + by_ms);
    quantiles->p90 = fmax(floor->p90, quantiles->p90 + by_ms);
    quantiles->p95 = fmax(floor->p95, quantiles->p95 + by_ms);
}

void fleet_calibrate_shift(struct prediction *prediction, const struct migration_overhead *was,
                           const struct migration_overhead *is) {
    const double post_ms = is->post_ms - was->post_ms;
    const double all_ms = post_ms + is->pre_ms - was->pre_ms;
    for (size_t i = 0; i < prediction->n_points; i++) {
        struct prediction_point *point = &prediction->points[i];
        const struct prediction_quantiles none = {.p50 = 0};
        move(&point->downtime_ms, post_ms, &none);
        move(&point->migration_ms, all_ms, &point->downtime_ms);
    }
}

static void widen(struct prediction *prediction, double spread_frac) {
    for (size_t i = 0; i < prediction->n_points; i++) {
        struct prediction_point *point = &prediction->points[i];
        point->migration_ms = calibration_widen(point->migration_ms, spread_frac);
        point->downtime_ms = calibration_widen(point->downtime_ms, spread_frac);
    }
}

/* The bursts of a steady guest hardly differ; the model's own error is there all the same. */
static void expect_the_usual(struct fleet_vm *vm) {
    if (!vm->overhead_is_agents || vm->prediction.n_points == 0 || vm->spread_frac > 0)
        return;
    widen(&vm->prediction, calibration_usual_spread_frac);
    vm->spread_frac = calibration_usual_spread_frac;
}

void fleet_calibrate_vm(const struct fleet *fleet, struct fleet_vm *vm, const char *to) {
    const struct calibration *learned =
        calibration_find(fleet->calibration, fleet->n_calibration, fleet->hosts[vm->host].name, to);
    if (learned == NULL || learned->n < CALIBRATION_MIN_OBSERVATIONS) {
        expect_the_usual(vm);
        return;
    }
    vm->startup_ms = learned->startup_ms;
    if (vm->has_overhead && !vm->overhead_is_agents)
        return;
    const struct migration_overhead overhead = learned_overhead(vm, learned);
    fleet_calibrate_shift(&vm->prediction, &vm->overhead, &overhead);
    widen(&vm->prediction, learned->spread_frac);
    vm->overhead = overhead;
    vm->has_overhead = true;
    vm->spread_frac = learned->spread_frac;
}

void fleet_calibrate(struct fleet *fleet) {
    for (size_t i = 0; i < fleet->n_vms; i++)
        fleet_calibrate_vm(fleet, &fleet->vms[i], NULL);
}

/* What a host's migrations achieve, outwards and inwards: a link has one goodput, so the lower. 1: nothing is known. */
static double host_goodput(const struct fleet *fleet, const char *host) {
    const struct calibration *out = calibration_find(fleet->calibration, fleet->n_calibration, host, NULL);
    const struct calibration *in = calibration_find(fleet->calibration, fleet->n_calibration, NULL, host);
    return fmin(out != NULL ? out->goodput_frac : 1, in != NULL ? in->goodput_frac : 1);
}

void fleet_calibrate_links(struct fleet *fleet) {
    for (size_t i = 0; fleet->n_calibration > 0 && i < fleet->n_links; i++) {
        struct fleet_link *link = &fleet->links[i];
        double goodput_frac = 1;
        bool is_hosts = false;
        for (size_t end = 0; end < 2; end++) {
            if (link->between[end].is_switch)
                continue;
            is_hosts = true;
            goodput_frac = fmin(goodput_frac, host_goodput(fleet, fleet->hosts[link->between[end].index].name));
        }
        /* A document whose background leaves nothing of a link cannot be read back. */
        if (is_hosts && !link->has_goodput && link->background_bytes_per_s < link->capacity_bytes_per_s * goodput_frac)
            link->goodput_frac = goodput_frac;
    }
}
