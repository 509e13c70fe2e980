/* The system's two clocks. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/fleet_clock.h"

#include <time.h>

struct fleet_clock fleet_clock_now(void) {
    struct timespec wall;
    struct timespec monotonic;
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    (void)clock_gettime(CLOCK_MONOTONIC, &monotonic);
    return (struct fleet_clock){.monotonic_ms = (double)monotonic.tv_sec * 1e3 + (double)monotonic.tv_nsec / 1e6,
                                .unix_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000};
}
