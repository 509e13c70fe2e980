/* Questions: what of a fleet reaches the solver, and what is said instead. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/question.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct asked {
    struct fleet fleet;
    struct goal goal;
    struct question question;
};

static void load(struct asked *asked, const char *name, const char *goal_text) {
    struct dc_error err = DC_ERROR_NONE;
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/fleets/%s.json", TEST_DATA_DIR, name);
    if (fleet_doc_read_file(path, &asked->fleet, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    json_t *json = json_loads(goal_text, 0, NULL);
    assert_int_equal(goal_from_json(json, &asked->goal, NULL), DC_OK);
    json_decref(json);
}

static void ask(struct asked *asked) {
    struct dc_error err = DC_ERROR_NONE;
    if (question_init(&asked->fleet, &asked->goal, &asked->question, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
}

static void dispose(struct asked *asked) {
    question_dispose(&asked->question);
    goal_dispose(&asked->goal);
    fleet_doc_dispose(&asked->fleet);
}

static size_t vm_index(const struct asked *asked, const char *name) {
    const long vm = fleet_doc_find_vm(&asked->fleet, name);
    assert_true(vm >= 0);
    return (size_t)vm;
}

static bool mentions(const json_t *array, const char *key, const char *text) {
    size_t i;
    const json_t *item;
    json_array_foreach(array, i, item) {
        const char *sentence = json_string_value(key != NULL ? json_object_get(item, key) : item);
        if (strstr(sentence, text) != NULL)
            return true;
    }
    return false;
}

static const char evacuate_h1[] = "{\"verb\":\"evacuate\",\"hosts\":[\"h1\"]}";

static void freezes_hosts_links_and_vms(void **state) {
    (void)state;
    struct asked asked;
    load(&asked, "small",
         "{\"verb\":\"evacuate\",\"hosts\":[\"h1\"],\"exclude\":[\"h4\",\"web2\"],"
         "\"max_downtime_ms\":400,\"deadline_ms\":60000,\"max_parallel\":2}");
    ask(&asked);
    const struct problem *problem = &asked.question.problem;
    assert_int_equal(problem->n_hosts, 4);
    assert_int_equal(problem->n_arcs, 8);
    assert_true(fabs(problem->arcs[0].capacity_bytes_per_s - 1250000000 * 0.94) < 1);
    assert_true(problem->hosts[0].memory_bytes == 62.0 * (1 << 30));
    assert_false(problem->hosts[0].receives);
    assert_true(problem->hosts[1].receives);
    assert_false(problem->hosts[3].receives);
    assert_true(problem->deadline_s == 60);
    assert_int_equal(problem->max_parallel, 2);
    const struct problem_vm *web1 = &problem->vms[vm_index(&asked, "web1")];
    assert_true(web1->moves);
    assert_true(web1->downtime_budget_s == 0.4);
    assert_true(web1->cost[PROBLEM_P95].n_points > 10);
    assert_true(web1->cost[PROBLEM_P95].pre_s == 0.2);
    assert_false(problem->vms[vm_index(&asked, "web2")].moves);
    assert_false(problem->vms[vm_index(&asked, "mail1")].moves);
    assert_true(mentions(asked.question.warnings, NULL, "VM web2 stays on host h1"));
    dispose(&asked);
}

static void cost_points_never_grow_with_bandwidth(void **state) {
    (void)state;
    struct asked asked;
    load(&asked, "small", evacuate_h1);
    ask(&asked);
    for (size_t vm = 0; vm < asked.question.problem.n_vms; vm++) {
        for (size_t q = 0; q < PROBLEM_N_QUANTILES; q++) {
            const struct problem_cost *cost = &asked.question.problem.vms[vm].cost[q];
            for (size_t i = 1; i < cost->n_points; i++) {
                const struct problem_cost_point *low = &cost->points[i - 1];
                const struct problem_cost_point *high = &cost->points[i];
                const double low_s = low->live_s + low->stop_s;
                const double high_s = high->live_s + high->stop_s;
                assert_true(high->bandwidth_bytes_per_s > low->bandwidth_bytes_per_s);
                assert_true(high_s < low_s);
                assert_true(high_s * high->bandwidth_bytes_per_s <= low_s * low->bandwidth_bytes_per_s * (1 + 1e-9));
                assert_true(high->stop_s <= low->stop_s);
            }
        }
    }
    dispose(&asked);
}

static void folds_rules_and_names_the_others(void **state) {
    (void)state;
    struct asked asked;
    load(&asked, "rules", evacuate_h1);
    ask(&asked);
    const struct problem *problem = &asked.question.problem;
    const unsigned char *db1 = &problem->allowed[vm_index(&asked, "db1") * problem->n_hosts];
    const unsigned char *cache1 = &problem->allowed[vm_index(&asked, "cache1") * problem->n_hosts];
    const unsigned char *batch1 = &problem->allowed[vm_index(&asked, "batch1") * problem->n_hosts];
    assert_memory_equal(db1, ((unsigned char[]){0, 1, 0, 1}), 4);    /* fence */
    assert_memory_equal(cache1, ((unsigned char[]){0, 0, 1, 1}), 4); /* ban */
    assert_memory_equal(batch1, ((unsigned char[]){0, 0, 1, 0}), 4); /* CPU feature */
    assert_int_equal(problem->n_rules, 6); /* soft ones are kept as long as they are not let go */
    assert_int_equal(asked.question.n_let_go, 0);
    dispose(&asked);
}

