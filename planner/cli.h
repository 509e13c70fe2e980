/*
 * The command line of decamp: a table of verbs, and the options that verbs
 * share.
 *
 * In:  argv. Out: a verb's result on stdout (or in --out FILE), errors and
 *      progress on stderr, and one of the exit codes below.
 *
 * Each verb is a row of verbs.c and one function in cmd_VERB.c.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "planner/goal_choice.h"
#include "planner/relax.h"
#include "planner/writer.h"
#include "proto/fleet_doc.h"

#include <stdbool.h>
#include <stdint.h>

enum cli_exit {
    CLI_EXIT_OK = 0,
    CLI_EXIT_ERROR = 1,
    CLI_EXIT_INFEASIBLE = 3, /* infeasible or partial; verify: violations */
    CLI_EXIT_STALE = 4,
    CLI_EXIT_UNREACHABLE = 5,
    CLI_EXIT_USAGE = 64,
};

enum cli_format {
    CLI_TABLE,
    CLI_WIDE,
    CLI_JSON,
    CLI_JSONL, /* an object a line; predict and apply only */
    CLI_HTML,  /* a page; plans only */
};

enum cli_curve { CLI_CURVE_NONE, CLI_CURVE_BANDWIDTH, CLI_CURVE_RATE };

/* Which options a verb takes; one bit a group. */
enum cli_group {
    CLI_FLEET = 1 << 0,  /* --fleet, --socket */
    CLI_FORMAT = 1 << 1, /* -o */
    CLI_OUT = 1 << 2,    /* --out */
    CLI_LIMITS = 1 << 3, /* --deadline, --max-downtime, --exclude, --max-parallel, --time-limit, --seed, --risk,
                            --relax, --explain */
    CLI_MOVES = 1 << 4,
    CLI_PREDICT = 1 << 5, /* --bandwidth, --from-prediction, --max-downtime and struct cli_predict's */
    CLI_DIR = 1 << 6,
    CLI_AGENT = 1 << 7,
    CLI_SINCE = 1 << 8,       /* --since */
    CLI_CONSOLIDATE = 1 << 9, /* --power-off, --energy, --max-time, --payback */
    CLI_REBALANCE = 1 << 10,  /* --max-cpu, --max-memory */
    CLI_ROLLING = 1 << 11,    /* --all, --at-once, --maintenance, --return */
    CLI_APPLY = 1 << 12,      /* struct cli_apply's */
    CLI_IMPORT = 1 << 15,     /* --from, --stop-policy */
    CLI_EXPORT = 1 << 16,     /* --to, --toolstack, and --max-age as apply */
    CLI_PAGE = 1 << 17,       /* -o html */
    CLI_DEMO = 1 << 18,       /* --hosts, --vms, and --seed as limits */
};

struct export_target;
struct export_toolstack;

struct cli_names {
    size_t n, capacity;
    const char **items; /* lent by argv */
};

/* What `decamp predict VM` is asked beyond its grid. */
struct cli_predict {
    bool models;
    bool when;
    bool guarantee;
    enum cli_curve curve;
    double sla_frac; /* 0: not given */
    bool all_policies;
    struct cli_names policies;
};

/* How `decamp apply` runs a plan. */
struct cli_apply {
    const char *driver, *drivers_path, *state_path; /* NULL: not given */
    bool is_resumed;
    bool keeps_plan; /* never plans anew */
    bool has_retries;
    unsigned retries;
    double max_age_ms, patience_ms; /* 0: not given; the age also of export */
};

/* What the options said; strings are lent by argv. */
struct cli {
    const char *fleet_path; /* NULL: ask the daemon */
    const char *socket_path;
    const char *out_path; /* NULL: standard output */
    const char *moves_path;
    const char *dir_path;
    const char *agent_path;
    const char *import_from, *import_policy; /* NULL: not given */
    const struct export_target *export_target;
    const struct export_toolstack *export_toolstack;
    enum cli_format format;
    double deadline_ms, max_downtime_ms, time_limit_ms, since_ms; /* 0: not given */
    unsigned max_parallel;
    double risk_frac; /* 0: not given */
    bool has_seed;
    uint64_t seed;
    size_t demo_hosts; /* 0: not given */
    bool has_demo_vms;
    size_t demo_vms;
    struct cli_names exclude;
    struct goal_choice choice;
    struct relax_list relax;
    bool explain;
    size_t n_bandwidths, bandwidths_capacity;
    double *bandwidths_bytes_per_s;
    bool from_prediction;
    struct cli_predict predict;
    struct cli_apply apply;
    bool quiet;
    bool verbose;
    struct cli_names arguments; /* after the verb */
};

struct cli_verb {
    const char *name;
    const char *arguments; /* "HOST..." */
    const char *summary;
    unsigned groups;
    size_t min_arguments, max_arguments;
    enum dc_status (*run)(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
};

/* The table, ended by a row without a name (cli_verbs.c). */
extern const struct cli_verb cli_verbs[];

/* Parses, runs the verb, prints its error. Returns the exit code. */
int cli_main(int argc, char **argv);

/* The fleet asked about, --fleet FILE or the daemon's, as it stands; and with what was learned put where its VMs say
 * nothing of their own (fleet_calibrate.h), as questions are asked of it. */
DC_WARN_UNUSED enum dc_status cli_read_fleet(const struct cli *cli, struct fleet *fleet_out, struct dc_error *err);
DC_WARN_UNUSED enum dc_status cli_load_fleet(const struct cli *cli, struct fleet *fleet_out, struct dc_error *err);

/* Puts out a verb's whole result: to --out FILE (replaced at once), or to
 * standard output. */
DC_WARN_UNUSED enum dc_status cli_emit(const struct cli *cli, const char *text, struct dc_error *err);

/* The writer of the format asked for, into memory; cli_finish() emits what was
 * written and frees it in any case. */
struct cli_page {
    struct writer *writer;
    FILE *stream;
    char *text;
    size_t n_bytes;
};
DC_WARN_UNUSED enum dc_status cli_page_open(const struct cli *cli, struct cli_page *page_out, struct dc_error *err);
DC_WARN_UNUSED enum dc_status cli_page_emit(const struct cli *cli, struct cli_page *page, struct dc_error *err);
void cli_page_dispose(struct cli_page *page);
