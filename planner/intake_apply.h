/*
 * What agents say, brought to the places that remember it: fleet state and
 * observations (memory) and store (disk); and predictions to the feed. A batch of messages is one transaction, so the
 * API never shows what a kill could take back.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/collector.h"
#include "planner/fleet_state.h"
#include "planner/intake.h"
#include "planner/observation_log.h"
#include "planner/store.h"

struct intake_apply {
    struct fleet_state *state; /* lent, as are those below */
    struct store *store;
    struct observation_log *observations;
    struct collector *collector; /* whose feed is told; NULL while there is none */
};

/* Callbacks of the collector; `context` is the struct intake_apply. */
void intake_apply_heard(void *context, const struct intake_message *message);
void intake_apply_drained(void *context);

/* Fills the state from the store. A row that cannot be read any more is
 * skipped with a warning: its agent will send it again. */
DC_WARN_UNUSED enum dc_status intake_apply_restore(struct intake_apply *apply, struct dc_error *err);
