/*
 * QEMU's calc-dirty-rate as points of a curve, whoever asked for it: QMP or libvirt.
 *
 * In: whole MiB/s over a window of whole seconds. Out: unique pages dirtied in it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/dirty_profile.h"

#include <stddef.h>

enum { QEMU_WINDOW_MOST = 7 };

/* The next point, from the rate in MiB/s that QEMU rounded down. `points` has room for QEMU_WINDOW_MOST. */
void qemu_window_add(struct dirty_point *points, size_t *n_points, int window_s, double mib_per_s, double memory_pages);

/* The window after `window_s`; 0: that was the last one of a burst with `n_points` that may take `longest_s`. */
int qemu_window_next_s(int window_s, size_t n_points, double longest_s);
