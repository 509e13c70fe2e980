/* A handful of plans at most: no index. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/run_table.h"

#include "base/vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t most_silence_ms = 600000;

void run_table_dispose(struct run_table *table) {
    free(table->runs);
    *table = (struct run_table){0};
}

static void drop(struct run_table *table, size_t i) {
    table->runs[i] = table->runs[--table->n_runs];
}

static size_t find(const struct run_table *table, const char *id) {
    size_t i = 0;
    while (i < table->n_runs && strcmp(table->runs[i].id, id) != 0)
        i++;
    return i;
}

static void take_count(const json_t *event, const char *key, size_t *n) {
    const json_t *value = json_object_get(event, key);
    if (json_is_integer(value) && json_integer_value(value) >= 0)
        *n = (size_t)json_integer_value(value);
}

enum dc_status run_table_hear(struct run_table *table, const char *id, const json_t *event, int64_t now_unix_ms,
                              struct dc_error *err) {
    const char *kind = json_string_value(json_object_get(event, "event"));
    const size_t i = find(table, id);
    if (kind != NULL && strcmp(kind, "end") == 0) {
        if (i < table->n_runs)
            drop(table, i);
        return DC_OK;
    }
    if (i == table->n_runs) {
        if (!vec_reserve((void **)&table->runs, &table->capacity, table->n_runs + 1, sizeof(*table->runs)))
            return error_set_nomem(err);
        table->runs[table->n_runs++] = (struct run){.n_running = 0};
        (void)snprintf(table->runs[i].id, sizeof(table->runs[i].id), "%s", id);
    }
    take_count(event, "n_running", &table->runs[i].n_running);
    take_count(event, "n_pending", &table->runs[i].n_pending);
    table->runs[i].heard_unix_ms = now_unix_ms;
    return DC_OK;
}

void run_table_expire(struct run_table *table, int64_t now_unix_ms) {
    for (size_t i = table->n_runs; i-- > 0;)
        if (now_unix_ms - table->runs[i].heard_unix_ms > most_silence_ms)
            drop(table, i);
}
