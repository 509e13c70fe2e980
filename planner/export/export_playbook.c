/*
 * The playbook: one play on localhost that has the hosts run the toolstack's program, each through its own connection.
 * Ansible runs one task after the other, so a step is started as an asynchronous job, and waited for by the first step
 * that comes after it. A step that could start is held up while the playbook waits for another one's predecessors: the
 * plan's order is kept, its concurrency as far as the steps end in the order of the forecast.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/export/export.h"

#include "planner/export/playbook_step.h"
#include "planner/export/yaml_text.h"

#include <inttypes.h>
#include <math.h>

static void put_unsafe_key(FILE *stream, const char *key, const char *text) {
    (void)fprintf(stream, ", %s: ", key);
    yaml_text_put(stream, text);
}

static void put_step_data(const struct export_job *job, const struct plan_step *step, FILE *stream) {
    const char *separator = "";
    (void)fprintf(stream, "      %u: {id: %u, action: %s, rate: \"%.0f\"", step->id, step->id,
                  plan_doc_action_text(step->action), export_cap_bytes_per_s(step));
    put_unsafe_key(stream, "vm", step->vm);
    put_unsafe_key(stream, "name", step->vm_name);
    put_unsafe_key(stream, "from", step->from);
    put_unsafe_key(stream, "to", step->to);
    put_unsafe_key(stream, "at", step->action == PLAN_BOOT ? "localhost" : step->from);
    (void)fputs(", later: [", stream);
    for (size_t i = 0; i < job->plan->n_steps; i++) {
        if (export_moves_on(step, &job->plan->steps[i])) {
            (void)fputs(separator, stream);
            yaml_text_put(stream, job->plan->steps[i].to);
            separator = ", ";
        }
    }
    (void)fputs("]}\n", stream);
}

static void put_head(const struct export_job *job, FILE *stream) {
    const struct plan *plan = job->plan;
    (void)fputs("# Plan ", stream);
    export_put_plain(stream, plan->id);
    (void)fprintf(stream, ", %s, by %s: %zu steps, forecast %.0f s (p50), %.0f s (p95).\n",
                  plan_doc_status_text(plan->status), job->toolstack->name, plan->n_steps, plan->makespan_ms.p50 / 1e3,
                  plan->makespan_ms.p95 / 1e3);
    (void)fputs("# Written by `decamp export`. Run it with an inventory that has the plan's hosts under their names:\n"
                "#   ansible-playbook -i INVENTORY THIS\n"
                "# A step waits for those the plan has it come after, and for those before it on its links. Its start "
                "may be\n# held up while the playbook waits for another step's predecessors.\n",
                stream);
    (void)fprintf(stream, "# Bandwidth: %s.\n---\n- name: \"decamp plan ", job->toolstack->cap);
    playbook_step_put_name(stream, plan->id);
    (void)fputs("\"\n  hosts: localhost\n  gather_facts: false\n  ignore_unreachable: true\n", stream);
}

static void put_variables(const struct export_job *job, FILE *stream) {
    (void)fprintf(stream,
                  "  vars:\n"
                  "    # How old the plan may be.\n    decamp_max_age_s: %.0f\n"
                  "    # How a host reaches another, {host}.\n    decamp_way: ",
                  ceil(job->max_age_ms / 1e3));
    yaml_text_put(stream, job->toolstack->way);
    (void)fprintf(stream,
                  "\n    # A command, word by word, that boots the host named by a last word.\n    decamp_boot: []\n"
                  "    # How long a host may take to boot or to shut down.\n    decamp_host_timeout_s: 900\n"
                  "    # What is done is kept here, for the next run.\n"
                  "    decamp_state_dir: \"{{ lookup('env', 'HOME') }}/.local/state/decamp/%s\"\n"
                  "    decamp_made_unix_s: %" PRId64 "\n"
                  "    # What the hosts run.\n    decamp_program: !unsafe |\n",
                  job->digest, job->plan->made_unix_ms / 1000);
    yaml_text_put_block(stream, job->toolstack->program, 6);
    (void)fputs("    decamp_steps:\n", stream);
    for (size_t i = 0; i < job->plan->n_steps; i++)
        put_step_data(job, &job->plan->steps[i], stream);
    if (job->plan->n_steps == 0)
        (void)fputs("      {}\n", stream);
}

/* Before anything moves. */
static void put_checks(const struct export_job *job, FILE *stream) {
    bool boots = false;
    for (size_t i = 0; i < job->plan->n_steps; i++)
        boots = boots || job->plan->steps[i].action == PLAN_BOOT;
    (void)fputs("  tasks:\n"
                "    - name: The plan is young enough\n"
                "      ansible.builtin.assert:\n"
                "        that: -60 <= age_s | float and age_s | float <= decamp_max_age_s | float\n"
                "        fail_msg: \"the plan is {{ age_s }} s old, expected at most {{ decamp_max_age_s }} s "
                "(decamp_max_age_s): ask for a new one\"\n"
                "        quiet: true\n"
                "      vars: {age_s: \"{{ (now().timestamp() - decamp_made_unix_s) | int }}\"}\n\n",
                stream);
    if (boots)
        (void)fputs(
            "    - name: Hosts can be booted\n"
            "      ansible.builtin.assert:\n"
            "        that: decamp_boot | length > 0\n"
            "        fail_msg: \"the plan boots hosts: set decamp_boot to a command that boots the host named by "
            "a last word\"\n"
            "        quiet: true\n\n",
            stream);
    (void)fputs("    - name: What is done is kept\n"
                "      ansible.builtin.file: {path: \"{{ decamp_state_dir }}\", state: directory, mode: \"0700\"}\n\n"
                "    - name: The plan begins\n"
                "      ansible.builtin.set_fact: {decamp_begin_s: \"{{ now().timestamp() }}\"}\n\n",
                stream);
}

/* A failure ends the block; what runs is waited for. */
static void put_rescue(FILE *stream) {
    (void)fputs(
        "\n      rescue:\n"
        "        - name: What runs is waited for\n"
        "          ansible.builtin.async_status: {jid: \"{{ job.ansible_job_id }}\"}\n"
        "          delegate_to: \"{{ item.at }}\"\n"
        "          loop: \"{{ decamp_steps.values() | list }}\"\n"
        "          loop_control: {label: \"step {{ item.id }}\"}\n"
        "          vars: {job: \"{{ lookup('vars', 'step_' ~ item.id, default={}) }}\"}\n"
        "          when: job.ansible_job_id is defined\n"
        "          register: rest\n"
        "          until: rest.finished | default(1) | int == 1\n"
        "          retries: 604800\n"
        "          delay: 1\n"
        "          failed_when: false\n\n"
        "        - name: Steps are left\n"
        "          ansible.builtin.fail:\n"
        "            msg: \"a step failed ({{ ansible_failed_task.name }}), so no more were started; not known to "
        "be done: {{ left }}; run this playbook again to go on\"\n"
        "          vars:\n"
        "            left: \"{% for id in decamp_steps if not (decamp_state_dir ~ '/' ~ id) is exists %}step "
        "{{ id }} {% endfor %}\"\n",
        stream);
}

static void write_playbook(const struct export_job *job, FILE *stream) {
    put_head(job, stream);
    put_variables(job, stream);
    put_checks(job, stream);
    if (job->plan->n_steps == 0)
        return;
    (void)fputs("    - name: The steps\n      block:\n", stream);
    playbook_step_put_all(job, stream);
    put_rescue(stream);
}

const struct export_target export_playbook = {.name = "ansible", .write = write_playbook};
