/*
 * The frozen problem: everything the solver knows of one question, in plain
 * arrays and indices, with no pointer back to what it was made from.
 *
 * In:  planner/question.c fills it from a fleet and a goal.
 * Out: solver/solve.c answers it. The same problem and seed give the same bytes.
 *
 * Units: bytes, bytes/s, seconds, cores. Hosts, VMs, arcs and rules are
 * numbered from 0; only the planner knows their names.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROBLEM_ANY = -1, PROBLEM_MAX_PARKS = 64 };

/* Which figures a schedule is made of. P95 is what is planned with: another
 * quantile where the problem's risk_frac says so. */
enum problem_quantile { PROBLEM_P50, PROBLEM_P95, PROBLEM_N_QUANTILES };

struct problem_host {
    double memory_bytes;     /* for VMs: what is reserved is already taken off */
    double cpu_cores;        /* 0 = not limited */
    unsigned max_migrations; /* in flight at once, in and out together; 0 = not limited */
    bool receives;           /* may VMs be moved to it? */
};

/* One direction of a link, or the backplane of a switch (from == to). Nodes
 * 0 .. n_hosts-1 are the hosts, the switches follow. */
struct problem_arc {
    size_t from_node;
    size_t to_node;
    size_t link; /* the planner's number of the link, for names in explanations; switches follow the links */
    double capacity_bytes_per_s; /* usable: goodput and background already taken off */
};

/* What one migration costs at a constant bandwidth. The whole duration is
 * pre + live + stop + post; the downtime is stop + post; bytes =
 * bandwidth x (live + stop). live + stop and bytes never grow with bandwidth.
 *
 * Under a bandwidth that varies, the transfer advances by dt / (live + stop) at
 * the present bandwidth; the guest stops once what is left of it is at most
 * the share stop / (live + stop). So bytes and time are at least those at the
 * highest bandwidth, whatever the rates do, and a rate that falls in the
 * stop-and-copy lengthens the downtime. */
struct problem_cost_point {
    double bandwidth_bytes_per_s;
    double live_s;
    double stop_s;
};

struct problem_cost {
    double pre_s;                      /* no bytes flow */
    double post_s;                     /* no bytes flow */
    size_t n_points;                   /* 0: nothing to send (a VM that is shut off): only pre and post */
    struct problem_cost_point *points; /* ascending; only bandwidths at which it converges */
};

struct problem_vm {
    double memory_bytes;
    double cpu_cores;
    size_t host;
    bool moves;                       /* must end on another host */
    long to;                          /* its destination, or PROBLEM_ANY */
    double downtime_budget_s;         /* INFINITY: none */
    double priority;                  /* higher first among equals */
    double max_bandwidth_bytes_per_s; /* its own cap; INFINITY: none */
    struct problem_cost cost[PROBLEM_N_QUANTILES];
};

enum problem_rule_type {
    PROBLEM_SPREAD,     /* no two of vms on one host */
    PROBLEM_GATHER,     /* all of vms on one host */
    PROBLEM_BAN,        /* none of vms on any of hosts */
    PROBLEM_FENCE,      /* vms only on hosts */
    PROBLEM_LONELY,     /* no host holds one of vms and another VM */
    PROBLEM_AMONG,      /* vms all on the hosts of one group */
    PROBLEM_PRECEDENCE, /* vms[i] ends before vms[i + 1] starts */
    PROBLEM_SERIALIZE,  /* never two of vms in flight at once */
    PROBLEM_TOGETHER,   /* all of vms start at once */
};

struct problem_rule {
    enum problem_rule_type type;
    size_t n_vms;
    size_t *vms;
    size_t n_hosts;
    size_t *hosts;
    size_t n_groups; /* among: group g is hosts[group_end[g - 1] .. group_end[g]), the first from 0 */
    size_t *group_end;
    bool continuous; /* while migrating a VM counts on both hosts */
    size_t number;   /* the planner's number of the rule */
};

struct problem {
    size_t n_hosts, n_vms, n_arcs, n_nodes, n_rules;
    struct problem_host *hosts;
    struct problem_vm *vms; /* all VMs, also those that stay: they hold memory and count in rules */
    struct problem_arc *arcs;
    struct problem_rule *rules; /* hard ones */
    /* allowed[vm * n_hosts + host]: may this VM end on this host, as far as
     * that depends on the two alone (features, ban, fence, receives)? Rows of
     * VMs that stay are not read. */
    unsigned char *allowed;
    double deadline_s;     /* INFINITY: none */
    double risk_frac;      /* how likely a migration exceeds its cost at PROBLEM_P95; 0: 0.05 */
    unsigned max_parallel; /* migrations in flight in the whole plan; 0 = not limited */
    /* Second legs of hops (solver/detour.h): the last n_legs VMs, each the way on of the VM leg_vm[i] from where its
     * own move parks it. None in a problem as it is asked. */
    size_t n_legs;
    const size_t *leg_vm;
    /* Routes, filled by problem_freeze(): see problem_path(). */
    size_t *route_row;   /* per host: first entry of its row in route_begin, or SIZE_MAX */
    size_t *route_begin; /* per row n_hosts + 1 offsets into route_arcs */
    uint32_t *route_arcs;
};

void problem_dispose(struct problem *problem);

/* Checks the arrays (finite, in range, consistent; our own bug otherwise:
 * DC_EINTERNAL) and computes the routes from every host with a moving VM, and
 * from those where one could be parked on its way (the PROBLEM_MAX_PARKS receiving hosts with the most
 * memory free, where a host that VMs leave also receives): fewest arcs, then the widest narrowest arc,
 * then the lowest arc number. */
DC_WARN_UNUSED enum dc_status problem_freeze(struct problem *problem, struct dc_error *err);

/* Writes each host's memory for VMs that none holds at first, on `free_bytes[n_hosts]`: negative where it is too full.
 */
void problem_free_bytes(const struct problem *problem, double *free_bytes);

/* Is it the second leg of a hop? Its memory is then the VM's own, counted where that is. */
static inline bool problem_is_leg(const struct problem *problem, size_t vm) {
    return vm >= problem->n_vms - problem->n_legs;
}

/* Is the host in that group of the rule? */
bool problem_group_has(const struct problem_rule *rule, size_t group, size_t host);

/* The arcs of the path between two hosts, lent by the problem; *n_arcs_out is
 * 0 where no path exists. */
const uint32_t *problem_path(const struct problem *problem, size_t from, size_t to, size_t *n_arcs_out);

/* The most a VM can get between two hosts: narrowest arc, its own cap. 0
 * without a path. */
double problem_path_bandwidth(const struct problem *problem, size_t vm, size_t from, size_t to);

/* The cost at any bandwidth at or above the lowest point: bytes are
 * interpolated linearly between points (so they and the time never grow with
 * bandwidth) and hold beyond the highest. False below the lowest point. */
bool problem_cost_at(const struct problem_cost *cost, double bandwidth_bytes_per_s,
                     struct problem_cost_point *point_out);

/* Whole duration (pre + live + stop + post) and bytes at a constant bandwidth; INFINITY where it does
 * not converge. */
double problem_cost_duration_s(const struct problem_cost *cost, double bandwidth_bytes_per_s);
double problem_cost_bytes(const struct problem_cost *cost, double bandwidth_bytes_per_s);

/* The lowest bandwidth at which it converges and keeps `downtime_budget_s`
 * (INFINITY: none), 0 for a VM with nothing to send, INFINITY where no bandwidth does. */
double problem_cost_floor(const struct problem_cost *cost, double downtime_budget_s);
