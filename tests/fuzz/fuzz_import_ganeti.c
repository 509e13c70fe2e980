/* Whatever the text, the import from Ganeti refuses it in one line or gives a fleet whose reader refuses it in one line
 * or takes it. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/import_ganeti.h"
#include "proto/fleet_doc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static void check_refusal(const struct dc_error *err) {
    if (err->text[0] == '\0' || strchr(err->text, '\n') != NULL)
        abort();
}

static void read_again(const json_t *json) {
    struct fleet fleet;
    struct dc_error err = DC_ERROR_NONE;
    char *text = json_dumps(json, JSON_COMPACT);
    if (text == NULL)
        abort();
    if (fleet_doc_read(text, strlen(text), &fleet, &err) != DC_OK)
        check_refusal(&err);
    else
        fleet_doc_dispose(&fleet);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes) {
    struct dc_error err = DC_ERROR_NONE;
    json_t *fleet = NULL, *warnings = NULL;
    char *text = malloc(n_bytes + 1);
    if (text == NULL)
        return 0;
    if (n_bytes > 0)
        memcpy(text, data, n_bytes);
    text[n_bytes] = '\0';
    if (import_ganeti(text, n_bytes, "xen-v2", &fleet, &warnings, &err) != DC_OK)
        check_refusal(&err);
    else
        read_again(fleet);
    json_decref(fleet);
    json_decref(warnings);
    free(text);
    return 0;
}