/* It would converge beyond its host's NIC: the solver can then say what it lacks. */
static void prices_beyond_the_path_what_does_not_converge_on_it(void **state) {
    (void)state;
    struct asked asked;
    load(&asked, "no_convergence", evacuate_h1);
    ask(&asked);
    const struct problem_vm *cache1 = &asked.question.problem.vms[vm_index(&asked, "cache1")];
    assert_true(cache1->moves);
    assert_true(cache1->cost[PROBLEM_P95].points[0].bandwidth_bytes_per_s > 1250000000);
    dispose(&asked);
}

static void leaves_a_vm_that_never_converges(void **state) {
    (void)state;
    struct asked asked;
    load(&asked, "small", evacuate_h1);
    const size_t cache1 = vm_index(&asked, "cache1");
    struct dirty_profile *profile = &asked.fleet.vms[cache1].profile;
    dirty_profile_dispose(profile);
    *profile = (struct dirty_profile){.kind = DIRTY_PROFILE_RATE, .pages_per_s = 1e9, .working_set_pages = 2097152};
    ask(&asked);
    assert_false(asked.question.problem.vms[cache1].moves);
    assert_true(mentions(asked.question.conflicts, "what", "VM cache1 dirties memory faster"));
    dispose(&asked);
}

/* Nothing is known of a VM: xen-v2 bounds what it can cost, qemu does not. */
static void plans_the_unknown_for_the_worst(void **state) {
    (void)state;
    struct asked asked;
    load(&asked, "small", evacuate_h1);
    const size_t web1 = vm_index(&asked, "web1");
    const size_t cache1 = vm_index(&asked, "cache1");
    dirty_profile_dispose(&asked.fleet.vms[web1].profile);
    dirty_profile_dispose(&asked.fleet.vms[cache1].profile);
    ask(&asked);
    const struct problem_vm *worst = &asked.question.problem.vms[web1];
    assert_true(worst->moves);
    const double bytes = problem_cost_bytes(&worst->cost[PROBLEM_P95], 1e9);
    assert_true(bytes > 5.5 * worst->memory_bytes && bytes < 6.5 * worst->memory_bytes);
    assert_true(mentions(asked.question.warnings, NULL, "VM web1 has neither"));
    assert_false(asked.question.problem.vms[cache1].moves);
    assert_true(mentions(asked.question.conflicts, "what", "VM cache1 has neither"));
    dispose(&asked);
}

static void give_disk(struct fleet_vm *vm, bool local, double size_bytes, double write_bytes_per_s) {
    vm->n_storage = 1;
    vm->storage = calloc(1, sizeof(*vm->storage));
    assert_non_null(vm->storage);
    vm->storage[0] = (struct storage_disk){
        .name = strdup("vda"), .size_bytes = size_bytes, .local = local, .write_bytes_per_s = write_bytes_per_s};
}

/* web1 is under xl, which moves no disks; cache1 is under QEMU. */
static void leaves_a_vm_whose_disks_stay(void **state) {
    (void)state;
    struct asked asked;
    load(&asked, "small", evacuate_h1);
    const size_t web1 = vm_index(&asked, "web1");
    const size_t db1 = vm_index(&asked, "db1");
    give_disk(&asked.fleet.vms[web1], true, 1e9, 0);
    give_disk(&asked.fleet.vms[db1], false, 1e9, 0); /* both hosts reach it */
    ask(&asked);
    assert_false(asked.question.problem.vms[web1].moves);
    assert_true(asked.question.problem.vms[db1].moves);
    assert_true(mentions(asked.question.conflicts, "what", "VM web1 has a local disk (vda), and the toolstack of its"));
    assert_int_equal(json_array_size(asked.question.conflicts), 1);
    dispose(&asked);
}

static double seconds_at(const struct asked *asked, const char *name, double bytes_per_s) {
    const struct problem_vm *vm = &asked->question.problem.vms[vm_index(asked, name)];
    return problem_cost_bytes(&vm->cost[PROBLEM_P95], bytes_per_s) / bytes_per_s;
}

