/* decamp predict --guarantee: which knob keeps a deadline or a limit of the
 * downtime, on which grounds, and how that knob is set. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/predict.h"

#include "base/units.h"
#include "model/guarantee.h"
#include "planner/vm_storage.h"

#include <math.h>
#include <string.h>

static const double MOST_FACTOR = 4; /* bandwidths are searched up to so many times the NIC's */

enum {
    COLUMN_KNOB,
    COLUMN_VALUE,
    COLUMN_MIGRATION,
    COLUMN_DOWNTIME,
    COLUMN_BASIS,
    COLUMN_HOLDS,
    COLUMN_SETTABLE,
    COLUMN_ROUNDS,
    COLUMN_PAGES,
    COLUMN_BANDWIDTH,
    COLUMN_LIMIT,
    COLUMN_HOW,
    N_COLUMNS,
};

static const struct writer_field columns[N_COLUMNS] = {
    [COLUMN_KNOB] = {"knob", "KNOB", WRITER_TEXT, false},
    [COLUMN_VALUE] = {"value", "VALUE", WRITER_TEXT, false},
    [COLUMN_MIGRATION] = {"migration_ms", "MIGRATION", WRITER_DURATION, false},
    [COLUMN_DOWNTIME] = {"downtime_ms", "DOWNTIME", WRITER_DURATION, false},
    [COLUMN_BASIS] = {"basis", "BASIS", WRITER_TEXT, false},
    [COLUMN_HOLDS] = {"holds", "HOLDS", WRITER_BOOL, false},
    [COLUMN_SETTABLE] = {"settable", "SETTABLE", WRITER_BOOL, false},
    [COLUMN_ROUNDS] = {"max_rounds", "ROUNDS", WRITER_COUNT, true},
    [COLUMN_PAGES] = {"target_dirty_pages", "PAGES", WRITER_COUNT, true},
    [COLUMN_BANDWIDTH] = {"bandwidth_bytes_per_s", "BANDWIDTH", WRITER_RATE, true},
    [COLUMN_LIMIT] = {"downtime_limit_ms", "DOWNTIME LIMIT", WRITER_DURATION, true},
    [COLUMN_HOW] = {"how", "HOW", WRITER_TEXT, true},
};

static const char *const all_knobs[N_GUARANTEE_KNOBS] = {
    [GUARANTEE_NONE] = "as it is",
    [GUARANTEE_BANDWIDTH] = "bandwidth",
    [GUARANTEE_MAX_ROUNDS] = "max_rounds",
    [GUARANTEE_TARGET_DIRTY_PAGES] = "target_dirty_pages",
    [GUARANTEE_DOWNTIME_LIMIT] = "downtime_limit",
    [GUARANTEE_AUTO_CONVERGE] = "auto_converge",
    [GUARANTEE_POSTCOPY] = "postcopy",
};

static const char *const all_bases[N_GUARANTEE_BASES] = {
    [GUARANTEE_ANY_WORKLOAD] = "any workload",
    [GUARANTEE_HISTORY] = "worst of history",
    [GUARANTEE_P95] = "p95",
};

static const char *knob_text(enum guarantee_knob knob) {
    return knob < N_GUARANTEE_KNOBS ? all_knobs[knob] : "-";
}

static const char *basis_text(enum guarantee_basis basis) {
    return basis < N_GUARANTEE_BASES ? all_bases[basis] : "-";
}

/* What the toolstacks let one set: read in their sources. The first row that fits counts. */
static const struct setting {
    const char *policy; /* NULL: any */
    enum guarantee_knob knob;
    bool settable;
    const char *how;
} settings[] = {
    {NULL, GUARANTEE_NONE, true, "nothing to set"},
    {"qemu", GUARANTEE_BANDWIDTH, true, "virsh migrate-setspeed (max-bandwidth) and so much of the link kept free"},
    {NULL, GUARANTEE_BANDWIDTH, true, "so much of the link kept free: the bandwidth a plan reserves"},
    {"xen-v2", GUARANTEE_MAX_ROUNDS, false, "libxl does not expose it (SPP_MAX_ITERATIONS in xg_sr_save.c)"},
    {"xen-v2", GUARANTEE_TARGET_DIRTY_PAGES, false,
     "libxl does not expose it (SPP_TARGET_DIRTY_COUNT in xg_sr_save.c)"},
    {"xen-legacy", GUARANTEE_MAX_ROUNDS, false, "xc_domain_save() takes it; xl and xend pass the default"},
    {"xen-legacy", GUARANTEE_TARGET_DIRTY_PAGES, false, "fixed in xc_domain_save.c"},
    {"xapi", GUARANTEE_MAX_ROUNDS, false, "XAPI does not expose it (fixed in emu-manager)"},
    {"xapi", GUARANTEE_TARGET_DIRTY_PAGES, false, "XAPI does not expose it (fixed in emu-manager)"},
    {NULL, GUARANTEE_DOWNTIME_LIMIT, true, "virsh migrate-setmaxdowntime (downtime-limit)"},
    {NULL, GUARANTEE_AUTO_CONVERGE, true, "virsh migrate --auto-converge; it slows the guest"},
    {NULL, GUARANTEE_POSTCOPY, true,
     "virsh migrate --postcopy; the guest waits for pages, and is lost if the link fails"},
};

