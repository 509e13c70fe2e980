/* Migrations as a row of looks: what is told, when, and what is not. Times are the test's own. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/xen_migrations.h"

#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UUID "11111111-1111-1111-1111-111111111111"
#define UNIX_MS 1700000000000

enum { MAX_TOLD = 8 };

struct fixture {
    struct xen_migrations *migrations;
    double now_ms;
    struct xen_domain source, target; /* what the next look shows */
    bool has_source, has_target;
    struct xen_process xl, helper, child;
    bool has_xl, has_helper, has_child;
    enum xen_migrations_pace pace;
    size_t n_told;
    struct source_migration told[MAX_TOLD];
    char peers[MAX_TOLD][32]; /* "" for NULL */
};

static void tell(void *context, const struct source_migration *migration) {
    struct fixture *fixture = context;
    assert_true(fixture->n_told < MAX_TOLD);
    assert_string_equal(migration->vm, UUID);
    (void)snprintf(fixture->peers[fixture->n_told], sizeof(fixture->peers[0]), "%s",
                   migration->peer_host != NULL ? migration->peer_host : "");
    fixture->told[fixture->n_told++] = *migration;
}

static void quiet(void *context, enum log_level level, const char *line) {
    (void)context;
    (void)level;
    (void)line;
}

static char web1[] = "web1", incoming[] = "web1--incoming", away[] = "web1--migratedaway";

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    log_set_hook(quiet, NULL);
    fixture->now_ms = 10000;
    fixture->source = (struct xen_domain){.domid = 3, .uuid = UUID, .name = web1, .n_online_vcpus = 1};
    fixture->has_source = true;
    fixture->target =
        (struct xen_domain){.domid = 9, .uuid = UUID, .name = incoming, .n_online_vcpus = 0, .is_paused = true};
    fixture->xl = (struct xen_process){.pid = 70,
                                       .role = XEN_PROCESS_COMMAND,
                                       .is_migration = true,
                                       .subject = "web1",
                                       .peer = "h2",
                                       .written_bytes = 100};
    fixture->helper =
        (struct xen_process){.pid = 71, .role = XEN_PROCESS_SAVE, .is_migration = true, .has_domid = true, .domid = 3};
    fixture->migrations = xen_migrations_new("h1", tell, fixture);
    return fixture->migrations != NULL ? 0 : -1;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    xen_migrations_free(&fixture->migrations);
    xen_migrations_free(&fixture->migrations);
    free(fixture);
    return 0;
}

/* One look, `after_ms` after the last; processes grow older by it. */
static void look(struct fixture *fixture, double after_ms) {
    struct xen_domain items[2];
    struct xen_process processes[3];
    struct xen_domains domains = {.items = items};
    size_t n_processes = 0;
    fixture->now_ms += after_ms;
    if (fixture->has_source)
        items[domains.n++] = fixture->source;
    if (fixture->has_target)
        items[domains.n++] = fixture->target;
    if (fixture->has_xl) {
        fixture->xl.age_ms += after_ms;
        processes[n_processes++] = fixture->xl;
    }
    if (fixture->has_helper) {
        fixture->helper.age_ms += after_ms;
        processes[n_processes++] = fixture->helper;
    }
    if (fixture->has_child)
        processes[n_processes++] = fixture->child;
    const struct xen_look seen = {.now_ms = fixture->now_ms,
                                  .now_unix_ms = UNIX_MS + (int64_t)fixture->now_ms,
                                  .domains = &domains,
                                  .processes = processes,
                                  .n_processes = n_processes};
    fixture->pace = xen_migrations_look(fixture->migrations, &seen);
}

/* The command 300 ms ago, the helper after it, two seconds of rounds. Leaves the clock at 12000. */
static void begin(struct fixture *fixture) {
    look(fixture, 0);
    fixture->has_xl = fixture->has_helper = true;
    fixture->xl.age_ms = 250;
    fixture->helper.age_ms = 0;
    look(fixture, 50); /* 10050: began at 9750 */
    fixture->helper.written_bytes = 5e8;
    for (int i = 0; i < 39; i++)
        look(fixture, 50);
    assert_int_equal(fixture->n_told, 1);
    assert_false(fixture->told[0].has_ended);
    assert_int_equal(fixture->told[0].at_unix_ms, UNIX_MS + 9750);
    assert_int_equal(fixture->pace, XEN_MIGRATIONS_CLOSE);
}

