/*
 * One migration by QMP, from a QEMU at its source to one that is started for it at its destination.
 *
 *   source      the guest must run there, and be the one that is meant
 *   clear       a QEMU that an earlier attempt left waiting at the destination is ended
 *   prepare     the settings' command starts a QEMU at the destination, which then listens
 *   migrate     caps and capabilities at both ends; progress until it is over
 *   land        the destination's guest must run ...
 *   quit        ... before the source's QEMU is ended
 *
 * What fails before the guest has moved leaves it running at its source, and ends the destination's QEMU. Nothing is
 * ever told to run (`cont`): QEMU itself goes on at the source where a migration fails.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/apply/driver.h"
#include "planner/apply/qmp_config.h"

struct qmp_run;

struct qmp_run_config {
    uv_loop_t *loop;
    const struct qmp_config *settings;        /* lent */
    const struct driver_migration *migration; /* copied */
    bool is_follow;                           /* of a migration that goes on already */
    unsigned port_offset;                     /* the port it tries first */
    void *context;
    void (*progress)(void *context, const char *uuid, const struct driver_progress *progress);
    void (*ended)(void *context, struct qmp_run *run, const struct driver_end *end); /* from within a turn */
};

DC_WARN_UNUSED enum dc_status qmp_run_new(const struct qmp_run_config *config, struct qmp_run **run_out,
                                          struct dc_error *err);

/* Lets go of it; never from within a turn. What goes on goes on. Idempotent; sets `*run` to NULL. */
void qmp_run_free(struct qmp_run **run);

/* To be called every some 20 ms; tells what has happened. Not after it has ended. */
void qmp_run_turn(struct qmp_run *run);

const char *qmp_run_uuid(const struct qmp_run *run);

DC_WARN_UNUSED enum dc_status qmp_run_set_bandwidth(struct qmp_run *run, double bytes_per_s, struct dc_error *err);
DC_WARN_UNUSED enum dc_status qmp_run_abort(struct qmp_run *run, struct dc_error *err);
