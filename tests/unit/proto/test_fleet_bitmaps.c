/* Bitmaps in the fleet document: there and back, and what is refused. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/fleet_bitmaps.h"

#include "base/bitmap.h"
#include "model/dirty_trace.h"
#include "proto/fleet_doc.h"
#include "tests/unit/proto/doc_patch.h"
#include "tests/unit/proto/fleet_texts.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* 70 pages in two intervals: {0, 63, 69}, {0, 1}. */
#define GOOD "KLUv/SAgfQAAOAEAgCAAAwADEAAS42ix"
#define PROFILE(bitmaps) "{\"kind\": \"rate\", \"pages_per_s\": 5, \"working_set_pages\": 9, \"bitmaps\": " bitmaps "}"
#define BITMAPS(interval_s, n_pages, packed) \
    "{\"interval_s\": " interval_s ", \"n_pages\": " n_pages ", \"zstd_base64\": " packed "}"

static char *document(const char *profile) {
    char *text = doc_patch(fleet_text_minimal, "vms.0.profile", profile);
    assert_non_null(text);
    return text;
}

static void test_reads_words(void **state) {
    (void)state;
    char *text = document(PROFILE(BITMAPS("0.25", "70", "\"" GOOD "\"")));
    struct fleet fleet;
    struct dc_error err = DC_ERROR_NONE;
    if (fleet_doc_read(text, strlen(text), &fleet, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    const struct dirty_trace *trace = fleet.vms[0].profile.trace;
    assert_non_null(trace);
    assert_true(fabs(trace->interval_s - 0.25) < 1e-12);
    assert_int_equal(trace->n_pages, 70);
    assert_int_equal(trace->n_intervals, 2);
    static const uint64_t words[] = {0x8000000000000001, 0x20, 3, 0};
    assert_memory_equal(trace->words, words, sizeof(words));
    fleet_doc_dispose(&fleet);
    free(text);
}

static void test_round_trip(void **state) {
    (void)state;
    enum { PAGES = 5000, INTERVALS = 40 };
    const size_t n_words = bitmap_words(PAGES) * INTERVALS;
    struct fleet first, second;
    char *text = document(PROFILE(BITMAPS("0.25", "70", "\"" GOOD "\"")));
    char *once = NULL, *twice = NULL;
    uint64_t *words = calloc(n_words, sizeof(words[0]));
    assert_non_null(words);
    for (size_t i = 0; i < 3000; i++)
        bitmap_set(words + i % INTERVALS * bitmap_words(PAGES), i * i % PAGES);
    assert_int_equal(fleet_doc_read(text, strlen(text), &first, NULL), DC_OK);
    struct dirty_trace *trace = first.vms[0].profile.trace;
    dirty_trace_dispose(trace);
    assert_int_equal(dirty_trace_init(trace, 0.125, PAGES, words, INTERVALS, NULL), DC_OK);
    assert_int_equal(fleet_doc_write(&first, &once, NULL), DC_OK);
    assert_int_equal(fleet_doc_read(once, strlen(once), &second, NULL), DC_OK);
    assert_int_equal(fleet_doc_write(&second, &twice, NULL), DC_OK);
    assert_string_equal(once, twice);
    const struct dirty_trace *read = second.vms[0].profile.trace;
    assert_int_equal(read->n_intervals, INTERVALS);
    assert_memory_equal(read->words, trace->words, n_words * sizeof(words[0]));
    fleet_doc_dispose(&first);
    fleet_doc_dispose(&second);
    free(once);
    free(twice);
    free(text);
}

static void test_refuses(void **state) {
    (void)state;
    static const struct {
        const char *bitmaps;
        const char *error; /* after the path; its beginning if it ends with "*" */
    } cases[] = {
        {"7", ": expected an object, got 7"},
        {BITMAPS("0", "70", "\"" GOOD "\""), ".interval_s: expected a number >= 0.001 and <= 3600, got 0"},
        {BITMAPS("1", "0", "\"" GOOD "\""), ".n_pages: expected an integer >= 1 and <= 268435456, got 0"},
        {BITMAPS("1", "1e15", "\"" GOOD "\""), ".n_pages: expected an integer >= 1 and <= 268435456*"},
        {BITMAPS("1", "70", "7"), ".zstd_base64: expected a string, got 7"},
        {"{\"interval_s\": 1, \"n_pages\": 70}", ".zstd_base64: expected a string, got nothing"},
        {BITMAPS("1", "70", "\"a%b\""), ".zstd_base64: expected base64"},
        {BITMAPS("1", "70", "\"KLUv/SAgf\""), ".zstd_base64: expected base64"}, /* cut inside a group */
        {BITMAPS("1", "70", "\"\""), ".zstd_base64: expected a frame of zstd that says its size"},
        {BITMAPS("1", "70", "\"aGVsbG8gd29ybGQ=\""), ".zstd_base64: expected a frame of zstd that says its size"},
        /* streamed: without its size */
        {BITMAPS("1", "70", "\"KLUv/QBYfQAAOAEAgCAAAwADEAAS42ix\""),
         ".zstd_base64: expected a frame of zstd that says its size"},
        {BITMAPS("1", "70", "\"KLUv/SAgfQAAOAEAgCAAAwADEAA=\""), ".zstd_base64: not a good frame of zstd: *"},
        /* a header that says 64 MiB and 16 bytes */
        {BITMAPS("1", "70", "\"KLUv/YBYEAAABFQAABAAAAEA\""),
         ".zstd_base64: expected at most 64 MiB of bitmaps, got 67108880 bytes"},
        {BITMAPS("1", "70", "\"KLUv/SAAAQAA\""),
         ".zstd_base64: expected whole bitmaps of 16 bytes (n_pages = 70 in 64-bit words), got 0 bytes"},
        {BITMAPS("1", "70", "\"KLUv/SAYpQAAaAEAgCAAAwAAAAAAAAACAGDGBbA=\""),
         ".zstd_base64: expected whole bitmaps of 16 bytes (n_pages = 70 in 64-bit words), got 24 bytes"},
        {BITMAPS("1", "70", "\"KLUv/SAgdQAAMAEAQAADAANQAgASDwE=\""), ": bitmap 0 has bits past its 70 pages"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char profile[512], error[256];
        struct fleet fleet;
        struct dc_error err = DC_ERROR_NONE;
        (void)snprintf(profile, sizeof(profile), PROFILE("%s"), cases[i].bitmaps);
        (void)snprintf(error, sizeof(error), "vms[0].profile.bitmaps%s", cases[i].error);
        char *text = document(profile);
        assert_int_equal(fleet_doc_read(text, strlen(text), &fleet, &err), DC_EINVAL);
        if (error[strlen(error) - 1] == '*')
            assert_memory_equal(err.text, error, strlen(error) - 1);
        else
            assert_string_equal(err.text, error);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_words),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
