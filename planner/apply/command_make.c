/* Templates within templates: the pipe is a word of the command, the command a word of the way to its host. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/command_make.h"

#include "planner/shell_quote.h"

#include <stdio.h>
#include <stdlib.h>

/* `inner` as one word behind the template of the way to {host}. */
static enum dc_status send_along(const struct command_config *config, const struct command_values *values,
                                 const char *inner, char **command_out, struct dc_error *err) {
    char *way = NULL;
    char *quoted = NULL;
    enum dc_status rc = command_template_expand(config->remote, values, &way, err);
    if (rc == DC_OK) {
        quoted = shell_quote_text(inner);
        if (quoted == NULL || asprintf(command_out, "%s %s", way, quoted) < 0) {
            *command_out = NULL;
            rc = error_set_nomem(err);
        }
    }
    free(way);
    free(quoted);
    return rc;
}

enum dc_status command_make(const struct command_config *config, const char *text, struct command_values *values,
                            const char *host, char **command_out, struct dc_error *err) {
    char *pipe = NULL;
    char *inner = NULL;
    enum dc_status rc = DC_OK;
    *command_out = NULL;
    values->host = host;
    if (config->pipe[0] != '\0' && values->to != NULL)
        rc = command_template_expand(config->pipe, values, &pipe, err);
    values->pipe = pipe;
    if (rc == DC_OK)
        rc = command_template_expand(text, values, &inner, err);
    if (rc == DC_OK && config->remote[0] != '\0') {
        rc = send_along(config, values, inner, command_out, err);
    } else if (rc == DC_OK) {
        *command_out = inner;
        inner = NULL;
    }
    values->pipe = NULL;
    free(pipe);
    free(inner);
    return rc;
}

enum dc_status command_make_migrate(const struct command_config *config, const struct driver_migration *migration,
                                    char **command_out, struct dc_error *err) {
    const char *text = migration->is_cold ? config->cold_migrate : config->migrate;
    struct command_values values = {.uuid = migration->uuid,
                                    .name = migration->name,
                                    .from = migration->from,
                                    .to = migration->to,
                                    .rate_bytes_per_s = migration->bandwidth_bytes_per_s,
                                    .downtime_limit_ms = migration->downtime_limit_ms,
                                    .memory_bytes = migration->memory_bytes};
    *command_out = NULL;
    if (text[0] == '\0')
        return error_set(err, DC_EUNSUPPORTED,
                         "the driver's settings have no command for a VM that is shut off "
                         "(cold_migrate)");
    return command_make(config, text, &values, migration->from, command_out, err);
}

enum dc_status command_make_act(const struct command_config *config, enum driver_host_action action, const char *host,
                                char **command_out, struct dc_error *err) {
    struct command_values values = {.host = host};
    *command_out = NULL;
    const char *text = action == DRIVER_BOOT ? config->boot : config->shutdown;
    if (text[0] == '\0')
        return error_set(err, DC_EUNSUPPORTED,
                         "the driver cannot %s hosts: its settings (--drivers FILE) have no command for it (%s)",
                         action == DRIVER_BOOT ? "boot" : "shut down", action == DRIVER_BOOT ? "boot" : "shutdown");
    if (action == DRIVER_BOOT) /* what is off runs nothing */
        return command_template_expand(text, &values, command_out, err);
    return command_make(config, text, &values, host, command_out, err);
}
