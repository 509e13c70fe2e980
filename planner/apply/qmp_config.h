/*
 * The settings of the driver `qmp`.
 *
 * In: a YAML file. Out: templates with {host}, {from}, {to}, {uuid} and {name}.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "base/options.h"

#include <stdint.h>

struct qmp_config {
    char *socket;  /* the path of the QMP socket of VM {uuid} on {host}, as seen from here, for this driver alone */
    char *prepare; /* shell command: starts a QEMU for {uuid} at {to} with -incoming defer */
    double prepare_timeout_ms;
    uint64_t port_low, port_high; /* that it may listen on */
};

/* The keys, for the manual. */
const struct option_table *qmp_config_table(void);

/* Errors name file, line and key. On failure `*config_out` is empty. */
DC_WARN_UNUSED enum dc_status qmp_config_load(const char *path, struct qmp_config *config_out, struct dc_error *err);
void qmp_config_dispose(struct qmp_config *config);

/* The socket's path, heap; NULL when out of memory. */
char *qmp_config_socket(const struct qmp_config *config, const char *host, const char *uuid, const char *name);
