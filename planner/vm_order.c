/* Sorts indices, not VMs: the fleet stays as it is. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/vm_order.h"

#include <stdlib.h>
#include <string.h>

static int by_host_and_name(const void *a, const void *b, void *context) {
    const struct fleet *fleet = *(const struct fleet *const *)context;
    const struct fleet_vm *x = &fleet->vms[*(const size_t *)a];
    const struct fleet_vm *y = &fleet->vms[*(const size_t *)b];
    if (x->host != y->host)
        return x->host < y->host ? -1 : 1;
    const int by_name = strverscmp(x->name, y->name);
    return by_name != 0 ? by_name : strcmp(x->uuid, y->uuid);
}

enum dc_status vm_order_new(const struct fleet *fleet, size_t **order_out, struct dc_error *err) {
    size_t *order = calloc(fleet->n_vms + 1, sizeof(*order));
    *order_out = order;
    if (order == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < fleet->n_vms; i++)
        order[i] = i;
    const struct fleet *context = fleet;
    qsort_r(order, fleet->n_vms, sizeof(*order), by_host_and_name, &context);
    return DC_OK;
}
