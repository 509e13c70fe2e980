/* What each option means; a verb sees those of its groups. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cli_options.h"

#include "base/units.h"
#include "base/vec.h"
#include "model/sla.h"
#include "model/stop_policy.h"
#include "planner/cli_option_table.h"
#include "planner/demo_fleet.h"
#include "planner/export/export.h"
#include "planner/goal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char default_socket_path[] = "/run/decamp/planner.sock";

static const double MOST_BYTES_PER_S = 125e12; /* 1000 Tbit/s: beyond any link, and sums stay exact */

struct parsing {
    const struct cli_verb *verb;
    struct cli *cli;
};

static bool names_add(struct cli_names *names, const char *name) {
    if (!vec_reserve((void **)&names->items, &names->capacity, names->n + 1, sizeof(*names->items)))
        return false;
    names->items[names->n++] = name;
    return true;
}

/* One line on standard error; ends the process. (argp_error adds two.) */
__attribute__((noreturn, format(printf, 2, 3))) static void usage_error(const struct argp_state *state,
                                                                        const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)fprintf(stderr, "%s: ", state->name);
    (void)vfprintf(stderr, format, args);
    (void)fprintf(stderr, "; see `%s --help`\n", state->name);
    va_end(args);
    exit(CLI_EXIT_USAGE);
}

static void parse_format(const struct parsing *parsing, const char *text, struct argp_state *state) {
    static const struct {
        const char *name;
        unsigned groups; /* only for verbs of one of these; 0: for all */
    } formats[] = {
        [CLI_TABLE] = {"table", 0},      [CLI_WIDE] = {"wide", 0},
        [CLI_JSON] = {"json", 0},        [CLI_JSONL] = {"jsonl", CLI_PREDICT | CLI_APPLY},
        [CLI_HTML] = {"html", CLI_PAGE},
    };
    const unsigned groups = parsing->verb->groups;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(text, formats[i].name) == 0 && (formats[i].groups == 0 || (groups & formats[i].groups) != 0)) {
            parsing->cli->format = (enum cli_format)i;
            return;
        }
    }
    usage_error(state, "-o: expected table, wide%s, got %s",
                (groups & formats[CLI_JSONL].groups) != 0  ? ", json or jsonl"
                : (groups & formats[CLI_HTML].groups) != 0 ? ", json or html"
                                                           : " or json",
                text);
}

/* Ends the process on a bad number, as usage_error does. */
static uint64_t parse_integer(const char *option, const char *text, uint64_t min, uint64_t max,
                              struct argp_state *state) {
    char *end = NULL;
    errno = 0;
    const unsigned long long number = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || text[0] == '-' || number < min || number > max)
        usage_error(state, "%s: expected a number from %llu to %llu, got %s", option, (unsigned long long)min,
                    (unsigned long long)max, text);
    return number;
}

static double parse_duration(const char *option, const char *text, struct argp_state *state) {
    struct dc_error err = DC_ERROR_NONE;
    double ms = 0;
    if (units_parse_duration(text, &ms, &err) != DC_OK)
        usage_error(state, "%s: %s", option, error_text(&err));
    if (ms < 1)
        usage_error(state, "%s: expected at least 1ms, got %s", option, text);
    if (ms > GOAL_LONGEST_MS)
        usage_error(state, "%s: expected at most 8760h, got %s", option, text);
    return ms;
}

static error_t add_bandwidth(struct cli *cli, const char *text, struct argp_state *state) {
    struct dc_error err = DC_ERROR_NONE;
    double rate = 0;
    if (units_parse_rate(text, &rate, &err) != DC_OK)
        usage_error(state, "--bandwidth: %s", error_text(&err));
    if (rate < 1)
        usage_error(state, "--bandwidth: expected more than nothing, got %s", text);
    if (rate > MOST_BYTES_PER_S)
        usage_error(state, "--bandwidth: expected at most 1000 Tbit/s, got %s", text);
    if (!vec_reserve((void **)&cli->bandwidths_bytes_per_s, &cli->bandwidths_capacity, cli->n_bandwidths + 1,
                     sizeof(rate)))
        return ENOMEM;
    cli->bandwidths_bytes_per_s[cli->n_bandwidths++] = rate;
    return 0;
}

static error_t add_policy(struct cli_predict *predict, const char *text, struct argp_state *state) {
    if (strcmp(text, "all") == 0) {
        predict->all_policies = true;
        return 0;
    }
    struct stop_policy policy;
    struct dc_error err = DC_ERROR_NONE;
    if (stop_policy_init(&policy, text, &err) != DC_OK)
        usage_error(state, "--policy: %s, or all", error_text(&err));
    return names_add(&predict->policies, text) ? 0 : ENOMEM;
}

