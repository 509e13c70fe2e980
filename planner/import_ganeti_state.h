/*
 * What the parts of the import from Ganeti share: the lines and what was read of them so far.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/import_table.h"

#include <jansson.h>

/* Each of them JSON, owned; NULL where memory ran out. */
struct import_ganeti {
    struct import_table table;
    const char *policy;
    json_t *hosts, *vms, *rules, *warnings; /* as in the document */
    json_t *groups;                         /* by UUID: {"name", "hosts": [names], "vms": [names], "ratio"} */
    json_t *nodes;                          /* by name: {"group": UUID, "used_bytes", "host": index} */
    json_t *vm_names;                       /* by name: true */
    json_t *tagged;                         /* by exclusion tag: {"vms": [names], "nodes": [names]} */
};

/* Lines of a section, none where the file ends before it. */
struct import_section import_ganeti_section(const struct import_ganeti *import, size_t section);

/* One more warning, or hard rule on VMs (and hosts, where not NULL), both lent. */
DC_WARN_UNUSED enum dc_status import_ganeti_warn(struct import_ganeti *import, struct dc_error *err, const char *format,
                                                 ...) __attribute__((format(printf, 3, 4)));
DC_WARN_UNUSED enum dc_status import_ganeti_rule(struct import_ganeti *import, const char *type, json_t *vms,
                                                 json_t *hosts, bool hard, struct dc_error *err);

/* One instance's line; its nodes must have been read. */
DC_WARN_UNUSED enum dc_status import_ganeti_instance(struct import_ganeti *import, const struct import_line *line,
                                                     struct dc_error *err);
