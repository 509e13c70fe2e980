/*
 * What libvirt's events tell of migrations. They come on the thread that runs libvirt's events; what they mean is
 * taken over on the agent's loop.
 *
 *   began    the first iteration of a guest that runs here
 *   ended    STOPPED "migrated", with the figures of the completed job, told after it; or it runs on without a job
 *   arrived  RESUMED "migrated" of a guest that was not leaving
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "agent/libvirt_facts.h"
#include "agent/source.h"

struct libvirt_migrations;

/* `wake` is called from libvirt's thread. NULL when out of memory. */
struct libvirt_migrations *libvirt_migrations_new(void (*wake)(void *context), void *context);
/* Once no connection has it registered. */
void libvirt_migrations_free(struct libvirt_migrations *migrations);

/* Hears the events of a connection until that is closed. False where libvirt does not tell them. */
bool libvirt_migrations_watch(struct libvirt_migrations *migrations, virConnectPtr connection);

/* What was to leave and runs here without a job for some looks stays: its migration failed. One that has left, and of
 * which no figures came, ends without them. */
void libvirt_migrations_look(struct libvirt_migrations *migrations, const struct libvirt_facts *facts);

/* False: no more news. Its text is lent until the next call. For the loop's thread. */
bool libvirt_migrations_take(struct libvirt_migrations *migrations, struct source_migration *told_out);
