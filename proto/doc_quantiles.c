/* Quantiles in documents, by one field table. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/doc_quantiles.h"

#include "proto/doc_field.h"

#define LEFT_OUT (-1)
#define AT(field) .offset = offsetof(struct prediction_quantiles, field)

static const struct doc_field rows[] = {
    {.key = "p50", .type = DOC_WHOLE, .need = DOC_REQUIRED, AT(p50)},
    {.key = "p90", .type = DOC_WHOLE, .fallback = LEFT_OUT, AT(p90)},
    {.key = "p95", .type = DOC_WHOLE, .need = DOC_REQUIRED, AT(p95)},
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

void doc_quantiles_read(struct doc_reader *reader, const struct doc_object *object, const char *key,
                        struct prediction_quantiles *quantiles_out) {
    const struct doc_object found = {.own = doc_reader_object(reader, object, key)};
    if (found.own == NULL) {
        doc_reader_fail_value(reader, key, "an object with p50 and p95", NULL);
        return;
    }
    doc_reader_enter(reader, key);
    doc_field_read(reader, &found, rows, N_ROWS, quantiles_out);
    if (quantiles_out->p90 < 0)
        quantiles_out->p90 = quantiles_out->p95;
    doc_reader_leave(reader);
}

json_t *doc_quantiles_json(const struct prediction_quantiles *quantiles) {
    json_t *object = json_object();
    if (doc_field_write(object, rows, N_ROWS, quantiles))
        return object;
    json_decref(object);
    return NULL;
}
