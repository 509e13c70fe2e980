/*
 * Control-C while a plan is searched: the first asks the search to stop, so
 * that the best plan so far is printed; the second ends the process.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stdatomic.h>

/* Installs the handler; the flag becomes true at the first SIGINT or SIGTERM. */
const atomic_bool *interrupt_watch(void);
