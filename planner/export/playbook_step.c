/* Tasks as texts in which @ stands for the step's id. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/export/playbook_step.h"

#include <math.h>
#include <string.h>

#define PROGRAM "sh, -c, \"{{ decamp_program }}\", sh, "
#define JOB "          async: 604800\n          poll: 0\n"

struct task {
    const char *does; /* in its name */
    const char *text;
};

static const struct task ask_where = {
    "ask its destination", "          ansible.builtin.command: {argv: [" PROGRAM "place, \"{{ decamp_steps[@].vm }}\", "
                           "\"{{ decamp_steps[@].to }}\", \"{{ decamp_steps[@].action }}\"]}\n"
                           "          delegate_to: \"{{ decamp_steps[@].to }}\"\n"
                           "          changed_when: false\n"
                           "          failed_when: false\n"
                           "          register: at_@\n"};

static const struct task ask_further = {"ask where it goes later",
                                        "          ansible.builtin.command: {argv: [" PROGRAM
                                        "place, \"{{ decamp_steps[@].vm }}\", "
                                        "\"{{ item }}\", \"{{ decamp_steps[@].action }}\"]}\n"
                                        "          delegate_to: \"{{ item }}\"\n"
                                        "          loop: \"{{ decamp_steps[@].later }}\"\n"
                                        "          when: at_@.stdout | default('') != 'here'\n"
                                        "          changed_when: false\n"
                                        "          failed_when: false\n"
                                        "          register: further_@\n"};

/* A VM that comes back to where it was is done with when an earlier run says so, too. */
static const struct task see_moved = {
    "is it done",
    "          ansible.builtin.set_fact:\n"
    "            recorded_@: \"{{ recorded }}\"\n"
    "            done_@: \"{{ at_@.stdout | default('') == 'here' or further_@.results | default([])\n"
    "              | selectattr('stdout', 'defined') | selectattr('stdout', 'equalto', 'here')\n"
    "              | rejectattr('item', 'equalto', '' if recorded else decamp_steps[@].from) | list | length > 0 }}\"\n"
    "          vars: {recorded: \"{{ (decamp_state_dir ~ '/@') is exists }}\"}\n"};

static const struct task must_be_absent = {
    "it may begin",
    "          ansible.builtin.assert:\n"
    "            that: done_@ | bool or not recorded_@ | bool and at_@.stdout | default('') == 'absent'\n"
    "            fail_msg: \"its destination says: {{ at_@.stdout | default('', true) or 'nothing' }}\n"
    "              {{ '; an earlier run moved it there' if recorded_@ | bool else '' }}\"\n"
    "            quiet: true\n"};

static const struct task start_move = {
    "start", "          ansible.builtin.command: {argv: [" PROGRAM "\"{{ decamp_steps[@].action }}\", "
             "\"{{ decamp_steps[@].vm }}\", \"{{ decamp_steps[@].from }}\", \"{{ decamp_steps[@].to }}\", "
             "\"{{ decamp_steps[@].rate }}\", \"{{ decamp_way }}\"]}\n"
             "          delegate_to: \"{{ decamp_steps[@].from }}\"\n" JOB "          when: not done_@ | bool\n"
             "          register: step_@\n"};

static const struct task see_started = {
    "it has started", "          ansible.builtin.assert:\n"
                      "            that: done_@ | bool or step_@.ansible_job_id is defined\n"
                      "            fail_msg: \"{{ step_@.msg | default('its host does not answer') }}\"\n"
                      "            quiet: true\n"};

static const struct task wait_for_job = {
    "wait for it", "          ansible.builtin.async_status: {jid: \"{{ step_@.ansible_job_id }}\"}\n"
                   "          delegate_to: \"{{ decamp_steps[@].at }}\"\n"
                   "          when: step_@.ansible_job_id is defined\n"
                   "          register: end_@\n"
                   "          until: end_@.finished | default(0) | int == 1\n"
                   "          retries: 604800\n"
                   "          delay: 1\n"};

static const struct task must_be_there = {
    "it has arrived", "          ansible.builtin.command: {argv: [" PROGRAM "place, \"{{ decamp_steps[@].vm }}\", "
                      "\"{{ decamp_steps[@].to }}\", \"{{ decamp_steps[@].action }}\"]}\n"
                      "          delegate_to: \"{{ decamp_steps[@].to }}\"\n"
                      "          changed_when: false\n"
                      "          when: step_@.ansible_job_id is defined\n"
                      "          register: arrived_@\n"
                      "          until: arrived_@.stdout | default('') == 'here'\n"
                      "          retries: 5\n"
                      "          delay: 1\n"};

static const struct task see_arrived = {"its destination has said so",
                                        "          ansible.builtin.assert:\n"
                                        "            that: done_@ | bool or arrived_@.stdout | default('') == 'here'\n"
                                        "            fail_msg: its destination does not answer\n"
                                        "            quiet: true\n"};

