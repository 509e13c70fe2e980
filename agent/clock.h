/* The wall clock in the unit of every `_unix_ms`. Durations come from the loop's monotonic uv_now. */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/clock.h"
#include "model/season.h"

/* The wall clock with local time's offset: what an hour of the day is here. */
struct season_clock clock_local(void);
