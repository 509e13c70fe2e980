/* One record a VM, from the first sign of its migration until the last is gone. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/xen_migrations.h"

#include "agent/xen_signs.h"
#include "base/log.h"
#include "base/vec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOT_YET (-1.0)
/* Looks that are further apart say nothing about when something happened between them. */
#define CLOSE_LOOKS_MS 250.0
/* Between the processes of one migration, and after the last, the toolstack may do without for so long. */
#define PAUSE_OF_PROCESSES_MS 1000.0
/* A suspended or received domain whose toolstack is gone is not looked at closely for ever, an ended migration not
 * remembered for ever. */
#define GIVEN_UP_MS 60000.0

struct record {
    char uuid[XEN_DOMAIN_UUID_BYTES];
    bool has_source, has_target;
    uint32_t source_domid, target_domid;
    double began_ms, suspended_ms, left_ms, ended_ms; /* NOT_YET: not seen */
    bool is_vague;                                    /* suspended or left between looks far apart */
    double seen_ms;                                   /* the last process, or the first sign */
    bool is_seen;                                     /* in this look */
    double bytes;
    char peer[XEN_PROCESS_NAME_BYTES];
};

struct xen_migrations {
    const char *host;
    xen_migrations_fn tell;
    void *context;
    struct record *records;
    size_t n_records, capacity;
    double looked_ms;
};

struct xen_migrations *xen_migrations_new(const char *host, xen_migrations_fn tell, void *context) {
    struct xen_migrations *migrations = calloc(1, sizeof(*migrations));
    if (migrations != NULL)
        *migrations = (struct xen_migrations){.host = host, .tell = tell, .context = context, .looked_ms = -INFINITY};
    return migrations;
}

void xen_migrations_free(struct xen_migrations **migrations) {
    if (*migrations != NULL)
        free((*migrations)->records);
    free(*migrations);
    *migrations = NULL;
}

static bool has_ended(const struct record *record) {
    return record->ended_ms >= 0;
}

static bool was_close(const struct xen_migrations *migrations, const struct xen_look *look) {
    return look->now_ms - migrations->looked_ms < CLOSE_LOOKS_MS;
}

/* When something happened that the last look did not show and this one does. */
static double between(const struct xen_migrations *migrations, const struct xen_look *look) {
    return was_close(migrations, look) ? (migrations->looked_ms + look->now_ms) / 2 : look->now_ms;
}

static struct record *find(struct xen_migrations *migrations, const char *uuid) {
    for (size_t i = 0; i < migrations->n_records; i++) {
        if (strcmp(migrations->records[i].uuid, uuid) == 0)
            return &migrations->records[i];
    }
    return NULL;
}

static void forget(struct xen_migrations *migrations, struct record *record) {
    *record = migrations->records[--migrations->n_records];
}

static struct record *find_or_add(struct xen_migrations *migrations, const char *uuid, double now_ms) {
    struct record *record = find(migrations, uuid);
    if (record != NULL)
        return record;
    if (!vec_reserve((void **)&migrations->records, &migrations->capacity, migrations->n_records + 1,
                     sizeof(*migrations->records)))
        return NULL; /* with the next look */
    record = &migrations->records[migrations->n_records++];
    *record = (struct record){.began_ms = NOT_YET,
                              .suspended_ms = NOT_YET,
                              .left_ms = NOT_YET,
                              .ended_ms = NOT_YET,
                              .seen_ms = now_ms,
                              .bytes = NOT_YET};
    memcpy(record->uuid, uuid, sizeof(record->uuid));
    return record;
}

static int64_t unix_ms(const struct xen_look *look, double at_ms) {
    return look->now_unix_ms - (int64_t)llround(look->now_ms - at_ms);
}

static const char *peer_of(const struct xen_migrations *migrations, const struct record *record) {
    if (record->has_source && record->has_target)
        return migrations->host;
    return record->peer[0] != '\0' ? record->peer : NULL;
}

static void tell_began(struct xen_migrations *migrations, const struct xen_look *look, const struct record *record) {
    const struct source_migration seen = {
        .vm = record->uuid,
        .at_unix_ms = unix_ms(look, record->began_ms),
        .peer_host = peer_of(migrations, record),
        .migration_ms = NOT_YET,
        .downtime_ms = NOT_YET,
        .bytes = NOT_YET,
    };
    migrations->tell(migrations->context, &seen);
}