/* Ends the process on a name that no policy has. */
static void check_policy(const char *option, const char *text, struct argp_state *state) {
    struct stop_policy policy;
    struct dc_error err = DC_ERROR_NONE;
    if (stop_policy_init(&policy, text, &err) != DC_OK)
        usage_error(state, "%s: %s", option, error_text(&err));
}

static error_t parse_import(int key, const char *text, struct argp_state *state, struct cli *cli) {
    switch (key) {
    case KEY_FROM:
        if (strcmp(text, "ganeti") != 0)
            usage_error(state, "--from: expected ganeti, got %s", text);
        cli->import_from = text;
        return 0;
    case KEY_STOP_POLICY:
        check_policy("--stop-policy", text, state);
        cli->import_policy = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_demo(int key, const char *text, struct argp_state *state, struct cli *cli) {
    switch (key) {
    case KEY_HOSTS:
        cli->demo_hosts = (size_t)parse_integer("--hosts", text, 1, DEMO_FLEET_MOST_HOSTS, state);
        return 0;
    case KEY_VMS:
        cli->demo_vms = (size_t)parse_integer("--vms", text, 0, DEMO_FLEET_MOST_VMS, state);
        cli->has_demo_vms = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_export(int key, const char *text, struct argp_state *state, struct cli *cli) {
    switch (key) {
    case KEY_TO:
        cli->export_target = export_find_target(text);
        if (cli->export_target == NULL)
            usage_error(state, "--to: expected xl, xe, virsh or ansible, got %s", text);
        return 0;
    case KEY_TOOLSTACK:
        cli->export_toolstack = export_find_toolstack(text);
        if (cli->export_toolstack == NULL)
            usage_error(state, "--toolstack: expected xl, xe or virsh, got %s", text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* A script's target has its toolstack, a playbook is told. */
static void check_export(struct cli *cli, struct argp_state *state) {
    if (cli->export_target == NULL)
        usage_error(state, "expected --to xl, xe, virsh or ansible");
    const char *own = cli->export_target->toolstack;
    if (own != NULL && cli->export_toolstack != NULL)
        usage_error(state, "--toolstack: only with --to ansible");
    if (own == NULL && cli->export_toolstack == NULL)
        usage_error(state, "--to ansible: expected --toolstack xl, xe or virsh");
    if (own != NULL)
        cli->export_toolstack = export_find_toolstack(own);
    if (!(cli->apply.max_age_ms > 0))
        cli->apply.max_age_ms = EXPORT_MAX_AGE_MS;
}

static void parse_curve(struct cli_predict *predict, const char *text, struct argp_state *state) {
    if (strcmp(text, "bandwidth") == 0)
        predict->curve = CLI_CURVE_BANDWIDTH;
    else if (strcmp(text, "rate") == 0)
        predict->curve = CLI_CURVE_RATE;
    else
        usage_error(state, "--curve: expected bandwidth or rate, got %s", text);
}

static error_t parse_predict(int key, char *text, struct argp_state *state, struct cli_predict *predict) {
    struct dc_error err = DC_ERROR_NONE;
    switch (key) {
    case KEY_MODELS:
        predict->models = true;
        return 0;
    case KEY_WHEN:
        predict->when = true;
        return 0;
    case KEY_GUARANTEE:
        predict->guarantee = true;
        return 0;
    case KEY_POLICY:
        return add_policy(predict, text, state);
    case KEY_CURVE:
        parse_curve(predict, text, state);
        return 0;
    case KEY_SLA:
        if (sla_parse(text, &predict->sla_frac, &err) != DC_OK)
            usage_error(state, "--sla: %s", error_text(&err));
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Options of predict that make sense only together, or not together. */
static void check_predict(const struct cli *cli, struct argp_state *state) {
    const struct cli_predict *predict = &cli->predict;
    const bool compares = predict->models || predict->all_policies || predict->policies.n > 0;
    const bool replays = compares || predict->guarantee || predict->when || predict->curve == CLI_CURVE_RATE;
    const bool single = predict->when || predict->guarantee || predict->curve == CLI_CURVE_RATE;
    const bool asks = replays || predict->curve != CLI_CURVE_NONE || predict->sla_frac > 0;
    if (asks && cli->arguments.n == 0)
        usage_error(state, "expected a VM to ask this about");
    if (cli->deadline_ms > 0 && !predict->guarantee)
        usage_error(state, "--deadline: only with --guarantee");
    if (replays && cli->from_prediction)
        usage_error(state, "--from-prediction: only a profile can be replayed");
    if (single && cli->n_bandwidths > 1)
        usage_error(state, "--bandwidth: expected one, got %zu", cli->n_bandwidths);
}

static double parse_risk(const char *text, struct argp_state *state) {
    char *end = NULL;
    const double percent = strtod(text, &end);
    if (end == text || (*end != '\0' && strcmp(end, "%") != 0) ||
        !(percent >= 100 * GOAL_LEAST_RISK_FRAC && percent <= 100 * GOAL_MOST_RISK_FRAC))
        usage_error(state, "--risk: expected a percentage from %g to %g, such as 5%%, got %s",
                    100 * GOAL_LEAST_RISK_FRAC, 100 * GOAL_MOST_RISK_FRAC, text);
    return percent / 100;
}

/* A share of a host, as a fraction. */
static double parse_share(const char *option, const char *text, struct argp_state *state) {
    char *end = NULL;
    const double percent = strtod(text, &end);
    if (end == text || (*end != '\0' && strcmp(end, "%") != 0) || !(percent >= 1 && percent <= 100))
        usage_error(state, "%s: expected a percentage from 1 to 100, such as 80%%, got %s", option, text);
    return percent / 100;
}

static error_t parse_choice(int key, const char *text, struct argp_state *state, struct goal_choice *choice) {
    switch (key) {
    case KEY_POWER_OFF:
        choice->power_off = (unsigned)parse_integer("--power-off", text, 1, 1000000, state);
        return 0;
    case KEY_ENERGY:
        choice->energy = true;
        return 0;
    case KEY_MAX_TIME:
        choice->max_time_ms = parse_duration("--max-time", text, state);
        return 0;
    case KEY_PAYBACK:
        choice->payback_ms = parse_duration("--payback", text, state);
        return 0;
    case KEY_MAX_CPU:
        choice->max_cpu_frac = parse_share("--max-cpu", text, state);
        return 0;
    case KEY_MAX_MEMORY:
        choice->max_memory_frac = parse_share("--max-memory", text, state);
        return 0;
    case KEY_ALL:
        choice->all = true;
        return 0;
    case KEY_AT_ONCE:
        choice->at_once = (unsigned)parse_integer("--at-once", text, 1, 1000000, state);
        return 0;
    case KEY_MAINTENANCE:
        choice->maintenance_ms = parse_duration("--maintenance", text, state);
        return 0;
    case KEY_RETURN:
        choice->returns = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Options of the choices that make sense only together, or not together. */
static void check_choice(const struct parsing *parsing, struct argp_state *state) {
    const struct goal_choice *choice = &parsing->cli->choice;
    if ((parsing->verb->groups & CLI_ROLLING) != 0 && (parsing->cli->arguments.n > 0) == choice->all)
        usage_error(state, "expected HOST... or else --all");
    if (choice->energy && choice->power_off > 0)
        usage_error(state, "--energy and --power-off: only one of them can be the goal");
    if (choice->payback_ms > 0 && !choice->energy)
        usage_error(state, "--payback: only with --energy");
}

static error_t parse_apply(int key, const char *text, struct argp_state *state, struct cli_apply *apply) {
    switch (key) {
    case KEY_DRIVER:
        apply->driver = text;
        return 0;
    case KEY_DRIVERS:
        apply->drivers_path = text;
        return 0;
    case KEY_STATE:
        apply->state_path = text;
        return 0;
    case KEY_RESUME:
        apply->is_resumed = true;
        return 0;
    case KEY_KEEP_PLAN:
        apply->keeps_plan = true;
        return 0;
    case KEY_RETRIES:
        apply->retries = (unsigned)parse_integer("--retries", text, 0, 1000, state);
        apply->has_retries = true;
        return 0;
    case KEY_PATIENCE:
        apply->patience_ms = parse_duration("--patience", text, state);
        return 0;
    case KEY_MAX_AGE:
        apply->max_age_ms = parse_duration("--max-age", text, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_limit(int key, char *text, struct argp_state *state, struct cli *cli) {
    struct dc_error err = DC_ERROR_NONE;
    switch (key) {
    case KEY_DEADLINE:
        cli->deadline_ms = parse_duration("--deadline", text, state);
        return 0;
    case KEY_MAX_DOWNTIME:
        cli->max_downtime_ms = parse_duration("--max-downtime", text, state);
        return 0;
    case KEY_TIME_LIMIT:
        cli->time_limit_ms = parse_duration("--time-limit", text, state);
        return 0;
    case KEY_SINCE:
        cli->since_ms = parse_duration("--since", text, state);
        return 0;
    case KEY_MAX_PARALLEL:
        cli->max_parallel = (unsigned)parse_integer("--max-parallel", text, 1, 1000000, state);
        return 0;
    case KEY_SEED:
        cli->seed = parse_integer("--seed", text, 0, UINT64_C(1) << 53, state);
        cli->has_seed = true;
        return 0;
    case KEY_RELAX:
        if (relax_parse(&cli->relax, text, &err) != DC_OK)
            usage_error(state, "--relax: %s", error_text(&err));
        return 0;
    case KEY_EXPLAIN:
        cli->explain = true;
        return 0;
    case KEY_RISK:
        cli->risk_frac = parse_risk(text, state);
        return 0;
    case KEY_EXCLUDE:
        return names_add(&cli->exclude, text) ? 0 : ENOMEM;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_one(int key, char *text, struct argp_state *state) {
    const struct parsing *parsing = state->input;
    struct cli *cli = parsing->cli;
    switch (key) {
    case ARGP_KEY_INIT:
        state->err_stream = NULL; /* getopt's own line is enough */
        return 0;
    case KEY_OUTPUT:
        parse_format(parsing, text, state);
        return 0;
    case KEY_QUIET:
        cli->quiet = true;
        return 0;
    case KEY_VERBOSE:
        cli->verbose = true;
        return 0;
    case KEY_FLEET:
        cli->fleet_path = text;
        return 0;
    case KEY_SOCKET:
        cli->socket_path = text;
        return 0;
    case KEY_OUT:
        cli->out_path = text;
        return 0;
    case KEY_MOVES:
        cli->moves_path = text;
        return 0;
    case KEY_DIR:
        cli->dir_path = text;
        return 0;
    case KEY_AGENT:
        cli->agent_path = text;
        return 0;
    case KEY_BANDWIDTH:
        return add_bandwidth(cli, text, state);
    case KEY_FROM_PREDICTION:
        cli->from_prediction = true;
        return 0;
    case ARGP_KEY_ARG:
        return names_add(&cli->arguments, text) ? 0 : ENOMEM;
    case ARGP_KEY_END:
        if (cli->arguments.n < parsing->verb->min_arguments || cli->arguments.n > parsing->verb->max_arguments)
            usage_error(state, "expected %s",
                        parsing->verb->arguments[0] != '\0' ? parsing->verb->arguments : "no arguments");
        if ((parsing->verb->groups & CLI_PREDICT) != 0)
            check_predict(cli, state);
        if ((parsing->verb->groups & CLI_EXPORT) != 0)
            check_export(cli, state);
        check_choice(parsing, state);
        return 0;
    default: {
        error_t r = parse_limit(key, text, state, cli);
        if (r == ARGP_ERR_UNKNOWN)
            r = parse_choice(key, text, state, &cli->choice);
        if (r == ARGP_ERR_UNKNOWN)
            r = parse_apply(key, text, state, &cli->apply);
        if (r == ARGP_ERR_UNKNOWN)
            r = parse_import(key, text, state, cli);
        if (r == ARGP_ERR_UNKNOWN)
            r = parse_export(key, text, state, cli);
        if (r == ARGP_ERR_UNKNOWN)
            r = parse_demo(key, text, state, cli);
        return r == ARGP_ERR_UNKNOWN ? parse_predict(key, text, state, &cli->predict) : r;
    }
    }
}

enum dc_status cli_options_parse(const struct cli_verb *verb, int argc, char **argv, struct cli *cli_out,
                                 struct dc_error *err) {
    struct argp_option own[CLI_MOST_OPTIONS + 1] = {{0}};
    size_t n = 0;
    for (size_t i = 0; cli_option_table[i].option.name != NULL; i++) {
        if (cli_option_table[i].group == 0 || (verb->groups & cli_option_table[i].group) != 0)
            own[n++] = cli_option_table[i].option;
    }
    const char *from_environment = getenv("DECAMP_SOCKET");
    *cli_out = (struct cli){.socket_path = from_environment != NULL ? from_environment : default_socket_path};
    struct parsing parsing = {.verb = verb, .cli = cli_out};
    const struct argp argp = {.options = own, .parser = parse_one, .args_doc = verb->arguments, .doc = verb->summary};
    const error_t r = argp_parse(&argp, argc, argv, 0, NULL, &parsing);
    if (r == 0)
        return DC_OK;
    cli_options_dispose(cli_out);
    if (r == EINVAL) /* getopt has said it */
        exit(CLI_EXIT_USAGE);
    return error_set_errno(err, r, "cannot parse the command line");
}

void cli_options_dispose(struct cli *cli) {
    free(cli->bandwidths_bytes_per_s);
    free(cli->predict.policies.items);
    free(cli->exclude.items);
    relax_list_dispose(&cli->relax);
    free(cli->arguments.items);
    *cli = (struct cli){0};
}
