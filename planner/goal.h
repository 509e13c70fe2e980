/*
 * A goal: one question about a set of VMs, as asked on the command line or
 * over the daemon's API, and as it stands in the plan document.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "planner/goal_choice.h"
#include "planner/relax.h"
#include "proto/moves_doc.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define GOAL_LONGEST_MS (1e3 * 86400 * 365) /* of every time in a goal */
#define GOAL_LEAST_RISK_FRAC 0.001
#define GOAL_MOST_RISK_FRAC 0.45 /* close to the median; at it, the spread could not be told */

struct goal {
    enum goal_kind kind;
    size_t n_hosts; /* evacuate: the hosts to empty; rolling: those to maintain */
    char **hosts;
    struct moves moves; /* schedule */
    size_t n_boot;      /* hosts that are off and are booted before the first migration: they may receive */
    char **boot;
    struct goal_choice choice; /* consolidate, rebalance, rolling */
    size_t n_exclude;          /* VMs (uuid or name) that stay, or hosts that receive nothing */
    char **exclude;
    double deadline_ms;      /* 0: none */
    double max_downtime_ms;  /* 0: each VM's own budget only */
    unsigned max_parallel;   /* 0: not limited */
    double risk_frac;        /* how likely a migration may exceed what is planned for it; 0: 0.05 */
    struct relax_list relax; /* limits of the fleet that are given more room */
    size_t n_let_go;         /* soft rules of the fleet, by number, that need not be kept: no part of what is asked */
    const size_t *let_go;    /* lent */
    bool explain;            /* say why the plan is as it is, not only why there is none */
    uint64_t seed;
    double time_limit_ms;
};

void goal_init(struct goal *goal_out); /* defaults: seed 1, time limit 10 s */
void goal_dispose(struct goal *goal);

/* Does the goal leave open which VMs move? (planner/choose.h answers it.) */
bool goal_is_choice(const struct goal *goal);

/* {"verb": "evacuate", "hosts": [...], "deadline_ms": ..., ...}; keys in fixed
 * order, only those that say something. A new reference. */
DC_WARN_UNUSED enum dc_status goal_to_json(const struct goal *goal, json_t **json_out, struct dc_error *err);

/* The reverse; errors name the path ("hosts[0]: ..."). `*goal_out` is empty on failure. */
DC_WARN_UNUSED enum dc_status goal_from_json(const json_t *json, struct goal *goal_out, struct dc_error *err);
