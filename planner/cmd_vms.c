/* decamp vms [HOST]: the VMs, and what is known of their migrations. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd.h"
#include "planner/vm_order.h"

#include <math.h>
#include <stdlib.h>

enum {
    COLUMN_NAME,
    COLUMN_HOST,
    COLUMN_STATE,
    COLUMN_MEMORY,
    COLUMN_VCPUS,
    COLUMN_CPU_USED,
    COLUMN_POLICY,
    COLUMN_BUDGET,
    COLUMN_KNOWN,
    COLUMN_AGE,
    COLUMN_UUID,
    COLUMN_PRIORITY,
    N_COLUMNS,
};

static const struct writer_field columns[N_COLUMNS] = {
    [COLUMN_NAME] = {"name", "VM", WRITER_TEXT, false},
    [COLUMN_HOST] = {"host", "HOST", WRITER_TEXT, false},
    [COLUMN_STATE] = {"state", "STATE", WRITER_TEXT, false},
    [COLUMN_MEMORY] = {"memory_bytes", "MEMORY", WRITER_BYTES, false},
    [COLUMN_VCPUS] = {"vcpus", "VCPUS", WRITER_COUNT, false},
    [COLUMN_CPU_USED] = {"cpu_cores_used", "BUSY", WRITER_NUMBER, false},
    [COLUMN_POLICY] = {"policy", "POLICY", WRITER_TEXT, false},
    [COLUMN_BUDGET] = {"downtime_budget_ms", "DOWNTIME BUDGET", WRITER_DURATION, false},
    [COLUMN_KNOWN] = {"known", "KNOWN BY", WRITER_TEXT, false},
    [COLUMN_AGE] = {"prediction_age_ms", "PREDICTED", WRITER_DURATION, false},
    [COLUMN_UUID] = {"uuid", "UUID", WRITER_TEXT, true},
    [COLUMN_PRIORITY] = {"priority", "PRIORITY", WRITER_NUMBER, true},
};

static const char *known_by(const struct fleet_vm *vm) {
    const bool has_profile = vm->profile.kind != DIRTY_PROFILE_NONE;
    if (vm->prediction.n_points > 0)
        return has_profile ? "prediction, profile" : "prediction";
    return has_profile ? "profile" : "nothing";
}

static enum dc_status write_vm(const struct fleet *fleet, const struct fleet_vm *vm, struct writer *writer,
                               struct dc_error *err) {
    const bool dated = vm->prediction.n_points > 0 && vm->prediction.made_unix_ms > 0 && fleet->taken_unix_ms > 0;
    const double age_ms = (double)(fleet->taken_unix_ms - vm->prediction.made_unix_ms);
    const struct writer_value values[N_COLUMNS] = {
        [COLUMN_NAME] = writer_text(vm->name),
        [COLUMN_HOST] = writer_text(fleet->hosts[vm->host].name),
        [COLUMN_STATE] = writer_text(fleet_doc_vm_state_text(vm->state)),
        [COLUMN_MEMORY] = writer_number(vm->memory_bytes),
        [COLUMN_VCPUS] = vm->vcpus > 0 ? writer_number(vm->vcpus) : WRITER_UNKNOWN,
        [COLUMN_CPU_USED] = writer_number(vm->cpu_cores_used),
        [COLUMN_POLICY] = vm->has_policy ? writer_text(vm->policy.policy->name) : WRITER_UNKNOWN,
        [COLUMN_BUDGET] = vm->downtime_budget_ms >= 0 ? writer_number(vm->downtime_budget_ms) : WRITER_UNKNOWN,
        [COLUMN_KNOWN] = writer_text(known_by(vm)),
        [COLUMN_AGE] = dated ? writer_number(fmax(0, age_ms)) : WRITER_UNKNOWN, /* clocks differ a little */
        [COLUMN_UUID] = writer_text(vm->uuid),
        [COLUMN_PRIORITY] = writer_number(vm->priority),
    };
    return writer_row(writer, values, err);
}

enum dc_status cmd_vms(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    const char *host_name = cli->arguments.n > 0 ? cli->arguments.items[0] : NULL;
    struct fleet fleet = {0};
    struct cli_page page = {0};
    long host = FLEET_NO_INDEX;
    size_t *order = NULL;
    *exit_out = CLI_EXIT_OK;
    enum dc_status rc = cli_load_fleet(cli, &fleet, err);
    if (rc == DC_OK && host_name != NULL) {
        host = fleet_doc_find_host(&fleet, host_name);
        if (host == FLEET_NO_INDEX)
            rc = error_set(err, DC_ENOTFOUND, "no host is called %s", host_name);
    }
    if (rc == DC_OK)
        rc = vm_order_new(&fleet, &order, err);
    if (rc == DC_OK)
        rc = cli_page_open(cli, &page, err);
    if (rc == DC_OK)
        rc = writer_begin(page.writer, "vms", columns, N_COLUMNS, err);
    for (size_t i = 0; rc == DC_OK && i < fleet.n_vms; i++) {
        const struct fleet_vm *vm = &fleet.vms[order[i]];
        if (host == FLEET_NO_INDEX || vm->host == (size_t)host)
            rc = write_vm(&fleet, vm, page.writer, err);
    }
    if (rc == DC_OK)
        rc = writer_end(page.writer, err);
    if (rc == DC_OK)
        rc = cli_page_emit(cli, &page, err);
    free(order);
    cli_page_dispose(&page);
    fleet_doc_dispose(&fleet);
    return rc;
}
