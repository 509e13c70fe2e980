/* PRED: grids and curves go round exactly; what lies or grows is refused. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_pred.h"

#include "tests/unit/proto/msg_tweak.h"

#define UUID "01234567-89ab-cdef-0123-456789abcdef"

MSG_TWEAK_DEFINE_READ(pred)

static char boot_text[] = "boot";
static struct prediction_point points[] = {
    {.bandwidth_bytes_per_s = 31250000,
     .migration_ms = {9000.25, 9500, 9800},
     .downtime_ms = {300, 400, 410},
     .bytes = 281018368,
     .n_rounds = 6},
    {.bandwidth_bytes_per_s = 125000000,
     .migration_ms = {2100.5, 2200, 2300},
     .downtime_ms = {300, 320, 330},
     .bytes = 262144000,
     .n_rounds = 4,
     .converges = true},
};
static struct dirty_point p50[] = {{0.125, 900}, {0.25, 1500.5}, {60, 1500.5}};
static struct dirty_point p95[] = {{0.125, 1000}};
static struct dirty_hour hours[] = {
    {1700000400000, DIRTY_BASIS_HOUR_OF_DAY, 12, {3, p50}, {1, p95}},
    {1700004000000, DIRTY_BASIS_ALL, 300, {1, p95}, {1, p95}},
};
static struct msg_prediction predictions[] = {
    {.vm = UUID,
     .sample_number = 7,
     .zero_pages = 12,
     .n_bursts = 3,
     .prediction = {.made_unix_ms = INT64_C(1700000000123), .n_points = 2, .points = points},
     .p50 = {.n_points = 3, .points = p50},
     .p95 = {.n_points = 1, .points = p95},
     .n_hours = 2,
     .hours = hours},
    {.vm = "11111111-2222-3333-4444-555555555555", .prediction = {.n_points = 1, .points = points}},
};
static const struct msg_pred pred = {.boot_id = boot_text, .n_predictions = 2, .predictions = predictions};

static void test_goes_round(void **state) {
    (void)state;
    struct msg_buffer buffer = {0};
    struct msg_pred back;
    assert_int_equal(msg_pred_write(&pred, &buffer, NULL), DC_OK);
    assert_int_equal(msg_pred_read(buffer.bytes, buffer.n_bytes, &back, NULL), DC_OK);
    assert_string_equal(back.boot_id, "boot");
    assert_int_equal(back.n_predictions, 2);
    const struct msg_prediction *first = &back.predictions[0];
    assert_string_equal(first->vm, UUID);
    assert_int_equal(first->sample_number, 7);
    assert_true(first->zero_pages == 12);
    assert_int_equal(first->n_bursts, 3);
    assert_int_equal(first->n_hours, 2);
    assert_true(first->hours[1].start_unix_ms == 1700004000000);
    assert_int_equal(first->hours[0].basis, DIRTY_BASIS_HOUR_OF_DAY);
    assert_int_equal(first->hours[1].n_bursts, 300);
    assert_true(first->hours[0].p50.points[1].pages == 1500.5);
    assert_true(first->prediction.made_unix_ms == INT64_C(1700000000123));
    assert_int_equal(first->prediction.n_points, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct prediction_point *got = &first->prediction.points[i];
        assert_true(got->bandwidth_bytes_per_s == points[i].bandwidth_bytes_per_s);
        assert_true(got->migration_ms.p50 == points[i].migration_ms.p50);
        assert_true(got->migration_ms.p90 == points[i].migration_ms.p90);
        assert_true(got->migration_ms.p95 == points[i].migration_ms.p95);
        assert_true(got->downtime_ms.p50 == points[i].downtime_ms.p50);
        assert_true(got->downtime_ms.p90 == points[i].downtime_ms.p90);
        assert_true(got->downtime_ms.p95 == points[i].downtime_ms.p95);
        assert_true(got->bytes == points[i].bytes);
        assert_int_equal(got->n_rounds, points[i].n_rounds);
        assert_int_equal(got->converges, points[i].converges);
    }
    assert_int_equal(first->p50.n_points, 3);
    assert_true(first->p50.points[1].window_s == 0.25 && first->p50.points[1].pages == 1500.5);
    assert_int_equal(first->p95.n_points, 1);
    assert_int_equal(back.predictions[1].p50.n_points, 0);
    msg_pred_dispose(&back);
    msg_tweak_check_truncated(&buffer, read_pred);
    msg_buffer_dispose(&buffer);
}

static void test_refuses(void **state) {
    (void)state;
    static const struct msg_tweak tweaks[] = {
        TWEAK("predictions.0.of_a_later_version", "\x01", NULL),
        TWEAK("predictions.0.grid.migration_p50_ms", "\x92\x05\x05", NULL),
        TWEAK_DROP("boot_id", "boot_id: missing"),
        TWEAK("predictions", "\x90", "predictions: expected an array of 1 to 256 items, got 0"),
        TWEAK("predictions", "\x91\x01", "predictions[0]: expected a map"),
        TWEAK_DROP("predictions.1.vm", "predictions[1].vm: missing"),
        TWEAK("predictions.0.zero_pages", "\xff", "predictions[0].zero_pages: expected a number from 0"),
        TWEAK("predictions.0.sample_number", "\xa1\x31", "predictions[0].sample_number: expected a number"),
        TWEAK_DROP("predictions.0.grid", "predictions[0].grid.bandwidth_bytes_per_s: missing"),
        TWEAK("predictions.0.grid", "\x90", "predictions[0].grid: expected a map"),
        TWEAK("predictions.0.grid.bandwidth_bytes_per_s", "\x90", "expected an array of 1 to 64 items, got 0"),
        TWEAK("predictions.0.grid.bandwidth_bytes_per_s", "\x91\x01", "expected an array of 1 to 1 items, got 2"),
        TWEAK("predictions.0.grid.bandwidth_bytes_per_s.1", "\x01",
              "grid.bandwidth_bytes_per_s[1]: expected more than the bandwidth before it"),
        TWEAK("predictions.0.grid.bandwidth_bytes_per_s.0", "\x00", "grid.bandwidth_bytes_per_s[0]: expected a number"),
        TWEAK("predictions.0.grid.migration_p50_ms", "\x91\x01", "migration_p50_ms: expected an array of 2 to 2"),
        TWEAK("predictions.0.grid.migration_p95_ms.0", "\x01", "migration_p95_ms[0]: expected at least the p50"),
        TWEAK("predictions.0.grid.migration_p90_ms.1", "\x01", "migration_p90_ms[1]: expected the p50 to the p95"),
        TWEAK("predictions.0.grid.downtime_p95_ms.1", "\x01", "downtime_p95_ms[1]: expected at least the p50"),
        TWEAK("predictions.0.grid.bytes.0", "\x01", "predictions[0].grid.bytes[1]: grows with the bandwidth"),
        TWEAK("predictions.0.grid.downtime_p50_ms.0", "\x01", "downtime_p50_ms[1]: grows with the bandwidth"),
        TWEAK("predictions.0.grid.bytes.0", "\xff", "grid.bytes[0]: expected a number from 0"),
        TWEAK("predictions.0.grid.n_rounds.0", "\xcb\x3f\xf8\0\0\0\0\0\0", "n_rounds[0]: expected a whole number"),
        TWEAK("predictions.0.grid.n_rounds.0", "\xce\xff\xff\xff\xff",
              "n_rounds[0]: expected a number from 0 to 10001"),
        TWEAK("predictions.0.grid.converges", "\x92\xc3\xc2", "converges[1]: expected true"),
        TWEAK("predictions.0.grid.converges.0", "\x01", "converges[0]: expected true or false"),
        TWEAK_DROP("predictions.0.grid.migration_p90_ms", NULL),
        TWEAK("predictions.0.hours.1.start_unix_ms", "\x01", "hours[1].start_unix_ms: expected later than the hour"),
        TWEAK("predictions.0.hours.0.basis", "\xa1\x78", "hours[0].basis: expected"),
        TWEAK("predictions.0.hours.0.p50.window_s", "\x90", "hours[0].p50.pages: expected an array of 0 to 0"),
        TWEAK("predictions.0.hours.0.p50", "\x82\xa8window_s\x90\xa5pages\x90", "at least one point"),
        TWEAK_DROP("predictions.0.hours", NULL),
        TWEAK_DROP("predictions.0.p50", "predictions[0].p50: missing; expected a map"),
        TWEAK("predictions.0.p50.window_s.1", "\x00", "p50.window_s[1]: expected more than the window before it"),
        TWEAK("predictions.0.p50.pages.1", "\x00", "p50.pages[1]: expected at least the pages before them"),
        TWEAK("predictions.0.p50.pages.0", "\xff", "p50.pages[0]: expected a number from 0"),
        TWEAK("predictions.0.p50.pages", "\x90", "p50.pages: expected an array of 3 to 3 items, got 0"),
        TWEAK("predictions.0.p95.window_s", "\x90", "p95.pages: expected an array of 0 to 0 items, got 1"),
    };
    struct msg_buffer buffer = {0};
    assert_int_equal(msg_pred_write(&pred, &buffer, NULL), DC_OK);
    MSG_TWEAK_CHECK(&buffer, read_pred, tweaks);
    msg_buffer_dispose(&buffer);
}

/* The usual batch is far from the limit; the largest imaginable is refused by the writer. */
static void test_sizes(void **state) {
    (void)state;
    static struct msg_prediction many[MSG_MAX_PREDICTIONS + 1];
    static struct prediction_point grid[MSG_MAX_POINTS];
    static struct dirty_point curve[MSG_MAX_POINTS];
    for (size_t i = 0; i < MSG_MAX_POINTS; i++) {
        const double x = 0.1 + (double)i;
        grid[i] = (struct prediction_point){
            1e6 * x, {1e6 / x, 1.9e6 / x, 2e6 / x}, {1e5 / x, 1.9e5 / x, 2e5 / x}, 1e9 + 0.5, 6, true};
        curve[i] = (struct dirty_point){x, 1000 * x};
    }
    for (size_t i = 0; i < MSG_MAX_PREDICTIONS + 1; i++) {
        memcpy(many[i].vm, UUID, MSG_UUID_BYTES);
        many[i].prediction = (struct prediction){.n_points = 16, .points = grid};
        many[i].p50 = (struct dirty_curve){.n_points = 24, .points = curve};
        many[i].p95 = many[i].p50;
    }
    struct msg_pred msg = {.boot_id = boot_text, .n_predictions = MSG_MAX_PREDICTIONS, .predictions = many};
    struct msg_buffer buffer = {0};
    assert_int_equal(msg_pred_write(&msg, &buffer, NULL), DC_OK);
    assert_true(buffer.n_bytes < MSG_MAX_PREDICTIONS * 2400);
    assert_int_equal(read_pred(buffer.bytes, buffer.n_bytes, NULL), DC_OK);

    msg.n_predictions = MSG_MAX_PREDICTIONS + 1;
    assert_int_equal(msg_pred_write(&msg, &buffer, NULL), DC_ELIMIT);
    msg.n_predictions = MSG_MAX_PREDICTIONS;
    for (size_t i = 0; i < MSG_MAX_PREDICTIONS; i++) {
        many[i].prediction.n_points = MSG_MAX_POINTS;
        many[i].p50.n_points = many[i].p95.n_points = MSG_MAX_POINTS;
    }
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(msg_pred_write(&msg, &buffer, &err), DC_ELIMIT);
    assert_non_null(strstr(error_text(&err), "longer than 1048576 bytes"));
    msg_buffer_dispose(&buffer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_round),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
