/* The table of the agent's options, and the rules between them. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/agent_config.h"

#include "base/config_file.h"
#include "base/key_file.h"
#include "proto/msg.h"

#include <stddef.h>
#include <string.h>

static const char *const source_names[] = {"replay", "xen", "qemu", "libvirt", NULL};
static const char *const xen_policies[] = {"xen-v2", "xapi", "xen-legacy", NULL};
static const char *const qemu_dirty_modes[] = {"page-sampling", "dirty-bitmap", "dirty-ring", NULL};
static const char *const level_names[] = {"error", "warn", "info", "debug", NULL};

#define FIELD(name) .offset = offsetof(struct agent_config, name)

static const struct option_spec specs[] = {
    {.name = "host", .type = OPTION_STRING, FIELD(host), .required = true, .help = "name of this host in the fleet"},
    {.name = "planner",
     .type = OPTION_STRING,
     FIELD(planner),
     .required = true,
     .help = "endpoint of the planner, such as tcp://planner.example:7450"},
    {.name = "planner_public_key_file",
     .type = OPTION_STRING,
     FIELD(planner_public_key_file),
     .required = true,
     .help = "file with the planner's public key"},
    {.name = "secret_key_file",
     .type = OPTION_STRING,
     FIELD(secret_key_file),
     .required = true,
     .help = "file with this agent's secret key"},
    {.name = "source",
     .type = OPTION_CHOICE,
     FIELD(source),
     .required = true,
     .choices = source_names,
     .help = "where dirty pages come from"},
    {.name = "replay_file",
     .type = OPTION_STRING,
     FIELD(replay_file),
     .help = "source replay: the fleet document with recorded bursts"},
    {.name = "replay_speed",
     .type = OPTION_DOUBLE,
     FIELD(replay_speed),
     .default_text = "1",
     .min = 0.001,
     .max = 1e6,
     .help = "source replay: how much faster than recorded"},
    {.name = "module_dir",
     .type = OPTION_STRING,
     FIELD(module_dir),
     .default_text = DECAMP_MODULE_DIR,
     .help = "where source_xen.so and source_libvirt.so are"},
    {.name = "state_dir",
     .type = OPTION_STRING,
     FIELD(state_dir),
     .default_text = "/var/lib/decamp",
     .help = "where the history is kept"},
    {.name = "history_bursts",
     .type = OPTION_UINT,
     FIELD(history_bursts),
     .default_text = "2016",
     .min = 1,
     .max = 1e6,
     .help = "bursts kept of each VM (2016: two weeks of one every 10 minutes)"},
    {.name = "prediction_bursts",
     .type = OPTION_UINT,
     FIELD(prediction_bursts),
     .default_text = "288",
     .min = 1,
     .max = 10000,
     .help = "the newest so many bursts make a prediction (288: two days)"},
    {.name = "sample_interval",
     .type = OPTION_DURATION_MS,
     FIELD(sample_interval_ms),
     .default_text = "10m",
     .min = 100,
     .max = 86400e3,
     .help = "from one burst of a VM to its next"},
    {.name = "burst_duration",
     .type = OPTION_DURATION_MS,
     FIELD(burst_duration_ms),
     .default_text = "60s",
     .min = 250,
     .max = 3600e3,
     .help = "longest window of a burst"},
    {.name = "sampling_budget_frac",
     .type = OPTION_DOUBLE,
     FIELD(sampling_budget_frac),
     .default_text = "0.1",
     .min = 0.001,
     .max = 1,
     .help = "share of their time that VMs may spend under sampling"},
    {.name = "grid_low",
     .type = OPTION_RATE,
     FIELD(grid_low_bytes_per_s),
     .default_text = "5MB/s",
     .min = 1e3,
     .max = 1e12,
     .help = "lowest bandwidth predicted for"},
    {.name = "grid_high",
     .type = OPTION_RATE,
     FIELD(grid_high_bytes_per_s),
     .default_text = "3200MB/s",
     .min = 1e3,
     .max = 1e12,
     .help = "highest bandwidth predicted for"},
    {.name = "grid_points",
     .type = OPTION_UINT,
     FIELD(grid_points),
     .default_text = "20",
     .min = 2,
     .max = MSG_MAX_POINTS,
     .help = "bandwidths predicted for, spaced geometrically"},
    {.name = "overhead_pre",
     .type = OPTION_DURATION_MS,
     FIELD(overhead_pre_ms),
     .default_text = "500ms",
     .max = 600e3,
     .help = "from the command to the first page"},
    {.name = "overhead_post",
     .type = OPTION_DURATION_MS,
     FIELD(overhead_post_ms),
     .default_text = "150ms",
     .max = 600e3,
     .help = "from the last page until the guest runs"},
    {.name = "overhead_in_flight",
     .type = OPTION_BYTES,
     FIELD(overhead_in_flight_bytes),
     .default_text = "0B",
     .max = 1e12,
     .help = "buffered below the hypervisor"},
    {.name = "overhead_suspend_pages",
     .type = OPTION_DOUBLE,
     FIELD(overhead_suspend_pages),
     .default_text = "0",
     .max = 1e9,
     .help = "pages dirtied by the suspend itself"},
    {.name = "xen_policy",
     .type = OPTION_CHOICE,
     FIELD(xen_policy),
     .default_text = "xen-v2",
     .choices = xen_policies,
     .help = "source xen: how the toolstack ends its live rounds (xl since Xen 4.6, XAPI, Xen up to 4.5)"},
    {.name = "qemu_sockets",
     .type = OPTION_STRING,
     FIELD(qemu_sockets),
     .help = "source qemu: the folder with a QMP socket of each QEMU, for this agent alone"},
    {.name = "qemu_dirty_mode",
     .type = OPTION_CHOICE,
     FIELD(qemu_dirty_mode),
     .default_text = "page-sampling",
     .choices = qemu_dirty_modes,
     .help = "source qemu: how QEMU counts dirty pages (all but page-sampling need KVM)"},
    {.name = "libvirt_uri",
     .type = OPTION_STRING,
     FIELD(libvirt_uri),
     .default_text = "qemu:///system",
     .help = "source libvirt: how libvirtd is reached"},
    {.name = "host_memory",
     .type = OPTION_BYTES,
     FIELD(host_memory_bytes),
     .default_text = "0B",
     .max = 1e16,
     .help = "sources qemu, libvirt: memory of this host (0: what the machine has)"},
    {.name = "host_reserved_memory",
     .type = OPTION_BYTES,
     FIELD(host_reserved_memory_bytes),
     .default_text = "1GiB",
     .max = 1e16,
     .help = "sources qemu, libvirt: memory that is not for guests"},
    {.name = "log_level",
     .type = OPTION_CHOICE,
     FIELD(log_level),
     .default_text = "info",
     .choices = level_names,
     .help = "least important lines that are logged"},
};

static const struct option_table table = {.specs = specs, .n_specs = sizeof(specs) / sizeof(specs[0])};

static enum dc_status check(const struct agent_config *config, struct dc_error *err) {
    if (config->source == AGENT_SOURCE_REPLAY && config->replay_file == NULL)
        return error_set(err, DC_EINVAL, "replay_file: expected a file, as source is \"replay\"");
    if (config->source == AGENT_SOURCE_QEMU && config->qemu_sockets == NULL)
        return error_set(err, DC_EINVAL, "qemu_sockets: expected a folder, as source is \"qemu\"");
    if (config->grid_low_bytes_per_s >= config->grid_high_bytes_per_s)
        return error_set(err, DC_EINVAL, "grid_low: expected a rate below grid_high");
    if (config->burst_duration_ms > config->sample_interval_ms)
        return error_set(err, DC_EINVAL, "burst_duration: expected at most sample_interval");
    if (strlen(config->host) == 0 || strlen(config->host) > MSG_MAX_NAME_BYTES)
        return error_set(err, DC_EINVAL, "host: expected 1 to %d bytes", (int)MSG_MAX_NAME_BYTES);
    return DC_OK;
}

enum dc_status agent_config_load(const char *path, struct agent_config *config_out, struct dc_error *err) {
    *config_out = (struct agent_config){.host = NULL};
    enum dc_status rc = config_file_load(path, &table, config_out, err);
    if (rc != DC_OK)
        return rc;
    rc = check(config_out, err);
    if (rc != DC_OK) {
        (void)error_prefix(err, "%s", path);
        agent_config_dispose(config_out);
    }
    return rc;
}

enum dc_status agent_config_read_keys(const struct agent_config *config, struct publisher_config *keys_out,
                                      struct dc_error *err) {
    *keys_out = (struct publisher_config){.endpoint = config->planner};
    enum dc_status rc = key_file_read(config->planner_public_key_file, false, keys_out->planner_public_key, err);
    if (rc == DC_OK)
        rc = key_file_read(config->secret_key_file, true, keys_out->secret_key, err);
    return rc;
}

const char *agent_config_xen_policy(const struct agent_config *config) {
    return xen_policies[config->xen_policy];
}

void agent_config_dispose(struct agent_config *config) {
    options_dispose(&table, config);
}
