/* One table: word, JSON key, subject and unit of each kind. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/relax.h"

#include "base/units.h"
#include "base/vec.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double mib_bytes = 1 << 20;

static enum dc_status parse_count(const char *text, double *value_out, struct dc_error *err) {
    char *end = NULL;
    *value_out = strtod(text, &end);
    if (end == text || *end != '\0')
        return error_set(err, DC_EINVAL, "expected a number, got %s", text);
    return DC_OK;
}

static const struct {
    const char *word;
    const char *change;
    const char *subject; /* NULL: none */
    enum dc_status (*parse)(const char *text, double *value_out, struct dc_error *err);
    const char *unit; /* of the value on the command line */
    double most;
} kinds[] = {
    [RELAX_DOWNTIME] = {"downtime", "downtime_budget_ms", "vm", units_parse_duration, "ms", 1e3 * 86400 * 365},
    [RELAX_MEMORY] = {"memory", "memory_bytes", "host", units_parse_bytes, "", 9e15},
    [RELAX_CPUS] = {"cpus", "cpus", "host", parse_count, "", 1e6},
    [RELAX_SLOTS] = {"slots", "max_migrations", "host", parse_count, "", 1e6},
    [RELAX_LINK] = {"link", "capacity_bytes_per_s", "link", units_parse_rate, "B/s", 125e12},
    [RELAX_RULE] = {"rule", "drop_rule", NULL, parse_count, "", 1e9},
};

enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

void relax_list_dispose(struct relax_list *list) {
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i].name);
    free(list->items);
    *list = (struct relax_list){0};
}

enum dc_status relax_add(struct relax_list *list, enum relax_kind kind, const char *name, double to,
                         struct dc_error *err) {
    if (!(to >= 0 && to <= kinds[kind].most))
        return error_set(err, DC_ERANGE, "%s: expected 0 to %.0f, got %g", kinds[kind].change, kinds[kind].most, to);
    char *copy = name != NULL ? strdup(name) : NULL;
    void *items = list->items;
    if ((name != NULL && copy == NULL) || !vec_reserve(&items, &list->capacity, list->n + 1, sizeof(*list->items))) {
        free(copy);
        return error_set_nomem(err);
    }
    list->items = items;
    list->items[list->n++] = (struct relax){.kind = kind, .name = copy, .to = to};
    return DC_OK;
}

/* "KIND:NAME=VALUE", or "rule:N". The last '=' ends the name. */
enum dc_status relax_parse(struct relax_list *list, const char *text, struct dc_error *err) {
    const char *colon = strchr(text, ':');
    const char *equals = strrchr(text, '=');
    const size_t n_word = colon != NULL ? (size_t)(colon - text) : 0;
    for (size_t i = 0; colon != NULL && i < N_KINDS; i++) {
        if (strlen(kinds[i].word) != n_word || strncmp(text, kinds[i].word, n_word) != 0)
            continue;
        const bool named = kinds[i].subject != NULL;
        if (named && (equals == NULL || equals <= colon + 1))
            break;
        double to = 0;
        enum dc_status rc = kinds[i].parse(named ? equals + 1 : colon + 1, &to, err);
        char *name = named ? strndup(colon + 1, (size_t)(equals - colon - 1)) : NULL;
        if (rc == DC_OK && named && name == NULL)
            rc = error_set_nomem(err);
        if (rc == DC_OK)
            rc = relax_add(list, (enum relax_kind)i, name, to, err);
        free(name);
        return rc;
    }
    return error_set(
        err, DC_EINVAL,
        "expected downtime:VM=TIME, memory:HOST=SIZE, cpus:HOST=N, slots:HOST=N, link:LINK=RATE or rule:N, "
        "got %s",
        text);
}

static json_t *one_to_json(const struct relax *relax) {
    json_t *json = json_pack("{s:s}", "change", kinds[relax->kind].change);
    if (json == NULL)
        return NULL;
    const bool whole = relax->kind != RELAX_CPUS;
    const bool named =
        relax->name == NULL || json_object_set_new(json, kinds[relax->kind].subject, json_string(relax->name)) == 0;
    if (named && json_object_set_new(json, "to",
                                     whole ? json_integer((json_int_t)llround(relax->to)) : json_real(relax->to)) == 0)
        return json;
    json_decref(json);
    return NULL;
}

json_t *relax_to_json(const struct relax_list *list) {
    json_t *array = json_array();
    for (size_t i = 0; array != NULL && i < list->n; i++) {
        if (json_array_append_new(array, one_to_json(&list->items[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

enum dc_status relax_from_json(struct relax_list *list, const json_t *object, struct dc_error *err) {
    const char *change = json_string_value(json_object_get(object, "change"));
    const json_t *to = json_object_get(object, "to");
    for (size_t i = 0; change != NULL && i < N_KINDS; i++) {
        if (strcmp(change, kinds[i].change) != 0)
            continue;
        const char *name =
            kinds[i].subject != NULL ? json_string_value(json_object_get(object, kinds[i].subject)) : NULL;
        if (kinds[i].subject != NULL && name == NULL)
            return error_set(err, DC_EINVAL, "%s: expected a %s", change, kinds[i].subject);
        if (!json_is_number(to))
            return error_set(err, DC_EINVAL, "%s: expected a number \"to\"", change);
        return relax_add(list, (enum relax_kind)i, name, json_number_value(to), err);
    }
    return DC_ENOTFOUND;
}

char *relax_text(const struct relax *relax) {
    char *text = NULL;
    const char *word = kinds[relax->kind].word;
    const char *unit = kinds[relax->kind].unit;
    const bool in_mib = relax->kind == RELAX_MEMORY && fmod(relax->to, mib_bytes) < 0.5;
    const int r = in_mib                ? asprintf(&text, "%s:%s=%.0fMiB", word, relax->name, relax->to / mib_bytes)
                  : relax->name != NULL ? asprintf(&text, "%s:%s=%.15g%s", word, relax->name, relax->to, unit)
                                        : asprintf(&text, "%s:%.15g", word, relax->to);
    return r < 0 ? NULL : text;
}

bool relax_drops_rule(const struct relax_list *list, size_t rule) {
    for (size_t i = 0; i < list->n; i++) {
        if (list->items[i].kind == RELAX_RULE && fabs(list->items[i].to - (double)rule) < 0.5)
            return true;
    }
    return false;
}
