/* Templates of commands: whatever a name holds, the shell sees one word, the name itself. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/command_template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What /bin/sh makes of an expanded template. */
static void run_shell(const char *command, char *output, size_t output_bytes) {
    FILE *pipe = popen(command, "r"); /* NOLINT(cert-env33-c): the shell is what is tested against */
    assert_non_null(pipe);
    const size_t n = fread(output, 1, output_bytes - 1, pipe);
    output[n] = '\0';
    assert_int_equal(pclose(pipe), 0);
}

static void names_stay_one_word(void **state) {
    (void)state;
    static const char *const names[] = {
        "web1",   "two words",   "it's",   "$(touch /tmp/never)", "`id`",    "a;b&c|d>e<f", "\"quoted\"", "line\nbreak",
        "*?[a]~", "back\\slash", "{name}", "'; exit 9; '",        "${HOME}", "#comment",    "tab\there",  ""};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct command_values values = {.name = names[i], .uuid = "u"};
        struct dc_error err = DC_ERROR_NONE;
        char *command = NULL;
        char output[256], expected[256];
        assert_int_equal(command_template_expand("printf '%s|' {name} x{name}y", &values, &command, &err), DC_OK);
        run_shell(command, output, sizeof(output));
        (void)snprintf(expected, sizeof(expected), "%s|x%sy|", names[i], names[i]);
        assert_string_equal(output, expected);
        free(command);
    }
}

/* As a pipe is one word for xl, and the whole one word for ssh. */
static void nested_commands_stay_whole(void **state) {
    (void)state;
    const char *name = "a 'b' $(false) \"c\"";
    struct command_values values = {.name = name};
    struct dc_error err = DC_ERROR_NONE;
    char *inner = NULL, *outer = NULL;
    char output[256];
    assert_int_equal(command_template_expand("printf %s {name}", &values, &inner, &err), DC_OK);
    values.pipe = inner;
    assert_int_equal(command_template_expand("sh -c {pipe}", &values, &outer, &err), DC_OK);
    run_shell(outer, output, sizeof(output));
    assert_string_equal(output, name);
    free(inner);
    free(outer);
}

static void refused(const char *text, const char *says) {
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(command_template_check(text, &err), DC_EINVAL);
    if (strstr(error_text(&err), says) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", text, error_text(&err), says);
}

static void fields_within_quotes_are_refused(void **state) {
    (void)state;
    refused("echo '{name}'", "within quotes");
    refused("echo \"a {name}\"", "within quotes");
    refused("echo {nmae}", "no field");
    refused("echo 'open", "not closed");
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(command_template_check("awk '{print}' ${name} \\{name} \\'{name} \"it's\" {name}", &err), DC_OK);
}

static void what_is_the_shells_is_left(void **state) {
    (void)state;
    const struct command_values values = {.name = "n"};
    struct dc_error err = DC_ERROR_NONE;
    char *command = NULL;
    assert_int_equal(command_template_expand("a='{x}'; ${name} \\{name} {name} \"\\\"{y}\"", &values, &command, &err),
                     DC_OK);
    assert_string_equal(command, "a='{x}'; ${name} \\{name} 'n' \"\\\"{y}\"");
    free(command);
}

static void dashes_and_unknown_values_are_refused(void **state) {
    (void)state;
    const struct command_values values = {.name = "-rf", .uuid = NULL};
    struct dc_error err = DC_ERROR_NONE;
    char *command = NULL;
    assert_int_equal(command_template_expand("rm {name}", &values, &command, &err), DC_EINVAL);
    assert_null(command);
    assert_non_null(strstr(error_text(&err), "begins with a dash"));
    err = DC_ERROR_NONE;
    assert_int_equal(command_template_expand("rm {uuid}", &values, &command, &err), DC_EINVAL);
    assert_non_null(strstr(error_text(&err), "{uuid} is not known"));
}

static void numbers_have_their_units(void **state) {
    (void)state;
    struct command_values values = {
        .rate_bytes_per_s = 10.9 * 1048576, .downtime_limit_ms = 300.5, .memory_bytes = 4096};
    struct dc_error err = DC_ERROR_NONE;
    char *command = NULL;
    assert_int_equal(command_template_expand("{rate} {rate_mib} {downtime_ms} {memory_bytes}", &values, &command, &err),
                     DC_OK);
    assert_string_equal(command, "'11429478' '10' '300' '4096'");
    free(command);
    values.rate_bytes_per_s = 5; /* a cap below a unit is the unit, never 0, which would be none */
    assert_int_equal(command_template_expand("{rate} {rate_mib}", &values, &command, &err), DC_OK);
    assert_string_equal(command, "'5' '1'");
    free(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_stay_one_word),
        cmocka_unit_test(nested_commands_stay_whole),
        cmocka_unit_test(fields_within_quotes_are_refused),
        cmocka_unit_test(what_is_the_shells_is_left),
        cmocka_unit_test(dashes_and_unknown_values_are_refused),
        cmocka_unit_test(numbers_have_their_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
