/* A table of keys: whose, where, in which range. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/goal_choice.h"

#include <math.h>
#include <stddef.h>

enum key_type { KEY_FLAG, KEY_COUNT, KEY_MS, KEY_FRAC };

static const double longest_ms = 1e3 * 86400 * 365;
static const double most_hosts = 1e6;

static const struct {
    enum goal_kind kind;
    const char *key;
    enum key_type type;
    size_t offset;
} keys[] = {
    {GOAL_CONSOLIDATE, "power_off", KEY_COUNT, offsetof(struct goal_choice, power_off)},
    {GOAL_CONSOLIDATE, "energy", KEY_FLAG, offsetof(struct goal_choice, energy)},
    {GOAL_CONSOLIDATE, "max_time_ms", KEY_MS, offsetof(struct goal_choice, max_time_ms)},
    {GOAL_CONSOLIDATE, "payback_ms", KEY_MS, offsetof(struct goal_choice, payback_ms)},
    {GOAL_REBALANCE, "max_cpu_frac", KEY_FRAC, offsetof(struct goal_choice, max_cpu_frac)},
    {GOAL_REBALANCE, "max_memory_frac", KEY_FRAC, offsetof(struct goal_choice, max_memory_frac)},
    {GOAL_ROLLING, "all", KEY_FLAG, offsetof(struct goal_choice, all)},
    {GOAL_ROLLING, "return", KEY_FLAG, offsetof(struct goal_choice, returns)},
    {GOAL_ROLLING, "at_once", KEY_COUNT, offsetof(struct goal_choice, at_once)},
    {GOAL_ROLLING, "maintenance_ms", KEY_MS, offsetof(struct goal_choice, maintenance_ms)},
};

enum { N_KEYS = sizeof(keys) / sizeof(keys[0]) };

static const double default_cpu_frac = 0.8, default_memory_frac = 0.9;

double goal_choice_cpu_frac(const struct goal_choice *choice) {
    return choice->max_cpu_frac > 0 ? choice->max_cpu_frac : default_cpu_frac;
}

double goal_choice_memory_frac(const struct goal_choice *choice) {
    return choice->max_memory_frac > 0 ? choice->max_memory_frac : default_memory_frac;
}

static json_t *value_of(const struct goal_choice *choice, size_t row) {
    const char *at = (const char *)choice + keys[row].offset;
    switch (keys[row].type) {
    case KEY_FLAG:
        return *(const bool *)(const void *)at ? json_true() : NULL;
    case KEY_COUNT: {
        const unsigned count = *(const unsigned *)(const void *)at;
        return count > 0 ? json_integer(count) : NULL;
    }
    case KEY_MS: {
        const double ms = *(const double *)(const void *)at;
        return ms > 0 ? json_integer((json_int_t)llround(ms)) : NULL;
    }
    case KEY_FRAC: {
        const double frac = *(const double *)(const void *)at;
        return frac > 0 ? json_real(frac) : NULL;
    }
    }
    return NULL;
}

bool goal_choice_to_json(enum goal_kind kind, const struct goal_choice *choice, json_t *object) {
    for (size_t row = 0; row < N_KEYS; row++) {
        json_t *value = keys[row].kind == kind ? value_of(choice, row) : NULL;
        if (value != NULL && json_object_set_new(object, keys[row].key, value) != 0)
            return false;
    }
    return true;
}

static enum dc_status read_number(const json_t *value, size_t row, double *number_out, struct dc_error *err) {
    const double most = keys[row].type == KEY_MS ? longest_ms : keys[row].type == KEY_FRAC ? 1 : most_hosts;
    const bool is_count = keys[row].type == KEY_COUNT;
    const double number = json_is_number(value) ? json_number_value(value) : -1;
    if (!(number >= 0 && number <= most) || (is_count && number != floor(number)))
        return error_set(err, DC_EINVAL, "%s: expected %s from 0 to %.0f", keys[row].key,
                         is_count ? "an integer" : "a number", most);
    *number_out = number;
    return DC_OK;
}

static enum dc_status read_value(const json_t *value, size_t row, struct goal_choice *choice, struct dc_error *err) {
    char *at = (char *)choice + keys[row].offset;
    if (keys[row].type == KEY_FLAG) {
        if (!json_is_boolean(value))
            return error_set(err, DC_EINVAL, "%s: expected true or false", keys[row].key);
        *(bool *)(void *)at = json_is_true(value);
        return DC_OK;
    }
    double number = 0;
    const enum dc_status rc = read_number(value, row, &number, err);
    if (rc == DC_OK && keys[row].type == KEY_COUNT)
        *(unsigned *)(void *)at = (unsigned)number;
    else if (rc == DC_OK)
        *(double *)(void *)at = number;
    return rc;
}

enum dc_status goal_choice_from_json(enum goal_kind kind, const json_t *object, struct goal_choice *choice_out,
                                     struct dc_error *err) {
    *choice_out = (struct goal_choice){0};
    enum dc_status rc = DC_OK;
    for (size_t row = 0; rc == DC_OK && row < N_KEYS; row++) {
        const json_t *value = keys[row].kind == kind ? json_object_get(object, keys[row].key) : NULL;
        if (value != NULL)
            rc = read_value(value, row, choice_out, err);
    }
    if (rc == DC_OK && choice_out->power_off > 0 && choice_out->energy)
        rc = error_set(err, DC_EINVAL, "power_off and energy: only one of them can be the goal");
    return rc;
}

void goal_choice_strip(json_t *object) {
    for (size_t row = 0; row < N_KEYS; row++)
        (void)json_object_del(object, keys[row].key);
}
