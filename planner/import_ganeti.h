/*
 * Ganeti's text format, as hbal's -t reads it and hscan writes it, to a fleet document.
 *
 * In:  sections of groups, nodes, instances, cluster tags and policies (htools(1)). Out: the
 *      fleet as JSON, and what of the file has no place in it.
 *
 * Groups become fences, exclusion tags spread rules, a DRBD instance is fenced to its two nodes, local disks stay
 * local; memory that no running instance explains is reserved. Virtual cores count by the policy's ratio. The file says
 * neither how pages are dirtied nor what the network is: the document says so by leaving it out.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <jansson.h>

/* `text` is changed. `policy` names the stop policy of every VM. On success `*fleet_out` (an object) and
 * `*warnings_out` (an array of strings) are the caller's; on failure both are NULL, and the error names the line. */
DC_WARN_UNUSED enum dc_status import_ganeti(char *text, size_t n_bytes, const char *policy, json_t **fleet_out,
                                            json_t **warnings_out, struct dc_error *err);
