/* Targets, toolstacks, and what they cannot do. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/export/export.h"

#include "base/vec.h"
#include "planner/export/export_text.h"
#include "planner/link_order.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct export_target *const targets[] = {&export_script_xl, &export_script_xe, &export_script_virsh,
                                                      &export_playbook};

static const struct export_toolstack toolstacks[] = {
    {.name = "xl",
     .program = export_text_host_xl,
     .way = "ssh -o BatchMode=yes root@{host}",
     .cap = "the cap is a token bucket in the pipe, by pv, which every host needs"},
    {.name = "xe",
     .program = export_text_host_xe,
     .way = "",
     .cap = "XAPI has no cap for a migration: the steps' bandwidths are not kept"},
    {.name = "virsh",
     .program = export_text_host_virsh,
     .way = "qemu+ssh://root@{host}/system",
     .cap = "the cap is virsh's --bandwidth, in whole MiB/s, rounded down",
     .moves_cold = true,
     .host_in_uri = true},
};

const struct export_target *export_find_target(const char *name) {
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        if (strcmp(targets[i]->name, name) == 0)
            return targets[i];
    }
    return NULL;
}

const struct export_toolstack *export_find_toolstack(const char *name) {
    for (size_t i = 0; i < sizeof(toolstacks) / sizeof(toolstacks[0]); i++) {
        if (strcmp(toolstacks[i].name, name) == 0)
            return &toolstacks[i];
    }
    return NULL;
}

bool export_moves_vm(const struct plan_step *step) {
    return step->action == PLAN_MIGRATE || step->action == PLAN_COLD_MIGRATE;
}

double export_cap_bytes_per_s(const struct plan_step *step) {
    return step->bandwidth_bytes_per_s > 0 ? fmax(1, floor(step->bandwidth_bytes_per_s)) : 0;
}

bool export_moves_on(const struct plan_step *step, const struct plan_step *later) {
    return export_moves_vm(step) && export_moves_vm(later) && later->start_ms > step->start_ms &&
           strcmp(step->vm, later->vm) == 0;
}

void export_put_plain(FILE *stream, const char *text) {
    for (; *text != '\0'; text++)
        (void)fputc(*text >= ' ' && *text <= '~' ? *text : '?', stream);
}

/* A host is an argument of ssh, where a dash would make it an option. */
static enum dc_status check_host(const struct plan_step *step, const char *host,
                                 const struct export_toolstack *toolstack, struct dc_error *err) {
    if (host[0] == '\0')
        return error_set(err, DC_EINVAL, "step %u: a host has no name", step->id);
    if (host[0] == '-')
        return error_set(err, DC_EINVAL, "step %u: host \"%s\" begins with a dash, which ssh takes for an option",
                         step->id, host);
    if (toolstack->host_in_uri &&
        strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != strlen(host))
        return error_set(err, DC_EINVAL,
                         "step %u: host \"%s\" cannot stand in libvirt's URI: expected letters, digits, '.', '_' and "
                         "'-'",
                         step->id, host);
    return DC_OK;
}

static enum dc_status check_step(const struct plan_step *step, const struct export_toolstack *toolstack,
                                 struct dc_error *err) {
    enum dc_status rc = DC_OK;
    if (step->action == PLAN_COLD_MIGRATE && !toolstack->moves_cold)
        return error_set(err, DC_EUNSUPPORTED,
                         "step %u: VM %s is shut off (cold_migrate), and %s has no such migration: leave it out "
                         "(--exclude)",
                         step->id, step->vm_name, toolstack->name);
    if (step->action != PLAN_BOOT)
        rc = check_host(step, step->from, toolstack, err);
    if (rc == DC_OK && step->action != PLAN_SHUTDOWN)
        rc = check_host(step, step->to, toolstack, err);
    return rc;
}

static enum dc_status check_plan(const struct plan *plan, const struct export_toolstack *toolstack,
                                 struct dc_error *err) {
    if (plan->status == PLAN_INFEASIBLE)
        return error_set(err, DC_EINVAL, "the plan is infeasible: there is nothing to export; see its conflicts");
    for (size_t i = 0; i < plan->n_steps; i++) {
        const enum dc_status rc = check_step(&plan->steps[i], toolstack, err);
        if (rc != DC_OK)
            return rc;
    }
    return DC_OK;
}

/* Of the document, so that what is done of one plan is never taken for what is done of another. */
static enum dc_status set_digest(struct export_job *job, struct dc_error *err) {
    enum { PREFIX = 7, SHORT = 16 };
    char *text = NULL;
    char digest[DIGEST_TEXT_BYTES];
    const enum dc_status rc = plan_doc_write(job->plan, &text, err);
    if (rc != DC_OK)
        return rc;
    digest_sha256_text(text, strlen(text), digest);
    (void)snprintf(job->digest, sizeof(job->digest), "%.*s", SHORT, digest + PREFIX);
    free(text);
    return DC_OK;
}

