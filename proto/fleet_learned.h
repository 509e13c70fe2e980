/*
 * The parts of the fleet document that experience adds: `observations` of past
 * migrations and the `calibration` learned from them.
 *
 * In:  JSON objects. Out: struct fleet_observation, struct calibration; and back.
 * Hosts are named, not referred to: one may have left the fleet since.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/calibration.h"
#include "proto/doc_reader.h"
#include "proto/fleet_observation.h"
#include "proto/fleet_reading.h"

/* Reads one; the reader keeps what is wrong. */
void fleet_learned_get_observation(struct doc_reader *reader, const struct doc_object *object,
                                   struct fleet_observation *observation_out);

/* Set the keys on `json`; false for what JSON cannot say, or out of memory. */
DC_WARN_UNUSED bool fleet_learned_set_observation(json_t *json, const struct fleet_observation *observation);
DC_WARN_UNUSED bool fleet_learned_set_calibration(json_t *json, const struct calibration *calibration);

/* The two sections of a fleet document. */
void fleet_learned_read(struct fleet_reading *reading);
