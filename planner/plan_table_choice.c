/* Lines for people from the plan document's "choice", "hosts_off" and "energy". */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/plan_table_choice.h"

#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double number_at(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static enum dc_status write_hosts_off(const struct plan *plan, struct writer *writer, struct dc_error *err) {
    size_t n_bytes = 1;
    for (size_t i = 0; i < plan->n_hosts_off; i++)
        n_bytes += strlen(plan->hosts_off[i]) + 1;
    char *names = calloc(n_bytes, 1);
    size_t used = 0;
    if (names == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < plan->n_hosts_off; i++)
        used += (size_t)snprintf(names + used, n_bytes - used, "%s%s", i > 0 ? " " : "", plan->hosts_off[i]);
    enum dc_status rc =
        writer_line(writer, err, "hosts on     %.0f instead of %.0f; no choice leaves fewer than %.0f",
                    number_at(plan->choice, "hosts_on_after"), number_at(plan->choice, "hosts_on_before"),
                    number_at(plan->choice, "hosts_on_at_least"));
    if (rc == DC_OK && plan->n_hosts_off > 0)
        rc = writer_line(writer, err, "hosts off    %s", names);
    free(names);
    return rc;
}

static enum dc_status write_energy(const struct plan *plan, struct writer *writer, struct dc_error *err) {
    char after[UNITS_TEXT_BYTES], paid[100] = "is never made up for";
    const json_t *break_even = json_object_get(plan->energy, "break_even_ms");
    if (json_is_number(break_even))
        (void)snprintf(paid, sizeof(paid), "is made up for %s after the start",
                       units_format_duration(json_number_value(break_even), after, sizeof(after)));
    return writer_line(writer, err, "energy       %.0f W instead of %.0f W; the %.1f kJ that the plan costs %s",
                       number_at(plan->energy, "watts_after"), number_at(plan->energy, "watts_before"),
                       (number_at(plan->energy, "migration_joules") + number_at(plan->energy, "host_joules")) / 1e3,
                       paid);
}

static enum dc_status write_loads(const struct plan *plan, struct writer *writer, struct dc_error *err) {
    const json_t *hosts = json_object_get(plan->choice, "hosts");
    enum dc_status rc = writer_line(writer, err, "moves        %.0f; no choice makes do with fewer than %.0f",
                                    number_at(plan->choice, "moves"), number_at(plan->choice, "moves_at_least"));
    for (size_t i = 0; rc == DC_OK && i < json_array_size(hosts); i++) {
        const json_t *host = json_array_get(hosts, i);
        const json_t *memory = json_object_get(host, "memory_frac"), *cores = json_object_get(host, "cpu_frac");
        rc = writer_line(writer, err, "load         %s: memory %.1f -> %.1f %%, cores %.1f -> %.1f %%",
                         json_string_value(json_object_get(host, "host")), 100 * number_at(memory, "before"),
                         100 * number_at(memory, "after"), 100 * number_at(cores, "before"),
                         100 * number_at(cores, "after"));
    }
    return rc;
}

/* "h1 h4", the hosts of a group, on the heap. */
static char *group_names(const json_t *hosts, size_t group) {
    char *names = strdup("");
    for (size_t i = 0; names != NULL && i < json_array_size(hosts); i++) {
        const json_t *host = json_array_get(hosts, i);
        char *longer = NULL;
        if (number_at(host, "group") != (double)group)
            continue;
        if (asprintf(&longer, "%s%s%s", names, names[0] != '\0' ? " " : "",
                     json_string_value(json_object_get(host, "host"))) < 0)
            longer = NULL;
        free(names);
        names = longer;
    }
    return names;
}

static enum dc_status write_groups(const struct plan *plan, struct writer *writer, struct dc_error *err) {
    const json_t *hosts = json_object_get(plan->choice, "hosts");
    const json_t *at_least = json_object_get(plan->choice, "groups_at_least");
    const json_t *landing = json_object_get(plan->choice, "landing");
    const double n_groups = number_at(plan->choice, "groups");
    char at_least_text[UNITS_TEXT_BYTES];
    enum dc_status rc =
        json_is_number(at_least)
            ? writer_line(
                  writer, err, "groups       %.0f; no choice makes do with fewer than %.0f, or is done before %s",
                  n_groups, json_number_value(at_least),
                  units_format_duration(number_at(plan->choice, "at_least_ms"), at_least_text, sizeof(at_least_text)))
            : writer_line(writer, err, "groups       %.0f; no choice empties all hosts", n_groups);
    for (size_t group = 1; rc == DC_OK && (double)group <= n_groups; group++) {
        char *names = group_names(hosts, group);
        rc = names != NULL ? writer_line(writer, err, "group %-6zu %s", group, names) : error_set_nomem(err);
        free(names);
    }
    const char *why = json_string_value(json_object_get(landing, "why"));
    if (rc != DC_OK || why == NULL || number_at(landing, "n") == 0)
        return rc;
    const bool is_needed = strcmp(why, "needed") == 0, is_sooner = strcmp(why, "sooner") == 0;
    return writer_line(writer, err, "landings     %.0f migrations to hosts that are still to go: %s",
                       number_at(landing, "n"),
                       is_needed   ? "no plan does without"
                       : is_sooner ? "every plan without takes longer"
                                   : "no other room was found");
}

enum dc_status plan_table_choice(const struct plan *plan, struct writer *writer, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    if (json_object_get(plan->choice, "hosts_on_after") != NULL)
        rc = write_hosts_off(plan, writer, err);
    if (rc == DC_OK && json_object_get(plan->choice, "moves") != NULL)
        rc = write_loads(plan, writer, err);
    if (rc == DC_OK && json_object_get(plan->choice, "groups") != NULL)
        rc = write_groups(plan, writer, err);
    if (rc == DC_OK && plan->energy != NULL)
        rc = write_energy(plan, writer, err);
    return rc;
}
