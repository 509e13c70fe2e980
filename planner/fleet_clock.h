/*
 * Both clocks at one moment: ages are monotonic, documents carry wall time.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stdint.h>

struct fleet_clock {
    double monotonic_ms;
    int64_t unix_ms;
};

struct fleet_clock fleet_clock_now(void);