static bool add_wait(struct export_waits *waits, unsigned id) {
    for (size_t i = 0; i < waits->n; i++) {
        if (waits->ids[i] == id)
            return true;
    }
    if (!vec_reserve((void **)&waits->ids, &waits->capacity, waits->n + 1, sizeof(*waits->ids)))
        return false;
    waits->ids[waits->n++] = id;
    return true;
}

static bool add_waits(const struct plan *plan, const struct link_order *order, size_t step,
                      struct export_waits *waits) {
    for (size_t i = 0; i < plan->steps[step].n_after; i++) {
        if (!add_wait(waits, plan->steps[step].after[i]))
            return false;
    }
    for (size_t i = 0; i < order->follows[step].n; i++) {
        if (!add_wait(waits, plan->steps[order->follows[step].items[i]].id))
            return false;
    }
    return true;
}

static enum dc_status set_waits(struct export_job *job, struct dc_error *err) {
    struct link_order order = {0};
    enum dc_status rc = link_order_init(&order, job->plan, err);
    if (rc != DC_OK)
        return rc;
    job->waits = calloc(job->plan->n_steps + 1, sizeof(*job->waits));
    bool ok = job->waits != NULL;
    for (size_t i = 0; ok && i < job->plan->n_steps; i++)
        ok = add_waits(job->plan, &order, i, &job->waits[i]);
    link_order_dispose(&order);
    return ok ? DC_OK : error_set_nomem(err);
}

static bool has_id(const struct plan *plan, const size_t *steps, size_t n_steps, unsigned id) {
    for (size_t i = n_steps; i-- > 0;) {
        if (plan->steps[steps[i]].id == id)
            return true;
    }
    return false;
}

static bool may_follow(const struct export_job *job, size_t step, size_t n_before) {
    for (size_t i = 0; i < job->waits[step].n; i++) {
        if (!has_id(job->plan, job->sequence, n_before, job->waits[step].ids[i]))
            return false;
    }
    return true;
}

/* The plan's own sequence as far as may be: a plan made by hand may name its steps in any. */
static enum dc_status set_sequence(struct export_job *job, struct dc_error *err) {
    const size_t n_steps = job->plan->n_steps;
    bool *is_placed = calloc(n_steps + 1, sizeof(*is_placed));
    job->sequence = calloc(n_steps + 1, sizeof(*job->sequence));
    enum dc_status rc = is_placed != NULL && job->sequence != NULL ? DC_OK : error_set_nomem(err);
    size_t first = 0; /* all before are placed */
    for (size_t n = 0; rc == DC_OK && n < n_steps; n++) {
        while (is_placed[first])
            first++;
        size_t step = first;
        while (step < n_steps && (is_placed[step] || !may_follow(job, step, n)))
            step++;
        if (step == n_steps) {
            rc = error_set(err, DC_EINVAL, "step %u waits for ever: its times contradict what it comes after",
                           job->plan->steps[first].id);
        } else {
            is_placed[step] = true;
            job->sequence[n] = step;
        }
    }
    free(is_placed);
    return rc;
}

static void free_waits(struct export_job *job) {
    free(job->sequence);
    for (size_t i = 0; job->waits != NULL && i < job->plan->n_steps; i++)
        free(job->waits[i].ids);
    free(job->waits);
}

static enum dc_status write_text(const struct export_target *target, const struct export_job *job, char **text_out,
                                 struct dc_error *err) {
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *stream = open_memstream(&text, &n_bytes);
    if (stream == NULL)
        return error_set_nomem(err);
    target->write(job, stream);
    if (fclose(stream) != 0) {
        free(text);
        return error_set_nomem(err);
    }
    *text_out = text;
    return DC_OK;
}

enum dc_status export_plan(const struct plan *plan, const struct export_target *target,
                           const struct export_toolstack *toolstack, double max_age_ms, char **text_out,
                           struct dc_error *err) {
    struct export_job job = {.plan = plan, .toolstack = toolstack, .max_age_ms = max_age_ms};
    *text_out = NULL;
    enum dc_status rc = check_plan(plan, toolstack, err);
    if (rc == DC_OK)
        rc = set_digest(&job, err);
    if (rc == DC_OK)
        rc = set_waits(&job, err);
    if (rc == DC_OK)
        rc = set_sequence(&job, err);
    if (rc == DC_OK)
        rc = write_text(target, &job, text_out, err);
    free_waits(&job);
    return rc;
}
