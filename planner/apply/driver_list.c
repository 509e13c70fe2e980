/* The drivers, by name. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/driver_command.h"
#include "planner/apply/driver_qmp.h"

#include <stddef.h>
#include <string.h>

const struct driver_ops *const driver_list[] = {&driver_command, &driver_xl,  &driver_xe,
                                                &driver_virsh,   &driver_qmp, NULL};

const struct driver_ops *driver_find(const char *name) {
    for (size_t i = 0; driver_list[i] != NULL; i++) {
        if (strcmp(driver_list[i]->name, name) == 0)
            return driver_list[i];
    }
    return NULL;
}