static void plans_the_time_of_disks_that_move(void **state) {
    (void)state;
    struct asked without, with;
    load(&without, "small", evacuate_h1);
    load(&with, "small", evacuate_h1);
    give_disk(&with.fleet.vms[vm_index(&with, "cache1")], true, 50e9, 0);
    ask(&without);
    ask(&with);
    assert_int_equal(json_array_size(with.question.warnings), json_array_size(without.question.warnings));
    const double more_s = seconds_at(&with, "cache1", 1e9) - seconds_at(&without, "cache1", 1e9);
    if (fabs(more_s - 50) > 0.5)
        fail_msg("the disk takes %g s, expected 50", more_s);
    dispose(&without);
    dispose(&with);
}

static void leaves_a_vm_that_writes_too_fast(void **state) {
    (void)state;
    struct asked asked;
    load(&asked, "small", evacuate_h1);
    const size_t cache1 = vm_index(&asked, "cache1");
    give_disk(&asked.fleet.vms[cache1], true, 100e9, 100e9);
    ask(&asked);
    assert_false(asked.question.problem.vms[cache1].moves);
    assert_true(mentions(asked.question.conflicts, "what", "VM cache1 writes to its local disks faster"));
    dispose(&asked);
}

/* Its disks would be copied by something else than a live migration. */
static void says_what_it_does_not_know_of_disks(void **state) {
    (void)state;
    struct asked asked;
    load(&asked, "small", evacuate_h1);
    const size_t web1 = vm_index(&asked, "web1");
    give_disk(&asked.fleet.vms[web1], true, 1e9, 0);
    asked.fleet.vms[web1].state = FLEET_VM_SHUTOFF;
    ask(&asked);
    assert_true(asked.question.problem.vms[web1].moves);
    assert_true(mentions(asked.question.warnings, NULL, "VM web1 has a local disk (vda) and is shut off"));
    dispose(&asked);
}

static void a_paused_vm_sends_its_memory_once(void **state) {
    (void)state;
    struct asked asked;
    load(&asked, "small", evacuate_h1);
    const size_t db1 = vm_index(&asked, "db1");
    const size_t web1 = vm_index(&asked, "web1");
    asked.fleet.vms[db1].state = FLEET_VM_PAUSED;
    asked.fleet.vms[web1].state = FLEET_VM_SHUTOFF;
    ask(&asked);
    const struct problem_vm *paused = &asked.question.problem.vms[db1];
    assert_true(problem_cost_bytes(&paused->cost[PROBLEM_P95], 1e9) < 1.01 * paused->memory_bytes);
    assert_true(asked.question.problem.vms[web1].moves);
    assert_int_equal(asked.question.problem.vms[web1].cost[PROBLEM_P95].n_points, 0);
    dispose(&asked);
}

static void refuses_stale_and_unknown(void **state) {
    (void)state;
    struct asked asked;
    struct dc_error err = DC_ERROR_NONE;
    load(&asked, "small", evacuate_h1);
    asked.fleet.hosts[0].freshness = FLEET_STALE;
    assert_int_equal(question_init(&asked.fleet, &asked.goal, &asked.question, &err), DC_ESTALE);
    asked.fleet.hosts[0].freshness = FLEET_FRESH;
    asked.fleet.hosts[1].freshness = FLEET_LOST;
    ask(&asked);
    assert_false(asked.question.problem.hosts[1].receives);
    assert_true(mentions(asked.question.warnings, NULL, "host h2 is lost"));
    dispose(&asked);

    err = DC_ERROR_NONE;
    load(&asked, "small", "{\"verb\":\"evacuate\",\"hosts\":[\"h9\"]}");
    assert_int_equal(question_init(&asked.fleet, &asked.goal, &asked.question, &err), DC_ENOTFOUND);
    assert_non_null(strstr(error_text(&err), "h9"));
    dispose(&asked);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freezes_hosts_links_and_vms),
        cmocka_unit_test(cost_points_never_grow_with_bandwidth),
        cmocka_unit_test(folds_rules_and_names_the_others),
        cmocka_unit_test(prices_beyond_the_path_what_does_not_converge_on_it),
        cmocka_unit_test(leaves_a_vm_that_never_converges),
        cmocka_unit_test(plans_the_unknown_for_the_worst),
        cmocka_unit_test(leaves_a_vm_whose_disks_stay),
        cmocka_unit_test(plans_the_time_of_disks_that_move),
        cmocka_unit_test(leaves_a_vm_that_writes_too_fast),
        cmocka_unit_test(says_what_it_does_not_know_of_disks),
        cmocka_unit_test(a_paused_vm_sends_its_memory_once),
        cmocka_unit_test(refuses_stale_and_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
