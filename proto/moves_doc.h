/*
 * The moves document: VMs and the destinations chosen for them, the input of
 * `decamp schedule --moves` (format "decamp/moves", version 1.x).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stddef.h>

struct move {
    char *vm; /* uuid or name */
    char *to; /* host name */
};

struct moves {
    size_t n_moves;
    struct move *moves;
};

void moves_doc_dispose(struct moves *moves);

/* Errors as of fleet_doc_read; a VM that stands twice is an error. */
DC_WARN_UNUSED enum dc_status moves_doc_read(const char *text, size_t n_bytes, struct moves *moves_out,
                                             struct dc_error *err);
DC_WARN_UNUSED enum dc_status moves_doc_read_file(const char *path, struct moves *moves_out, struct dc_error *err);
