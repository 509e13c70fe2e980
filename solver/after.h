/*
 * What each step of a schedule waits for, so that the plan can be run event by
 * event, without clocks, and never breaks memory, concurrency or order.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/solution.h"

/* Fills `after` of every step; the steps are sorted by start and have their times. */
DC_WARN_UNUSED enum dc_status after_fill(const struct problem *problem, struct solution *solution,
                                         struct dc_error *err);
