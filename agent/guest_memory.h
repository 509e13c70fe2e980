/*
 * A guest's memory as its QEMU process holds it: how much of it is zero.
 *
 * In:  the process and the size of the guest's memory. Out: a share. Blocks for some milliseconds
 *      (64 MiB are read at most): for a worker thread.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <sys/types.h>

/* The share of the guest's pages that are zero, from an even sample of them. QEMU tells it of no running guest. Needs
 * the right to read the process's memory: DC_EACCES; DC_ENOTFOUND: no mapping has that size. */
DC_WARN_UNUSED enum dc_status guest_memory_zero_frac(pid_t process, double memory_bytes, double *zero_frac_out,
                                                     struct dc_error *err);