static void end(struct xen_migrations *migrations, const struct xen_look *look, struct record *record, bool succeeded,
                double at_ms) {
    record->ended_ms = at_ms;
    const bool is_suspension_known = record->suspended_ms >= 0 && !record->is_vague;
    const struct source_migration seen = {
        .vm = record->uuid,
        .has_ended = true,
        .at_unix_ms = unix_ms(look, at_ms),
        .peer_host = peer_of(migrations, record),
        .succeeded = succeeded,
        .migration_ms = record->began_ms >= 0 ? at_ms - record->began_ms : NOT_YET,
        .downtime_ms = is_suspension_known ? at_ms - record->suspended_ms : NOT_YET,
        .bytes = record->bytes,
        .suspended_unix_ms = is_suspension_known ? unix_ms(look, record->suspended_ms) : 0,
        .resumed_unix_ms = record->has_target && succeeded ? unix_ms(look, at_ms) : 0,
    };
    migrations->tell(migrations->context, &seen);
}

/* --- signs --- */

static const struct xen_domain *domain_of(const struct xen_look *look, const struct xen_process *process) {
    for (size_t i = 0; i < look->domains->n; i++) {
        const struct xen_domain *domain = &look->domains->items[i];
        if ((process->has_domid && process->domid == domain->domid) ||
            (process->subject[0] != '\0' && domain->name != NULL && strcmp(process->subject, domain->name) == 0))
            return domain;
    }
    return NULL;
}

static void set_target(struct record *record, uint32_t domid) {
    if (record->has_source && record->source_domid == domid)
        return;
    record->has_target = true;
    record->target_domid = domid;
}

static void take_source(struct xen_migrations *migrations, const struct xen_look *look, struct record *record,
                        const struct xen_domain *domain, double began_ms) {
    const bool is_new = !record->has_source && !(record->has_target && record->target_domid == domain->domid);
    if (is_new) {
        record->has_source = true;
        record->source_domid = domain->domid;
    }
    if (record->has_source && (record->began_ms < 0 || began_ms < record->began_ms))
        record->began_ms = began_ms;
    if (is_new)
        tell_began(migrations, look, record);
}

/* xl forks while it works, at the end too, to destroy the source's domain: such a child looks like a new command. */
static bool is_child(const struct xen_look *look, const struct xen_process *process) {
    for (size_t i = 0; i < look->n_processes; i++) {
        const struct xen_process *other = &look->processes[i];
        if (process->role == XEN_PROCESS_COMMAND && other->role == XEN_PROCESS_COMMAND &&
            other->pid == process->parent_pid)
            return true;
    }
    return false;
}

static void take_process(struct xen_migrations *migrations, const struct xen_look *look,
                         const struct xen_process *process) {
    const struct xen_domain *domain =
        process->is_migration && !is_child(look, process) ? domain_of(look, process) : NULL;
    if (domain == NULL)
        return;
    const double began_ms = fmax(0, look->now_ms - fmax(0, process->age_ms));
    struct record *record = find(migrations, domain->uuid);
    const bool is_age_known = process->age_ms >= 0; /* not of one that ends just now */
    if (record != NULL && has_ended(record) && is_age_known && began_ms > record->ended_ms) { /* the next one already */
        forget(migrations, record);
        record = NULL;
    }
    if (record == NULL)
        record = find_or_add(migrations, domain->uuid, look->now_ms);
    if (record == NULL)
        return;
    record->is_seen = true;
    record->seen_ms = look->now_ms;
    if (has_ended(record))
        return;
    if (process->peer[0] != '\0')
        memcpy(record->peer, process->peer, sizeof(record->peer));
    if (process->role == XEN_PROCESS_SAVE)
        record->bytes = fmax(record->bytes, process->written_bytes);
    if (process->role == XEN_PROCESS_RESTORE)
        set_target(record, domain->domid);
    else
        take_source(migrations, look, record, domain, began_ms);
}

static bool is_end_of(const struct record *record, const struct xen_domain *domain) {
    return (record->has_source && record->source_domid == domain->domid) ||
           (record->has_target && record->target_domid == domain->domid);
}

/* The other end within this host, and what comes under a name of its own. */
static void take_domain(struct xen_migrations *migrations, const struct xen_look *look,
                        const struct xen_domain *domain) {
    struct record *record = find(migrations, domain->uuid);
    const bool is_incoming = domain->name != NULL && xen_signs_is_incoming(domain->name) && !domain->is_dying;
    if (record != NULL && has_ended(record) && is_incoming && !is_end_of(record, domain)) { /* it comes back already */
        forget(migrations, record);
        record = NULL;
    }
    if (record == NULL && is_incoming)
        record = find_or_add(migrations, domain->uuid, look->now_ms);
    if (record != NULL && !has_ended(record) && !domain->is_dying && (is_incoming || record->has_source))
        set_target(record, domain->domid);
}

