/*
 * Digests of documents: a plan names the fleet it was made from by the SHA-256
 * of that fleet's text.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stddef.h>

enum { DIGEST_TEXT_BYTES = 72 }; /* "sha256:", 64 hex digits and the NUL */

/* "sha256:" and the SHA-256 of `bytes` in lower-case hex into `text_out`. Cannot fail. */
void digest_sha256_text(const void *bytes, size_t n_bytes, char text_out[DIGEST_TEXT_BYTES]);
