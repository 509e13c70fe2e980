/* The error object: first error wins, context is put in front. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void record(struct dc_error *err, enum dc_status status, int os_errno, const char *format, va_list args) {
    err->status = status;
    err->os_errno = os_errno;
    (void)vsnprintf(err->text, sizeof(err->text), format, args);
}

enum dc_status(error_set)(struct dc_error *err, enum dc_status status, const char *format, ...) {
    if (err == NULL || err->status != DC_OK)
        return status;
    va_list args;
    va_start(args, format);
    record(err, status, 0, format, args);
    va_end(args);
    return status;
}

enum dc_status error_set_errno(struct dc_error *err, int os_errno, const char *format, ...) {
    const enum dc_status status = os_errno == ENOMEM ? DC_ENOMEM : DC_EIO;
    if (err == NULL || err->status != DC_OK)
        return status;
    va_list args;
    va_start(args, format);
    record(err, status, os_errno, format, args);
    va_end(args);
    const size_t used = strlen(err->text);
    (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(os_errno));
    return status;
}

enum dc_status(error_set_nomem)(struct dc_error *err) {
    return error_set(err, DC_ENOMEM, "%s", status_text(DC_ENOMEM));
}

enum dc_status error_prefix(struct dc_error *err, const char *format, ...) {
    if (err == NULL)
        return DC_EINTERNAL;
    char old[ERROR_TEXT_BYTES];
    memcpy(old, err->text, sizeof(old));
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    const size_t used = strlen(err->text);
    (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", old);
    return err->status;
}

const char *error_text(const struct dc_error *err) {
    return err->text[0] != '\0' ? err->text : status_text(err->status);
}
