/* The sentence, then a tile a figure. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/page/page_verdict.h"

#include "base/units.h"
#include "planner/html_text.h"

#include <math.h>
#include <string.h>

enum { MOST_HOSTS_NAMED = 4, SMALL_BYTES = 200 };

static const char *text_at(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static double number_at(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static void put_names(FILE *stream, const json_t *names) {
    const size_t n = json_array_size(names);
    for (size_t i = 0; i < n && i < MOST_HOSTS_NAMED; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        (void)fputs(i == 0 ? " " : ", ", stream);
        html_text_put(stream, name != NULL ? name : "?");
    }
    if (n > MOST_HOSTS_NAMED)
        (void)fprintf(stream, " and %zu more", n - MOST_HOSTS_NAMED);
}

void page_verdict_put_title(FILE *stream, const struct plan *plan) {
    static const char *const verbs[][2] = {
        {"evacuate", "Evacuate"},
        {"schedule", "Move VMs to chosen hosts"},
        {"consolidate", "Have fewer hosts on"},
        {"rebalance", "Rebalance the hosts"},
        {"rolling", "Rolling maintenance of"},
    };
    const char *verb = text_at(plan->goal, "verb");
    const char *title = "Plan";
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verb, verbs[i][0]) == 0)
            title = verbs[i][1];
    }
    (void)fputs(title, stream);
    if (json_is_true(json_object_get(plan->goal, "all")))
        (void)fputs(" all hosts", stream);
    else
        put_names(stream, json_object_get(plan->goal, "hosts"));
}

struct counts {
    size_t n_moves, n_hops;       /* migrations, and those to a host on the way */
    size_t n_budgets, n_exceeded; /* downtime budgets of the VMs that move */
    const char *worst_name;       /* of the longest downtime; NULL without migrations */
};

static bool moves_vm(const struct plan_step *step) {
    return step->action == PLAN_MIGRATE || step->action == PLAN_COLD_MIGRATE;
}

/* The lower of the VM's own and the question's; not above 0 where there is none. */
static double budget_ms(const struct plan *plan, const struct fleet *fleet, const struct plan_step *step) {
    const double asked_ms = number_at(plan->goal, "max_downtime_ms");
    const long vm = fleet != NULL ? fleet_doc_find_vm(fleet, step->vm) : FLEET_NO_INDEX;
    const double own_ms = vm != FLEET_NO_INDEX ? fleet->vms[vm].downtime_budget_ms : FLEET_UNSET;
    return asked_ms > 0 && own_ms > 0 ? fmin(asked_ms, own_ms) : fmax(asked_ms, own_ms);
}

static struct counts count(const struct plan *plan, const struct fleet *fleet) {
    struct counts counts = {0};
    double worst_ms = -1;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const struct plan_step *step = &plan->steps[i];
        if (!moves_vm(step))
            continue;
        counts.n_moves++;
        counts.n_hops += step->hop ? 1 : 0;
        if (step->downtime_ms.p95 >= worst_ms) {
            worst_ms = step->downtime_ms.p95;
            counts.worst_name = step->vm_name;
        }
        const double budget = budget_ms(plan, fleet, step);
        if (budget > 0 && step->action == PLAN_MIGRATE) {
            counts.n_budgets++;
            counts.n_exceeded += step->downtime_ms.p95 > budget ? 1 : 0;
        }
    }
    return counts;
}

static void put_sentence(FILE *stream, const struct plan *plan, const struct counts *counts) {
    char p95[UNITS_TEXT_BYTES], bound[UNITS_TEXT_BYTES];
    const size_t n_conflicts = json_array_size(plan->conflicts);
    (void)fprintf(stream, "<p class=\"verdict %s\">", plan_doc_status_text(plan->status));
    if (plan->status == PLAN_INFEASIBLE) {
        (void)fprintf(stream, "<b>There is no plan.</b> %zu conflict%s in the way, see below.</p>\n", n_conflicts,
                      n_conflicts == 1 ? " stands" : "s stand");
        return;
    }
    if (plan->n_steps == 0 && plan->status != PLAN_PARTIAL) {
        (void)fputs("<b>Nothing has to move.</b></p>\n", stream);
        return;
    }
    (void)fprintf(
        stream, "<b>%s</b> %zu migration%s, done in %s (p95).",
        plan->status == PLAN_PARTIAL ? "Only a part can be planned:" : "All of it can be done:", counts->n_moves,
        counts->n_moves == 1 ? "" : "s", units_format_duration(plan->makespan_ms.p95, p95, sizeof(p95)));
    if (plan->status == PLAN_PARTIAL)
        (void)fprintf(stream, " %zu conflict%s in the way of the rest, see below.", n_conflicts,
                      n_conflicts == 1 ? " stands" : "s stand");
    else if (plan->status == PLAN_OPTIMAL)
        (void)fputs(" It is proved that no plan is quicker.", stream);
    else if (isfinite(plan->gap_frac))
        (void)fprintf(stream, " It is proved that no plan is done before %s.",
                      units_format_duration(plan->lower_bound_ms, bound, sizeof(bound)));
    (void)fputs("</p>\n", stream);
}

