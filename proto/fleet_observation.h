/*
 * Observed migrations in the fleet document: what was predicted when a
 * migration began, and what was seen of it in the end.
 *
 * In:  items of the document's `observations`, or one observation as a text of its
 *      own (format "decamp/observation"), as the planner's store keeps it.
 * Out: struct fleet_observation; and back.
 *
 * Numbers that nobody told are FLEET_UNSET (null in JSON), times 0.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "model/prediction.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What was predicted before the migration, and what the prediction rested on. */
struct fleet_foresight {
    double bandwidth_bytes_per_s; /* of payload; 0: nothing was predicted */
    double goodput_frac;          /* of the path's capacity, counted on in that bandwidth */
    double pre_ms, post_ms;       /* of the times below */
    struct prediction_quantiles migration_ms;
    struct prediction_quantiles downtime_ms;
    double bytes;
    unsigned n_rounds;
    bool converges;
    int64_t made_unix_ms;
};

struct fleet_observation {
    char *vm; /* uuid */
    char *name;
    char *from; /* NULL where not known, as the two below */
    char *to;
    char *policy;
    double memory_bytes;
    int64_t ordered_unix_ms;      /* its HOLD; 0: it had none */
    int64_t began_unix_ms;        /* by the source's clock; 0: it has not */
    double bandwidth_bytes_per_s; /* asked for */
    double startup_ms;            /* from the order to the beginning */
    double migration_ms;
    double downtime_ms;
    double bytes;
    double n_rounds;
    int64_t suspended_unix_ms, resumed_unix_ms;
    bool succeeded;
    struct fleet_foresight predicted;
};

/* Frees what it owns and zeroes it; idempotent. */
void fleet_observation_dispose(struct fleet_observation *observation);
DC_WARN_UNUSED enum dc_status fleet_observation_copy(const struct fleet_observation *observation,
                                                     struct fleet_observation *copy_out, struct dc_error *err);

/* One observation as a document of its own (heap, the caller's); and read back. Errors as those of fleet_doc_read(). */
DC_WARN_UNUSED enum dc_status fleet_observation_write(const struct fleet_observation *observation, char **text_out,
                                                      struct dc_error *err);
DC_WARN_UNUSED enum dc_status fleet_observation_read(const char *text, size_t n_bytes,
                                                     struct fleet_observation *observation_out, struct dc_error *err);