static const struct task record = {
    "it is done",
    "          ansible.builtin.copy: {content: \"done\\n\", dest: \"{{ decamp_state_dir }}/@\", force: false, mode: "
    "\"0600\"}\n"};

static const struct task ask_booted = {"is it on", "          ansible.builtin.command: {argv: [" PROGRAM
                                                   "alive, \"{{ decamp_steps[@].to }}\"]}\n"
                                                   "          delegate_to: \"{{ decamp_steps[@].to }}\"\n"
                                                   "          changed_when: false\n"
                                                   "          failed_when: false\n"
                                                   "          register: at_@\n"};

static const struct task see_booted = {
    "is it done", "          ansible.builtin.set_fact:\n"
                  "            done_@: \"{{ (decamp_state_dir ~ '/@') is exists or at_@.rc | default(1) == 0 }}\"\n"};

static const struct task start_boot = {
    "start", "          ansible.builtin.command: {argv: \"{{ decamp_boot + [decamp_steps[@].to] }}\"}\n"
             "          delegate_to: \"{{ decamp_steps[@].at }}\"\n" JOB "          when: not done_@ | bool\n"
             "          register: step_@\n"};

static const struct task wait_for_host = {
    "wait for the host",
    "          ansible.builtin.wait_for_connection: {timeout: \"{{ decamp_host_timeout_s }}\", sleep: 1}\n"
    "          delegate_to: \"{{ decamp_steps[@].to }}\"\n"
    "          when: not done_@ | bool\n"};

static const struct task wait_for_toolstack = {"wait for its toolstack",
                                               "          ansible.builtin.command: {argv: [" PROGRAM
                                               "alive, \"{{ decamp_steps[@].to }}\"]}\n"
                                               "          delegate_to: \"{{ decamp_steps[@].to }}\"\n"
                                               "          changed_when: false\n"
                                               "          when: not done_@ | bool\n"
                                               "          register: alive_@\n"
                                               "          until: alive_@.rc == 0\n"
                                               "          retries: \"{{ decamp_host_timeout_s | int }}\"\n"
                                               "          delay: 1\n"};

static const struct task enable_host = {"let it take VMs", "          ansible.builtin.command: {argv: [" PROGRAM
                                                           "enable, \"{{ decamp_steps[@].to }}\"]}\n"
                                                           "          delegate_to: \"{{ decamp_steps[@].to }}\"\n"
                                                           "          when: not (decamp_state_dir ~ '/@') is exists\n"};

static const struct task ask_up = {"is it on", "          ansible.builtin.command: {argv: [" PROGRAM
                                               "alive, \"{{ decamp_steps[@].from }}\"]}\n"
                                               "          delegate_to: \"{{ decamp_steps[@].from }}\"\n"
                                               "          when: not (decamp_state_dir ~ '/@') is exists\n"
                                               "          changed_when: false\n"
                                               "          failed_when: false\n"
                                               "          register: at_@\n"};

static const struct task must_be_up = {
    "it answers", "          ansible.builtin.assert:\n"
                  "            that: (decamp_state_dir ~ '/@') is exists or at_@.rc | default(1) == 0\n"
                  "            fail_msg: \"it does not answer; if it is off already: touch {{ decamp_state_dir }}/@\"\n"
                  "            quiet: true\n"};

static const struct task shut_down = {"start", "          ansible.builtin.command: {argv: [" PROGRAM
                                               "shutdown, \"{{ decamp_steps[@].from }}\"]}\n"
                                               "          delegate_to: \"{{ decamp_steps[@].from }}\"\n"
                                               "          when: not (decamp_state_dir ~ '/@') is exists\n"};

/* Its silence ends the attempts: a host that cannot be reached is not asked again. */
static const struct task wait_for_silence = {"wait until it is off",
                                             "          ansible.builtin.command: {argv: [" PROGRAM
                                             "alive, \"{{ decamp_steps[@].from }}\"]}\n"
                                             "          delegate_to: \"{{ decamp_steps[@].from }}\"\n"
                                             "          when: not (decamp_state_dir ~ '/@') is exists\n"
                                             "          changed_when: false\n"
                                             "          register: gone_@\n"
                                             "          until: gone_@.rc != 0\n"
                                             "          failed_when: gone_@.rc == 0\n"
                                             "          retries: \"{{ decamp_host_timeout_s | int }}\"\n"
                                             "          delay: 1\n"};

/* What a kind of step consists of; NULL ends a list. */
enum { MOST_TASKS = 8 };

struct kind {
    const struct task *begin[MOST_TASKS];
    const struct task *end[MOST_TASKS];
};

