/* The scripts of xl, xe and virsh: the host's program, what runs a plan (run_plan.bash), and the plan as its data. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/export/export.h"

#include "planner/export/export_text.h"
#include "planner/shell_quote.h"

#include <inttypes.h>
#include <math.h>

static void put_words(FILE *stream, const char *const *words, size_t n_words) {
    for (size_t i = 0; i < n_words; i++) {
        (void)fputc(' ', stream);
        shell_quote_put(stream, words[i]);
    }
}

static void put_head(const struct export_job *job, FILE *stream) {
    const struct plan *plan = job->plan;
    (void)fputs("#!/usr/bin/env bash\n# Plan ", stream);
    export_put_plain(stream, plan->id);
    (void)fprintf(stream, ", %s, by %s: %zu steps, forecast %.0f s (p50), %.0f s (p95).\n",
                  plan_doc_status_text(plan->status), job->toolstack->name, plan->n_steps, plan->makespan_ms.p50 / 1e3,
                  plan->makespan_ms.p95 / 1e3);
    (void)fputs("# Written by `decamp export`. Needs bash 4.2 or later and flock here, and ssh to the hosts.\n"
                "# A step waits for those the plan has it come after, and for those before it on its links.\n",
                stream);
    (void)fprintf(stream, "# Bandwidth: %s.\n\nset -eu -o pipefail\n\n", job->toolstack->cap);
}

static void put_program(const struct export_job *job, FILE *stream) {
    (void)fprintf(stream,
                  "# --- what the hosts run ---\n\nhost_program=$(\n    cat <<'END_OF_HOST_PROGRAM'\n%s"
                  "END_OF_HOST_PROGRAM\n)\n\n# --- what runs here ---\n\n",
                  job->toolstack->program);
    (void)fputs(export_text_run_plan, stream);
}

static void put_ids(FILE *stream, const unsigned *ids, size_t n_ids) {
    (void)fputs(" '", stream);
    for (size_t i = 0; i < n_ids; i++)
        (void)fprintf(stream, "%s%u", i > 0 ? " " : "", ids[i]);
    (void)fputc('\'', stream);
}

static void put_later(FILE *stream, const struct plan *plan, const struct plan_step *step) {
    const char *separator = "";
    (void)fputs(" '", stream);
    for (size_t i = 0; i < plan->n_steps; i++) {
        if (export_moves_on(step, &plan->steps[i])) {
            (void)fprintf(stream, "%s%u", separator, plan->steps[i].id);
            separator = " ";
        }
    }
    (void)fputs("'\n", stream);
}

static void put_step(const struct export_job *job, size_t index, FILE *stream) {
    const struct plan_step *step = &job->plan->steps[index];
    const char *const words[] = {step->vm, step->vm_name, step->from, step->to};
    (void)fprintf(stream, "step %u", step->id);
    put_ids(stream, job->waits[index].ids, job->waits[index].n);
    (void)fprintf(stream, " %.0f %.0f %s", ceil(step->not_before_ms), ceil(step->delay_ms),
                  plan_doc_action_text(step->action));
    put_words(stream, words, sizeof(words) / sizeof(words[0]));
    (void)fprintf(stream, " %.0f", export_cap_bytes_per_s(step));
    put_later(stream, job->plan, step);
}

static void write_script(const struct export_job *job, FILE *stream) {
    const struct plan *plan = job->plan;
    const char *const name[] = {job->toolstack->name, plan->id, job->digest};
    const char *const way[] = {job->toolstack->way};
    put_head(job, stream);
    put_program(job, stream);
    (void)fputs("\n# --- the plan ---\n\n# Names stand as they are, whatever they look like.\n"
                "# shellcheck disable=SC1003,SC2016\n{\nplan",
                stream);
    put_words(stream, name, sizeof(name) / sizeof(name[0]));
    (void)fprintf(stream, " %" PRId64 " %.0f", plan->made_unix_ms / 1000, ceil(job->max_age_ms / 1e3));
    put_words(stream, way, 1);
    (void)fputs(" \"$host_program\"\n", stream);
    for (size_t i = 0; i < plan->n_steps; i++)
        put_step(job, job->sequence[i], stream);
    (void)fputs("}\n\nrun \"$@\"\n", stream);
}

const struct export_target export_script_xl = {.name = "xl", .toolstack = "xl", .write = write_script};
const struct export_target export_script_xe = {.name = "xe", .toolstack = "xe", .write = write_script};
const struct export_target export_script_virsh = {.name = "virsh", .toolstack = "virsh", .write = write_script};
