/*
 * Xen 4.6 to today (tools/libs/guest/xg_sr_save.c, simple_precopy_policy):
 * any round of fewer than 50 pages is the last live one, as is the fifth.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/policy_xen_stream.h"

void policy_xen_v2_run(struct precopy *precopy) {
    policy_xen_stream_run(precopy, 1);
}
