/*
 * Made-up but realistic problems, from a seed: hosts behind rack switches and
 * a core, VMs of 2 to 64 GiB with cost curves of simulated pre-copy
 * under two kinds of stop policy. For benches and property tests.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/problem.h"

struct instance_options {
    uint64_t seed;
    size_t n_sources;              /* hosts 0 .. n_sources-1 are to be emptied */
    size_t n_receivers;            /* the hosts after them */
    size_t n_vms;                  /* on the sources */
    size_t n_residents;            /* VMs that stay, on the receivers */
    size_t hosts_per_rack;         /* 0: one switch for all */
    double nic_bytes_per_s;        /* of each host, each direction */
    double uplink_bytes_per_s;     /* of each rack to the core */
    unsigned max_migrations;       /* per host; 0: not limited */
    double budget_share;           /* of the VMs have a downtime budget */
    double receiver_memory_factor; /* of what all VMs need together; 1 is just enough in sum */
    bool fixed_destinations;       /* a random receiver each, regardless of memory */
};

/* 50 VMs of one host, 7 receivers, 10 Gbit/s, half of the VMs with a budget. */
struct instance_options instance_defaults(uint64_t seed);

/* A frozen problem; the caller disposes of it. */
DC_WARN_UNUSED enum dc_status instance_evacuation(const struct instance_options *options, struct problem *problem_out,
                                                  struct dc_error *err);

/* Deterministic random numbers (splitmix64), for tests that need more. */
uint64_t instance_random(uint64_t *state);
double instance_uniform(uint64_t *state, double low, double high);
