/*
 * The goals that leave open which VMs move: consolidate, rebalance, rolling. What each
 * of them may say, as options and as keys of a goal's JSON.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

enum goal_kind { GOAL_EVACUATE, GOAL_SCHEDULE, GOAL_CONSOLIDATE, GOAL_REBALANCE, GOAL_ROLLING, GOAL_N_KINDS };

/* What is 0 or false was not asked for. */
struct goal_choice {
    unsigned power_off;     /* consolidate: so many hosts, and no more */
    bool energy;            /* consolidate: what saves the most energy, not the fewest hosts on */
    double max_time_ms;     /* consolidate: with the shutdowns, from the plan's start */
    double payback_ms;      /* consolidate, energy: what does not pay within this is not done; 0: 24 h */
    double max_cpu_frac;    /* rebalance: of a host's cores in use; 0: 0.8 */
    double max_memory_frac; /* rebalance: of a host's memory; 0: 0.9 */
    bool all;               /* rolling: every host that is on */
    bool returns;           /* rolling: VMs go back to their hosts */
    unsigned at_once;       /* rolling: most hosts of a group; 0: as many as fit */
    double maintenance_ms;  /* rolling: between a host's shutdown and its boot */
};

/* What rebalance is asked for, its defaults filled in. */
double goal_choice_cpu_frac(const struct goal_choice *choice);
double goal_choice_memory_frac(const struct goal_choice *choice);

/* Sets the kind's keys, those that say something. False when out of memory. */
DC_WARN_UNUSED bool goal_choice_to_json(enum goal_kind kind, const struct goal_choice *choice, json_t *object);

/* The reverse; keys of other kinds are ignored. */
DC_WARN_UNUSED enum dc_status goal_choice_from_json(enum goal_kind kind, const json_t *object,
                                                    struct goal_choice *choice_out, struct dc_error *err);

/* Takes the keys of all choices off a goal's JSON. */
void goal_choice_strip(json_t *object);
