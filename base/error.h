/*
 * The error object: what went wrong, where, and what was expected instead.
 *
 * A function that can fail takes `struct dc_error *err` as its last argument
 * (NULL when the caller does not care) and returns the status it set. The
 * first error wins; callers on the way up prefix context: a file, a path.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/status.h"

enum { ERROR_TEXT_BYTES = 512 };

struct dc_error {
    enum dc_status status; /* DC_OK while nothing went wrong */
    int os_errno;          /* errno where the system said one, else 0 */
    char text[ERROR_TEXT_BYTES];
};

#define DC_ERROR_NONE ((struct dc_error){.status = DC_OK})

/* Records `status` with a printf text unless an error is recorded already.
 * Returns `status`, so that it can stand in a return statement. */
enum dc_status error_set(struct dc_error *err, enum dc_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a failed system call: appends ": " and the text of `os_errno`.
 * Returns DC_EIO, or DC_ENOMEM for ENOMEM. */
enum dc_status error_set_errno(struct dc_error *err, int os_errno, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Shorthand for DC_ENOMEM. */
enum dc_status error_set_nomem(struct dc_error *err);

/* Clang's analyser sees one file at a time; it could not know that these return what they record. */
#ifdef __clang_analyzer__
#define error_set(err, status, ...) ((void)error_set(err, status, __VA_ARGS__), (status))
#define error_set_nomem(err) ((void)error_set_nomem(err), DC_ENOMEM)
#endif

/* Puts a printf text and ": " in front of the recorded text (cut at its end
 * when it no longer fits). Returns the recorded status. */
enum dc_status error_prefix(struct dc_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The recorded text, or the text of the status where there is none. Lent
 * until `err` changes. */
const char *error_text(const struct dc_error *err);
