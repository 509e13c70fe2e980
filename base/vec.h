/*
 * Growth of plain arrays: `items`, `n_items` and a capacity held side by side
 * by their owner, without a container type of their own.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Makes room for `n_wanted` items of `item_bytes` in the heap array `*items`
 * (NULL at first), growing `*capacity` geometrically. False when out of
 * memory or when the size overflows; the array is then as it was. */
DC_WARN_UNUSED bool vec_reserve(void **items, size_t *capacity, size_t n_wanted, size_t item_bytes);

/* Is `item` among the `n` items? */
bool vec_has(const size_t *items, size_t n, size_t item);
