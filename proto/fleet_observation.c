/* Owning one observation, and its text of its own. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/fleet_observation.h"

#include "proto/fleet_learned.h"

#include <stdlib.h>
#include <string.h>

static const char format[] = "decamp/observation";
static const char format_version[] = "1.0";

void fleet_observation_dispose(struct fleet_observation *observation) {
    free(observation->vm);
    free(observation->name);
    free(observation->from);
    free(observation->to);
    free(observation->policy);
    *observation = (struct fleet_observation){0};
}

static bool copy_text(const char *text, char **copy_out) {
    *copy_out = text != NULL ? strdup(text) : NULL;
    return text == NULL || *copy_out != NULL;
}

enum dc_status fleet_observation_copy(const struct fleet_observation *observation, struct fleet_observation *copy_out,
                                      struct dc_error *err) {
    *copy_out = *observation;
    bool ok = copy_text(observation->vm, &copy_out->vm);
    ok = copy_text(observation->name, &copy_out->name) && ok;
    ok = copy_text(observation->from, &copy_out->from) && ok;
    ok = copy_text(observation->to, &copy_out->to) && ok;
    ok = copy_text(observation->policy, &copy_out->policy) && ok;
    if (ok)
        return DC_OK;
    fleet_observation_dispose(copy_out);
    return error_set_nomem(err);
}

enum dc_status fleet_observation_write(const struct fleet_observation *observation, char **text_out,
                                       struct dc_error *err) {
    *text_out = NULL;
    json_t *json = json_pack("{s:s, s:s}", "format", format, "format_version", format_version);
    if (json == NULL)
        return error_set_nomem(err);
    if (!fleet_learned_set_observation(json, observation)) {
        json_decref(json);
        return error_set(err, DC_EINVAL, "an observation of VM %s cannot be written as JSON",
                         observation->vm != NULL ? observation->vm : "?");
    }
    *text_out = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return *text_out != NULL ? DC_OK : error_set_nomem(err);
}

enum dc_status fleet_observation_read(const char *text, size_t n_bytes, struct fleet_observation *observation_out,
                                      struct dc_error *err) {
    struct doc_reader reader;
    *observation_out = (struct fleet_observation){0};
    doc_reader_open(&reader, format, text, n_bytes, err);
    const struct doc_object object = {.own = reader.root};
    if (doc_reader_ok(&reader))
        fleet_learned_get_observation(&reader, &object, observation_out);
    const enum dc_status rc = doc_reader_close(&reader);
    if (rc != DC_OK)
        fleet_observation_dispose(observation_out);
    return rc;
}
