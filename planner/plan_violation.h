/*
 * Violations in plain words.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/question.h"
#include "solver/verify.h"

#include <stddef.h>

/* A sentence that names step, VM, host, link or rule, what was found and what
 * is allowed, into `text`. */
void plan_violation_text(const struct question *question, const struct solution *solution,
                         const struct violation *violation, char *text, size_t text_bytes);
