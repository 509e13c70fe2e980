/*
 * How good and how fast plans are, family by family, against their targets and against what
 * people have today on the same instances.
 *
 * Ends with 1 where there is no answer or a plan breaks a rule or a budget (with --strict also
 * where a target is missed).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/trial_report.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_SEEDS = 10, MOST_SEEDS = 1000, KEY_STRICT = 0x100, KEY_NO_RIVALS, KEY_EACH };

struct options {
    const char *family;
    unsigned long n_seeds, first_seed;
    bool strict, no_rivals, each;
};

static unsigned long number(const char *text, unsigned long least, unsigned long most, struct argp_state *state) {
    char *end = NULL;
    const unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || value < least || value > most)
        argp_error(state, "expected a number from %lu to %lu, got '%s'", least, most, text);
    return value;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct options *options = state->input;
    switch (key) {
    case 'f':
        options->family = argument;
        return 0;
    case 'n':
        options->n_seeds = number(argument, 1, MOST_SEEDS, state);
        return 0;
    case 's':
        options->first_seed = number(argument, 0, 1000000, state);
        return 0;
    case KEY_STRICT:
        options->strict = true;
        return 0;
    case KEY_NO_RIVALS:
        options->no_rivals = true;
        return 0;
    case KEY_EACH:
        options->each = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option argp_options[] = {
    {"family", 'f', "NAME", 0, "Only this family", 0},
    {"seeds", 'n', "N", 0, "Instances of each family (10)", 0},
    {"first-seed", 's', "N", 0, "The first instance's seed (1)", 0},
    {"strict", KEY_STRICT, NULL, 0, "Fail also where a target is missed", 0},
    {"no-rivals", KEY_NO_RIVALS, NULL, 0, "Leave out what people have today", 0},
    {"each", KEY_EACH, NULL, 0, "A line for each instance, too", 0},
    {0},
};

static void print_each(unsigned long seed, const struct trial *trial) {
    if (trial->failure[0] != '\0')
        return;
    printf(
        "  seed %-4lu %zu of %zu VMs, %zu hops, %.2f s, bound %.2f s (%d), gap %.2f%%, %.3f s wall (%.3f to choose), "
        "%.3f s cpu\n",
        seed, trial->n_steps - trial->n_hops, trial->n_movers, trial->n_hops, trial->makespan_s, trial->bound_s,
        (int)trial->bound_kind, 100 * trial->gap_frac, trial->wall_s, trial->choose_s, trial->cpu_s);
}

static struct trial_summary bench(const struct family *family, const struct options *options, struct trial *trials) {
    for (unsigned long i = 0; i < options->n_seeds; i++) {
        trial_run(family, options->first_seed + i, !options->no_rivals, &trials[i]);
        if (trials[i].failure[0] != '\0')
            printf("%s, seed %lu: %s\n", family->name, options->first_seed + i, trials[i].failure);
        if (options->each)
            print_each(options->first_seed + i, &trials[i]);
        (void)fflush(stdout);
    }
    const struct trial_summary summary = trial_report(family, trials, options->n_seeds);
    (void)fflush(stdout);
    return summary;
}

static bool is_family(const char *name) {
    for (const struct family *family = families; family->name != NULL; family++)
        if (strcmp(family->name, name) == 0)
            return true;
    return false;
}

int main(int argc, char **argv) {
    const struct argp argp = {argp_options, parse, NULL, "Measure plans on made-up instances.", NULL, NULL, NULL};
    struct options options = {.n_seeds = DEFAULT_SEEDS, .first_seed = 1};
    struct trial_summary all = {0};
    if (argp_parse(&argp, argc, argv, 0, NULL, &options) != 0)
        return 64;
    if (options.family != NULL && !is_family(options.family)) {
        (void)fprintf(stderr, "bench_schedule: no family '%s'; there are:", options.family);
        for (const struct family *family = families; family->name != NULL; family++)
            (void)fprintf(stderr, " %s", family->name);
        (void)fprintf(stderr, "\n");
        return 64;
    }
    struct trial *trials = calloc(options.n_seeds, sizeof(*trials));
    if (trials == NULL)
        return 1;
    trial_report_head();
    for (const struct family *family = families; family->name != NULL; family++) {
        if (options.family != NULL && strcmp(options.family, family->name) != 0)
            continue;
        const struct trial_summary summary = bench(family, &options, trials);
        all.n_failed += summary.n_failed;
        all.n_missed += summary.n_missed;
    }
    free(trials);
    printf("%zu failed, %zu targets missed (marked !)\n", all.n_failed, all.n_missed);
    return all.n_failed > 0 || (options.strict && all.n_missed > 0) ? 1 : 0;
}
