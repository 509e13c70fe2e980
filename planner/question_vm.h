/*
 * The VMs of a question: who moves, at which cost, and where each may go.
 *
 * In:  fleet VMs with problem.vms[].moves and .to already marked, hosts and arcs built.
 * Out: problem.vms, the rows of problem.allowed as far as CPU features and
 *      receiving hosts decide, predictions; conflicts for VMs that cannot be planned.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/question.h"

DC_WARN_UNUSED enum dc_status question_vm_build(struct question *question, struct dc_error *err);
