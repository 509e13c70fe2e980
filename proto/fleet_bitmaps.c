/* Bitmaps in and out of the fleet document: base64 around zstd around words. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/fleet_bitmaps.h"

#include "base/bitmap.h"
#include "model/dirty_trace.h"
#include "proto/doc_field.h"

#include <endian.h>
#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { ZSTD_LEVEL = 3, WORD_BYTES = sizeof(uint64_t), BYTES_A_MIB = 1 << 20 };

static const char PACKED_KEY[] = "zstd_base64";

struct bytes {
    uint8_t *data; /* heap */
    size_t n;
};

/* The text at PACKED_KEY without its base64. */
static struct bytes decode_base64(struct doc_reader *reader, const struct doc_object *object) {
    const json_t *text = doc_reader_get(reader, object, PACKED_KEY);
    struct bytes packed = {0};
    if (!json_is_string(text)) {
        doc_reader_fail_value(reader, PACKED_KEY, "a string", text);
        return packed;
    }
    struct base64_decode_ctx context;
    const size_t n_text = json_string_length(text);
    packed.n = BASE64_DECODE_LENGTH(n_text);
    packed.data = doc_reader_alloc(reader, packed.n + 1, 1);
    if (packed.data == NULL)
        return packed;
    base64_decode_init(&context);
    if (!base64_decode_update(&context, &packed.n, packed.data, n_text, json_string_value(text)) ||
        !base64_decode_final(&context))
        doc_reader_fail(reader, PACKED_KEY, DC_EINVAL, "expected base64");
    return packed;
}

/* Unpacks into words as the document has them. */
static struct bytes unpack(struct doc_reader *reader, const struct bytes *packed) {
    const unsigned long long n_bytes = ZSTD_getFrameContentSize(packed->data, packed->n);
    struct bytes raw = {0};
    if (n_bytes == ZSTD_CONTENTSIZE_ERROR || n_bytes == ZSTD_CONTENTSIZE_UNKNOWN) {
        doc_reader_fail(reader, PACKED_KEY, DC_EINVAL, "expected a frame of zstd that says its size");
        return raw;
    }
    if (n_bytes > FLEET_BITMAPS_MAX_BYTES) {
        doc_reader_fail(reader, PACKED_KEY, DC_EINVAL, "expected at most %zu MiB of bitmaps, got %llu bytes",
                        FLEET_BITMAPS_MAX_BYTES / BYTES_A_MIB, n_bytes);
        return raw;
    }
    reader->unpacked_bytes += (size_t)n_bytes;
    if (reader->unpacked_bytes > FLEET_BITMAPS_MAX_DOCUMENT_BYTES) {
        doc_reader_fail(reader, PACKED_KEY, DC_EINVAL, "expected at most %zu MiB of bitmaps in a document",
                        FLEET_BITMAPS_MAX_DOCUMENT_BYTES / BYTES_A_MIB);
        return raw;
    }
    raw.n = (size_t)n_bytes;
    raw.data = doc_reader_alloc(reader, raw.n + 1, 1);
    if (raw.data == NULL)
        return raw;
    const size_t n_got = ZSTD_decompress(raw.data, raw.n, packed->data, packed->n);
    if (ZSTD_isError(n_got) || n_got != raw.n)
        doc_reader_fail(reader, PACKED_KEY, DC_EINVAL, "not a good frame of zstd: %s",
                        ZSTD_isError(n_got) ? ZSTD_getErrorName(n_got) : "it ends early");
    return raw;
}

/* The words of `raw` in this machine's order; fails for a number of bytes that is no whole number of bitmaps. */
static uint64_t *words_of(struct doc_reader *reader, const struct bytes *raw, size_t n_pages) {
    const size_t bitmap_bytes = bitmap_words(n_pages) * WORD_BYTES;
    if (raw->n == 0 || raw->n % bitmap_bytes != 0) {
        doc_reader_fail(reader, PACKED_KEY, DC_EINVAL,
                        "expected whole bitmaps of %zu bytes (n_pages = %zu in 64-bit words), got %zu bytes",
                        bitmap_bytes, n_pages, raw->n);
        return NULL;
    }
    uint64_t *words = doc_reader_alloc(reader, raw->n / WORD_BYTES, WORD_BYTES);
    for (size_t i = 0; words != NULL && i < raw->n / WORD_BYTES; i++) {
        uint64_t word;
        memcpy(&word, raw->data + i * WORD_BYTES, WORD_BYTES);
        words[i] = le64toh(word);
    }
    return words;
}

