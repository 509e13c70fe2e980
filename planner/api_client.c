/* One request a call; nothing is kept between calls. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/api_client.h"

#include "base/vec.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_REPLY_BYTES = 256 << 20, CONNECT_TIMEOUT_MS = 5000, TELL_TIMEOUT_MS = 5000, PATH_BYTES = 160 };

struct request {
    const char *socket_path;
    const char *path;
    const char *body; /* NULL: GET */
    const atomic_bool *cancel;
    long timeout_ms;   /* of the whole; 0: as long as it takes */
    const char *token; /* of the plan to interrupt on cancel; NULL: the request itself is given up */
    bool interrupted;
};

struct received {
    char *bytes;
    size_t n_bytes, capacity;
};

void api_reply_dispose(struct api_reply *reply) {
    free(reply->body);
    *reply = (struct api_reply){0};
}

static size_t on_bytes(char *bytes, size_t size, size_t n, void *context) {
    struct received *received = context;
    const size_t n_bytes = size * n;
    if (n_bytes > MAX_REPLY_BYTES - received->n_bytes ||
        !vec_reserve((void **)&received->bytes, &received->capacity, received->n_bytes + n_bytes + 1, 1))
        return 0;
    memcpy(received->bytes + received->n_bytes, bytes, n_bytes);
    received->n_bytes += n_bytes;
    received->bytes[received->n_bytes] = '\0';
    return n_bytes;
}

static enum dc_status ask(struct request *request, struct api_reply *reply_out, struct dc_error *err);

/* The daemon is told, and answers the waiting request with what it has. */
static bool interrupt(struct request *request) {
    char body[160];
    struct api_reply reply;
    (void)snprintf(body, sizeof(body), "{\"token\": \"%s\"}", request->token);
    struct request other = {.socket_path = request->socket_path, .path = "/v1/interrupts", .body = body};
    const enum dc_status rc = ask(&other, &reply, NULL);
    api_reply_dispose(&reply);
    return rc == DC_OK;
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    struct request *request = context;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    if (request->cancel == NULL || !atomic_load(request->cancel) || request->interrupted)
        return 0;
    request->interrupted = request->token != NULL && interrupt(request);
    return request->interrupted ? 0 : 1;
}

static bool set_up(CURL *curl, struct request *request, struct curl_slist *headers, struct received *received) {
    char url[512];
    (void)snprintf(url, sizeof(url), "http://planner%s", request->path);
    bool ok = curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK;
    ok = ok && curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, request->socket_path) == CURLE_OK;
    ok = ok && curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS) == CURLE_OK;
    ok = ok && curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, request->timeout_ms) == CURLE_OK;
    ok = ok && curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok = ok && curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK;
    ok = ok && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK;
    ok = ok && curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes) == CURLE_OK;
    ok = ok && curl_easy_setopt(curl, CURLOPT_WRITEDATA, received) == CURLE_OK;
    ok = ok && curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
    ok = ok && curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK;
    ok = ok && curl_easy_setopt(curl, CURLOPT_XFERINFODATA, request) == CURLE_OK;
    if (request->body != NULL)
        ok = ok && curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body) == CURLE_OK;
    return ok;
}

/* The status a daemon's error body names, else one that fits the HTTP code. */
static enum dc_status status_of(const char *name, long http_code) {
    static const struct {
        const char *name;
        enum dc_status status;
    } names[] = {
#define X(symbol, value, text) {#symbol, DC_##symbol},
        DC_STATUS_MAP(X)
#undef X
    };
    for (size_t i = 0; name != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].name, name) == 0 && names[i].status != DC_OK)
            return names[i].status;
    }
    return http_code == 404 ? DC_ENOTFOUND : DC_EINVAL;
}

/* {"error": text, "status": "ENOTFOUND"} to our error. */
static enum dc_status fail(long http_code, const struct received *received, struct dc_error *err) {
    json_t *json = received->n_bytes > 0 ? json_loadb(received->bytes, received->n_bytes, 0, NULL) : NULL;
    const char *text = json_string_value(json_object_get(json, "error"));
    const enum dc_status rc = status_of(json_string_value(json_object_get(json, "status")), http_code);
    if (text != NULL)
        (void)error_set(err, rc, "%s", text);
    else
        (void)error_set(err, rc, "the daemon answered with HTTP status %ld", http_code);
    json_decref(json);
    return rc;
}

