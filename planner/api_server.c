/*
 * libmicrohttpd within the libuv loop: its epoll descriptor is polled, its
 * timeout is a timer, and MHD_run does the rest on the loop's thread.
 *
 * A request that is not answered at once is suspended. Suspended connections
 * are not watched by libmicrohttpd, so a timer looks whether their clients hung up.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/api_server.h"

#include "base/log.h"
#include "base/vec.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { WATCH_MS = 100, IDLE_TIMEOUT_S = 60, MAX_CONNECTIONS = 128, BACKLOG = 64, N_API_HANDLES = 3 };

static const char json_type[] = "application/json";

struct api_request {
    struct api_server *server;
    struct MHD_Connection *connection;
    char *method;
    char *path;
    void *body;
    size_t body_bytes, body_capacity;
    bool too_large, suspended, replied;
    unsigned status;
    const char *content_type; /* of the reply */
    char *text;
    void (*unwanted)(void *context);
    void *unwanted_context;
    struct api_request *next, **link; /* among the suspended */
};

struct api_server {
    struct MHD_Daemon *daemon;
    api_handler_fn handler;
    void *context;
    char *path;
    uv_poll_t poll;
    uv_timer_t timeout, watch;
    unsigned n_open; /* handles */
    bool closing, ending;
    struct api_request *suspended;
};

const char *api_request_method(const struct api_request *request) {
    return request->method;
}

const char *api_request_path(const struct api_request *request) {
    return request->path;
}

const char *api_request_body(const struct api_request *request, size_t *n_bytes_out) {
    *n_bytes_out = request->body_bytes;
    return request->body != NULL ? request->body : "";
}

void api_request_on_unwanted(struct api_request *request, void (*unwanted)(void *context), void *context) {
    request->unwanted = unwanted;
    request->unwanted_context = context;
}

static void call_unwanted(struct api_request *request) {
    void (*unwanted)(void *) = request->unwanted;
    request->unwanted = NULL;
    if (unwanted != NULL)
        unwanted(request->unwanted_context);
}

static void free_request(struct api_request *request) {
    free(request->method);
    free(request->path);
    free(request->body);
    free(request->text);
    free(request);
}

static void on_timeout(uv_timer_t *timer);
static void on_watch(uv_timer_t *timer);
static void end_if_idle(struct api_server *server);

/* Lets libmicrohttpd work and asks when it wants to be called next. */
static void turn(struct api_server *server) {
    MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
    (void)MHD_run(server->daemon);
    if (MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES)
        (void)uv_timer_start(&server->timeout, on_timeout, timeout_ms, 0);
    else
        (void)uv_timer_stop(&server->timeout);
    if (server->suspended != NULL && !uv_is_active((uv_handle_t *)&server->watch))
        (void)uv_timer_start(&server->watch, on_watch, WATCH_MS, WATCH_MS);
    end_if_idle(server);
}

static void on_timeout(uv_timer_t *timer) {
    turn(timer->data);
}

static void on_poll(uv_poll_t *handle, int status, int events) {
    (void)status;
    (void)events;
    turn(handle->data);
}

static bool has_hung_up(const struct api_request *request) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd fd = {.fd = info != NULL ? info->connect_fd : -1};
    return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

static void on_watch(uv_timer_t *timer) {
    struct api_server *server = timer->data;
    if (server->suspended == NULL)
        (void)uv_timer_stop(timer);
    for (struct api_request *request = server->suspended, *next = NULL; request != NULL; request = next) {
        next = request->next;
        if (request->unwanted != NULL && has_hung_up(request))
            call_unwanted(request);
    }
}

static void suspend(struct api_request *request) {
    struct api_server *server = request->server;
    request->suspended = true;
    request->next = server->suspended;
    request->link = &server->suspended;
    if (request->next != NULL)
        request->next->link = &request->next;
    server->suspended = request;
    MHD_suspend_connection(request->connection);
}

void api_request_reply(struct api_request *request, unsigned status, char *json_text) {
    api_request_reply_as(request, status, json_type, json_text);
}

