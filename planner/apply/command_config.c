/* The keys of a driver's file, and the presets as texts of the same keys. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/command_config.h"

#include "base/config_file.h"
#include "planner/apply/command_template.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(key) .name = #key, .offset = offsetof(struct command_config, key)

static const struct option_spec specs[] = {
    {FIELD(remote), .type = OPTION_STRING,
     .help = "how a command reaches {host}, such as `ssh root@{host}`; \"\": here"},
    {FIELD(migrate), .type = OPTION_STRING, .help = "migrates {name} ({uuid}) from {from} to {to}; runs on {from}"},
    {FIELD(cold_migrate), .type = OPTION_STRING, .help = "the same of a VM that is shut off"},
    {FIELD(pipe), .type = OPTION_STRING, .help = "what {pipe} stands for, as one word"},
    {FIELD(abort), .type = OPTION_STRING, .help = "ends a migration without loss; runs on {from}"},
    {FIELD(bandwidth), .type = OPTION_STRING, .help = "sets a new cap of {rate} bytes/s or {rate_mib}; runs on {from}"},
    {FIELD(progress), .type = OPTION_STRING,
     .help = "prints ROUND SENT_BYTES REMAINING_BYTES DIRTY_PAGES_PER_S, - for what is not known; runs on {from}"},
    {FIELD(locate), .type = OPTION_STRING,
     .help = "prints runs, migrating, paused, incoming or absent; runs on {host}; fails where it cannot tell"},
    {FIELD(boot), .type = OPTION_STRING, .help = "boots {host} and waits until it takes VMs; runs here"},
    {FIELD(shutdown), .type = OPTION_STRING, .help = "shuts {host} down; runs on {host}"},
    {.name = "locate_timeout",
     .offset = offsetof(struct command_config, locate_timeout_ms),
     .type = OPTION_DURATION_MS,
     .default_text = "20s",
     .min = 100,
     .max = 600e3,
     .help = "how long a host may take to say where a VM is, before it counts as lost"},
    {.name = "progress_interval",
     .offset = offsetof(struct command_config, progress_interval_ms),
     .type = OPTION_DURATION_MS,
     .default_text = "2s",
     .min = 100,
     .max = 600e3,
     .help = "how often progress is asked for"},
};

#undef FIELD

static const struct option_table table = {specs, sizeof(specs) / sizeof(specs[0])};

#define BY_SSH "ssh -o BatchMode=yes -o ConnectTimeout=10 root@"

struct preset {
    const char *name;
    struct {
        const char *key;
        const char *text;
    } texts[8];
};

/* With an empty -s xl takes its host argument for the whole shell command, so the cap stands in the pipe. Killing
 * `xl migrate` leaves the guest suspended once its memory is sent; so the abort breaks the pipe instead, upon which xl
 * resumes the guest at the source. While xl is stopped it sees whether the source is renamed already: from then on the
 * target may have been told to go, and nothing is touched any more. */
static const char xl_migrate[] = "echo $$ >/run/decamp-{uuid}.pid; exec xl migrate -s '' {name} {pipe}";
static const char xl_abort[] =
    "p=$(cat /run/decamp-{uuid}.pid) && [ \"$(cat /proc/$p/comm)\" = xl ] || { echo no xl migrate of it >&2; exit 1; };"
    " kill -STOP $p; r=1;"
    " if xl domid {name} >/dev/null 2>&1; then"
    " for s in $(pgrep -x -P $p sh); do pkill -TERM -x -P $s pv && r=0; done; fi; kill -CONT $p; exit $r";
static const char xl_locate[] =
    "xl list >/dev/null || exit 9;"
    " if xl domid {name}--incoming >/dev/null 2>&1; then echo incoming;"
    " elif xl domid {name} >/dev/null 2>&1; then"
    " case $(xl list {name} | awk 'NR == 2 { print $(NF - 1) }') in *[psc]*) echo paused;; *) echo runs;; esac;"
    " elif xl domid {name}--migratedaway >/dev/null 2>&1; then echo paused;"
    " else echo absent; fi";

static const char virsh_locate[] =
    "l=$(virsh list --all --uuid) || exit 9;"
    " printf '%s\\n' \"$l\" | grep -qixF {uuid} || { echo absent; exit 0; };"
    " s=$(virsh domstate --reason {uuid}) || exit 9;"
    " case $s in *migrating*) echo incoming;;"
    " running*) if virsh domjobinfo {uuid} | grep -q 'Operation:.*Outgoing'; then echo migrating; else echo runs; fi;;"
    " *) echo paused;; esac";
