/*
 * A burst recorded page by page, as a VM's profile carries it in the fleet
 * document:
 *   "bitmaps": {"interval_s": 0.25, "n_pages": 262144, "zstd_base64": "..."}
 * Unpacked, it is one bitmap an interval, each of as many 64-bit little-endian
 * words as hold n_pages bits, bits past the last page clear. The frame of zstd says its
 * own size; at most 64 MiB for a VM and 512 MiB for a document, unpacked.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/dirty_profile.h"
#include "proto/doc_reader.h"

#include <stdbool.h>

#define FLEET_BITMAPS_MAX_BYTES ((size_t)64 << 20)
#define FLEET_BITMAPS_MAX_DOCUMENT_BYTES ((size_t)512 << 20)

/* Reads the key "bitmaps" of the profile `object` into `profile->trace`, NULL where it is missing. */
void fleet_bitmaps_read(struct doc_reader *reader, const struct doc_object *object, struct dirty_profile *profile);

/* Sets the key where there is a trace. False when out of memory. */
DC_WARN_UNUSED bool fleet_bitmaps_set(json_t *json, const struct dirty_profile *profile);
