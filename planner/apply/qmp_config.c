/* A path is no shell command: its fields are put in as they are, less what could lead out of its folder. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/qmp_config.h"

#include "base/config_file.h"
#include "planner/apply/command_template.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_spec specs[] = {
    {.name = "socket",
     .offset = offsetof(struct qmp_config, socket),
     .type = OPTION_STRING,
     .required = true,
     .help = "path of the QMP socket of VM {uuid} ({name}) on {host}, as seen from here, for this driver alone"},
    {.name = "prepare",
     .offset = offsetof(struct qmp_config, prepare),
     .type = OPTION_STRING,
     .required = true,
     .help = "starts a QEMU for {uuid} at {to} with -incoming defer, and ends when its socket is there; what it prints "
             "is the address to migrate to, else {to} is"},
    {.name = "prepare_timeout",
     .offset = offsetof(struct qmp_config, prepare_timeout_ms),
     .type = OPTION_DURATION_MS,
     .default_text = "60s",
     .min = 100,
     .max = 3600e3,
     .help = "how long that may take"},
    {.name = "port_low",
     .offset = offsetof(struct qmp_config, port_low),
     .type = OPTION_UINT,
     .default_text = "49152",
     .min = 1,
     .max = 65535,
     .help = "first port that a destination may listen on"},
    {.name = "port_high",
     .offset = offsetof(struct qmp_config, port_high),
     .type = OPTION_UINT,
     .default_text = "49215",
     .min = 1,
     .max = 65535,
     .help = "last port that a destination may listen on"},
};

static const struct option_table table = {specs, sizeof(specs) / sizeof(specs[0])};

const struct option_table *qmp_config_table(void) {
    return &table;
}

enum dc_status qmp_config_load(const char *path, struct qmp_config *config_out, struct dc_error *err) {
    *config_out = (struct qmp_config){0};
    if (path == NULL)
        return error_set(err, DC_EINVAL, "the driver qmp: expected its settings (--drivers FILE): socket and prepare");
    enum dc_status rc = config_file_load(path, &table, config_out, err);
    if (rc != DC_OK)
        return rc;
    if ((rc = command_template_check(config_out->prepare, err)) != DC_OK)
        (void)error_prefix(err, "%s: prepare", path);
    else if (config_out->port_low > config_out->port_high)
        rc = error_set(err, DC_EINVAL, "%s: port_low: expected at most port_high", path);
    if (rc != DC_OK)
        qmp_config_dispose(config_out);
    return rc;
}

void qmp_config_dispose(struct qmp_config *config) {
    options_dispose(&table, config);
}

static void put(FILE *stream, const char *text) {
    for (; *text != '\0'; text++)
        (void)fputc(*text == '/' ? '_' : *text, stream);
}

char *qmp_config_socket(const struct qmp_config *config, const char *host, const char *uuid, const char *name) {
    const struct { const char *field, *value; } fields[] = {{"{host}", host}, {"{uuid}", uuid}, {"{name}", name}};
    char *path = NULL;
    size_t n_bytes = 0;
    FILE *stream = open_memstream(&path, &n_bytes);
    if (stream == NULL)
        return NULL;
    for (const char *at = config->socket; *at != '\0';) {
        size_t i = 0;
        while (i < 3 && strncmp(at, fields[i].field, strlen(fields[i].field)) != 0)
            i++;
        if (i < 3)
            put(stream, fields[i].value);
        else
            (void)fputc(*at, stream);
        at += i < 3 ? strlen(fields[i].field) : 1;
    }
    if (fclose(stream) == 0)
        return path;
    free(path);
    return NULL;
}