static enum dc_status perform(CURL *curl, const struct request *request, struct received *received,
                              struct dc_error *err) {
    const CURLcode r = curl_easy_perform(curl);
    long http_code = 0;
    if (r == CURLE_ABORTED_BY_CALLBACK)
        return error_set(err, DC_ECANCELED, "interrupted");
    if (r != CURLE_OK)
        return error_set(err, DC_EUNREACHABLE,
                         "no planner answers on %s (%s); is decamp-planner running? --fleet FILE asks offline",
                         request->socket_path, curl_easy_strerror(r));
    if (curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_code) != CURLE_OK)
        return error_set(err, DC_EIO, "the daemon's answer has no status");
    if (http_code < 200 || http_code > 299)
        return fail(http_code, received, err);
    if (received->bytes == NULL)
        return error_set(err, DC_EPARSE, "the daemon's answer is empty");
    return DC_OK;
}

static enum dc_status ask(struct request *request, struct api_reply *reply_out, struct dc_error *err) {
    *reply_out = (struct api_reply){0};
    struct received received = {0};
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    CURL *curl = curl_easy_init();
    enum dc_status rc = DC_OK;
    if (headers == NULL || curl == NULL)
        rc = error_set_nomem(err);
    else if (!set_up(curl, request, headers, &received))
        rc = error_set(err, DC_EINVAL, "%s: not a usable socket path", request->socket_path);
    else
        rc = perform(curl, request, &received, err);
    if (rc == DC_OK)
        *reply_out = (struct api_reply){.body = received.bytes, .n_bytes = received.n_bytes};
    else
        free(received.bytes);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return rc;
}

enum dc_status api_client_fleet(const char *socket_path, struct api_reply *reply_out, struct dc_error *err) {
    struct request request = {.socket_path = socket_path, .path = "/v1/fleet"};
    return ask(&request, reply_out, err);
}

enum dc_status api_client_plan(const char *socket_path, const char *goal_text, const char *token,
                               const atomic_bool *cancel, struct api_reply *reply_out, struct dc_error *err) {
    struct request request = {
        .socket_path = socket_path, .path = "/v1/plans", .body = goal_text, .cancel = cancel, .token = token};
    return ask(&request, reply_out, err);
}

static enum dc_status make_plan_path(const char *id, const char *part, char path_out[PATH_BYTES],
                                     struct dc_error *err) {
    if (strlen(id) > 64 || id[strspn(id, "0123456789abcdef")] != '\0' || id[0] == '\0')
        return error_set(err, DC_ENOTFOUND, "%s: no such file, and no id of a plan", id);
    (void)snprintf(path_out, PATH_BYTES, "/v1/plans/%s%s", id, part);
    return DC_OK;
}

static enum dc_status ask_plan(const char *socket_path, const char *id, const char *part, struct api_reply *reply_out,
                               struct dc_error *err) {
    char path[PATH_BYTES];
    const enum dc_status rc = make_plan_path(id, part, path, err);
    if (rc != DC_OK)
        return rc;
    struct request request = {.socket_path = socket_path, .path = path};
    return ask(&request, reply_out, err);
}

enum dc_status api_client_plan_by_id(const char *socket_path, const char *id, struct api_reply *reply_out,
                                     struct dc_error *err) {
    return ask_plan(socket_path, id, "", reply_out, err);
}

enum dc_status api_client_plan_fleet(const char *socket_path, const char *id, struct api_reply *reply_out,
                                     struct dc_error *err) {
    return ask_plan(socket_path, id, "/fleet", reply_out, err);
}

/* Takes the body over. */
static enum dc_status post(const char *socket_path, const char *path, json_t *body, long timeout_ms,
                           struct dc_error *err) {
    struct api_reply reply = {0};
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    struct request request = {.socket_path = socket_path, .path = path, .body = text, .timeout_ms = timeout_ms};
    const enum dc_status rc = text == NULL ? error_set_nomem(err) : ask(&request, &reply, err);
    api_reply_dispose(&reply);
    free(text);
    json_decref(body);
    return rc;
}

enum dc_status api_client_hold(const char *socket_path, const char *vm, double for_ms, const char *to,
                               double bytes_per_s, struct dc_error *err) {
    json_t *body = json_pack("{s:[s], s:I, s:s}", "vms", vm, "for_ms", (json_int_t)for_ms, "to", to);
    if (body != NULL && bytes_per_s >= 1)
        (void)json_object_set_new(body, "bandwidth_bytes_per_s", json_real(bytes_per_s));
    return post(socket_path, "/v1/holds", body, 0, err);
}

enum dc_status api_client_release(const char *socket_path, const char *vm, struct dc_error *err) {
    return post(socket_path, "/v1/releases", json_pack("{s:[s]}", "vms", vm), 0, err);
}

enum dc_status api_client_tell_plan(const char *socket_path, const char *id, json_int_t first, json_t *events,
                                    struct dc_error *err) {
    char path[PATH_BYTES];
    const enum dc_status rc = make_plan_path(id, "/events", path, err);
    if (rc != DC_OK)
        return rc;
    return post(socket_path, path, json_pack("{s:I, s:O}", "first", first, "events", events), TELL_TIMEOUT_MS, err);
}
