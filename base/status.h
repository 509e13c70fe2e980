/*
 * What a call that can fail returns. One X-macro lists every status with its
 * text, so that code and table cannot drift apart.
 *
 * Zero is success, failures are negative. Infeasible, optimal or "time limit
 * reached" are results of a question, not failures: they travel in the result.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#define DC_STATUS_MAP(X)                   \
    X(OK, 0, "success")                    \
    X(EINVAL, -1, "invalid argument")      \
    X(ENOMEM, -2, "out of memory")         \
    X(EIO, -3, "input/output error")       \
    X(EPARSE, -4, "malformed input")       \
    X(EVERSION, -5, "unsupported version") \
    X(ENOTFOUND, -6, "not found")          \
    X(EEXIST, -7, "already exists")        \
    X(ERANGE, -8, "value out of range")    \
    X(ELIMIT, -9, "limit exceeded")        \
    X(EACCES, -10, "not allowed")          \
    X(EUNSUPPORTED, -11, "not supported")  \
    X(EUNREACHABLE, -12, "unreachable")    \
    X(ESTALE, -13, "data too old")         \
    X(ETIMEOUT, -14, "timed out")          \
    X(ECANCELED, -15, "cancelled")         \
    X(EBUSY, -16, "busy")                  \
    X(ESOLVER, -17, "solver failure")      \
    X(EINTERNAL, -18, "internal error")

enum dc_status {
#define X(name, value, text) DC_##name = (value),
    DC_STATUS_MAP(X)
#undef X
};

/* Marks a function whose status must be looked at. */
#define DC_WARN_UNUSED __attribute__((warn_unused_result))

/* The text of `status`; static storage, never NULL. */
const char *status_text(enum dc_status status);
