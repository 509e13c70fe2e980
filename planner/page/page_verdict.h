/*
 * What comes of a plan, in words that need no knowledge of decamp: a heading, a sentence, and the figures that decide.
 *
 * In:  a plan document, and the fleet for its VMs' downtime budgets (NULL: only the question's own limit is known).
 * Out: HTML on a stream; what goes wrong with the stream shows when it is closed.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"
#include "proto/plan_doc.h"

#include <stdio.h>

/* What was asked, "Evacuate host1", as text in HTML. */
void page_verdict_put_title(FILE *stream, const struct plan *plan);
void page_verdict_put(FILE *stream, const struct plan *plan, const struct fleet *fleet);
