/* The wall clock with its offset. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/clock.h"

#include <time.h>

struct season_clock clock_local(void) {
    struct season_clock now = {.now_unix_ms = clock_unix_ms()};
    const time_t seconds = (time_t)(now.now_unix_ms / 1000);
    struct tm local;
    if (localtime_r(&seconds, &local) != NULL)
        now.utc_offset_s = (int)local.tm_gmtoff;
    return now;
}
