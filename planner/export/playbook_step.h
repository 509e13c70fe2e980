/*
 * The tasks of a playbook's steps: each is started as an asynchronous job, and waited for by the first that comes after
 * it, or in the end.
 *
 * In:  the job. Out: YAML, a list in a block; a step's data are looked up in decamp_steps[ID], where they are no
 *      templates, whatever they hold.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/export/export.h"

void playbook_step_put_all(const struct export_job *job, FILE *stream);

/* Within quotes, for people alone: what is no letter, digit, '-', '_', '.' or blank is '?'. */
void playbook_step_put_name(FILE *stream, const char *text);
