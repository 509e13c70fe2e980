/* The collector's life: binds, resolves its port, ends without a trace. Its
 * conversation is tested end to end. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/collector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_open_and_close(void **state) {
    struct dc_error err = DC_ERROR_NONE;
    struct allow_list allowed = {0};
    struct collector_settings settings = {
        .listen = "tcp://127.0.0.1:*", .status_interval_ms = 5000, .allowed = &allowed};
    char public_key[KEY_FILE_TEXT_BYTES];
    struct collector *collector = NULL;
    struct collector *second = NULL;
    uv_loop_t loop;
    (void)state;
    assert_int_equal(collector_generate_keypair(public_key, settings.secret_key, &err), DC_OK);
    assert_true(key_file_is_key(public_key) && key_file_is_key(settings.secret_key));
    assert_string_not_equal(public_key, settings.secret_key);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(collector_open(&loop, &settings, &collector, &err), DC_OK);
    assert_non_null(strstr(collector_endpoint(collector), "127.0.0.1:"));
    for (int i = 0; i < 10; i++)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    assert_false(collector_is_connected(collector, "h1"));
    assert_int_equal(collector_count(collector).intake.messages, 0);

    settings.listen = collector_endpoint(collector);
    assert_int_equal(collector_open(&loop, &settings, &second, &err), DC_EIO);
    assert_null(second);
    assert_non_null(strstr(error_text(&err), settings.listen));

    collector_close(&collector);
    collector_close(&collector);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_open_and_close)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
