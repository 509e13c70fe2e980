/* Comparing doubles: cmocka's own assertions compare floats. Include after cmocka.h. */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <math.h>

static inline void assert_near_at(double value, double expected, double slack, const char *file, int line) {
    if (fabs(value - expected) <= slack)
        return;
    print_error("%.17g is not within %g of %.17g\n", value, slack, expected);
    _fail(file, line);
}

#define assert_near(value, expected, slack) assert_near_at((value), (expected), (slack), __FILE__, __LINE__)
