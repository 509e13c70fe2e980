/* SHA-256 by nettle, which keeps no state of its own and needs no setting up. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/digest.h"

#include <nettle/sha2.h>
#include <stdint.h>
#include <stdio.h>

void digest_sha256_text(const void *bytes, size_t n_bytes, char text_out[DIGEST_TEXT_BYTES]) {
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&context);
    sha256_update(&context, n_bytes, bytes);
    sha256_digest(&context, sizeof(digest), digest);
    int used = snprintf(text_out, DIGEST_TEXT_BYTES, "sha256:");
    for (size_t i = 0; i < sizeof(digest); i++)
        used += snprintf(text_out + used, (size_t)(DIGEST_TEXT_BYTES - used), "%02x", digest[i]);
}