/* --- what became of one --- */

static void note_suspension(struct xen_migrations *migrations, const struct xen_look *look, struct record *record,
                            const struct xen_domain *source) {
    const bool was_suspended = record->suspended_ms >= 0, has_left = record->left_ms >= 0;
    if (!was_suspended && source != NULL && source->is_suspended)
        record->suspended_ms = between(migrations, look);
    if (was_suspended && !has_left && (source == NULL || source->is_dying || source->is_paused))
        record->left_ms = between(migrations, look);
    if (was_suspended != (record->suspended_ms >= 0) || has_left != (record->left_ms >= 0))
        record->is_vague = record->is_vague || !was_close(migrations, look);
}

static void follow_source(struct xen_migrations *migrations, const struct xen_look *look, struct record *record,
                          bool has_target_here) {
    const struct xen_domain *source = xen_domains_at(look->domains, record->source_domid, record->uuid);
    const bool is_gone = source == NULL || source->is_dying;
    const double quiet_ms = look->now_ms - record->seen_ms;
    if (is_gone && record->suspended_ms >= 0) {
        if (!has_target_here)
            end(migrations, look, record, true, record->left_ms);
    } else if (is_gone && was_close(migrations, look)) {
        end(migrations, look, record, false, look->now_ms); /* destroyed, or shut down */
    } else if (is_gone) {
        log_info("source xen: %s went while nobody looked: its migration cannot be judged", record->uuid);
        record->ended_ms = look->now_ms;
    } else if (record->suspended_ms >= 0 && !source->is_shutdown) {
        end(migrations, look, record, false, between(migrations, look)); /* it was resumed */
    } else if (quiet_ms > (record->suspended_ms >= 0 ? GIVEN_UP_MS : PAUSE_OF_PROCESSES_MS)) {
        end(migrations, look, record, false, record->seen_ms);
    }
}

static void follow(struct xen_migrations *migrations, const struct xen_look *look, struct record *record) {
    const struct xen_domain *source =
        record->has_source ? xen_domains_at(look->domains, record->source_domid, record->uuid) : NULL;
    const struct xen_domain *target =
        record->has_target ? xen_domains_at(look->domains, record->target_domid, record->uuid) : NULL;
    const bool is_target_here = target != NULL && !target->is_dying;
    if (record->has_source)
        note_suspension(migrations, look, record, source);
    if (is_target_here && xen_domain_runs(target))
        end(migrations, look, record, true, between(migrations, look));
    else if (record->has_source)
        follow_source(migrations, look, record, is_target_here);
    else if (!is_target_here)
        record->ended_ms = look->now_ms; /* it did not come, and this end does not know why */
}

/* Its toolstack stays for seconds after the end, and names change meanwhile: an ended one is kept, so that it does not
 * begin again. The next migration has a process that is younger. */
static bool is_done(const struct xen_look *look, const struct record *record) {
    return has_ended(record) && !record->is_seen && look->now_ms - record->ended_ms > GIVEN_UP_MS;
}

static enum xen_migrations_pace pace_of(const struct xen_look *look, const struct record *record) {
    if (has_ended(record) || look->now_ms - record->seen_ms > GIVEN_UP_MS)
        return XEN_MIGRATIONS_IDLE;
    return record->suspended_ms >= 0 ? XEN_MIGRATIONS_CLOSEST : XEN_MIGRATIONS_CLOSE;
}

enum xen_migrations_pace xen_migrations_look(struct xen_migrations *migrations, const struct xen_look *look) {
    enum xen_migrations_pace pace = XEN_MIGRATIONS_IDLE;
    for (size_t i = 0; i < migrations->n_records; i++)
        migrations->records[i].is_seen = false;
    for (size_t i = 0; i < look->n_processes; i++)
        take_process(migrations, look, &look->processes[i]);
    for (size_t i = 0; i < look->domains->n; i++)
        take_domain(migrations, look, &look->domains->items[i]);
    for (size_t i = migrations->n_records; i > 0; i--) {
        struct record *record = &migrations->records[i - 1];
        if (!has_ended(record))
            follow(migrations, look, record);
        const enum xen_migrations_pace wanted = pace_of(look, record);
        pace = wanted > pace ? wanted : pace;
        if (is_done(look, record))
            forget(migrations, record);
    }
    migrations->looked_ms = look->now_ms;
    return pace;
}
