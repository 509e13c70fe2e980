/* The verbs of decamp, in the order of its help. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd.h"

#include <stdint.h>

enum {
    READ_GROUPS = CLI_FLEET | CLI_FORMAT | CLI_OUT,
    PLAN_GROUPS = READ_GROUPS | CLI_LIMITS | CLI_PAGE,
};

const struct cli_verb cli_verbs[] = {
    {"evacuate", "HOST...", "Plan how to empty hosts", PLAN_GROUPS, 1, SIZE_MAX, cmd_evacuate},
    {"schedule", "--moves FILE", "Plan moves with chosen destinations", PLAN_GROUPS | CLI_MOVES, 0, 0, cmd_schedule},
    {"consolidate", "", "Plan how to have fewer hosts on", PLAN_GROUPS | CLI_CONSOLIDATE, 0, 0, cmd_consolidate},
    {"rebalance", "", "Plan the fewest moves that bring every host's load within bounds", PLAN_GROUPS | CLI_REBALANCE,
     0, 0, cmd_rebalance},
    {"rolling", "HOST... | --all", "Plan the maintenance of many hosts in turn", PLAN_GROUPS | CLI_ROLLING, 0, SIZE_MAX,
     cmd_rolling},
    {"apply", "PLAN", "Run a plan: migrate, follow, retry, plan the rest anew", READ_GROUPS | CLI_APPLY, 1, 1,
     cmd_apply},
    {"predict", "[VM]", "Say what one migration costs, per bandwidth", READ_GROUPS | CLI_PREDICT, 0, 1, cmd_predict},
    {"accuracy", "[VM]", "Compare what was predicted with what was observed", READ_GROUPS | CLI_SINCE, 0, 1,
     cmd_accuracy},
    {"explain", "PLAN", "Say why a plan is as it is, or what to give up where there is none", READ_GROUPS, 1, 1,
     cmd_explain},
    {"verify", "PLAN", "Replay a plan against the fleet and say what breaks", READ_GROUPS, 1, 1, cmd_verify},
    {"show", "PLAN", "Print a plan (a file, or an id the daemon knows), or make a page of it", READ_GROUPS | CLI_PAGE,
     1, 1, cmd_show},
    {"export", "--to TARGET PLAN", "Write a plan as a script (xl, xe, virsh) or an Ansible playbook",
     CLI_FLEET | CLI_OUT | CLI_EXPORT, 1, 1, cmd_export},
    {"hosts", "", "List the hosts", READ_GROUPS, 0, 0, cmd_hosts},
    {"vms", "[HOST]", "List the VMs", READ_GROUPS, 0, 1, cmd_vms},
    {"snapshot", "[ID]", "Write the fleet document, or the one a plan was made from", CLI_FLEET | CLI_OUT, 0, 1,
     cmd_snapshot},
    {"import", "--from ganeti FILE", "Turn another system's cluster file into a fleet document", CLI_OUT | CLI_IMPORT,
     1, 1, cmd_import},
    {"demo", "", "Make up a fleet to try decamp on", CLI_OUT | CLI_DEMO, 0, 0, cmd_demo},
    {"keys", "new NAME | allow FILE HOST PUBFILE", "Make a key pair, or allow a key to speak for a host", CLI_DIR, 2, 4,
     cmd_keys},
    {"check-config", "FILE", "Check the configuration of a planner", CLI_AGENT, 0, 1, cmd_check_config},
    {0},
};
