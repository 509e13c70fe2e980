/*
 * The agent's settings: one option table, read from a YAML file. Sizes are
 * bytes, rates bytes/s, durations ms.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "agent/publisher.h"
#include "base/error.h"

#include <stdint.h>

enum agent_source { AGENT_SOURCE_REPLAY, AGENT_SOURCE_XEN, AGENT_SOURCE_QEMU, AGENT_SOURCE_LIBVIRT };

struct agent_config {
    char *host;
    char *planner;
    char *planner_public_key_file;
    char *secret_key_file;
    unsigned source; /* enum agent_source */
    char *replay_file;
    double replay_speed;
    char *module_dir;
    char *state_dir;
    uint64_t history_bursts;
    uint64_t prediction_bursts;
    double sample_interval_ms;
    double burst_duration_ms;
    double sampling_budget_frac;
    double grid_low_bytes_per_s;
    double grid_high_bytes_per_s;
    uint64_t grid_points;
    double overhead_pre_ms;
    double overhead_post_ms;
    double overhead_in_flight_bytes;
    double overhead_suspend_pages;
    unsigned xen_policy; /* see agent_config_xen_policy */
    char *qemu_sockets;
    unsigned qemu_dirty_mode; /* enum qemu_dirty_mode */
    char *libvirt_uri;
    double host_memory_bytes; /* 0: what the machine has */
    double host_reserved_memory_bytes;
    unsigned log_level; /* enum log_level */
};

/* Reads and checks `path`, with what one key demands of another. Errors name file, line and key. */
DC_WARN_UNUSED enum dc_status agent_config_load(const char *path, struct agent_config *config_out,
                                                struct dc_error *err);

/* Reads the key files into `keys_out`, whose endpoint is lent by `config`. The caller wipes it. */
DC_WARN_UNUSED enum dc_status agent_config_read_keys(const struct agent_config *config,
                                                     struct publisher_config *keys_out, struct dc_error *err);

/* The name of the stop policy that a Xen host's toolstack has. */
const char *agent_config_xen_policy(const struct agent_config *config);

/* Idempotent. */
void agent_config_dispose(struct agent_config *config);
