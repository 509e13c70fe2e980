/* HTTP within the loop: replies at once and later, clients that hang up, and the end. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/api_server.h"

#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { TEXT_BYTES = 4096, MAX_TURNS = 2000 };

struct fixture {
    uv_loop_t loop;
    struct api_server *server;
    char path[64];
    struct api_request *waiting;
    bool unwanted;
    unsigned n_handled;
};

static void on_unwanted(void *context) {
    struct fixture *fixture = context;
    fixture->unwanted = true;
}

/* "/now" is answered with method and body, all else waits. */
static void handle(void *context, struct api_request *request) {
    struct fixture *fixture = context;
    fixture->n_handled++;
    if (strcmp(api_request_path(request), "/now") != 0) {
        fixture->waiting = request;
        api_request_on_unwanted(request, on_unwanted, fixture);
        return;
    }
    size_t n_bytes = 0;
    char *text = NULL;
    const char *body = api_request_body(request, &n_bytes);
    assert_true(asprintf(&text, "[\"%s\", \"%s\", %zu]", api_request_method(request), body, n_bytes) > 0);
    api_request_reply(request, 200, text);
}

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct dc_error err = DC_ERROR_NONE;
    (void)snprintf(fixture->path, sizeof(fixture->path), "/tmp/test_api_server.%d", (int)getpid());
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    assert_int_equal(api_server_open(&fixture->loop, fixture->path, handle, fixture, &fixture->server, &err), DC_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    api_server_close(&fixture->server);
    assert_int_equal(uv_run(&fixture->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    assert_int_not_equal(access(fixture->path, F_OK), 0);
    free(fixture);
    return 0;
}

static void turn(struct fixture *fixture) {
    (void)uv_run(&fixture->loop, UV_RUN_NOWAIT);
    (void)usleep(1000);
}

static int ask(const struct fixture *fixture, const char *method, const char *path, const char *body) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char text[TEXT_BYTES];
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", fixture->path);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    const int n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", method,
                           path, strlen(body), body);
    assert_int_equal(write(fd, text, (size_t)n), n);
    return fd;
}

/* Turns the loop until the reply's last byte is `end`. */
static void read_reply(struct fixture *fixture, int fd, char end, char reply[TEXT_BYTES]) {
    size_t n_bytes = 0;
    for (int i = 0; i < MAX_TURNS && (n_bytes == 0 || reply[n_bytes - 1] != end); i++) {
        turn(fixture);
        const ssize_t r = recv(fd, reply + n_bytes, TEXT_BYTES - 1 - n_bytes, MSG_DONTWAIT);
        n_bytes += r > 0 ? (size_t)r : 0;
    }
    reply[n_bytes] = '\0';
}

static void wait_for_request(struct fixture *fixture) {
    for (int i = 0; i < MAX_TURNS && fixture->waiting == NULL; i++)
        turn(fixture);
    assert_non_null(fixture->waiting);
}

static void test_replies_at_once(void **state) {
    struct fixture *fixture = *state;
    char reply[TEXT_BYTES];
    int fd = ask(fixture, "POST", "/now", "abc");
    read_reply(fixture, fd, ']', reply);
    assert_non_null(strstr(reply, "HTTP/1.1 200"));
    assert_non_null(strstr(reply, "application/json"));
    assert_non_null(strstr(reply, "[\"POST\", \"abc\", 3]"));
    (void)close(fd);
    fd = ask(fixture, "GET", "/now", "");
    read_reply(fixture, fd, ']', reply);
    assert_non_null(strstr(reply, "[\"GET\", \"\", 0]"));
    (void)close(fd);
    assert_int_equal(fixture->n_handled, 2);
}

static void test_replies_later(void **state) {
    struct fixture *fixture = *state;
    char reply[TEXT_BYTES];
    const int fd = ask(fixture, "GET", "/later", "");
    wait_for_request(fixture);
    for (int i = 0; i < 300; i++)
        turn(fixture);
    assert_false(fixture->unwanted);
    api_request_reply(fixture->waiting, 404, strdup("[4]"));
    read_reply(fixture, fd, ']', reply);
    assert_non_null(strstr(reply, "HTTP/1.1 404"));
    (void)close(fd);
}

static void test_tells_when_the_client_hung_up(void **state) {
    struct fixture *fixture = *state;
    const int fd = ask(fixture, "GET", "/later", "");
    wait_for_request(fixture);
    (void)close(fd);
    for (int i = 0; i < MAX_TURNS && !fixture->unwanted; i++)
        turn(fixture);
    assert_true(fixture->unwanted);
    api_request_reply(fixture->waiting, 200, strdup("[]"));
    turn(fixture);
}

static void test_ends_with_a_request_under_way(void **state) {
    struct fixture *fixture = *state;
    const int fd = ask(fixture, "GET", "/later", "");
    wait_for_request(fixture);
    api_server_close(&fixture->server);
    assert_true(fixture->unwanted);
    for (int i = 0; i < 10; i++)
        turn(fixture);
    assert_true(uv_loop_alive(&fixture->loop)); /* waits for the reply */
    api_request_reply(fixture->waiting, 503, strdup("[]"));
    for (int i = 0; i < 10; i++)
        turn(fixture);
    assert_false(uv_loop_alive(&fixture->loop));
    (void)close(fd);
}

static void test_bad_http_is_survived(void **state) {
    struct fixture *fixture = *state;
    char reply[TEXT_BYTES];
    int fd = ask(fixture, "\x01\x02 nonsense\r\n\r\n", "", "");
    for (int i = 0; i < 20; i++)
        turn(fixture);
    (void)close(fd);
    fd = ask(fixture, "GET", "/now", "");
    read_reply(fixture, fd, ']', reply);
    assert_non_null(strstr(reply, "200"));
    (void)close(fd);
}

static void test_socket_files(void **state) {
    struct fixture *fixture = *state;
    struct dc_error err = DC_ERROR_NONE;
    struct api_server *other = NULL;
    struct stat info;
    assert_int_equal(stat(fixture->path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0660);
    assert_int_equal(api_server_open(&fixture->loop, fixture->path, handle, fixture, &other, &err), DC_EEXIST);
    assert_non_null(strstr(error_text(&err), "somebody listens on it already"));

    char path[96];
    (void)snprintf(path, sizeof(path), "%s.other", fixture->path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fclose(file);
    err = DC_ERROR_NONE;
    assert_int_equal(api_server_open(&fixture->loop, path, handle, fixture, &other, &err), DC_EEXIST);
    assert_int_equal(unlink(path), 0);

    const int fd = socket(AF_UNIX, SOCK_STREAM, 0); /* left behind by a killed planner */
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    (void)close(fd);
    assert_int_equal(api_server_open(&fixture->loop, path, handle, fixture, &other, &err), DC_OK);
    api_server_close(&other);
    turn(fixture);
    assert_int_not_equal(access(path, F_OK), 0);

    char long_path[256];
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    err = DC_ERROR_NONE;
    assert_int_equal(api_server_open(&fixture->loop, long_path, handle, fixture, &other, &err), DC_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_replies_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_replies_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tells_when_the_client_hung_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ends_with_a_request_under_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_http_is_survived, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_socket_files, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
