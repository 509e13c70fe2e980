/*
 * The clocks. Only for what limits or reports time: no result may depend on them but by being cut off.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stdint.h>

/* Seconds since some fixed time, never set back. */
double clock_monotonic_s(void);

/* Milliseconds since 1970, UTC. */
int64_t clock_unix_ms(void);
