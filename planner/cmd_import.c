/* decamp import --from FORMAT FILE: another system's cluster file as a fleet document. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd.h"
#include "planner/cmd_fleet.h"

#include "base/file_text.h"
#include "planner/import_ganeti.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 256 << 20 };

static const char default_policy[] = "xen-v2";

static enum dc_status usage(enum cli_exit *exit_out) {
    (void)fprintf(stderr, "decamp import: expected `--from ganeti FILE`; see `decamp import --help`\n");
    *exit_out = CLI_EXIT_USAGE;
    return DC_OK;
}

static void say_warnings(const struct cli *cli, const json_t *warnings) {
    size_t i = 0;
    json_t *warning = NULL;
    json_array_foreach(warnings, i, warning) {
        if (!cli->quiet)
            (void)fprintf(stderr, "%s: %s\n", cli->arguments.items[0], json_string_value(warning));
    }
}

enum dc_status cmd_import(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    *exit_out = CLI_EXIT_OK;
    if (cli->import_from == NULL || strcmp(cli->import_from, "ganeti") != 0)
        return usage(exit_out);
    const char *path = cli->arguments.items[0];
    char *text = NULL;
    size_t n_bytes = 0;
    json_t *fleet = NULL, *warnings = NULL;
    enum dc_status rc = file_text_read(path, MOST_BYTES, &text, &n_bytes, err);
    if (rc != DC_OK)
        return rc;
    rc = import_ganeti(text, n_bytes, cli->import_policy != NULL ? cli->import_policy : default_policy, &fleet,
                       &warnings, err);
    if (rc == DC_OK) {
        say_warnings(cli, warnings);
        rc = cmd_fleet_emit(cli, fleet, err);
    }
    if (rc != DC_OK)
        (void)error_prefix(err, "%s", path);
    json_decref(fleet);
    json_decref(warnings);
    free(text);
    return rc;
}
