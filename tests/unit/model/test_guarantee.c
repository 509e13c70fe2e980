/* Guarantees: bounds that no workload breaks, and values that no burst of the
 * history breaks, over random VMs and all stop policies. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/guarantee.h"

#include "random_vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "assert_near.h"

enum { N_BURSTS = 5, N_ROUNDS = 40 };

/* A random VM with a history of bursts that differ by factors. */
struct world {
    struct dirty_point points[N_BURSTS][RANDOM_POINTS];
    struct dirty_burst bursts[N_BURSTS];
    struct dirty_profile profile;
    struct prediction_input input;
    double bandwidth_bytes_per_s;
};

static void make_world(uint64_t *random, const char *policy, struct world *world) {
    struct precopy_vm vm = random_vm(random, policy, world->points[0], &world->bursts[0].curve);
    for (size_t i = 1; i < N_BURSTS; i++)
        random_curve(random, vm.memory_pages, world->points[i], &world->bursts[i].curve);
    world->profile = (struct dirty_profile){
        .kind = DIRTY_PROFILE_CURVE, .zero_pages = vm.zero_pages, .n_bursts = N_BURSTS, .bursts = world->bursts};
    world->input = (struct prediction_input){
        .memory_pages = vm.memory_pages, .profile = &world->profile, .policy = vm.policy, .overhead = vm.overhead};
    world->bandwidth_bytes_per_s = exp(random_between(random, log(5e6), log(2e9)));
}

static void simulate(const struct world *world, const struct stop_policy *policy, double bandwidth_bytes_per_s,
                     size_t burst, struct precopy_result *result_out) {
    const struct precopy_vm vm = {
        .memory_pages = world->input.memory_pages,
        .zero_pages = world->profile.zero_pages,
        .curve = &world->bursts[burst].curve,
        .policy = *policy,
        .overhead = world->input.overhead,
    };
    const struct bandwidth_step step = {.bytes_per_s = bandwidth_bytes_per_s};
    assert_int_equal(precopy_simulate(&vm, &step, 1, result_out, NULL), DC_OK);
}

static void assert_at_most(double value, double bound) {
    if (value > bound * (1 + 1e-9) + 1e-6)
        fail_msg("%.17g is more than %.17g", value, bound);
}

/* Other settings than the defaults, every second time each. */
static void shake(uint64_t *random, struct world *world) {
    struct stop_policy *policy = &world->input.policy;
    if (random_between(random, 0, 1) < 0.5)
        policy->downtime_limit_ms = exp(random_between(random, 0, log(1e5)));
    if (random_between(random, 0, 1) < 0.5)
        policy->max_bandwidth_bytes_per_s = world->bandwidth_bytes_per_s * random_between(random, 0.2, 2);
    if (random_between(random, 0, 1) < 0.5 && !guarantee_waits_for_limit(policy))
        policy->max_rounds = (unsigned)random_between(random, 1, 30);
    policy->target_dirty_pages *= random_between(random, 0.5, 20);
    policy->auto_converge = random_between(random, 0, 1) < 0.5;
    policy->postcopy = (enum stop_policy_postcopy)random_between(random, 0, 3);
}

static void no_workload_breaks_a_bound(void **state) {
    (void)state;
    uint64_t random = random_seed();
    for (size_t p = 0; stop_policy_at(p) != NULL; p++) {
        for (int round = 0; round < N_ROUNDS; round++) {
            struct world world;
            make_world(&random, stop_policy_at(p)->name, &world);
            shake(&random, &world);
            const struct guarantee_times bound =
                guarantee_bound(&world.input, &world.input.policy, world.bandwidth_bytes_per_s);
            for (size_t i = 0; i < N_BURSTS; i++) {
                struct precopy_result result;
                simulate(&world, &world.input.policy, world.bandwidth_bytes_per_s, i, &result);
                if (!result.converges) {
                    assert_true(isinf(bound.migration_ms));
                    continue;
                }
                assert_at_most(1e3 * result.migration_s, bound.migration_ms);
                assert_at_most(1e3 * result.downtime_s, bound.downtime_ms);
            }
        }
    }
}

static void check_option(const struct world *world, const struct guarantee_question *question,
                         const struct guarantee_option *option) {
    if (!option->holds || option->basis == GUARANTEE_P95)
        return;
    if (question->deadline_ms > 0)
        assert_at_most(option->times.migration_ms, question->deadline_ms);
    if (question->max_downtime_ms > 0)
        assert_at_most(option->times.downtime_ms, question->max_downtime_ms);
    for (size_t i = 0; i < N_BURSTS; i++) {
        struct precopy_result result;
        simulate(world, &option->policy, option->bandwidth_bytes_per_s, i, &result);
        if (!result.converges) {
            assert_true(isinf(option->times.migration_ms));
            continue;
        }
        assert_at_most(1e3 * result.migration_s, option->times.migration_ms);
        assert_at_most(1e3 * result.downtime_s, option->times.downtime_ms);
    }
}

