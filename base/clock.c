/* The monotonic clock in seconds. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/clock.h"

#include <time.h>

double clock_monotonic_s(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
