/*
 * Configuration files: one YAML mapping of plain keys to scalars, described by
 * an option table. Every complaint names file, line and key.
 *
 * Read with libyaml itself: libcyaml forgets the line of a value once it is
 * loaded, so a range error could not name it, and it takes -1 for an unsigned
 * field.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/options.h"

/* Sets defaults, then every key of the file, then checks what is required.
 * `target` must start zeroed; on failure it is disposed. An unknown or
 * repeated key, a nested value and a value out of range are errors
 * ("planner.yaml:7: store_path: ..."). */
DC_WARN_UNUSED enum dc_status config_file_load(const char *path, const struct option_table *table, void *target,
                                               struct dc_error *err);
