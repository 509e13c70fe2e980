/*
 * Units at the edge: options and configuration are read from human text,
 * results are printed as human text. Inside, everything is bytes, pages,
 * bytes per second, milliseconds or seconds, and the name says which.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { UNITS_PAGE_BYTES = 4096, UNITS_TEXT_BYTES = 32 };

/* "512", "96MiB", "1.5 GiB", "2GB" (decimal) -> bytes. */
DC_WARN_UNUSED enum dc_status units_parse_bytes(const char *text, double *bytes_out, struct dc_error *err);

/* "125000000", "1Gbit/s", "120MiB/s", "100Mbit" -> bytes per second. A bare
 * number is bytes per second. */
DC_WARN_UNUSED enum dc_status units_parse_rate(const char *text, double *bytes_per_s_out, struct dc_error *err);

/* "300ms", "30s", "30m", "2h", "1d" -> milliseconds. A bare number is refused:
 * nobody knows what it means. */
DC_WARN_UNUSED enum dc_status units_parse_duration(const char *text, double *ms_out, struct dc_error *err);

/* Three significant digits and a unit into `text` (UNITS_TEXT_BYTES are
 * enough); return `text`. Bytes in binary units, rates in decimal bits (as
 * networks are named), durations as "420 ms", "12.3 s", "4 min 05 s". */
char *units_format_bytes(double bytes, char *text, size_t text_bytes);
char *units_format_rate(double bytes_per_s, char *text, size_t text_bytes);
char *units_format_duration(double ms, char *text, size_t text_bytes);
