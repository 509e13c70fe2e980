/*
 * The relaxations of a goal, applied to the problem on its way from the fleet.
 *
 * Each function is called where what it changes has just been built.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/question.h"

/* Memory, cores, slots of hosts, and capacities of links. DC_ENOTFOUND for names the fleet does not have. */
DC_WARN_UNUSED enum dc_status question_relax_hosts(struct question *question, struct dc_error *err);

/* Downtime budgets; what the goal says of one VM goes before what it says of all. */
DC_WARN_UNUSED enum dc_status question_relax_vms(struct question *question, struct dc_error *err);
