/* Ownership of one host or VM: free it, copy it. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/fleet_parts.h"

#include <stdlib.h>
#include <string.h>

static void dispose_strings(char **strings, size_t n_strings) {
    for (size_t i = 0; strings != NULL && i < n_strings; i++)
        free(strings[i]);
    free(strings);
}

static void dispose_labels(struct fleet_label *labels, size_t n_labels) {
    for (size_t i = 0; labels != NULL && i < n_labels; i++) {
        free(labels[i].key);
        free(labels[i].value);
    }
    free(labels);
}

static void dispose_storage(struct storage_disk *storage, size_t n_storage) {
    for (size_t i = 0; storage != NULL && i < n_storage; i++)
        storage_disk_dispose(&storage[i]);
    free(storage);
}

void fleet_parts_dispose_host(struct fleet_host *host) {
    if (host == NULL)
        return;
    free(host->name);
    dispose_strings(host->cpu_features, host->n_cpu_features);
    dispose_labels(host->labels, host->n_labels);
    *host = (struct fleet_host){0};
}

void fleet_parts_dispose_vm(struct fleet_vm *vm) {
    if (vm == NULL)
        return;
    free(vm->uuid);
    free(vm->name);
    dispose_strings(vm->cpu_features, vm->n_cpu_features);
    dispose_labels(vm->labels, vm->n_labels);
    dispose_storage(vm->storage, vm->n_storage);
    dirty_profile_dispose(&vm->profile);
    prediction_dispose(&vm->prediction);
    *vm = (struct fleet_vm){0};
}

/* The copies below leave what they made in `*copy`, counted as far as it goes, so that the
 * dispose above cleans up after a failure. */

static bool copy_string(const char *text, char **copy) {
    *copy = text != NULL ? strdup(text) : NULL;
    return text == NULL || *copy != NULL;
}

static bool copy_strings(char *const *strings, size_t n_strings, char ***copy, size_t *n_copied) {
    if (n_strings == 0)
        return true;
    *copy = calloc(n_strings, sizeof(**copy));
    if (*copy == NULL)
        return false;
    *n_copied = n_strings;
    for (size_t i = 0; i < n_strings; i++) {
        if (!copy_string(strings[i], &(*copy)[i]))
            return false;
    }
    return true;
}

static bool copy_labels(const struct fleet_label *labels, size_t n_labels, struct fleet_label **copy,
                        size_t *n_copied) {
    if (n_labels == 0)
        return true;
    *copy = calloc(n_labels, sizeof(**copy));
    if (*copy == NULL)
        return false;
    *n_copied = n_labels;
    for (size_t i = 0; i < n_labels; i++) {
        if (!copy_string(labels[i].key, &(*copy)[i].key) || !copy_string(labels[i].value, &(*copy)[i].value))
            return false;
    }
    return true;
}

static bool copy_storage(const struct storage_disk *storage, size_t n_storage, struct storage_disk **copy,
                         size_t *n_copied) {
    if (n_storage == 0)
        return true;
    *copy = calloc(n_storage, sizeof(**copy));
    if (*copy == NULL)
        return false;
    for (; *n_copied < n_storage; (*n_copied)++) {
        if (storage_disk_copy(&storage[*n_copied], &(*copy)[*n_copied], NULL) != DC_OK)
            return false;
    }
    return true;
}

enum dc_status fleet_parts_copy_host(const struct fleet_host *host, struct fleet_host *copy_out, struct dc_error *err) {
    struct fleet_host copy = *host;
    copy.name = NULL;
    copy.n_cpu_features = 0;
    copy.cpu_features = NULL;
    copy.n_labels = 0;
    copy.labels = NULL;
    if (copy_string(host->name, &copy.name) &&
        copy_strings(host->cpu_features, host->n_cpu_features, &copy.cpu_features, &copy.n_cpu_features) &&
        copy_labels(host->labels, host->n_labels, &copy.labels, &copy.n_labels)) {
        *copy_out = copy;
        return DC_OK;
    }
    fleet_parts_dispose_host(&copy);
    *copy_out = copy;
    return error_set_nomem(err);
}

enum dc_status fleet_parts_copy_vm(const struct fleet_vm *vm, struct fleet_vm *copy_out, struct dc_error *err) {
    struct fleet_vm copy = *vm;
    copy.uuid = NULL;
    copy.name = NULL;
    copy.n_cpu_features = 0;
    copy.cpu_features = NULL;
    copy.n_labels = 0;
    copy.labels = NULL;
    copy.n_storage = 0;
    copy.storage = NULL;
    copy.profile = (struct dirty_profile){.kind = DIRTY_PROFILE_NONE};
    copy.prediction = (struct prediction){.n_points = 0};
    enum dc_status rc = DC_ENOMEM;
    if (copy_string(vm->uuid, &copy.uuid) && copy_string(vm->name, &copy.name) &&
        copy_strings(vm->cpu_features, vm->n_cpu_features, &copy.cpu_features, &copy.n_cpu_features) &&
        copy_labels(vm->labels, vm->n_labels, &copy.labels, &copy.n_labels) &&
        copy_storage(vm->storage, vm->n_storage, &copy.storage, &copy.n_storage))
        rc = DC_OK;
    else
        (void)error_set_nomem(err);
    if (rc == DC_OK)
        rc = dirty_profile_copy(&vm->profile, &copy.profile, err);
    if (rc == DC_OK)
        rc = prediction_copy(&vm->prediction, &copy.prediction, err);
    if (rc != DC_OK)
        fleet_parts_dispose_vm(&copy);
    *copy_out = copy;
    return rc;
}