static void suspend(struct fixture *fixture) {
    fixture->source.is_shutdown = fixture->source.is_suspended = true;
    look(fixture, 50); /* 12050: suspended at 12025 */
    assert_int_equal(fixture->pace, XEN_MIGRATIONS_CLOSEST);
    fixture->helper.written_bytes = 6e8;
    for (int i = 0; i < 10; i++)
        look(fixture, 10);
    fixture->has_helper = false; /* 12150 */
}

static const struct source_migration *only_end(const struct fixture *fixture, bool succeeded) {
    assert_int_equal(fixture->n_told, 2);
    const struct source_migration *end = &fixture->told[1];
    assert_true(end->has_ended);
    assert_int_equal(end->succeeded, succeeded);
    return end;
}

static void test_nothing_happens(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 10; i++)
        look(fixture, 50);
    assert_int_equal(fixture->pace, XEN_MIGRATIONS_IDLE);
    assert_int_equal(fixture->n_told, 0);
}

static void test_to_another_host(void **state) {
    struct fixture *fixture = *state;
    begin(fixture);
    suspend(fixture);
    fixture->source.name = away;
    look(fixture, 10); /* 12160 */
    fixture->source.is_paused = true;
    look(fixture, 10); /* 12170: it runs over there since 12165 */
    assert_int_equal(fixture->n_told, 1);
    fixture->source.is_dying = true;
    look(fixture, 500); /* its devices are taken down first */
    const struct source_migration *end = only_end(fixture, true);
    assert_int_equal(end->at_unix_ms, UNIX_MS + 12165);
    assert_true(end->migration_ms == 12165 - 9750);
    assert_true(end->downtime_ms == 12165 - 12025);
    assert_true(end->bytes == 6e8);
    assert_int_equal(end->suspended_unix_ms, UNIX_MS + 12025);
    assert_int_equal(end->resumed_unix_ms, 0); /* that, the other host knows */
    assert_string_equal(fixture->peers[1], "h2");
    fixture->has_source = fixture->has_xl = false;
    look(fixture, 50);
    look(fixture, 50);
    assert_int_equal(fixture->pace, XEN_MIGRATIONS_IDLE);
    assert_int_equal(fixture->n_told, 2);
}

static void test_it_comes_back_at_once(void **state) {
    struct fixture *fixture = *state;
    test_to_another_host(state);
    fixture->has_target = true;
    look(fixture, 1000);
    assert_int_equal(fixture->pace, XEN_MIGRATIONS_CLOSE);
    fixture->target.n_online_vcpus = 1;
    fixture->target.is_paused = false;
    look(fixture, 50);
    assert_int_equal(fixture->n_told, 3);
    assert_true(fixture->told[2].has_ended && fixture->told[2].succeeded && fixture->told[2].resumed_unix_ms > 0);
}

static void test_within_one_host(void **state) {
    struct fixture *fixture = *state;
    begin(fixture);
    fixture->has_target = true;
    look(fixture, 0);
    suspend(fixture);
    fixture->target.n_online_vcpus = 1;
    fixture->target.name = web1; /* and so xl names the target now */
    fixture->source.name = away;
    look(fixture, 10); /* 12160 */
    assert_int_equal(fixture->n_told, 1);
    fixture->target.is_paused = false;
    look(fixture, 10); /* 12170: runs at 12165 */
    const struct source_migration *end = only_end(fixture, true);
    assert_true(end->downtime_ms == 12165 - 12025);
    assert_true(end->migration_ms == 12165 - 9750);
    assert_int_equal(end->resumed_unix_ms, UNIX_MS + 12165);
    assert_string_equal(fixture->peers[1], "h1"); /* this host */
    for (int i = 0; i < 5; i++)                   /* xl takes the old one away: that is no new migration */
        look(fixture, 100);
    fixture->has_source = false;
    fixture->target.name = incoming; /* names are read every few seconds only: xl names nobody for a while */
    look(fixture, 100);
    look(fixture, 100);
    fixture->target.name = web1;
    look(fixture, 5000);
    fixture->xl.age_ms = -1; /* it ends while it is read */
    fixture->has_xl = true;
    look(fixture, 0.5);
    fixture->has_xl = false;
    look(fixture, 100);
    assert_int_equal(fixture->pace, XEN_MIGRATIONS_IDLE);
    assert_int_equal(fixture->n_told, 2);
}