static const struct setting *setting_of(const struct stop_policy *policy, enum guarantee_knob knob) {
    static const struct setting unknown = {.settable = false, .how = "not known how to set it"};
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        const char *name = settings[i].policy;
        if (settings[i].knob == knob && (name == NULL || strcmp(name, policy->policy->name) == 0))
            return &settings[i];
    }
    return &unknown;
}

/* NULL when out of memory. */
static const char *value_text(const struct guarantee_option *option, struct predict_report *report,
                              struct dc_error *err) {
    char text[UNITS_TEXT_BYTES];
    switch (option->knob) {
    case GUARANTEE_BANDWIDTH:
        return predict_report_text(report, err, ">= %s", units_format_rate(option->value, text, sizeof(text)));
    case GUARANTEE_MAX_ROUNDS:
        return predict_report_text(report, err, "%.0f live round%s", option->value, option->value > 1 ? "s" : "");
    case GUARANTEE_TARGET_DIRTY_PAGES:
        return predict_report_text(report, err, "%.0f pages", option->value);
    case GUARANTEE_DOWNTIME_LIMIT:
        return predict_report_text(report, err, "%s", units_format_duration(option->value, text, sizeof(text)));
    case GUARANTEE_POSTCOPY:
        return stop_policy_postcopy_texts[option->policy.postcopy];
    case GUARANTEE_AUTO_CONVERGE:
        return "on";
    case GUARANTEE_NONE:
    case N_GUARANTEE_KNOBS:
        break;
    }
    return "-";
}

static struct writer_value time_value(double ms) {
    return isfinite(ms) ? writer_number(ms) : WRITER_UNKNOWN;
}

/* Can the option be had: a knob one can set, at a bandwidth there is, of a VM that can be moved? */
static bool is_usable(const struct predict_question *question, const struct guarantee_option *option) {
    return vm_storage_obstacle(question->vm) == NULL && setting_of(&option->policy, option->knob)->settable &&
           option->bandwidth_bytes_per_s <= fmax(question->nic_bytes_per_s, question->bandwidth_bytes_per_s);
}

static enum dc_status add_option(const struct predict_question *question, const struct guarantee_option *option,
                                 struct predict_report *report, struct dc_error *err) {
    const char *value = value_text(option, report, err);
    if (value == NULL)
        return DC_ENOMEM;
    struct writer_value values[N_COLUMNS] = {
        [COLUMN_KNOB] = writer_text(knob_text(option->knob)),
        [COLUMN_VALUE] = writer_text(value),
        [COLUMN_MIGRATION] = time_value(option->times.migration_ms),
        [COLUMN_DOWNTIME] = time_value(option->times.downtime_ms),
        [COLUMN_BASIS] = writer_text(basis_text(option->basis)),
        [COLUMN_HOLDS] = writer_number(option->holds),
        [COLUMN_SETTABLE] = writer_number(is_usable(question, option)),
        [COLUMN_BANDWIDTH] = writer_number(option->bandwidth_bytes_per_s),
        [COLUMN_HOW] = writer_text(setting_of(&option->policy, option->knob)->how),
    };
    if (option->knob == GUARANTEE_MAX_ROUNDS)
        values[COLUMN_ROUNDS] = writer_number(option->value);
    if (option->knob == GUARANTEE_TARGET_DIRTY_PAGES)
        values[COLUMN_PAGES] = writer_number(option->value);
    if (option->knob == GUARANTEE_DOWNTIME_LIMIT)
        values[COLUMN_LIMIT] = writer_number(option->value);
    return predict_report_row(report, values, err);
}

/* The strongest grounds on which a usable knob keeps the limits; N_GUARANTEE_BASES for none. */
static enum guarantee_basis strongest(const struct predict_question *question, const struct guarantee *guarantee) {
    enum guarantee_basis best = N_GUARANTEE_BASES;
    for (size_t i = 0; i < guarantee->n_options; i++) {
        const struct guarantee_option *option = &guarantee->options[i];
        if (option->holds && option->basis < best && is_usable(question, option))
            best = option->basis;
    }
    return best;
}

