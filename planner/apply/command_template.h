/*
 * Templates of shell commands: "virsh domjobabort {uuid}".
 *
 * In:  a template and values, of which names may be hostile. Out: text for /bin/sh in which every field is one word,
 *      whatever it holds.
 *
 * A field puts its own quotes around its value, so it must stand outside the template's: a field within quotes is
 * refused when the template is checked. ${x} and \{x} are left to the shell.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

/* NULL texts: the template may not name that field. */
struct command_values {
    const char *uuid;
    const char *name;
    const char *from;
    const char *to;
    const char *host;
    const char *pipe;        /* an expanded template of its own */
    double rate_bytes_per_s; /* 0: no cap, which {rate} and {rate_mib} spell as more than any link has */
    double downtime_limit_ms;
    double memory_bytes;
};

/* Names the first field that there is none of, or that stands within quotes. */
DC_WARN_UNUSED enum dc_status command_template_check(const char *text, struct dc_error *err);

/* The command (heap, the caller frees it). DC_EINVAL for a value that no quoting makes safe: one that begins with a
 * dash would be taken for an option. On failure `*command_out` is NULL. */
DC_WARN_UNUSED enum dc_status command_template_expand(const char *text, const struct command_values *values,
                                                      char **command_out, struct dc_error *err);
