/*
 * The bench's table: medians of one family's trials, beside what the family is to reach and what the rivals
 * reach.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "tests/bench/trial.h"

/* What a family's trials come to. */
struct trial_summary {
    size_t n_failed; /* no answer, or a plan that breaks something: said by trial_run() */
    size_t n_missed; /* targets */
};

void trial_report_head(void);

/* One row per family, and where there were rivals a table of them; on standard output. */
struct trial_summary trial_report(const struct family *family, const struct trial *trials, size_t n_trials);
