/*
 * Predictions against measured migrations: prints every run of the labs in
 * tests/data (see its README), measured and predicted, and exits 1 when a
 * threshold is missed. Each lab has a file of its own, accuracy_*.c.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/accuracy.h"

#include <stdio.h>

int main(void) {
    bool good = accuracy_xen();
    good = accuracy_qemu() && good;
    good = accuracy_sets() && good;
    good = accuracy_postgres() && good;
    good = accuracy_coverage() && good;
    (void)printf("\n%s\n", good ? "All thresholds hold." : "A threshold is MISSED.");
    return good ? 0 : 1;
}
