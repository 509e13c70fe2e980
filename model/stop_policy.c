/*
 * The table of stop policies. A new one is a row here and a function that
 * runs its live rounds (policy_*.c).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/stop_policy.h"

#include "model/precopy_state.h"

#include <string.h>

static const struct stop_policy_class POLICIES[] = {
    {
        .name = "xen-v2",
        .summary = "Xen 4.6 to today: at most 5 live rounds, or one of fewer than 50 pages",
        .page_wire_bytes = 4096 + 8,
        .zero_page_wire_bytes = 4096 + 8,
        .hole_wire_bytes = 8,
        .batch_wire_bytes = 16,
        .batch_frames = 1024,
        .storage = STOP_POLICY_STORAGE_STAYS,
        .defaults = {.policy = &POLICIES[0], .max_rounds = 5, .target_dirty_pages = 50},
        .run_live_rounds = policy_xen_v2_run,
    },
    {
        .name = "xen-legacy",
        .summary = "Xen 3.0 to 4.5: skips what is dirty again; at most 29 live rounds, or 3 times the memory",
        .page_wire_bytes = 4096 + 8,
        .zero_page_wire_bytes = 4096 + 8,
        .hole_wire_bytes = 8,
        .batch_wire_bytes = 4,
        .batch_frames = 1024,
        .skips_redirtied = true,
        .storage = STOP_POLICY_STORAGE_STAYS,
        .defaults = {.policy = &POLICIES[1], .max_rounds = 29, .target_dirty_pages = 50, .max_factor = 3},
        .run_live_rounds = policy_xen_legacy_run,
    },
    {
        .name = "xapi",
        .summary = "XCP-ng, XenServer: at most 5 live rounds, or one of fewer than 50 pages after the first",
        .page_wire_bytes = 4096 + 8,
        .zero_page_wire_bytes = 4096 + 8,
        .hole_wire_bytes = 8,
        .batch_wire_bytes = 16,
        .batch_frames = 1024,
        .storage = STOP_POLICY_STORAGE_MIRRORED,
        .defaults = {.policy = &POLICIES[2], .max_rounds = 5, .target_dirty_pages = 50},
        .run_live_rounds = policy_xen_xapi_run,
    },
    {
        .name = "qemu",
        .summary = "QEMU/KVM: stops when what is left fits the downtime limit; may never converge",
        .page_wire_bytes = 4096 + 8,
        .zero_page_wire_bytes = 9,
        .storage = STOP_POLICY_STORAGE_RECOPIED,
        .defaults = {.policy = &POLICIES[3], .max_rounds = 2000, .downtime_limit_ms = 300},
        .run_live_rounds = policy_qemu_run,
    },
};

const char *const stop_policy_postcopy_texts[] = {
    [STOP_POLICY_POSTCOPY_NEVER] = "never",
    [STOP_POLICY_POSTCOPY_AT_ONCE] = "at_once",
    [STOP_POLICY_POSTCOPY_AFTER_ROUND] = "after_round",
    NULL,
};

enum { N_POLICIES = sizeof(POLICIES) / sizeof(POLICIES[0]), KNOWN_BYTES = 128 };

const struct stop_policy_class *stop_policy_at(size_t i) {
    return i < N_POLICIES ? &POLICIES[i] : NULL;
}

const struct stop_policy_class *stop_policy_find(const char *name) {
    for (size_t i = 0; i < N_POLICIES; i++) {
        if (strcmp(POLICIES[i].name, name) == 0)
            return &POLICIES[i];
    }
    return NULL;
}

/* Appends as much of `text` as there is room for. */
static void append(char known[KNOWN_BYTES], const char *text) {
    (void)strncat(known, text, KNOWN_BYTES - 1 - strlen(known));
}

enum dc_status stop_policy_init(struct stop_policy *policy_out, const char *name, struct dc_error *err) {
    const struct stop_policy_class *policy = stop_policy_find(name);
    if (policy != NULL) {
        *policy_out = policy->defaults;
        return DC_OK;
    }
    *policy_out = (struct stop_policy){0};
    char known[KNOWN_BYTES] = "";
    for (size_t i = 0; i < N_POLICIES; i++) {
        if (i > 0)
            append(known, ", ");
        append(known, POLICIES[i].name);
    }
    return error_set(err, DC_ENOTFOUND, "no stop policy called \"%.64s\"; expected one of %s", name, known);
}
