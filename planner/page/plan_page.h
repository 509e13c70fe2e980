/*
 * A plan as a page for people: one file of HTML that needs nothing else, no network and no server.
 *
 * In:  a plan document, and the fleet for capacities and budgets. Out: the page (page.html with its slots filled):
 * what comes of the plan in words, the plan and the network as JSON, from which scripts (page_*.js, with ECharts) draw,
 * and all steps as a plain table, which is there without scripts and in print.
 *
 * Its Content-Security-Policy lets nothing in but the scripts and the style that it brings, by their SHA-256: names in
 * a plan are text, and what got past that would not run.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"
#include "proto/plan_doc.h"

/* The page (heap, the caller frees it), the same bytes for the same plan and fleet. `fleet` may be NULL: links then
 * stand against the most that the plan sends over them. On failure `*html_out` is NULL. */
DC_WARN_UNUSED enum dc_status plan_page_write(const struct plan *plan, const struct fleet *fleet, char **html_out,
                                              struct dc_error *err);
