/*
 * The order of a plan's steps: every `after` names a step, and no step waits
 * for itself, be it through others.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/doc_index.h"
#include "proto/plan_doc.h"

/* Fails the reader otherwise; `ids` maps the ids of steps to their indices. */
void plan_order_check(struct doc_reader *reader, const struct doc_index *ids, const struct plan *plan);
