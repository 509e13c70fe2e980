/*
 * Relaxations: limits of the fleet that a question is asked without, or with
 * more room than there is. Conflicts offer them, `--relax` takes them, and a goal carries them, so that the
 * daemon and `verify` ask the same question.
 *
 *   on the command line     in JSON {"change": ..., subject, "to": ...}
 *   downtime:VM=TIME        downtime_budget_ms, vm
 *   memory:HOST=SIZE        memory_bytes, host     (all of it, as in the fleet document)
 *   cpus:HOST=N             cpus, host
 *   slots:HOST=N            max_migrations, host
 *   link:LINK=RATE          capacity_bytes_per_s, link
 *   rule:N                  drop_rule              ("to" is the rule's number)
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum relax_kind { RELAX_DOWNTIME, RELAX_MEMORY, RELAX_CPUS, RELAX_SLOTS, RELAX_LINK, RELAX_RULE };

struct relax {
    enum relax_kind kind;
    char *name; /* of VM (or its uuid), host or link; NULL for a rule */
    double to;  /* ms, bytes, cores, migrations, bytes/s, number of the rule */
};

struct relax_list {
    size_t n, capacity;
    struct relax *items;
};

void relax_list_dispose(struct relax_list *list);

/* Appends one. `name` is copied. */
DC_WARN_UNUSED enum dc_status relax_add(struct relax_list *list, enum relax_kind kind, const char *name, double to,
                                        struct dc_error *err);

/* Appends what the text says, as on the command line. */
DC_WARN_UNUSED enum dc_status relax_parse(struct relax_list *list, const char *text, struct dc_error *err);

/* Is the rule of that number to be left out? */
bool relax_drops_rule(const struct relax_list *list, size_t rule);

/* An array of objects; a new reference, NULL when out of memory. */
json_t *relax_to_json(const struct relax_list *list);

/* Appends one object's relaxation; DC_ENOTFOUND, without a text, where its change is none of these. */
DC_WARN_UNUSED enum dc_status relax_from_json(struct relax_list *list, const json_t *object, struct dc_error *err);

/* What to write on the command line for it, "downtime:db1=585ms"; heap, NULL when out of memory. */
char *relax_text(const struct relax *relax);
