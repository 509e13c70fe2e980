/* One row of the table does all: parse, check the range, name what was expected. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/options.h"

#include "base/units.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NEAREST_MAX_NAME = 64, NEAREST_MAX_DISTANCE = 3 };

static void *field_of(const struct option_spec *spec, void *target) {
    return (char *)target + spec->offset;
}

static const void *const_field_of(const struct option_spec *spec, const void *target) {
    return (const char *)target + spec->offset;
}

static const struct option_spec *find(const struct option_table *table, const char *name) {
    for (size_t i = 0; i < table->n_specs; i++) {
        if (strcmp(table->specs[i].name, name) == 0)
            return &table->specs[i];
    }
    return NULL;
}

/* Edits (insert, drop, replace) between two names: Levenshtein, row by row. */
static size_t edit_distance(const char *a, const char *b) {
    const size_t n = strlen(b);
    size_t row[NEAREST_MAX_NAME + 1];
    if (n > NEAREST_MAX_NAME || strlen(a) > NEAREST_MAX_NAME)
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            const size_t replaced = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
            const size_t shifted = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
            diagonal = row[j];
            row[j] = replaced < shifted ? replaced : shifted;
        }
    }
    return row[n];
}

static enum dc_status unknown_name(const struct option_table *table, const char *name, struct dc_error *err) {
    const char *nearest = NULL;
    size_t best = NEAREST_MAX_DISTANCE + 1;
    for (size_t i = 0; i < table->n_specs; i++) {
        const size_t distance = edit_distance(name, table->specs[i].name);
        if (distance < best && distance < strlen(name)) {
            best = distance;
            nearest = table->specs[i].name;
        }
    }
    if (nearest != NULL)
        return error_set(err, DC_ENOTFOUND, "%s: unknown key; did you mean %s?", name, nearest);
    return error_set(err, DC_ENOTFOUND, "%s: unknown key", name);
}

/* A range as its user would write it. */
static const char *bound_text(const struct option_spec *spec, double bound, char text[UNITS_TEXT_BYTES]) {
    switch (spec->type) {
    case OPTION_BYTES:
        return units_format_bytes(bound, text, UNITS_TEXT_BYTES);
    case OPTION_RATE:
        return units_format_rate(bound, text, UNITS_TEXT_BYTES);
    case OPTION_DURATION_MS:
        return units_format_duration(bound, text, UNITS_TEXT_BYTES);
    default:
        (void)snprintf(text, UNITS_TEXT_BYTES, "%.15g", bound);
        return text;
    }
}

static enum dc_status check_range(const struct option_spec *spec, double value, const char *text,
                                  struct dc_error *err) {
    const bool limited = spec->min != 0 || spec->max != 0;
    if (!limited || (value >= spec->min && value <= spec->max))
        return DC_OK;
    char low[UNITS_TEXT_BYTES];
    char high[UNITS_TEXT_BYTES];
    return error_set(err, DC_ERANGE, "\"%s\": expected %s to %s", text, bound_text(spec, spec->min, low),
                     bound_text(spec, spec->max, high));
}

static enum dc_status set_string(char **field, const char *text, struct dc_error *err) {
    char *copy = strdup(text);
    if (copy == NULL)
        return error_set_nomem(err);
    free(*field);
    *field = copy;
    return DC_OK;
}

static enum dc_status set_uint(const struct option_spec *spec, uint64_t *field, const char *text,
                               struct dc_error *err) {
    char *end = NULL;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0')
        return error_set(err, DC_EINVAL, "\"%s\": expected a whole number", text);
    if (errno == ERANGE)
        return error_set(err, DC_ERANGE, "\"%s\": expected a number below 2^64", text);
    const enum dc_status rc = check_range(spec, (double)value, text, err);
    if (rc == DC_OK)
        *field = value;
    return rc;
}

static enum dc_status parse_double(const char *text, double *value_out, struct dc_error *err) {
    char *end = NULL;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || isspace((unsigned char)text[0]))
        return error_set(err, DC_EINVAL, "\"%s\": expected a number", text);
    *value_out = value;
    return DC_OK;
}

