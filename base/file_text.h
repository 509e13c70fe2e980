/*
 * Whole files as text: read with a limit, written so that a reader sees the
 * old file or the new one and never half of either.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stddef.h>

/* Reads all of `path` ("-" is standard input), at most `max_bytes`, into heap
 * memory that the caller frees. One NUL past the end is not counted in
 * `*n_bytes_out`. DC_ENOTFOUND where there is no such file, DC_ELIMIT where it
 * is longer, DC_EIO otherwise; errors start with the name. On failure
 * `*text_out` is NULL. */
DC_WARN_UNUSED enum dc_status file_text_read(const char *path, size_t max_bytes, char **text_out, size_t *n_bytes_out,
                                             struct dc_error *err);

/* Replaces the content of `path`: a new file in the same folder, flushed to
 * disk, then renamed over it. What exists and is no regular file (a terminal, a
 * pipe) is written to directly. On failure the old file stands untouched. */
DC_WARN_UNUSED enum dc_status file_text_write_atomic(const char *path, const char *text, size_t n_bytes,
                                                     struct dc_error *err);

/* Writes all of `text` to an open file, however many calls it takes. Returns 0
 * or an errno. */
DC_WARN_UNUSED int file_text_write_all(int fd, const char *text, size_t n_bytes);
