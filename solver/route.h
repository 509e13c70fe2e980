/*
 * Routes: the path that a migration's bytes take between two hosts.
 *
 * In:  the arcs of a problem. Out: its three route arrays. Fewest arcs first,
 *      then the widest narrowest arc, then the lowest arc number. A switch
 *      with a backplane arc puts that arc into every path through it. Hosts
 *      forward nothing.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/problem.h"

/* Replaces the routes from every host with a moving VM. */
DC_WARN_UNUSED enum dc_status route_fill(struct problem *problem, struct dc_error *err);
