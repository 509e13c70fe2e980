/* JSON to a fleet, and back to text. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd_fleet.h"

#include <stdlib.h>
#include <string.h>

enum dc_status cmd_fleet_emit(const struct cli *cli, const json_t *fleet, struct dc_error *err) {
    struct fleet read = {0};
    char *written = NULL;
    char *text = json_dumps(fleet, JSON_COMPACT);
    enum dc_status rc = text != NULL ? fleet_doc_read(text, strlen(text), &read, err) : error_set_nomem(err);
    if (rc == DC_OK)
        rc = fleet_doc_write(&read, &written, err);
    if (rc == DC_OK)
        rc = cli_emit(cli, written, err);
    fleet_doc_dispose(&read);
    free(written);
    free(text);
    return rc;
}
