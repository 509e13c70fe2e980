/* Items to sentences and options. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/plan_reasons.h"

#include "base/units.h"
#include "planner/relax.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_at(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* "--exclude a --exclude b"; heap, NULL when out of memory. */
static char *exclude_option(const json_t *to) {
    char *all = json_is_array(to) ? strdup("") : NULL;
    size_t i;
    const json_t *name;
    if (!json_is_array(to))
        return asprintf(&all, "--exclude %s", json_string_value(to)) < 0 ? NULL : all;
    json_array_foreach(to, i, name) {
        char *longer = NULL;
        if (all == NULL || asprintf(&longer, "%s%s--exclude %s", all, i > 0 ? " " : "", json_string_value(name)) < 0)
            longer = NULL;
        free(all);
        all = longer;
    }
    return all;
}

/* What to add to the command line; heap, NULL for what no option does. */
static char *option_of(const json_t *item) {
    const char *change = text_at(item, "change");
    const json_t *to = json_object_get(item, "to");
    char *option = NULL;
    if (strcmp(change, "exclude") == 0)
        return exclude_option(to);
    if (strcmp(change, "deadline_ms") == 0)
        return asprintf(&option, "--deadline %.0fms", json_number_value(to)) < 0 ? NULL : option;
    struct relax_list list = {0};
    char *text = relax_from_json(&list, item, NULL) == DC_OK ? relax_text(&list.items[0]) : NULL;
    if (text == NULL || asprintf(&option, "--relax %s", text) < 0)
        option = NULL;
    free(text);
    relax_list_dispose(&list);
    return option;
}

enum dc_status plan_reasons_write_relax(const json_t *item, const char *indent, struct writer *writer,
                                        struct dc_error *err) {
    const json_t *makespan = json_object_get(item, "makespan_ms");
    const json_t *memory = json_object_get(item, "memory_bytes");
    char duration[UNITS_TEXT_BYTES], bytes[UNITS_TEXT_BYTES], outcome[120] = "", left[60] = "";
    char *option = option_of(item);
    if (makespan != NULL)
        (void)snprintf(outcome, sizeof(outcome), ": %s, done in %s (p95)",
                       json_is_false(json_object_get(item, "whole")) ? "one conflict less" : "a whole plan",
                       units_format_duration(json_number_value(makespan), duration, sizeof(duration)));
    if (memory != NULL)
        (void)snprintf(left, sizeof(left), " (%s stay)",
                       units_format_bytes(json_number_value(memory), bytes, sizeof(bytes)));
    const enum dc_status rc = writer_line(writer, err, "%s-> %s%s%s", indent,
                                          option != NULL ? option : text_at(item, "change"), left, outcome);
    free(option);
    return rc;
}

static enum dc_status write_together(const json_t *together, struct writer *writer, struct dc_error *err) {
    char duration[UNITS_TEXT_BYTES];
    size_t i;
    const json_t *item;
    if (together == NULL)
        return DC_OK;
    enum dc_status rc = writer_line(
        writer, err, "together     these lead to a whole plan, done in %s (p95)",
        units_format_duration(json_number_value(json_object_get(together, "makespan_ms")), duration, sizeof(duration)));
    json_array_foreach(json_object_get(together, "changes"), i, item) {
        char *option = option_of(item);
        if (rc == DC_OK)
            rc = writer_line(writer, err, "             -> %s", option != NULL ? option : text_at(item, "change"));
        free(option);
    }
    return rc;
}

/* "+1 Gbit/s on link h1-nic: 28.1 s, 3.1 s less" */
static enum dc_status write_more(const json_t *item, struct writer *writer, struct dc_error *err) {
    char makespan[UNITS_TEXT_BYTES], saved[UNITS_TEXT_BYTES], name[400];
    const double saved_ms = json_number_value(json_object_get(item, "saved_ms"));
    const char *link = text_at(item, "link");
    if (link[0] != '\0')
        (void)snprintf(name, sizeof(name), "1 Gbit/s more on link %s (busy %.0f %% of the time)", link,
                       100 * json_number_value(json_object_get(item, "busy_frac")));
    else
        (void)snprintf(name, sizeof(name), "one more migration at once on host %s", text_at(item, "host"));
    if (saved_ms <= 0)
        return writer_line(writer, err, "more room    %s: saves nothing", name);
    return writer_line(
        writer, err, "more room    %s: done in %s (p95), %s less", name,
        units_format_duration(json_number_value(json_object_get(item, "makespan_ms")), makespan, sizeof(makespan)),
        units_format_duration(saved_ms, saved, sizeof(saved)));
}

enum dc_status plan_reasons_write(const struct plan *plan, struct writer *writer, struct dc_error *err) {
    size_t i;
    const json_t *item;
    enum dc_status rc = DC_OK;
    json_array_foreach(json_object_get(plan->explanation, "core"), i, item) {
        if (rc == DC_OK)
            rc = writer_line(writer, err, "%s %s", i == 0 ? "contradict  " : "            ", text_at(item, "what"));
    }
    if (rc == DC_OK)
        rc = write_together(json_object_get(plan->explanation, "together"), writer, err);
    json_array_foreach(json_object_get(plan->explanation, "more"), i, item) {
        if (rc == DC_OK)
            rc = write_more(item, writer, err);
    }
    json_array_foreach(json_object_get(plan->explanation, "order"), i, item) {
        if (rc == DC_OK)
            rc = writer_line(writer, err, "%s step %lld %s", i == 0 ? "why         " : "            ",
                             json_integer_value(json_object_get(item, "step")), text_at(item, "why"));
    }
    return rc;
}