static void test_an_old_one_is_forgotten(void **state) {
    struct fixture *fixture = *state;
    test_within_one_host(state);
    look(fixture, 61000);
    fixture->has_xl = true;
    fixture->xl.age_ms = -1; /* not known: it could be anybody's, but nobody's is remembered */
    look(fixture, 0.5);
    assert_int_equal(fixture->n_told, 3);
}

static void test_the_next_one_is_another(void **state) {
    struct fixture *fixture = *state;
    test_within_one_host(state);
    fixture->n_told = 0;
    fixture->source = fixture->target;
    fixture->has_source = true;
    fixture->has_target = false;
    fixture->has_xl = true;
    fixture->xl.age_ms = 0;
    look(fixture, 0);
    assert_int_equal(fixture->n_told, 1);
    assert_false(fixture->told[0].has_ended);
}

/* Also where no look caught the time between them without a process. */
static void test_the_next_one_follows_at_once(void **state) {
    struct fixture *fixture = *state;
    begin(fixture);
    suspend(fixture);
    fixture->source.is_shutdown = fixture->source.is_suspended = false;
    look(fixture, 10);
    (void)only_end(fixture, false);
    look(fixture, 50);
    assert_int_equal(fixture->n_told, 2); /* the same xl */
    fixture->xl.pid = 99;
    fixture->xl.age_ms = 0;
    look(fixture, 20);
    assert_int_equal(fixture->n_told, 3);
    assert_false(fixture->told[2].has_ended);
}

static void test_one_that_is_resumed_failed(void **state) {
    struct fixture *fixture = *state;
    begin(fixture);
    suspend(fixture);
    fixture->source.is_shutdown = fixture->source.is_suspended = false;
    look(fixture, 10); /* 12160 */
    const struct source_migration *end = only_end(fixture, false);
    assert_true(end->downtime_ms == 12155 - 12025);
}

static void test_one_that_is_given_up_failed(void **state) {
    struct fixture *fixture = *state;
    begin(fixture);
    fixture->has_xl = fixture->has_helper = false;
    look(fixture, 50);
    assert_int_equal(fixture->n_told, 1); /* a moment without processes is nothing */
    for (int i = 0; i < 25; i++)
        look(fixture, 50);
    const struct source_migration *end = only_end(fixture, false);
    assert_int_equal(end->at_unix_ms, UNIX_MS + 12000); /* when the last process was seen */
    assert_true(end->downtime_ms < 0);
    assert_int_equal(fixture->pace, XEN_MIGRATIONS_IDLE);
}

static void test_one_that_is_destroyed_failed(void **state) {
    struct fixture *fixture = *state;
    begin(fixture);
    fixture->has_source = false;
    look(fixture, 50);
    (void)only_end(fixture, false);
}

static void test_a_suspension_that_nobody_resumes(void **state) {
    struct fixture *fixture = *state;
    begin(fixture);
    suspend(fixture);
    fixture->has_xl = false;
    for (int i = 0; i < 59; i++)
        look(fixture, 1000);
    assert_int_equal(fixture->n_told, 1);
    for (int i = 0; i < 3; i++)
        look(fixture, 1000);
    assert_int_equal(fixture->n_told, 2);
    assert_int_equal(fixture->pace, XEN_MIGRATIONS_IDLE);
}

static void test_what_nobody_looked_at_is_not_judged(void **state) {
    struct fixture *fixture = *state;
    begin(fixture);
    fixture->has_source = fixture->has_xl = fixture->has_helper = false;
    look(fixture, 5000);
    assert_int_equal(fixture->n_told, 1);
    look(fixture, 50);
    assert_int_equal(fixture->pace, XEN_MIGRATIONS_IDLE);
}

