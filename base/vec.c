/* Geometric growth with an overflow check. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/vec.h"

#include <stdint.h>
#include <stdlib.h>

bool vec_reserve(void **items, size_t *capacity, size_t n_wanted, size_t item_bytes) {
    if (n_wanted <= *capacity)
        return true;
    size_t n = *capacity < 8 ? 8 : *capacity;
    while (n < n_wanted) {
        if (n > SIZE_MAX / 2)
            return false;
        n *= 2;
    }
    if (n > SIZE_MAX / item_bytes)
        return false;
    void *grown = realloc(*items, n * item_bytes);
    if (grown == NULL)
        return false;
    *items = grown;
    *capacity = n;
    return true;
}

bool vec_has(const size_t *items, size_t n, size_t item) {
    for (size_t i = 0; i < n; i++) {
        if (items[i] == item)
            return true;
    }
    return false;
}
