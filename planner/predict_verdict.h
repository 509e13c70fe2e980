/*
 * How a predicted migration ends.
 *
 * In:  what was predicted and a point of the prediction. Out: whether little
 *      was left to send, a limit of the policy cut it off (while its rounds still shrank, or
 *      when they no longer did), or it never ends.
 *
 * Rounds no longer shrink where the last live round leaves about as many pages
 * as it sent: then dirtying keeps up with the link.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/prediction.h"

enum predict_verdict {
    PREDICT_CONVERGES,   /* what was left had become little */
    PREDICT_ROUND_LIMIT, /* its last permitted live round was done */
    PREDICT_SENT_LIMIT,  /* it had sent the memory too many times */
    PREDICT_FORCED,      /* a limit ended it, and more rounds would have gained nothing */
    PREDICT_ENDLESS,     /* nothing makes it stop */
};

/* Of `point`, predicted from `input`; judged, as `point->converges` is, at p95. */
DC_WARN_UNUSED enum dc_status predict_verdict_of(const struct prediction_input *input,
                                                 const struct prediction_point *point,
                                                 enum predict_verdict *verdict_out, struct dc_error *err);

/* Does it stop converging there? True of the last two. */
bool predict_verdict_is_bad(enum predict_verdict verdict);

/* For people and documents: "converges", "round limit", ...; static storage. */
const char *predict_verdict_text(enum predict_verdict verdict);
