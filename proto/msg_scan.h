/*
 * The structural pre-scan: walks the bytes of a msgpack value without
 * allocating, so that a claimed length can never make anyone reserve memory.
 *
 * Accepts exactly one map of depth <= MSG_MAX_DEPTH that fills the bytes to
 * the last one; every item needs at least one byte, so claimed counts are
 * checked against what is left. No ext types, no trailing bytes, UTF-8 strings
 * only, floats finite.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stddef.h>

/* DC_ELIMIT for too large or too deep, DC_EPARSE otherwise; the text names the byte. */
DC_WARN_UNUSED enum dc_status msg_scan(const void *bytes, size_t n_bytes, struct dc_error *err);
