/* The wall clock in the unit of every `_unix_ms`. Durations come from the loop's monotonic uv_now. */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stdint.h>

/* Milliseconds since 1970, UTC. */
int64_t clock_unix_ms(void);