static const char virsh_progress[] =
    "virsh domjobinfo {uuid} --rawstats | tr ':=' '  ' | awk '{ v[$1] = $2 } END { if (\"memory_remaining\" in v)"
    " print v[\"memory_iteration\"] + 0, v[\"memory_processed\"] + 0, v[\"memory_remaining\"] + 0,"
    " v[\"memory_dirty_rate\"] + 0 }'";

static const char xe_locate[] =
    "h=$(xe host-list name-label={host} --minimal) && [ -n \"$h\" ] || exit 9;"
    " r=$(xe vm-param-get uuid={uuid} param-name=resident-on) || exit 9;"
    " [ \"$r\" = \"$h\" ] || { echo absent; exit 0; };"
    " case $(xe vm-param-get uuid={uuid} param-name=current-operations) in"
    " *migrate*) echo migrating; exit 0;; esac;"
    " [ \"$(xe vm-param-get uuid={uuid} param-name=power-state)\" = running ] && echo runs || echo paused";

static const struct preset presets[] = {
    {"command", {{NULL, NULL}}},
    {"xl",
     {{"remote", BY_SSH "{host}"},
      {"migrate", xl_migrate},
      {"pipe", "pv -q -L {rate} | " BY_SSH "{to} xl migrate-receive"},
      {"abort", xl_abort},
      {"locate", xl_locate}}},
    {"xe",
     {{"remote", BY_SSH "{host}"},
      {"migrate", "xe vm-migrate uuid={uuid} host={to} live=true"},
      {"locate", xe_locate}}},
    {"virsh",
     {{"remote", BY_SSH "{host}"},
      {"migrate", "virsh migrate --live --persistent --undefinesource --bandwidth {rate_mib} {uuid}"
                  " qemu+ssh://root@{to}/system"},
      {"cold_migrate", "virsh migrate --offline --persistent --undefinesource {uuid} qemu+ssh://root@{to}/system"},
      {"abort", "virsh domjobabort {uuid}"},
      {"bandwidth", "virsh migrate-setspeed {uuid} {rate_mib}"},
      {"progress", virsh_progress},
      {"locate", virsh_locate}}},
};

const struct option_table *command_config_table(void) {
    return &table;
}

static const struct preset *find_preset(const char *name) {
    for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
        if (strcmp(presets[i].name, name) == 0)
            return &presets[i];
    }
    return NULL;
}

static const char *preset_text(const struct preset *preset, const char *key) {
    for (size_t i = 0; i < sizeof(preset->texts) / sizeof(preset->texts[0]) && preset->texts[i].key != NULL; i++) {
        if (strcmp(preset->texts[i].key, key) == 0)
            return preset->texts[i].text;
    }
    return "";
}

/* What the file leaves out comes from the preset; then every template is looked at. */
static enum dc_status complete(struct command_config *config, const struct preset *preset, struct dc_error *err) {
    for (size_t i = 0; i < table.n_specs; i++) {
        if (specs[i].type != OPTION_STRING)
            continue;
        char **text = (char **)(void *)((char *)config + specs[i].offset);
        if (*text == NULL && (*text = strdup(preset_text(preset, specs[i].name))) == NULL)
            return error_set_nomem(err);
        const enum dc_status rc = command_template_check(*text, err);
        if (rc != DC_OK)
            return error_prefix(err, "%s", specs[i].name);
    }
    if (config->migrate[0] == '\0' || config->locate[0] == '\0')
        return error_set(err, DC_EINVAL, "%s: expected a template: nothing can be applied without it",
                         config->migrate[0] == '\0' ? "migrate" : "locate");
    return DC_OK;
}

enum dc_status command_config_load(const char *path, const char *preset_name, struct command_config *config_out,
                                   struct dc_error *err) {
    const struct preset *preset = find_preset(preset_name);
    *config_out = (struct command_config){0};
    if (preset == NULL)
        return error_set(err, DC_EINTERNAL, "no preset %s", preset_name);
    enum dc_status rc =
        path != NULL ? config_file_load(path, &table, config_out, err) : options_set_defaults(&table, config_out, err);
    if (rc == DC_OK && (rc = complete(config_out, preset, err)) != DC_OK)
        (void)error_prefix(err, "%s", path != NULL ? path : "the driver's settings (--drivers FILE)");
    if (rc != DC_OK)
        command_config_dispose(config_out);
    return rc;
}

void command_config_dispose(struct command_config *config) {
    options_dispose(&table, config);
}
