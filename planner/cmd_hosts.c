/* decamp hosts: what each host is, holds, and how old that knowledge is. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd.h"

enum {
    COLUMN_NAME,
    COLUMN_STATE,
    COLUMN_FRESHNESS,
    COLUMN_AGE,
    COLUMN_VMS,
    COLUMN_MEMORY,
    COLUMN_USED,
    COLUMN_FREE,
    COLUMN_CPUS,
    COLUMN_CPU_USED,
    COLUMN_MIGRATIONS,
    COLUMN_RESERVED,
    N_COLUMNS,
};

static const struct writer_field columns[N_COLUMNS] = {
    [COLUMN_NAME] = {"name", "HOST", WRITER_TEXT, false},
    [COLUMN_STATE] = {"state", "STATE", WRITER_TEXT, false},
    [COLUMN_FRESHNESS] = {"freshness", "DATA", WRITER_TEXT, false},
    [COLUMN_AGE] = {"age_ms", "AGE", WRITER_DURATION, false},
    [COLUMN_VMS] = {"n_vms", "VMS", WRITER_COUNT, false},
    [COLUMN_MEMORY] = {"memory_bytes", "MEMORY", WRITER_BYTES, false},
    [COLUMN_USED] = {"used_memory_bytes", "USED", WRITER_BYTES, false},
    [COLUMN_FREE] = {"free_memory_bytes", "FREE", WRITER_BYTES, false},
    [COLUMN_CPUS] = {"cpus", "CPUS", WRITER_COUNT, false},
    [COLUMN_CPU_USED] = {"cpu_cores_used", "BUSY", WRITER_NUMBER, false},
    [COLUMN_MIGRATIONS] = {"max_migrations", "MAX MIGRATIONS", WRITER_COUNT, false},
    [COLUMN_RESERVED] = {"reserved_memory_bytes", "RESERVED", WRITER_BYTES, true},
};

static enum dc_status write_host(const struct fleet *fleet, size_t index, struct writer *writer, struct dc_error *err) {
    const struct fleet_host *host = &fleet->hosts[index];
    double used_bytes = 0;
    double cores_used = 0;
    size_t n_vms = 0;
    for (size_t i = 0; i < fleet->n_vms; i++) {
        const struct fleet_vm *vm = &fleet->vms[i];
        if (vm->host != index)
            continue;
        n_vms++;
        used_bytes += vm->state == FLEET_VM_SHUTOFF ? 0 : vm->memory_bytes;
        cores_used += vm->state == FLEET_VM_SHUTOFF ? 0 : vm->cpu_cores_used;
    }
    const bool seen = host->seen_unix_ms > 0;
    const struct writer_value values[N_COLUMNS] = {
        [COLUMN_NAME] = writer_text(host->name),
        [COLUMN_STATE] = writer_text(fleet_doc_host_state_text(host->state)),
        [COLUMN_FRESHNESS] = seen ? writer_text(fleet_doc_freshness_text(host->freshness)) : WRITER_UNKNOWN,
        [COLUMN_AGE] = seen ? writer_number((double)(fleet->taken_unix_ms - host->seen_unix_ms)) : WRITER_UNKNOWN,
        [COLUMN_VMS] = writer_number((double)n_vms),
        [COLUMN_MEMORY] = writer_number(host->memory_bytes),
        [COLUMN_USED] = writer_number(used_bytes),
        [COLUMN_FREE] = writer_number(host->memory_bytes - host->reserved_memory_bytes - used_bytes),
        [COLUMN_CPUS] = host->cpus > 0 ? writer_number(host->cpus) : WRITER_UNKNOWN,
        [COLUMN_CPU_USED] = writer_number(cores_used),
        [COLUMN_MIGRATIONS] = host->max_migrations > 0 ? writer_number(host->max_migrations) : WRITER_UNKNOWN,
        [COLUMN_RESERVED] = writer_number(host->reserved_memory_bytes),
    };
    return writer_row(writer, values, err);
}

enum dc_status cmd_hosts(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    struct fleet fleet = {0};
    struct cli_page page = {0};
    *exit_out = CLI_EXIT_OK;
    enum dc_status rc = cli_load_fleet(cli, &fleet, err);
    if (rc == DC_OK)
        rc = cli_page_open(cli, &page, err);
    if (rc == DC_OK)
        rc = writer_begin(page.writer, "hosts", columns, N_COLUMNS, err);
    for (size_t i = 0; rc == DC_OK && i < fleet.n_hosts; i++)
        rc = write_host(&fleet, i, page.writer, err);
    if (rc == DC_OK)
        rc = writer_end(page.writer, err);
    if (rc == DC_OK)
        rc = cli_page_emit(cli, &page, err);
    cli_page_dispose(&page);
    fleet_doc_dispose(&fleet);
    return rc;
}
