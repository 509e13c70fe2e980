/* The widest path, then the prediction at its bandwidth. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/foresight.h"

#include "planner/fleet_calibrate.h"
#include "planner/vm_cost.h"
#include "planner/vm_storage.h"

#include <math.h>
#include <stdlib.h>

/* What a path leaves for one migration, and the goodput that counts on. */
struct width {
    double payload_bytes_per_s;
    double goodput_frac;
};

static size_t node_of(const struct fleet *fleet, const struct fleet_endpoint *end) {
    return end->is_switch ? fleet->n_hosts + end->index : end->index;
}

static struct width narrower(struct width one, struct width other) {
    return one.payload_bytes_per_s <= other.payload_bytes_per_s ? one : other;
}

/* Through `link` from the node at one end to that at the other; true where that makes the other's width greater. Hosts
 * forward nothing but their own. */
static bool relax(const struct fleet *fleet, const struct fleet_link *link, size_t near, size_t from,
                  struct width *widths) {
    const size_t here = node_of(fleet, &link->between[near]);
    const size_t there = node_of(fleet, &link->between[1 - near]);
    if (here < fleet->n_hosts && here != from)
        return false;
    const struct width own = {link->capacity_bytes_per_s * link->goodput_frac - link->background_bytes_per_s,
                              link->goodput_frac};
    struct width through = narrower(widths[here], own);
    if (there >= fleet->n_hosts && fleet->switches[there - fleet->n_hosts].capacity_bytes_per_s > 0)
        through = narrower(through, (struct width){fleet->switches[there - fleet->n_hosts].capacity_bytes_per_s,
                                                   through.goodput_frac});
    if (through.payload_bytes_per_s <= widths[there].payload_bytes_per_s)
        return false;
    widths[there] = through;
    return true;
}

/* To `to`, or without one to the host that can be reached best. */
static enum dc_status widest_path(const struct fleet *fleet, size_t from, long to, struct width *width_out,
                                  struct dc_error *err) {
    struct width *widths = calloc(fleet->n_hosts + fleet->n_switches + 1, sizeof(*widths));
    if (widths == NULL)
        return error_set_nomem(err);
    widths[from] = (struct width){INFINITY, 1};
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < fleet->n_links; i++) {
            for (size_t near = 0; near < 2; near++)
                changed = relax(fleet, &fleet->links[i], near, from, widths) || changed;
        }
    }
    for (size_t i = 0; i < fleet->n_hosts; i++) {
        if (i != from && (to == FLEET_NO_INDEX || (size_t)to == i) &&
            widths[i].payload_bytes_per_s > width_out->payload_bytes_per_s)
            *width_out = widths[i];
    }
    free(widths);
    return DC_OK;
}

static enum dc_status predict_at(const struct fleet *fleet, const struct fleet_vm *vm, double bandwidth_bytes_per_s,
                                 struct fleet_foresight *foresight, struct dc_error *err) {
    struct prediction own = {0};
    struct prediction_point point;
    const bool published = vm->prediction.n_points > 0;
    enum dc_status rc = DC_OK;
    if (published)
        rc = vm_storage_prediction(vm, &own, err);
    else if (vm->has_policy && vm->profile.kind != DIRTY_PROFILE_NONE)
        rc = vm_cost_from_profile(vm, &bandwidth_bytes_per_s, 1, &own, err);
    if (rc != DC_OK)
        return rc;
    if (!published)
        own.made_unix_ms = fleet->taken_unix_ms;
    if (prediction_at(&own, bandwidth_bytes_per_s, &point)) {
        foresight->bandwidth_bytes_per_s = bandwidth_bytes_per_s;
        foresight->pre_ms = vm->overhead.pre_ms;
        foresight->post_ms = vm->overhead.post_ms;
        foresight->migration_ms = point.migration_ms;
        foresight->downtime_ms = point.downtime_ms;
        foresight->bytes = point.bytes;
        foresight->n_rounds = point.n_rounds;
        foresight->converges = point.converges;
        foresight->made_unix_ms = own.made_unix_ms;
    }
    prediction_dispose(&own);
    return DC_OK;
}

enum dc_status foresight_make(const struct fleet *fleet, struct fleet_vm *vm, const struct foresight_wish *wish,
                              struct fleet_foresight *foresight_out, struct dc_error *err) {
    struct width width = {0};
    *foresight_out = (struct fleet_foresight){0};
    const long to = wish->to != NULL ? fleet_doc_find_host(fleet, wish->to) : FLEET_NO_INDEX;
    const bool is_local = to == (long)vm->host; /* within one host: no link limits what is asked for */
    const enum dc_status rc = widest_path(fleet, vm->host, is_local ? FLEET_NO_INDEX : to, &width, err);
    if (rc != DC_OK)
        return rc;
    double bandwidth =
        fmin(is_local && wish->bandwidth_bytes_per_s > 0 ? INFINITY : width.payload_bytes_per_s, vm_cost_cap(vm));
    if (wish->bandwidth_bytes_per_s > 0)
        bandwidth = fmin(wish->bandwidth_bytes_per_s, bandwidth > 0 ? bandwidth : INFINITY);
    if (bandwidth < 1)
        return DC_OK;
    foresight_out->goodput_frac = width.goodput_frac > 0 ? width.goodput_frac : 1;
    fleet_calibrate_vm(fleet, vm, wish->to);
    return predict_at(fleet, vm, bandwidth, foresight_out, err);
}
