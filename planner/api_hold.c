/* HOLD and RELEASE to the agents that the VMs' hosts have; a HOLD freezes what is predicted of the migrations. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/api_hold.h"

#include <stdlib.h>
#include <string.h>

enum { HTTP_OK = 200 };

struct target {
    size_t host; /* indices in the fleet */
    size_t vm;
    const char *uuid;
    struct foresight_wish wish; /* of a HOLD; lent by the request */
};

/* The VMs of a request, sorted by host. */
struct hold {
    struct fleet fleet;
    size_t n_targets;
    struct target *targets;
    char (*uuids)[MSG_UUID_BYTES]; /* of one host, as the message takes them */
    struct foresight_wish wish;    /* of VMs that have none of their own */
    bool is_release;
    json_int_t for_ms;
};

static void dispose(struct hold *hold) {
    fleet_doc_dispose(&hold->fleet);
    free(hold->targets);
    free(hold->uuids);
}

static int compare_targets(const void *a, const void *b) {
    const struct target *one = a;
    const struct target *other = b;
    if (one->host != other->host)
        return one->host < other->host ? -1 : 1;
    return strcmp(one->uuid, other->uuid);
}

/* Where a migration goes and how fast: "to" and "bandwidth_bytes_per_s", both optional. */
static enum dc_status read_wish(const struct hold *hold, const json_t *json, struct foresight_wish *wish,
                                struct dc_error *err) {
    const json_t *to = json_object_get(json, "to");
    const json_t *bandwidth = json_object_get(json, "bandwidth_bytes_per_s");
    if (to != NULL && !json_is_string(to))
        return error_set(err, DC_EINVAL, "to: expected the name of a host");
    if (to != NULL && fleet_doc_find_host(&hold->fleet, json_string_value(to)) == FLEET_NO_INDEX)
        return error_set(err, DC_ENOTFOUND, "to: no host is called %s", json_string_value(to));
    if (bandwidth != NULL && !(json_number_value(bandwidth) >= 1 && json_number_value(bandwidth) <= MSG_MAX_NUMBER))
        return error_set(err, DC_EINVAL, "bandwidth_bytes_per_s: expected a number of at least 1");
    if (to != NULL)
        wish->to = json_string_value(to);
    if (bandwidth != NULL)
        wish->bandwidth_bytes_per_s = json_number_value(bandwidth);
    return DC_OK;
}

/* A VM is named, or is an object with "vm" and a wish of its own. */
static enum dc_status add_target(struct hold *hold, size_t i, const json_t *item, struct dc_error *err) {
    const char *name = json_string_value(json_is_object(item) ? json_object_get(item, "vm") : item);
    struct foresight_wish wish = hold->wish;
    if (name == NULL)
        return error_set(err, DC_EINVAL, "vms[%zu]: expected a uuid or a name", i);
    const long vm = fleet_doc_find_vm(&hold->fleet, name);
    if (vm == FLEET_NO_INDEX)
        return error_set(err, DC_ENOTFOUND, "vms[%zu]: no VM (by uuid or unique name) is called %s", i, name);
    if (read_wish(hold, item, &wish, err) != DC_OK)
        return error_prefix(err, "vms[%zu]", i);
    hold->targets[hold->n_targets++] =
        (struct target){hold->fleet.vms[vm].host, (size_t)vm, hold->fleet.vms[vm].uuid, wish};
    return DC_OK;
}

static enum dc_status read_targets(struct hold *hold, const json_t *json, struct dc_error *err) {
    const json_t *vms = json_object_get(json, "vms");
    const json_t *for_ms = json_object_get(json, "for_ms");
    const size_t n = json_array_size(vms);
    if (n == 0 || n > MSG_MAX_VMS)
        return error_set(err, DC_EINVAL, "vms: expected an array of 1 to %d VMs", MSG_MAX_VMS);
    hold->for_ms = json_integer_value(for_ms);
    if (!hold->is_release && (!json_is_integer(for_ms) || hold->for_ms < 1 || hold->for_ms > MSG_MAX_HOLD_MS))
        return error_set(err, DC_EINVAL, "for_ms: expected 1 to %d", MSG_MAX_HOLD_MS);
    hold->targets = calloc(n, sizeof(*hold->targets));
    hold->uuids = calloc(n, sizeof(*hold->uuids));
    if (hold->targets == NULL || hold->uuids == NULL) {
        (void)error_set_nomem(err);
        return DC_ENOMEM;
    }
    enum dc_status rc = hold->is_release ? DC_OK : read_wish(hold, json, &hold->wish, err);
    for (size_t i = 0; rc == DC_OK && i < n; i++)
        rc = add_target(hold, i, json_array_get(vms, i), err);
    if (rc == DC_OK)
        qsort(hold->targets, hold->n_targets, sizeof(*hold->targets), compare_targets);
    return rc;
}

