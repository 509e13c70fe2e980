/*
 * PRED, agent -> planner: a batch of predictions. Each is self-contained: the grid and
 * the p50 and p95 curves it came from, of a history that follows the clock also those of the hours to come. Latest wins
 * per (vm, boot_id, sample_number); applying one twice is harmless.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/prediction.h"
#include "proto/msg.h"

struct msg_prediction {
    char vm[MSG_UUID_BYTES];
    uint64_t sample_number; /* grows by one a burst of this VM */
    double zero_pages;
    size_t n_bursts; /* in the history it came from */
    struct prediction prediction;
    struct dirty_curve p50;
    struct dirty_curve p95;
    size_t n_hours; /* to come; 0 where the history does not follow the clock */
    struct dirty_hour *hours;
};

/* A deep copy; `*copy_out` is overwritten, the caller disposes it. */
DC_WARN_UNUSED enum dc_status msg_prediction_copy(const struct msg_prediction *prediction,
                                                  struct msg_prediction *copy_out, struct dc_error *err);

/* Idempotent. */
void msg_prediction_dispose(struct msg_prediction *prediction);

struct msg_pred {
    char *boot_id;
    size_t n_predictions;
    struct msg_prediction *predictions;
};

/* Writes the map into `buffer` (zeroed at first), replacing its content. */
DC_WARN_UNUSED enum dc_status msg_pred_write(const struct msg_pred *msg, struct msg_buffer *buffer,
                                             struct dc_error *err);

/* Scans, reads and checks a map; the error names the key. On failure `*msg_out` is
 * empty. Strings and arrays are the caller's to dispose. */
DC_WARN_UNUSED enum dc_status msg_pred_read(const void *bytes, size_t n_bytes, struct msg_pred *msg_out,
                                            struct dc_error *err);

/* Frees what a read made; idempotent. */
void msg_pred_dispose(struct msg_pred *msg);
