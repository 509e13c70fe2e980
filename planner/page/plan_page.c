/* The template is copied; at each slot ("@steps@") stands what puts it. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/page/plan_page.h"

#include "planner/html_text.h"
#include "planner/page/page_network.h"
#include "planner/page/page_text.h"
#include "planner/page/page_verdict.h"
#include "planner/plan_table.h"
#include "planner/writer_html.h"

#include <nettle/base64.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

/* What the slots are filled with. */
struct page_job {
    const struct plan *plan;
    const struct fleet *fleet;
    char *steps, *lines, *plan_json, *network_json; /* heap */
};

static void put_title(FILE *stream, const struct page_job *job) {
    page_verdict_put_title(stream, job->plan);
}

static void put_id(FILE *stream, const struct page_job *job) {
    html_text_put(stream, job->plan->id);
}

static void put_verdict(FILE *stream, const struct page_job *job) {
    page_verdict_put(stream, job->plan, job->fleet);
}

static void put_steps(FILE *stream, const struct page_job *job) {
    (void)fputs(job->steps, stream);
}

static void put_lines(FILE *stream, const struct page_job *job) {
    (void)fputs(job->lines, stream);
}

static void put_plan_json(FILE *stream, const struct page_job *job) {
    html_text_put_json(stream, job->plan_json);
}

static void put_network_json(FILE *stream, const struct page_job *job) {
    html_text_put_json(stream, job->network_json);
}

static void put_style(FILE *stream, const struct page_job *job) {
    (void)job;
    (void)fputs(page_text_style, stream);
}

static void put_script(FILE *stream, const struct page_job *job) {
    (void)job;
    (void)fputs(page_text_script, stream);
}

static void put_echarts(FILE *stream, const struct page_job *job) {
    (void)job;
    (void)fputs(page_text_echarts, stream);
}

/* 'sha256-...' of an element's whole text. */
static void put_hash(FILE *stream, const char *text) {
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    char base64[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE) + 1] = "";
    sha256_init(&context);
    sha256_update(&context, strlen(text), (const uint8_t *)text);
    sha256_digest(&context, sizeof(digest), digest);
    base64_encode_raw(base64, sizeof(digest), digest);
    (void)fprintf(stream, " 'sha256-%s'", base64);
}

/* Hashes, not a nonce: the same plan is the same page, and nothing in it can be known beforehand and used. */
static void put_policy(FILE *stream, const struct page_job *job) {
    (void)job;
    (void)fputs("default-src 'none'; base-uri 'none'; form-action 'none'; style-src", stream);
    put_hash(stream, page_text_style);
    (void)fputs("; script-src", stream);
    put_hash(stream, page_text_echarts);
    put_hash(stream, page_text_script);
}

static const struct slot {
    const char *name;
    void (*put)(FILE *stream, const struct page_job *job);
} slots[] = {
    {"title", put_title},   {"id", put_id},           {"verdict", put_verdict}, {"steps", put_steps},
    {"lines", put_lines},   {"plan", put_plan_json},  {"style", put_style},     {"network", put_network_json},
    {"script", put_script}, {"echarts", put_echarts}, {"policy", put_policy},
};

static const struct slot *find_slot(const char *name, size_t n_chars) {
    for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
        if (strlen(slots[i].name) == n_chars && memcmp(slots[i].name, name, n_chars) == 0)
            return &slots[i];
    }
    return NULL;
}

static void fill_template(FILE *stream, const struct page_job *job) {
    const char *at = page_text_page;
    for (const char *open = strchr(at, '@'); open != NULL; open = strchr(at, '@')) {
        const size_t n_chars = strcspn(open + 1, "@\n");
        const struct slot *slot = find_slot(open + 1, n_chars);
        (void)fwrite(at, 1, (size_t)(open - at), stream);
        if (slot != NULL)
            slot->put(stream, job);
        at = open + 1 + n_chars + (open[1 + n_chars] == '@' ? 1 : 0);
    }
    (void)fputs(at, stream);
}

/* The steps as a table, and what the terminal's table says below it as lines. */
static enum dc_status write_table(struct page_job *job, struct dc_error *err) {
    struct writer *writer = NULL;
    size_t n_steps_bytes = 0, n_lines_bytes = 0;
    FILE *steps = open_memstream(&job->steps, &n_steps_bytes);
    FILE *lines = open_memstream(&job->lines, &n_lines_bytes);
    enum dc_status rc = steps == NULL || lines == NULL ? error_set_nomem(err) : DC_OK;
    if (rc == DC_OK)
        rc = writer_html_new(steps, lines, &writer, err);
    if (rc == DC_OK)
        rc = plan_table_write(job->plan, job->fleet, writer, err);
    if (rc == DC_OK)
        rc = writer_finish(writer, err);
    writer_free(&writer);
    if (steps != NULL && fclose(steps) != 0 && rc == DC_OK)
        rc = error_set_nomem(err);
    if (lines != NULL && fclose(lines) != 0 && rc == DC_OK)
        rc = error_set_nomem(err);
    return rc;
}

static enum dc_status write_page(const struct page_job *job, char **html_out, struct dc_error *err) {
    size_t n_bytes = 0;
    FILE *stream = open_memstream(html_out, &n_bytes);
    if (stream == NULL)
        return error_set_nomem(err);
    fill_template(stream, job);
    if (fclose(stream) == 0)
        return DC_OK;
    free(*html_out);
    *html_out = NULL;
    return error_set_nomem(err);
}

enum dc_status plan_page_write(const struct plan *plan, const struct fleet *fleet, char **html_out,
                               struct dc_error *err) {
    struct page_job job = {.plan = plan, .fleet = fleet};
    *html_out = NULL;
    enum dc_status rc = write_table(&job, err);
    if (rc == DC_OK)
        rc = plan_doc_write(plan, &job.plan_json, err);
    if (rc == DC_OK)
        rc = page_network_write(plan, fleet, &job.network_json, err);
    if (rc == DC_OK)
        rc = write_page(&job, html_out, err);
    free(job.steps);
    free(job.lines);
    free(job.plan_json);
    free(job.network_json);
    return rc;
}