void api_request_reply_as(struct api_request *request, unsigned status, const char *content_type, char *text) {
    request->status = text != NULL ? status : MHD_HTTP_INTERNAL_SERVER_ERROR;
    request->content_type = content_type;
    request->text = text;
    request->replied = true;
    request->unwanted = NULL;
    if (!request->suspended)
        return;
    struct api_server *server = request->server;
    *request->link = request->next;
    if (request->next != NULL)
        request->next->link = request->link;
    request->suspended = false;
    MHD_resume_connection(request->connection);
    (void)uv_timer_start(&server->timeout, on_timeout, 0, 0);
}

static enum MHD_Result queue_reply(struct MHD_Connection *connection, unsigned status, const char *content_type,
                                   const char *text) {
    struct MHD_Response *response =
        MHD_create_response_from_buffer(text != NULL ? strlen(text) : 0, (void *)text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    const enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse_too_large(struct MHD_Connection *connection) {
    return queue_reply(connection, MHD_HTTP_CONTENT_TOO_LARGE, json_type,
                       "{\"error\": \"expected a body of at most 8 MiB\"}\n");
}

static enum MHD_Result begin_request(struct api_server *server, struct MHD_Connection *connection, const char *path,
                                     const char *method, void **request_out) {
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    struct api_request *request = calloc(1, sizeof(*request));
    if (request == NULL)
        return MHD_NO;
    *request = (struct api_request){
        .server = server, .connection = connection, .method = strdup(method), .path = strdup(path)};
    if (request->method == NULL || request->path == NULL) {
        free_request(request);
        return MHD_NO;
    }
    *request_out = request;
    if (length != NULL && strtoull(length, NULL, 10) > API_MAX_BODY_BYTES) {
        request->replied = true;
        return refuse_too_large(connection);
    }
    return MHD_YES;
}

/* Appends to the body; past the limit the rest is read and dropped. */
static enum MHD_Result take_body(struct api_request *request, const char *bytes, size_t n_bytes) {
    if (request->too_large || request->body_bytes + n_bytes > API_MAX_BODY_BYTES) {
        request->too_large = true;
        return MHD_YES;
    }
    if (!vec_reserve(&request->body, &request->body_capacity, request->body_bytes + n_bytes + 1, 1))
        return MHD_NO;
    memcpy((char *)request->body + request->body_bytes, bytes, n_bytes);
    request->body_bytes += n_bytes;
    ((char *)request->body)[request->body_bytes] = '\0';
    return MHD_YES;
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *path, const char *method,
                                 const char *version, const char *bytes, size_t *n_bytes, void **request_ptr) {
    struct api_server *server = context;
    struct api_request *request = *request_ptr;
    (void)version;
    if (request == NULL)
        return begin_request(server, connection, path, method, request_ptr);
    if (*n_bytes > 0) {
        const enum MHD_Result taken = take_body(request, bytes, *n_bytes);
        *n_bytes = 0;
        return taken;
    }
    if (request->too_large)
        return refuse_too_large(connection);
    if (server->closing && !request->replied)
        return queue_reply(connection, MHD_HTTP_SERVICE_UNAVAILABLE, json_type,
                           "{\"error\": \"the planner is stopping\"}\n");
    if (!request->replied)
        server->handler(server->context, request);
    if (request->replied)
        return queue_reply(connection, request->status, request->content_type, request->text);
    suspend(request);
    return MHD_YES;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_ptr,
                         enum MHD_RequestTerminationCode why) {
    (void)context;
    (void)connection;
    (void)why;
    if (*request_ptr != NULL)
        free_request(*request_ptr);
    *request_ptr = NULL;
}

static void on_log(void *context, const char *format, va_list args) {
    char line[512];
    (void)context;
    (void)vsnprintf(line, sizeof(line), format, args);
    line[strcspn(line, "\n")] = '\0';
    log_debug("http: %s", line);
}

/* A socket file that nobody listens on any more is removed. */
static enum dc_status remove_stale(const struct sockaddr_un *address, struct dc_error *err) {
    struct stat info;
    if (lstat(address->sun_path, &info) != 0)
        return DC_OK;
    if (!S_ISSOCK(info.st_mode))
        return error_set(err, DC_EEXIST, "exists and is no socket");
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const bool is_live =
        fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno != ECONNREFUSED);
    if (fd >= 0)
        (void)close(fd);
    if (is_live)
        return error_set(err, DC_EEXIST, "somebody listens on it already");
    return unlink(address->sun_path) == 0 ? DC_OK : error_set_errno(err, errno, "cannot be removed");
}

static enum dc_status listen_on(const char *path, int *fd_out, struct dc_error *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return error_set(err, DC_EINVAL, "expected a path of at most %zu characters", sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    const enum dc_status rc = remove_stale(&address, err);
    if (rc != DC_OK)
        return rc;
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set_errno(err, errno, "socket");
    const mode_t mask = umask(0117); /* no moment at which others could connect */
    const bool is_bound = bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    const int bind_errno = errno;
    (void)umask(mask);
    if (is_bound && listen(fd, BACKLOG) == 0) {
        *fd_out = fd;
        return DC_OK;
    }
    (void)error_set_errno(err, is_bound ? errno : bind_errno, "cannot listen");
    (void)close(fd);
    return DC_EIO;
}

static void on_handle_closed(uv_handle_t *handle) {
    struct api_server *server = handle->data;
    if (--server->n_open > 0)
        return;
    MHD_stop_daemon(server->daemon);
    (void)unlink(server->path);
    free(server->path);
    free(server);
}

static void end_if_idle(struct api_server *server) {
    if (!server->closing || server->ending || server->suspended != NULL)
        return;
    server->ending = true;
    uv_close((uv_handle_t *)&server->poll, on_handle_closed);
    uv_close((uv_handle_t *)&server->timeout, on_handle_closed);
    uv_close((uv_handle_t *)&server->watch, on_handle_closed);
}

void api_server_close(struct api_server **server) {
    struct api_server *closing = *server;
    *server = NULL;
    if (closing == NULL)
        return;
    closing->closing = true;
    const int fd = MHD_quiesce_daemon(closing->daemon);
    if (fd >= 0)
        (void)close(fd);
    for (struct api_request *request = closing->suspended, *next = NULL; request != NULL; request = next) {
        next = request->next;
        call_unwanted(request);
    }
    turn(closing);
}

static enum dc_status start(struct api_server *server, uv_loop_t *loop, int listen_fd, struct dc_error *err) {
    server->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
                                      on_access, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
                                      MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
                                      NULL, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
                                      MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS, MHD_OPTION_END);
    if (server->daemon == NULL) {
        (void)close(listen_fd);
        return error_set(err, DC_EIO, "libmicrohttpd does not start");
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    const int r = info != NULL ? uv_poll_init(loop, &server->poll, info->epoll_fd) : UV_ENOTSUP;
    if (r != 0) {
        MHD_stop_daemon(server->daemon);
        return error_set(err, DC_EIO, "event loop: %s", uv_strerror(r));
    }
    (void)uv_timer_init(loop, &server->timeout); /* neither this nor the starts below can fail */
    (void)uv_timer_init(loop, &server->watch);
    server->poll.data = server->timeout.data = server->watch.data = server;
    server->n_open = N_API_HANDLES;
    (void)uv_poll_start(&server->poll, UV_READABLE, on_poll);
    turn(server);
    return DC_OK;
}

enum dc_status api_server_open(uv_loop_t *loop, const char *path, api_handler_fn handler, void *context,
                               struct api_server **server_out, struct dc_error *err) {
    struct api_server *server = calloc(1, sizeof(*server));
    char *path_copy = strdup(path);
    int fd = -1;
    *server_out = NULL;
    if (server == NULL || path_copy == NULL) {
        free(path_copy);
        free(server);
        return error_set_nomem(err);
    }
    enum dc_status rc = listen_on(path, &fd, err);
    if (rc == DC_OK) {
        *server = (struct api_server){.handler = handler, .context = context, .path = path_copy};
        rc = start(server, loop, fd, err);
    }
    if (rc != DC_OK) {
        free(path_copy);
        free(server);
        return error_prefix(err, "api_socket: %s", path);
    }
    *server_out = server;
    return DC_OK;
}