static void no_burst_breaks_a_guarantee(void **state) {
    (void)state;
    uint64_t random = random_seed();
    size_t n_held[N_GUARANTEE_KNOBS] = {0};
    for (size_t p = 0; stop_policy_at(p) != NULL; p++) {
        for (int round = 0; round < N_ROUNDS; round++) {
            struct world world;
            struct guarantee guarantee;
            make_world(&random, stop_policy_at(p)->name, &world);
            const double once_ms = 1e3 * world.input.memory_pages * 4096 / world.bandwidth_bytes_per_s;
            const struct guarantee_question question = {
                .input = &world.input,
                .bandwidth_bytes_per_s = world.bandwidth_bytes_per_s,
                .most_bytes_per_s = 4 * world.bandwidth_bytes_per_s,
                .deadline_ms = round % 3 == 1 ? 0 : 700 + once_ms * random_between(&random, 0.5, 6),
                .max_downtime_ms = round % 3 == 2 ? 0 : 300 + once_ms * random_between(&random, 0, 1),
            };
            assert_int_equal(guarantee_make(&question, &guarantee, NULL), DC_OK);
            assert_true(guarantee.n_options > 0 && guarantee.n_options <= GUARANTEE_MOST_OPTIONS);
            for (size_t i = 0; i < guarantee.n_options; i++) {
                check_option(&world, &question, &guarantee.options[i]);
                n_held[guarantee.options[i].knob] += guarantee.options[i].holds;
            }
        }
    }
    for (size_t i = 0; i < N_GUARANTEE_KNOBS; i++)
        assert_true(n_held[i] > 0); /* else this test has seen nothing */
}

/* 1 GiB at 100 MB/s: once is 10.76 s with 8 bytes a page and 16 a batch. */
static struct prediction_input one_gib(const struct dirty_profile *profile, const char *policy) {
    struct prediction_input input = {
        .memory_pages = 262144, .profile = profile, .overhead = {.pre_ms = 100, .post_ms = 200}};
    assert_int_equal(stop_policy_init(&input.policy, policy, NULL), DC_OK);
    return input;
}

static const struct guarantee_option *find(const struct guarantee *guarantee, enum guarantee_knob knob,
                                           enum guarantee_basis basis) {
    for (size_t i = 0; i < guarantee->n_options; i++) {
        if (guarantee->options[i].knob == knob && guarantee->options[i].basis == basis)
            return &guarantee->options[i];
    }
    return NULL;
}

static void bounds_are_the_formulas(void **state) {
    (void)state;
    const struct dirty_profile nothing = {0};
    const struct prediction_input xen = one_gib(&nothing, "xen-v2");
    const struct guarantee_times of_rounds = guarantee_bound(&xen, &xen.policy, 100e6);
    assert_near(of_rounds.migration_ms, 300 + 6 * 10758.4 + 1, 2);
    assert_near(of_rounds.downtime_ms, 200 + 10758.4, 1);
    const struct prediction_input qemu = one_gib(&nothing, "qemu");
    const struct guarantee_times of_limit = guarantee_bound(&qemu, &qemu.policy, 100e6);
    assert_true(isinf(of_limit.migration_ms));
    assert_near(of_limit.downtime_ms, 200 + 300 * 4104.0 / 4096, 1e-6);
}

static void picks_the_rounds_that_fit_a_deadline(void **state) {
    (void)state;
    const struct dirty_profile nothing = {0};
    const struct prediction_input input = one_gib(&nothing, "xen-v2");
    const struct guarantee_question question = {
        .input = &input, .bandwidth_bytes_per_s = 100e6, .most_bytes_per_s = 1e9, .deadline_ms = 40e3};
    struct guarantee guarantee;
    assert_int_equal(guarantee_make(&question, &guarantee, NULL), DC_OK);
    assert_null(find(&guarantee, GUARANTEE_MAX_ROUNDS, GUARANTEE_P95)); /* there is no history */
    assert_null(find(&guarantee, GUARANTEE_DOWNTIME_LIMIT, GUARANTEE_ANY_WORKLOAD));
    assert_false(find(&guarantee, GUARANTEE_NONE, GUARANTEE_ANY_WORKLOAD)->holds); /* 6 times 10.8 s */
    const struct guarantee_option *rounds = find(&guarantee, GUARANTEE_MAX_ROUNDS, GUARANTEE_ANY_WORKLOAD);
    assert_true(rounds->holds);
    assert_near(rounds->value, 2, 0); /* 3 times 10.8 s fit, 4 do not */
    const struct guarantee_option *floor_of = find(&guarantee, GUARANTEE_BANDWIDTH, GUARANTEE_ANY_WORKLOAD);
    assert_true(floor_of->holds);
    assert_near(floor_of->value, 6 * 10758.4e5 / 39.7, 1e5 * 4);
    assert_near(floor_of->times.migration_ms, 40e3, 40);
}