static void read_trace(struct doc_reader *reader, const struct doc_object *object, double interval_s, size_t n_pages,
                       struct dirty_profile *profile) {
    struct bytes packed = decode_base64(reader, object);
    struct bytes raw = {0};
    uint64_t *words = NULL;
    struct dc_error err = DC_ERROR_NONE;
    if (doc_reader_ok(reader))
        raw = unpack(reader, &packed);
    if (doc_reader_ok(reader))
        words = words_of(reader, &raw, n_pages);
    if (doc_reader_ok(reader))
        profile->trace = doc_reader_alloc(reader, 1, sizeof(*profile->trace));
    if (profile->trace == NULL)
        free(words);
    else if (dirty_trace_init(profile->trace, interval_s, n_pages, words, raw.n / WORD_BYTES / bitmap_words(n_pages),
                              &err) != DC_OK)
        doc_reader_fail(reader, NULL, err.status, "%s", error_text(&err));
    free(raw.data);
    free(packed.data);
}

void fleet_bitmaps_read(struct doc_reader *reader, const struct doc_object *object, struct dirty_profile *profile) {
    struct numbers {
        double interval_s;
        double n_pages;
    } numbers = {0};
    static const struct doc_field rows[] = {
        {.key = "interval_s",
         .type = DOC_NUMBER,
         .need = DOC_REQUIRED,
         .offset = offsetof(struct numbers, interval_s),
         .min = DIRTY_TRACE_MIN_INTERVAL_S,
         .max = DIRTY_TRACE_MAX_INTERVAL_S},
        {.key = "n_pages",
         .type = DOC_WHOLE,
         .need = DOC_REQUIRED,
         .offset = offsetof(struct numbers, n_pages),
         .min = 1,
         .max = (double)DIRTY_TRACE_MAX_PAGES},
    };
    const struct doc_object found = {.own = doc_reader_object(reader, object, "bitmaps")};
    if (found.own == NULL)
        return;
    doc_reader_enter(reader, "bitmaps");
    doc_field_read(reader, &found, rows, sizeof(rows) / sizeof(rows[0]), &numbers);
    if (doc_reader_ok(reader))
        read_trace(reader, &found, numbers.interval_s, (size_t)numbers.n_pages, profile);
    doc_reader_leave(reader);
}

/* The trace's words, packed. */
static struct bytes pack(const struct dirty_trace *trace) {
    const size_t n_words = trace->n_intervals * trace->n_words;
    struct bytes packed = {.n = ZSTD_compressBound(n_words * WORD_BYTES)};
    uint64_t *words = calloc(n_words, WORD_BYTES);
    packed.data = calloc(packed.n, 1);
    if (words == NULL || packed.data == NULL) {
        packed.n = 0;
        goto out;
    }
    for (size_t i = 0; i < n_words; i++)
        words[i] = htole64(trace->words[i]);
    packed.n = ZSTD_compress(packed.data, packed.n, words, n_words * WORD_BYTES, ZSTD_LEVEL);
    if (ZSTD_isError(packed.n))
        packed.n = 0;
out:
    free(words);
    return packed;
}

bool fleet_bitmaps_set(json_t *json, const struct dirty_profile *profile) {
    const struct dirty_trace *trace = profile->trace;
    if (trace == NULL)
        return true;
    struct bytes packed = pack(trace);
    const size_t n_text = BASE64_ENCODE_RAW_LENGTH(packed.n);
    char *text = calloc(n_text + 1, 1);
    bool ok = packed.n > 0 && text != NULL;
    if (ok) {
        base64_encode_raw(text, packed.n, packed.data);
        json_t *object = json_pack("{s:o, s:o, s:s%}", "interval_s", doc_field_number_json(trace->interval_s),
                                   "n_pages", doc_field_whole_json((double)trace->n_pages), PACKED_KEY, text, n_text);
        ok = json_object_set_new(json, "bitmaps", object) == 0;
    }
    free(text);
    free(packed.data);
    return ok;
}