static enum dc_status add_verdict(const struct predict_question *question, const struct guarantee *guarantee,
                                  struct predict_report *report, struct dc_error *err) {
    static const char *const grounds[N_GUARANTEE_BASES] = {
        [GUARANTEE_ANY_WORKLOAD] = "whatever the guest does",
        [GUARANTEE_HISTORY] = "while the guest does no worse than in its recorded history",
        [GUARANTEE_P95] = "in 19 of 20 cases",
    };
    const enum guarantee_basis best = strongest(question, guarantee);
    if (best == N_GUARANTEE_BASES) {
        *question->exit_out = CLI_EXIT_INFEASIBLE;
        return predict_report_note(report, err,
                                   "nothing that can be set guarantees it; the rows say what comes nearest");
    }
    enum dc_status rc = predict_report_fact(report, "strongest_basis", WRITER_TEXT, writer_text(basis_text(best)), err);
    for (size_t i = 0; rc == DC_OK && i < guarantee->n_options; i++) {
        const struct guarantee_option *option = &guarantee->options[i];
        if (!option->holds || option->basis != best || !is_usable(question, option))
            continue;
        const char *value = value_text(option, report, err);
        rc = value == NULL ? DC_ENOMEM
                           : predict_report_note(report, err, "guaranteed %s: %s%s%s (%s)", grounds[best],
                                                 knob_text(option->knob), option->knob == GUARANTEE_NONE ? "" : " ",
                                                 option->knob == GUARANTEE_NONE ? "" : value,
                                                 setting_of(&option->policy, option->knob)->how);
    }
    return rc;
}

/* What the table cannot say: knobs nobody exposes, migrations that may never end, bases that are missing. */
static enum dc_status add_notes(const struct predict_question *question, const struct guarantee *guarantee,
                                struct predict_report *report, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    bool may_not_end = false;
    bool has_history = false;
    for (size_t i = 0; rc == DC_OK && i < guarantee->n_options; i++) {
        const struct guarantee_option *option = &guarantee->options[i];
        const struct setting *setting = setting_of(&option->policy, option->knob);
        if (!setting->settable && option->basis == GUARANTEE_ANY_WORKLOAD)
            rc = predict_report_note(report, err, "%s: %s", knob_text(option->knob), setting->how);
        may_not_end |= option->holds && !isfinite(option->times.migration_ms);
        has_history |= option->basis == GUARANTEE_HISTORY;
    }
    if (rc == DC_OK && may_not_end)
        rc = predict_report_note(report, err,
                                 "without a migration time only the downtime is bounded: the migration may never end");
    if (rc == DC_OK && !has_history && forecast_has_profile(question->vm))
        rc = predict_report_note(report, err, "no worst of history: there are no recorded bursts, only a summary");
    return rc;
}

static enum dc_status add_heading(const struct predict_question *question, const struct guarantee_question *limits,
                                  struct predict_report *report, struct dc_error *err) {
    char deadline[UNITS_TEXT_BYTES], downtime[UNITS_TEXT_BYTES], rate[UNITS_TEXT_BYTES];
    enum dc_status rc = predict_report_head(
        report, err, "wanted: migration within %s, downtime within %s; at %s, by %s",
        limits->deadline_ms > 0 ? units_format_duration(limits->deadline_ms, deadline, sizeof(deadline)) : "any time",
        limits->max_downtime_ms > 0 ? units_format_duration(limits->max_downtime_ms, downtime, sizeof(downtime))
                                    : "any",
        units_format_rate(limits->bandwidth_bytes_per_s, rate, sizeof(rate)), question->vm->policy.policy->name);
    if (rc == DC_OK && limits->deadline_ms > 0)
        rc = predict_report_fact(report, "deadline_ms", WRITER_DURATION, writer_number(limits->deadline_ms), err);
    if (rc == DC_OK && limits->max_downtime_ms > 0)
        rc = predict_report_fact(report, "max_downtime_ms", WRITER_DURATION, writer_number(limits->max_downtime_ms),
                                 err);
    if (rc == DC_OK)
        rc = predict_report_fact(report, "bandwidth_bytes_per_s", WRITER_RATE,
                                 writer_number(limits->bandwidth_bytes_per_s), err);
    return rc;
}

enum dc_status predict_guarantee(const struct predict_question *question, struct predict_report *report,
                                 struct dc_error *err) {
    const struct prediction_input input = forecast_input(question->vm);
    const struct guarantee_question asked = {
        .input = &input,
        .bandwidth_bytes_per_s = question->bandwidth_bytes_per_s,
        .most_bytes_per_s = MOST_FACTOR * fmax(question->nic_bytes_per_s, question->bandwidth_bytes_per_s),
        .deadline_ms = question->cli->deadline_ms,
        .max_downtime_ms = question->max_downtime_ms,
        .spread_frac = question->vm->spread_frac,
    };
    struct guarantee guarantee = {0};
    enum dc_status rc = predict_report_init(report, "guarantee", "options", columns, N_COLUMNS, err);
    if (rc == DC_OK && !(asked.deadline_ms > 0) && !(asked.max_downtime_ms > 0))
        return error_set(err, DC_EINVAL, "nothing to guarantee: give --deadline or --max-downtime; VM %s has no budget",
                         question->vm->name);
    if (rc == DC_OK)
        rc = guarantee_make(&asked, &guarantee, err);
    if (rc == DC_OK)
        rc = add_heading(question, &asked, report, err);
    for (size_t i = 0; rc == DC_OK && i < guarantee.n_options; i++)
        rc = add_option(question, &guarantee.options[i], report, err);
    if (rc == DC_OK)
        rc = add_verdict(question, &guarantee, report, err);
    return rc == DC_OK ? add_notes(question, &guarantee, report, err) : rc;
}
