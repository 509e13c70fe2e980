/*
 * The hosts of a rolling maintenance that go next: chosen, and their evacuation
 * asked for.
 *
 * In:  an attempt, with the fleet as the groups before leave it.
 * Out: the group and the answer that empties all its hosts, or the reasons why there is none.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/rolling_attempt.h"

struct rolling_group {
    size_t n;
    size_t *hosts;
    bool *receives; /* per host: waits, and may take VMs of the group */
    size_t *to;     /* per VM: where the choice puts it; where it is without a choice */
    json_t *asked;
    struct plan answer;
};

/* The first group of a choice for all hosts that wait. */
DC_WARN_UNUSED enum dc_status rolling_group_choose(struct rolling_attempt *attempt, struct rolling_group *group_out,
                                                   struct dc_error *err);
void rolling_group_dispose(struct rolling_group *group);

/* Asks until the group, or what is left of it, can be emptied; `*good_out` is false where not even one host can: the
 * answer's conflicts say why. */
DC_WARN_UNUSED enum dc_status rolling_group_ask(struct rolling_attempt *attempt, struct rolling_group *group,
                                                bool *good_out, struct dc_error *err);

bool rolling_group_has(const struct rolling_group *group, size_t host);
