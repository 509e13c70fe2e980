/*
 * Quantiles of a duration in documents: {"p50": ms, "p90": ms, "p95": ms}.
 *
 * In:  a JSON object. Out: struct prediction_quantiles; and back. `p90` may be left out (format 1.0
 * had none): the p95 stands in for it, which is never too short.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/prediction.h"
#include "proto/doc_reader.h"

/* Reads the object at `key`, which must be there; the reader keeps what is wrong. */
void doc_quantiles_read(struct doc_reader *reader, const struct doc_object *object, const char *key,
                        struct prediction_quantiles *quantiles_out);

/* A new reference; NULL for what JSON cannot say, or out of memory. */
json_t *doc_quantiles_json(const struct prediction_quantiles *quantiles);
