/* Writers: the same records as a table and as JSON. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct writer_field fields[] = {
    {"name", "VM", WRITER_TEXT, false},
    {"note", "NOTE", WRITER_TEXT, false},
    {"memory_bytes", "MEMORY", WRITER_BYTES, false},
    {"start_ms", "START", WRITER_CLOCK, false},
    {"migration_ms", "MIGRATION", WRITER_QUANTILES, false},
    {"converges", "CONVERGES", WRITER_BOOL, false},
    {"bandwidth_bytes_per_s", "BANDWIDTH", WRITER_RATE, true},
};
enum { N_FIELDS = sizeof(fields) / sizeof(fields[0]) };

static void write_rows(struct writer *writer) {
    const struct writer_value rows[2][N_FIELDS] = {
        {writer_text("web1"), WRITER_UNKNOWN, writer_number(4.0 * (1 << 30)), writer_number(83440),
         writer_quantiles(120.4, 310), writer_number(1), writer_number(125e6)},
        {writer_text("database"), WRITER_UNKNOWN, WRITER_UNKNOWN, writer_number(59960), writer_quantiles(900, 1500),
         writer_number(0), writer_number(1.25e9)},
    };
    assert_int_equal(writer_begin(writer, "vms", fields, N_FIELDS, NULL), DC_OK);
    assert_int_equal(writer_row(writer, rows[0], NULL), DC_OK);
    assert_int_equal(writer_row(writer, rows[1], NULL), DC_OK);
    assert_int_equal(writer_end(writer, NULL), DC_OK);
    assert_int_equal(writer_line(writer, NULL, "%d VMs", 2), DC_OK);
    assert_int_equal(writer_finish(writer, NULL), DC_OK);
    writer_free(&writer);
    assert_null(writer);
}

static void check_table(bool wide, const char *expected) {
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *stream = open_memstream(&text, &n_bytes);
    struct writer *writer = NULL;
    assert_int_equal(writer_table_new(stream, wide, false, &writer, NULL), DC_OK);
    write_rows(writer);
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(text, expected);
    free(text);
}

/* NOTE is of no row and left out; BANDWIDTH is only in the wide table. */
static void prints_tables_for_people(void **state) {
    (void)state;
    check_table(false, "VM          MEMORY   START     MIGRATION  CONVERGES\n"
                       "web1      4.00 GiB  1:23.4  120 / 310 ms  yes\n"
                       "database         -  1:00.0   0.9 / 1.5 s  no\n"
                       "2 VMs\n");
    check_table(true, "VM          MEMORY   START     MIGRATION  CONVERGES    BANDWIDTH\n"
                      "web1      4.00 GiB  1:23.4  120 / 310 ms  yes        1.00 Gbit/s\n"
                      "database         -  1:00.0   0.9 / 1.5 s  no         10.0 Gbit/s\n"
                      "2 VMs\n");
}

static void prints_json_for_programs(void **state) {
    (void)state;
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *stream = open_memstream(&text, &n_bytes);
    struct writer *writer = NULL;
    assert_int_equal(writer_json_new(stream, &writer, NULL), DC_OK);
    write_rows(writer);
    assert_int_equal(fclose(stream), 0);
    assert_non_null(strstr(text, "\"memory_bytes\": 4294967296"));
    assert_non_null(strstr(text, "\"converges\": true"));
    assert_non_null(strstr(text, "\"p50\": 120"));
    assert_null(strstr(text, "note"));
    assert_null(strstr(text, "2 VMs"));
    free(text);
}

static const struct writer_field finer[] = {
    {"migration_ms", "MIGRATION", WRITER_SPREAD, false},
    {"off_frac", "OFF", WRITER_PERCENT, false},
    {"rate_factor", "TIMES", WRITER_RATIO, false},
    {"start_unix_ms", "START", WRITER_TIME, false},
};

static char *write_finer(bool json) {
    const struct writer_value rows[][4] = {
        {writer_spread(120, 200, 310), writer_number(-0.125), writer_number(0.0625), writer_number(1700003600000.0)},
        {writer_spread(900, 1500, 1600), writer_number(2.5), writer_number(16), WRITER_UNKNOWN},
        {writer_spread(599e3, 600e3, 661e3), WRITER_UNKNOWN, WRITER_UNKNOWN, WRITER_UNKNOWN},
        {writer_spread(1500, 1500, 1500), WRITER_UNKNOWN, WRITER_UNKNOWN, WRITER_UNKNOWN},
    };
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *stream = open_memstream(&text, &n_bytes);
    struct writer *writer = NULL;
    assert_int_equal(
        json ? writer_json_new(stream, &writer, NULL) : writer_table_new(stream, false, false, &writer, NULL), DC_OK);
    assert_int_equal(writer_begin(writer, "rows", finer, 4, NULL), DC_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(writer_row(writer, rows[i], NULL), DC_OK);
    assert_int_equal(writer_end(writer, NULL), DC_OK);
    assert_int_equal(writer_finish(writer, NULL), DC_OK);
    writer_free(&writer);
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void prints_spreads_differences_and_times(void **state) {
    (void)state;
    assert_int_equal(setenv("TZ", "UTC-1", 1), 0); /* an hour east */
    char *table = write_finer(false);
    assert_string_equal(table, "           MIGRATION       OFF   TIMES      START\n"
                               "  120 / 200 / 310 ms   -12.5 %  0.0625  Wed 00:13\n"
                               "   0.9 / 1.5 / 1.6 s  +250.0 %      16          -\n"
                               "9:59 / 10:00 / 11:01         -       -          -\n"
                               "               1.5 s         -       -          -\n");
    free(table);
    char *json = write_finer(true);
    assert_non_null(strstr(json, "\"p90\": 200"));
    assert_non_null(strstr(json, "\"off_frac\": -0.125"));
    assert_non_null(strstr(json, "\"rate_factor\": 0.0625"));
    assert_non_null(strstr(json, "\"start_unix_ms\": 1700003600000"));
    free(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_tables_for_people),
        cmocka_unit_test(prints_json_for_programs),
        cmocka_unit_test(prints_spreads_differences_and_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
