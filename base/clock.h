/* The monotonic clock. Only for what limits or reports time: no result may depend on it but by being cut off. */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* Seconds since some fixed time. */
double clock_monotonic_s(void);
