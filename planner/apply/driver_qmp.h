/*
 * The driver for QEMU without a toolstack: each QEMU is spoken to by QMP (qmp_run.h).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/apply/driver.h"

extern const struct driver_ops driver_qmp;