/* `tone` colours it: "", "good" or "bad". */
static void put_tile(FILE *stream, const char *tone, const char *label, const char *value, const char *small) {
    (void)fprintf(stream, "<div class=\"tile %s\"><dt>%s</dt><dd>", tone, label);
    html_text_put(stream, value);
    (void)fputs("</dd><dd class=\"small\">", stream);
    html_text_put(stream, small);
    (void)fputs("</dd></div>\n", stream);
}

static void put_time_tiles(FILE *stream, const struct plan *plan) {
    char value[UNITS_TEXT_BYTES], p50[UNITS_TEXT_BYTES], small[SMALL_BYTES];
    (void)snprintf(small, sizeof(small), "median (p50) %s",
                   units_format_duration(plan->makespan_ms.p50, p50, sizeof(p50)));
    put_tile(stream, "", "Done in (p95)", units_format_duration(plan->makespan_ms.p95, value, sizeof(value)), small);
    if (!isfinite(plan->gap_frac)) {
        put_tile(stream, "", "Best possible (p95)", "not known", "no bound could be proved");
        return;
    }
    if (plan->gap_frac < 5e-5)
        (void)snprintf(small, sizeof(small), "no plan is quicker than this");
    else
        (void)snprintf(small, sizeof(small), "no plan is quicker; this one takes %.2f %% longer", 100 * plan->gap_frac);
    put_tile(stream, "", "Best possible (p95)", units_format_duration(plan->lower_bound_ms, value, sizeof(value)),
             small);
}

static void put_move_tiles(FILE *stream, const struct plan *plan, const struct counts *counts) {
    char value[UNITS_TEXT_BYTES], bytes[UNITS_TEXT_BYTES], small[SMALL_BYTES], hops[60] = "";
    (void)snprintf(value, sizeof(value), "%zu", counts->n_moves);
    if (counts->n_hops > 0)
        (void)snprintf(hops, sizeof(hops), ", %zu of them to a third host on the way", counts->n_hops);
    (void)snprintf(small, sizeof(small), "%s sent%s", units_format_bytes(plan->bytes, bytes, sizeof(bytes)), hops);
    put_tile(stream, "", "Migrations", value, small);
    if (counts->worst_name != NULL)
        put_tile(stream, "", "Longest downtime (p95)",
                 units_format_duration(plan->downtime_worst_ms, value, sizeof(value)), counts->worst_name);
}

/* What was promised: downtime budgets, the deadline, soft rules. */
static void put_budget_tile(FILE *stream, const struct plan *plan, const struct counts *counts) {
    char deadline[UNITS_TEXT_BYTES], value[UNITS_TEXT_BYTES], small[SMALL_BYTES];
    const double deadline_ms = number_at(plan->goal, "deadline_ms");
    const size_t n_rules = json_array_size(plan->broken_rules);
    const bool is_late = deadline_ms > 0 && plan->makespan_ms.p95 > deadline_ms;
    const size_t n_broken = counts->n_exceeded + n_rules + (is_late ? 1 : 0);
    size_t used = 0;
    small[0] = '\0';
    if (counts->n_budgets > 0)
        used += (size_t)snprintf(small, sizeof(small), "%zu of %zu downtime budgets kept",
                                 counts->n_budgets - counts->n_exceeded, counts->n_budgets);
    if (deadline_ms > 0)
        used += (size_t)snprintf(small + used, sizeof(small) - used, "%sthe deadline of %s is %s", used > 0 ? "; " : "",
                                 units_format_duration(deadline_ms, deadline, sizeof(deadline)),
                                 is_late ? "missed (p95)" : "kept (p95)");
    if (n_rules > 0)
        used += (size_t)snprintf(small + used, sizeof(small) - used, "%s%zu soft rule%s broken", used > 0 ? "; " : "",
                                 n_rules, n_rules == 1 ? "" : "s");
    if (used == 0) {
        put_tile(stream, "", "Budgets", "none known", "no deadline, and no downtime budgets at hand");
        return;
    }
    (void)snprintf(value, sizeof(value), "%zu broken", n_broken);
    put_tile(stream, n_broken > 0 ? "bad" : "good", "Budgets", n_broken > 0 ? value : "all kept", small);
}

static bool has_ways_out(const struct plan *plan) {
    size_t i;
    const json_t *conflict;
    json_array_foreach(plan->conflicts, i, conflict) {
        if (json_array_size(json_object_get(conflict, "relax")) > 0)
            return true;
    }
    return false;
}

void page_verdict_put(FILE *stream, const struct plan *plan, const struct fleet *fleet) {
    const struct counts counts = count(plan, fleet);
    char value[UNITS_TEXT_BYTES];
    put_sentence(stream, plan, &counts);
    (void)fputs("<dl class=\"tiles\">\n", stream);
    if (plan->n_steps > 0) {
        put_time_tiles(stream, plan);
        put_move_tiles(stream, plan, &counts);
        put_budget_tile(stream, plan, &counts);
    }
    if (json_array_size(plan->conflicts) > 0) {
        (void)snprintf(value, sizeof(value), "%zu", json_array_size(plan->conflicts));
        put_tile(stream, "bad", "Conflicts", value,
                 has_ways_out(plan) ? "they stand below, with ways out that were tried" : "they stand below");
    }
    (void)fputs("</dl>\n", stream);
}