static void test_a_vague_suspension_gives_no_downtime(void **state) {
    struct fixture *fixture = *state;
    begin(fixture);
    fixture->source.is_shutdown = fixture->source.is_suspended = true;
    look(fixture, 3000); /* the loop was blocked */
    fixture->has_source = false;
    look(fixture, 10);
    const struct source_migration *end = only_end(fixture, true);
    assert_true(end->downtime_ms < 0 && end->migration_ms > 0);
    assert_int_equal(end->suspended_unix_ms, 0);
}

static void test_one_that_comes_from_elsewhere(void **state) {
    struct fixture *fixture = *state;
    fixture->has_source = false;
    fixture->has_target = fixture->has_helper = true;
    fixture->helper.role = XEN_PROCESS_RESTORE;
    fixture->helper.domid = 9;
    fixture->target.name = NULL;
    for (int i = 0; i < 20; i++)
        look(fixture, 50);
    assert_int_equal(fixture->pace, XEN_MIGRATIONS_CLOSE);
    fixture->has_helper = false;
    fixture->target.name = incoming;
    fixture->target.n_online_vcpus = 1;
    look(fixture, 50); /* 11050 */
    fixture->target.name = web1;
    fixture->target.is_paused = false;
    look(fixture, 50);
    assert_int_equal(fixture->n_told, 1);
    const struct source_migration *end = &fixture->told[0];
    assert_true(end->has_ended && end->succeeded);
    assert_int_equal(end->resumed_unix_ms, UNIX_MS + 11075);
    assert_true(end->migration_ms < 0 && end->downtime_ms < 0 && end->bytes < 0);
    look(fixture, 50);
    assert_int_equal(fixture->n_told, 1);
    assert_int_equal(fixture->pace, XEN_MIGRATIONS_IDLE);
}

static void test_one_that_does_not_come(void **state) {
    struct fixture *fixture = *state;
    fixture->has_source = false;
    fixture->has_target = true;
    look(fixture, 50);
    assert_int_equal(fixture->pace, XEN_MIGRATIONS_CLOSE);
    fixture->has_target = false;
    look(fixture, 50);
    assert_int_equal(fixture->n_told, 0);
    assert_int_equal(fixture->pace, XEN_MIGRATIONS_IDLE);
}

static void test_one_that_never_comes_is_not_looked_at_for_ever(void **state) {
    struct fixture *fixture = *state;
    fixture->has_source = false;
    fixture->has_target = true;
    look(fixture, 50);
    look(fixture, 61000);
    assert_int_equal(fixture->pace, XEN_MIGRATIONS_IDLE);
}

static void test_a_save_is_not_told(void **state) {
    struct fixture *fixture = *state;
    fixture->has_xl = fixture->has_helper = true;
    fixture->xl.is_migration = fixture->helper.is_migration = false;
    look(fixture, 50);
    fixture->source.is_shutdown = fixture->source.is_suspended = true;
    look(fixture, 50);
    fixture->has_source = false;
    look(fixture, 50);
    assert_int_equal(fixture->n_told, 0);
}

static void test_another_vms_processes(void **state) {
    struct fixture *fixture = *state;
    fixture->has_xl = fixture->has_helper = true;
    (void)snprintf(fixture->xl.subject, sizeof(fixture->xl.subject), "web2");
    fixture->helper.domid = 4;
    look(fixture, 50);
    assert_int_equal(fixture->n_told, 0);
    assert_int_equal(fixture->pace, XEN_MIGRATIONS_IDLE);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_happens),
        TEST(test_to_another_host),
        TEST(test_it_comes_back_at_once),
        TEST(test_within_one_host),
        TEST(test_an_old_one_is_forgotten),
        TEST(test_the_next_one_is_another),
        TEST(test_the_next_one_follows_at_once),
        TEST(test_one_that_is_resumed_failed),
        TEST(test_one_that_is_given_up_failed),
        TEST(test_one_that_is_destroyed_failed),
        TEST(test_a_suspension_that_nobody_resumes),
        TEST(test_what_nobody_looked_at_is_not_judged),
        TEST(test_a_vague_suspension_gives_no_downtime),
        TEST(test_one_that_comes_from_elsewhere),
        TEST(test_one_that_does_not_come),
        TEST(test_one_that_never_comes_is_not_looked_at_for_ever),
        TEST(test_a_save_is_not_told),
        TEST(test_another_vms_processes),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