static enum dc_status set_number(const struct option_spec *spec, double *field, const char *text,
                                 struct dc_error *err) {
    double value = 0;
    enum dc_status rc = DC_OK;
    if (spec->type == OPTION_BYTES)
        rc = units_parse_bytes(text, &value, err);
    else if (spec->type == OPTION_RATE)
        rc = units_parse_rate(text, &value, err);
    else if (spec->type == OPTION_DURATION_MS)
        rc = units_parse_duration(text, &value, err);
    else
        rc = parse_double(text, &value, err);
    if (rc == DC_OK)
        rc = check_range(spec, value, text, err);
    if (rc == DC_OK)
        *field = value;
    return rc;
}

static enum dc_status set_bool(bool *field, const char *text, struct dc_error *err) {
    static const char *const words[2][3] = {{"false", "no", "off"}, {"true", "yes", "on"}};
    for (size_t value = 0; value < 2; value++) {
        for (size_t i = 0; i < 3; i++) {
            if (strcasecmp(text, words[value][i]) == 0) {
                *field = value == 1;
                return DC_OK;
            }
        }
    }
    return error_set(err, DC_EINVAL, "\"%s\": expected true or false", text);
}

static enum dc_status set_choice(const struct option_spec *spec, unsigned *field, const char *text,
                                 struct dc_error *err) {
    char known[ERROR_TEXT_BYTES] = "";
    for (unsigned i = 0; spec->choices[i] != NULL; i++) {
        if (strcmp(spec->choices[i], text) == 0) {
            *field = i;
            return DC_OK;
        }
        const size_t used = strlen(known);
        (void)snprintf(known + used, sizeof(known) - used, "%s%s", i == 0 ? "" : ", ", spec->choices[i]);
    }
    return error_set(err, DC_EINVAL, "\"%s\": expected one of %s", text, known);
}

static enum dc_status set_field(const struct option_spec *spec, void *target, const char *text, struct dc_error *err) {
    void *field = field_of(spec, target);
    switch (spec->type) {
    case OPTION_STRING:
        return set_string(field, text, err);
    case OPTION_UINT:
        return set_uint(spec, field, text, err);
    case OPTION_BOOL:
        return set_bool(field, text, err);
    case OPTION_CHOICE:
        return set_choice(spec, field, text, err);
    case OPTION_DOUBLE:
    case OPTION_BYTES:
    case OPTION_RATE:
    case OPTION_DURATION_MS:
        return set_number(spec, field, text, err);
    }
    return error_set(err, DC_EINTERNAL, "option of no known type");
}

enum dc_status options_set_defaults(const struct option_table *table, void *target, struct dc_error *err) {
    for (size_t i = 0; i < table->n_specs; i++) {
        const struct option_spec *spec = &table->specs[i];
        if (spec->default_text == NULL)
            continue;
        const enum dc_status rc = set_field(spec, target, spec->default_text, err);
        if (rc != DC_OK) {
            (void)error_prefix(err, "%s", spec->name);
            return rc;
        }
    }
    return DC_OK;
}

enum dc_status options_set(const struct option_table *table, void *target, const char *name, const char *text,
                           struct dc_error *err) {
    const struct option_spec *spec = find(table, name);
    if (spec == NULL)
        return unknown_name(table, name, err);
    const enum dc_status rc = set_field(spec, target, text, err);
    if (rc != DC_OK)
        (void)error_prefix(err, "%s", name);
    return rc;
}

static bool is_unset(const struct option_spec *spec, const void *target) {
    const void *field = const_field_of(spec, target);
    switch (spec->type) {
    case OPTION_STRING:
        return *(char *const *)field == NULL || **(char *const *)field == '\0';
    case OPTION_UINT:
        return *(const uint64_t *)field == 0;
    case OPTION_DOUBLE:
    case OPTION_BYTES:
    case OPTION_RATE:
    case OPTION_DURATION_MS:
        return *(const double *)field == 0;
    case OPTION_BOOL:
    case OPTION_CHOICE:
        return false;
    }
    return false;
}

enum dc_status options_check_required(const struct option_table *table, const void *target, struct dc_error *err) {
    for (size_t i = 0; i < table->n_specs; i++) {
        const struct option_spec *spec = &table->specs[i];
        if (spec->required && is_unset(spec, target))
            return error_set(err, DC_EINVAL, "%s: required, but not set (%s)", spec->name, spec->help);
    }
    return DC_OK;
}

void options_dispose(const struct option_table *table, void *target) {
    for (size_t i = 0; i < table->n_specs; i++) {
        if (table->specs[i].type != OPTION_STRING)
            continue;
        char **field = field_of(&table->specs[i], target);
        free(*field);
        *field = NULL;
    }
}