static const struct kind moves = {{&ask_where, &see_moved, &must_be_absent, &start_move, &see_started},
                                  {&wait_for_job, &must_be_there, &see_arrived, &record}};
static const struct kind moves_with_later = {
    {&ask_where, &ask_further, &see_moved, &must_be_absent, &start_move, &see_started},
    {&wait_for_job, &must_be_there, &see_arrived, &record}};
static const struct kind boots = {{&ask_booted, &see_booted, &start_boot},
                                  {&wait_for_job, &wait_for_host, &wait_for_toolstack, &enable_host, &record}};
static const struct kind shuts_down = {{&ask_up, &must_be_up, &shut_down}, {&wait_for_silence, &record}};

static const struct kind *kind_of(const struct plan *plan, const struct plan_step *step) {
    if (step->action == PLAN_BOOT)
        return &boots;
    if (step->action == PLAN_SHUTDOWN)
        return &shuts_down;
    for (size_t i = 0; i < plan->n_steps; i++) {
        if (export_moves_on(step, &plan->steps[i]))
            return &moves_with_later;
    }
    return &moves;
}

void playbook_step_put_name(FILE *stream, const char *text) {
    for (; *text != '\0'; text++) {
        const bool is_plain = (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
                              (*text >= 'A' && *text <= 'Z') || strchr("-_. ", *text) != NULL;
        (void)fputc(is_plain ? *text : '?', stream);
    }
}

static void put_title(const struct plan_step *step, const char *does, FILE *stream) {
    const bool moves_vm = export_moves_vm(step);
    (void)fprintf(stream, "\n        - name: \"Step %u (%s ", step->id, plan_doc_action_text(step->action));
    playbook_step_put_name(stream, moves_vm ? step->vm_name : step->action == PLAN_BOOT ? step->to : step->from);
    (void)fprintf(stream, "): %s\"\n", does);
}

static void put_tasks(const struct plan_step *step, const struct task *const *tasks, FILE *stream) {
    for (size_t i = 0; i < MOST_TASKS && tasks[i] != NULL; i++) {
        put_title(step, tasks[i]->does, stream);
        for (const char *at = tasks[i]->text; *at != '\0'; at++) {
            if (*at == '@')
                (void)fprintf(stream, "%u", step->id);
            else
                (void)fputc(*at, stream);
        }
    }
}

/* Of times, whole seconds are left out for none. */
static void put_times(const struct plan_step *step, FILE *stream) {
    if (step->delay_ms > 0) {
        put_title(step, "wait", stream);
        (void)fprintf(stream,
                      "          ansible.builtin.wait_for: {timeout: %.0f}\n"
                      "          when: not (decamp_state_dir ~ '/%u') is exists\n",
                      ceil(step->delay_ms / 1e3), step->id);
    }
    if (step->not_before_ms > 0) {
        put_title(step, "wait for its time", stream);
        (void)fprintf(stream,
                      "          ansible.builtin.wait_for: {timeout: \"{{ left_s }}\"}\n"
                      "          vars: {left_s: \"{{ (decamp_begin_s | float + %.3f - now().timestamp()) | round(0, "
                      "'ceil') | int }}\"}\n"
                      "          when: left_s | int > 0\n",
                      step->not_before_ms / 1e3);
    }
}

static const struct plan_step *step_with_id(const struct plan *plan, unsigned id) {
    for (size_t i = 0; i < plan->n_steps; i++) {
        if (plan->steps[i].id == id)
            return &plan->steps[i];
    }
    return NULL;
}

/* Is it waited for by a step before the n-th of the sequence? */
static bool is_over(const struct export_job *job, unsigned id, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct export_waits *waits = &job->waits[job->sequence[i]];
        for (size_t k = 0; k < waits->n; k++) {
            if (waits->ids[k] == id)
                return true;
        }
    }
    return false;
}

static void put_end(const struct plan *plan, const struct plan_step *step, FILE *stream) {
    if (step != NULL)
        put_tasks(step, kind_of(plan, step)->end, stream);
}

void playbook_step_put_all(const struct export_job *job, FILE *stream) {
    const struct plan *plan = job->plan;
    for (size_t n = 0; n < plan->n_steps; n++) {
        const struct plan_step *step = &plan->steps[job->sequence[n]];
        const struct export_waits *waits = &job->waits[job->sequence[n]];
        for (size_t k = 0; k < waits->n; k++) {
            if (!is_over(job, waits->ids[k], n))
                put_end(plan, step_with_id(plan, waits->ids[k]), stream);
        }
        put_times(step, stream);
        put_tasks(step, kind_of(plan, step)->begin, stream);
    }
    for (size_t n = 0; n < plan->n_steps; n++) {
        const struct plan_step *step = &plan->steps[job->sequence[n]];
        if (!is_over(job, step->id, plan->n_steps))
            put_end(plan, step, stream);
    }
}
