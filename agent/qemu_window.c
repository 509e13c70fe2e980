/* Rates come rounded down to whole MiB/s: half of one is added, a quarter stands for less than one. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/qemu_window.h"

#include <math.h>

enum { LONGEST_WINDOW_S = 60, PAGES_PER_MIB = 256 };

void qemu_window_add(struct dirty_point *points, size_t *n_points, int window_s, double mib_per_s,
                     double memory_pages) {
    const double shown = mib_per_s > 0 ? mib_per_s + 0.5 : 0.25;
    double pages = fmin(shown * window_s * PAGES_PER_MIB, memory_pages);
    if (*n_points > 0) /* unique pages grow with the window: what says otherwise is chance */
        pages = fmax(pages, points[*n_points - 1].pages);
    points[(*n_points)++] = (struct dirty_point){window_s, pages};
}

int qemu_window_next_s(int window_s, size_t n_points, double longest_s) {
    const int next_s = window_s * 2 > LONGEST_WINDOW_S ? LONGEST_WINDOW_S : window_s * 2;
    return next_s > longest_s || next_s <= window_s || n_points == QEMU_WINDOW_MOST ? 0 : next_s;
}