static void sets_the_downtime_limit_by_its_bound(void **state) {
    (void)state;
    const struct dirty_profile nothing = {0};
    const struct prediction_input input = one_gib(&nothing, "qemu");
    struct guarantee_question question = {
        .input = &input, .bandwidth_bytes_per_s = 100e6, .most_bytes_per_s = 1e9, .max_downtime_ms = 400};
    struct guarantee guarantee;
    assert_int_equal(guarantee_make(&question, &guarantee, NULL), DC_OK);
    const struct guarantee_option *limit = find(&guarantee, GUARANTEE_DOWNTIME_LIMIT, GUARANTEE_ANY_WORKLOAD);
    assert_true(limit->holds);
    assert_at_most(limit->times.downtime_ms, 400);
    assert_true(isinf(limit->times.migration_ms)); /* it may never end */
    /* A deadline of little more than sending once: only by stopping at once. */
    question.max_downtime_ms = 0;
    question.deadline_ms = 12e3;
    assert_int_equal(guarantee_make(&question, &guarantee, NULL), DC_OK);
    limit = find(&guarantee, GUARANTEE_DOWNTIME_LIMIT, GUARANTEE_ANY_WORKLOAD);
    assert_true(limit->holds && limit->value > 10e3);
    assert_false(find(&guarantee, GUARANTEE_BANDWIDTH, GUARANTEE_ANY_WORKLOAD)->holds);
    /* Post-copy needs one sending and takes but the hand-over down. */
    const struct guarantee_option *postcopy = find(&guarantee, GUARANTEE_POSTCOPY, GUARANTEE_ANY_WORKLOAD);
    assert_true(postcopy->holds && postcopy->policy.postcopy == STOP_POLICY_POSTCOPY_AT_ONCE);
    assert_near(postcopy->times.migration_ms, 300 + 10758.4, 1);
    assert_near(postcopy->times.downtime_ms, 200, 1e-9);
}

/* A guest can write to its disks as fast as they are copied, until it stands still. */
static void disks_that_move_have_no_bound(void **state) {
    (void)state;
    const struct dirty_profile nothing = {0};
    const struct storage_disk disk = {.size_bytes = 1e9, .local = true};
    for (size_t p = 0; stop_policy_at(p) != NULL; p++) {
        struct prediction_input input = one_gib(&nothing, stop_policy_at(p)->name);
        input.policy.downtime_limit_ms = 60e3; /* all of the memory */
        const struct guarantee_times without = guarantee_bound(&input, &input.policy, 100e6);
        input.storage = (struct storage){.n_disks = 1, .disks = &disk};
        const struct guarantee_times with = guarantee_bound(&input, &input.policy, 100e6);
        const bool stays = input.policy.policy->storage == STOP_POLICY_STORAGE_STAYS;
        assert_true(isfinite(without.migration_ms));
        assert_true(stays ? with.migration_ms <= without.migration_ms : isinf(with.migration_ms));
        assert_near(with.downtime_ms, without.downtime_ms, 0);
    }
}

static void says_when_nothing_can(void **state) {
    (void)state;
    const struct dirty_profile nothing = {0};
    for (size_t p = 0; stop_policy_at(p) != NULL; p++) {
        const struct prediction_input input = one_gib(&nothing, stop_policy_at(p)->name);
        const struct guarantee_question question = {
            .input = &input, .bandwidth_bytes_per_s = 100e6, .most_bytes_per_s = 1e9, .deadline_ms = 250};
        struct guarantee guarantee;
        assert_int_equal(guarantee_make(&question, &guarantee, NULL), DC_OK);
        for (size_t i = 0; i < guarantee.n_options; i++)
            assert_false(guarantee.options[i].holds);
    }
}

static void wants_a_limit_and_a_bandwidth(void **state) {
    (void)state;
    const struct dirty_profile nothing = {0};
    const struct prediction_input input = one_gib(&nothing, "xen-v2");
    struct guarantee guarantee;
    struct guarantee_question question = {.input = &input, .bandwidth_bytes_per_s = 1e8, .most_bytes_per_s = 1e9};
    assert_int_equal(guarantee_make(&question, &guarantee, NULL), DC_EINVAL);
    question.deadline_ms = NAN;
    assert_int_equal(guarantee_make(&question, &guarantee, NULL), DC_EINVAL);
    question.deadline_ms = 1e3;
    question.bandwidth_bytes_per_s = 0;
    assert_int_equal(guarantee_make(&question, &guarantee, NULL), DC_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_workload_breaks_a_bound),
        cmocka_unit_test(no_burst_breaks_a_guarantee),
        cmocka_unit_test(bounds_are_the_formulas),
        cmocka_unit_test(picks_the_rounds_that_fit_a_deadline),
        cmocka_unit_test(sets_the_downtime_limit_by_its_bound),
        cmocka_unit_test(disks_that_move_have_no_bound),
        cmocka_unit_test(says_when_nothing_can),
        cmocka_unit_test(wants_a_limit_and_a_bandwidth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
