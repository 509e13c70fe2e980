/*
 * One made-up VM of a bench, from a seed: its size, and what migrating it costs.
 *
 * Memory of 2 to 64 GiB; dirty pages as several recorded bursts of a working set that
 * fills up; Xen's, XAPI's or QEMU's stop policy. The costs are those that the planner itself
 * makes of such a VM (planner/vm_cost.h), nothing here simulates pre-copy.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/problem.h"

/* Deterministic random numbers (splitmix64). */
uint64_t workload_random(uint64_t *state);
double workload_uniform(uint64_t *state, double low, double high);

/* Memory, cores and priority; no costs, no budget, stays. A VM that would have more than `most_bytes` gets the least
 * memory there is. */
void workload_size(uint64_t *state, double most_bytes, struct problem_vm *vm);

/* Costs up to a bandwidth of `nic_bytes_per_s` at both quantiles, and with a likelihood of `budget_frac` a downtime
 * budget of 1.2 to 4 times what its best bandwidth needs. Every VM converges. The points are the VM's. */
DC_WARN_UNUSED enum dc_status workload_price(uint64_t *state, double nic_bytes_per_s, double budget_frac,
                                             struct problem_vm *vm, struct dc_error *err);
