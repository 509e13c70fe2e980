/* Availability, its allowance, and the migrations that fit. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/sla.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "assert_near.h"

static void parses_percentages(void **state) {
    (void)state;
    double frac = 0;
    assert_int_equal(sla_parse("99.95%", &frac, NULL), DC_OK);
    assert_near(frac, 0.9995, 1e-12);
    assert_int_equal(sla_parse("100%", &frac, NULL), DC_OK);
    assert_near(frac, 1, 0);
    assert_int_equal(sla_parse("5e1%", &frac, NULL), DC_OK);
    assert_near(frac, 0.5, 1e-12);
}

static void refuses_what_is_no_availability(void **state) {
    (void)state;
    static const char *const bad[] = {"",     "%",    "99.95", "0.9995", "0%",     "-1%",    "100.1%", "nan%",
                                      "inf%", "NaN%", "1e9%",  "0x63%",  "99.9%%", "99.9 %", "99,9%",  "nines"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct dc_error err = DC_ERROR_NONE;
        double frac = 7;
        assert_int_equal(sla_parse(bad[i], &frac, &err), DC_EINVAL);
        assert_near(frac, 7, 0);
        assert_non_null(strstr(error_text(&err), "such as 99.95%"));
    }
}

static void allows_the_usual_downtimes(void **state) {
    (void)state;
    assert_near(sla_allowance_ms(0.9995, sla_month_ms), 1296e3, 1e-3); /* 21 min 36 s */
    assert_near(sla_allowance_ms(0.99999, sla_month_ms), 25920, 1e-3);
    assert_near(sla_allowance_ms(1, sla_month_ms), 0, 0);
}

static void counts_whole_migrations(void **state) {
    (void)state;
    const double allowance_ms = sla_allowance_ms(0.999, sla_month_ms);
    assert_near(allowance_ms, 2592e3, 1e-3);
    assert_near(sla_migrations(allowance_ms, sla_month_ms, 1000, 1000), 2592, 0); /* not 2591 by rounding */
    assert_near(sla_migrations(allowance_ms, sla_month_ms, 1000, 1000.5), 2590, 0);
    assert_near(sla_migrations(999, sla_month_ms, 1000, 1000), 0, 0);
    /* Long ones are limited by the month itself, and so are those without downtime. */
    assert_near(sla_migrations(allowance_ms, sla_month_ms, 864e6, 1), 3, 0);
    assert_near(sla_migrations(0, sla_month_ms, 1e6, 0), 2592, 0);
    assert_near(sla_migrations(0, sla_month_ms, 1e6, 1), 0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_percentages),
        cmocka_unit_test(refuses_what_is_no_availability),
        cmocka_unit_test(allows_the_usual_downtimes),
        cmocka_unit_test(counts_whole_migrations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
