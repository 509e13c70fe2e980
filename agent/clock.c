/* The wall clock. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/clock.h"

#include <time.h>

int64_t clock_unix_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct season_clock clock_local(void) {
    struct season_clock now = {.now_unix_ms = clock_unix_ms()};
    const time_t seconds = (time_t)(now.now_unix_ms / 1000);
    struct tm local;
    if (localtime_r(&seconds, &local) != NULL)
        now.utc_offset_s = (int)local.tm_gmtoff;
    return now;
}
