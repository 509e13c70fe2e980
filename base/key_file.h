/*
 * Key files: one CURVE key a file, as 40 characters of Z85 text (ZeroMQ RFC
 * 32) on a line of its own. Lines that begin with "# " are comments; the space
 * tells them from a key, whose first character may be '#'.
 *
 * A secret that others can read is no secret: such a file is refused.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stdbool.h>

enum { KEY_FILE_TEXT_BYTES = 41 }; /* 40 characters and NUL */

/* True for 40 characters of the Z85 alphabet. */
bool key_file_is_key(const char *text);

/* Reads the key of `path`. DC_ENOTFOUND for a missing file, DC_EACCES for a
 * `secret` that group or others may read (the text names the chmod), DC_EPARSE
 * for a file that does not hold exactly one key. Errors name the file and
 * never the key. */
DC_WARN_UNUSED enum dc_status key_file_read(const char *path, bool secret, char key_out[KEY_FILE_TEXT_BYTES],
                                            struct dc_error *err);

/* Creates `path`, mode 0600 for a secret and 0644 otherwise, and flushes it to
 * disk. DC_EEXIST where the file exists: a key is never overwritten. */
DC_WARN_UNUSED enum dc_status key_file_write(const char *path, bool secret, const char *key, struct dc_error *err);
