/* Links to arcs: two a link, one a switch with a limited backplane. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/question_net.h"

#include <math.h>
#include <stdlib.h>

static size_t node_of(const struct fleet *fleet, const struct fleet_endpoint *end) {
    return end->is_switch ? fleet->n_hosts + end->index : end->index;
}

static void add_arc(struct problem *problem, size_t from, size_t to, size_t link, double capacity_bytes_per_s) {
    problem->arcs[problem->n_arcs++] = (struct problem_arc){
        .from_node = from, .to_node = to, .link = link, .capacity_bytes_per_s = capacity_bytes_per_s};
}

static double usable_bytes_per_s(const struct fleet_link *link) {
    return link->capacity_bytes_per_s * link->goodput_frac - link->background_bytes_per_s;
}

enum dc_status question_net_build(struct question *question, struct dc_error *err) {
    const struct fleet *fleet = question->fleet;
    struct problem *problem = &question->problem;
    problem->n_nodes = fleet->n_hosts + fleet->n_switches;
    problem->arcs = calloc(2 * fleet->n_links + fleet->n_switches + 1, sizeof(*problem->arcs));
    if (problem->arcs == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < fleet->n_links; i++) {
        const struct fleet_link *link = &fleet->links[i];
        const double usable = usable_bytes_per_s(link);
        if (usable < 1) {
            if (question_warn(question, err, "link %s has no capacity left for migrations: it is not used",
                              link->name) != DC_OK)
                return DC_ENOMEM;
            continue;
        }
        const size_t a = node_of(fleet, &link->between[0]);
        const size_t b = node_of(fleet, &link->between[1]);
        add_arc(problem, a, b, i, usable);
        add_arc(problem, b, a, i, usable);
    }
    for (size_t i = 0; i < fleet->n_switches; i++) {
        const size_t node = fleet->n_hosts + i;
        if (fleet->switches[i].capacity_bytes_per_s > 0)
            add_arc(problem, node, node, fleet->n_links + i, fleet->switches[i].capacity_bytes_per_s);
    }
    return DC_OK;
}

double question_net_best_bandwidth(const struct problem *problem, size_t host) {
    double out_bytes_per_s = 0;
    double in_bytes_per_s = 0;
    for (size_t i = 0; i < problem->n_arcs; i++) {
        const struct problem_arc *arc = &problem->arcs[i];
        if (arc->from_node == arc->to_node)
            continue;
        if (arc->from_node == host)
            out_bytes_per_s = fmax(out_bytes_per_s, arc->capacity_bytes_per_s);
        if (arc->to_node != host && arc->to_node < problem->n_hosts && problem->hosts[arc->to_node].receives)
            in_bytes_per_s = fmax(in_bytes_per_s, arc->capacity_bytes_per_s);
    }
    return fmin(out_bytes_per_s, in_bytes_per_s);
}

double question_net_nic(const struct fleet *fleet, size_t host) {
    double best_bytes_per_s = 0;
    for (size_t i = 0; i < fleet->n_links; i++) {
        const struct fleet_link *link = &fleet->links[i];
        for (size_t end = 0; end < 2; end++) {
            if (!link->between[end].is_switch && link->between[end].index == host)
                best_bytes_per_s = fmax(best_bytes_per_s, usable_bytes_per_s(link));
        }
    }
    return best_bytes_per_s;
}