static enum dc_status check_connected(const struct api *api, const struct hold *hold, struct dc_error *err) {
    for (size_t i = 0; i < hold->n_targets; i++) {
        const char *host = hold->fleet.hosts[hold->targets[i].host].name;
        if (!collector_is_connected(api->collector, host))
            return error_set(err, DC_EUNREACHABLE, "no agent of host %s is connected", host);
    }
    return DC_OK;
}

/* Sends to the agent of the first target's host what concerns it; `*first` moves to the next host. */
static enum dc_status send_to_host(struct api *api, struct hold *hold, size_t *first, struct dc_error *err) {
    const size_t host = hold->targets[*first].host;
    const char *name = hold->fleet.hosts[host].name;
    size_t n = 0;
    for (; *first < hold->n_targets && hold->targets[*first].host == host; (*first)++)
        memcpy(hold->uuids[n++], hold->targets[*first].uuid, MSG_UUID_BYTES);
    if (hold->is_release) {
        const struct msg_release msg = {.n_vms = n, .vms = hold->uuids};
        return collector_release(api->collector, name, &msg, err);
    }
    const struct msg_hold msg = {.n_vms = n, .vms = hold->uuids, .for_ms = (uint64_t)hold->for_ms};
    return collector_hold(api->collector, name, &msg, err);
}

/* Once all is sent: what becomes of the VMs' migrations is watched from here on. A VM that was named twice stands side
 * by side. */
static enum dc_status observe(struct api *api, struct hold *hold, struct dc_error *err) {
    const struct fleet_clock now = fleet_clock_now();
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < hold->n_targets; i++) {
        const struct target *target = &hold->targets[i];
        if (i > 0 && target->vm == hold->targets[i - 1].vm)
            continue;
        rc = hold->is_release ? observation_log_release(api->observations, target->uuid, now, err)
                              : observation_log_order(api->observations, &hold->fleet, target->vm, &target->wish,
                                                      (double)hold->for_ms, now, err);
    }
    const enum dc_status committed = store_commit(api->store, rc == DC_OK ? err : NULL);
    return rc == DC_OK ? committed : rc;
}

static void handle(struct api *api, struct api_request *request, bool is_release) {
    struct dc_error err = DC_ERROR_NONE;
    struct hold hold = {.is_release = is_release};
    json_t *json = NULL;
    enum dc_status rc = api_read_body(request, &json, &err);
    if (rc == DC_OK)
        rc = fleet_state_export(api->state, fleet_clock_now(), &hold.fleet, &err);
    if (rc == DC_OK)
        rc = read_targets(&hold, json, &err);
    if (rc == DC_OK)
        rc = check_connected(api, &hold, &err);
    for (size_t i = 0; rc == DC_OK && i < hold.n_targets;)
        rc = send_to_host(api, &hold, &i, &err);
    if (rc == DC_OK)
        rc = observe(api, &hold, &err);
    if (rc == DC_OK)
        api_reply_json(request, HTTP_OK, json_pack("{s:I}", "n_vms", (json_int_t)hold.n_targets));
    else
        api_reply_error(request, rc, &err);
    json_decref(json);
    dispose(&hold);
}

void api_hold(struct api *api, struct api_request *request, const char *rest) {
    (void)rest;
    handle(api, request, false);
}

void api_release(struct api *api, struct api_request *request, const char *rest) {
    (void)rest;
    handle(api, request, true);
}
