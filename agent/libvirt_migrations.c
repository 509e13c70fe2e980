/* A short list of guests that leave, and a queue of what is to be told, both under one lock. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/libvirt_migrations.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { LOOKS_IN_A_ROW = 2 };

/* A guest that leaves; the figures are those of its job, negative until that has ended. */
struct leaving {
    char uuid[VIR_UUID_STRING_BUFLEN];
    int64_t began_unix_ms, suspended_unix_ms;
    double downtime_ms, bytes;
    bool has_left; /* its figures are awaited: libvirt tells them after its end */
    unsigned n_idle_looks;
    struct leaving *next;
};

struct news {
    char uuid[VIR_UUID_STRING_BUFLEN];
    struct source_migration told;
    struct news *next;
};

struct libvirt_migrations {
    void (*wake)(void *context);
    void *context;
    uv_mutex_t lock;
    struct leaving *leaving;
    struct news *first, **end; /* oldest first */
    struct news *taken;        /* the loop's */
};

struct libvirt_migrations *libvirt_migrations_new(void (*wake)(void *context), void *context) {
    struct libvirt_migrations *migrations = calloc(1, sizeof(*migrations));
    if (migrations == NULL)
        return NULL;
    migrations->wake = wake;
    migrations->context = context;
    migrations->end = &migrations->first;
    (void)uv_mutex_init(&migrations->lock); /* cannot fail */
    return migrations;
}

void libvirt_migrations_free(struct libvirt_migrations *migrations) {
    while (migrations->leaving != NULL) {
        struct leaving *leaving = migrations->leaving;
        migrations->leaving = leaving->next;
        free(leaving);
    }
    while (migrations->first != NULL) {
        struct news *news = migrations->first;
        migrations->first = news->next;
        free(news);
    }
    free(migrations->taken);
    uv_mutex_destroy(&migrations->lock);
    free(migrations);
}

/* --- under the lock --- */

static struct leaving **find(struct libvirt_migrations *migrations, const char *uuid) {
    struct leaving **link = &migrations->leaving;
    while (*link != NULL && strcmp((*link)->uuid, uuid) != 0)
        link = &(*link)->next;
    return link;
}

/* Out of memory: nobody is told. */
static void tell(struct libvirt_migrations *migrations, const char *uuid, const struct source_migration *told) {
    struct news *news = calloc(1, sizeof(*news));
    if (news == NULL)
        return;
    memcpy(news->uuid, uuid, sizeof(news->uuid));
    news->told = *told;
    *migrations->end = news;
    migrations->end = &news->next;
    migrations->wake(migrations->context);
}

static void begin(struct libvirt_migrations *migrations, const char *uuid) {
    struct leaving *leaving = calloc(1, sizeof(*leaving));
    if (leaving == NULL)
        return;
    *leaving = (struct leaving){.began_unix_ms = clock_unix_ms(), .downtime_ms = -1, .bytes = -1};
    memcpy(leaving->uuid, uuid, sizeof(leaving->uuid));
    leaving->next = migrations->leaving;
    migrations->leaving = leaving;
    const struct source_migration told = {
        .at_unix_ms = leaving->began_unix_ms, .migration_ms = -1, .downtime_ms = -1, .bytes = -1};
    tell(migrations, uuid, &told);
}

/* To the moment it ran at its destination: libvirt's own time has what comes before and after in it. */
static double took_ms(const struct leaving *leaving, int64_t now_unix_ms) {
    if (leaving->suspended_unix_ms == 0 || leaving->downtime_ms < 0)
        return (double)(now_unix_ms - leaving->began_unix_ms);
    return (double)(leaving->suspended_unix_ms - leaving->began_unix_ms) + leaving->downtime_ms;
}

static void end_leaving(struct libvirt_migrations *migrations, struct leaving **link) {
    struct leaving *leaving = *link;
    const int64_t now_unix_ms = clock_unix_ms();
    const bool succeeded = leaving->has_left;
    const struct source_migration told = {.has_ended = true,
                                          .at_unix_ms = now_unix_ms,
                                          .succeeded = succeeded,
                                          .migration_ms = took_ms(leaving, now_unix_ms),
                                          .downtime_ms = succeeded ? leaving->downtime_ms : -1,
                                          .bytes = leaving->bytes,
                                          .suspended_unix_ms = succeeded ? leaving->suspended_unix_ms : 0};
    tell(migrations, leaving->uuid, &told);
    *link = leaving->next;
    free(leaving);
}

static void stop_leaving(struct libvirt_migrations *migrations, struct leaving **link, bool has_left) {
    (*link)->has_left = has_left;
    if (!has_left || (*link)->bytes >= 0)
        end_leaving(migrations, link);
}

static void arrive(struct libvirt_migrations *migrations, const char *uuid) {
    const int64_t now_unix_ms = clock_unix_ms();
    const struct source_migration told = {.has_ended = true,
                                          .at_unix_ms = now_unix_ms,
                                          .succeeded = true,
                                          .migration_ms = -1,
                                          .downtime_ms = -1,
                                          .bytes = -1,
                                          .resumed_unix_ms = now_unix_ms};
    tell(migrations, uuid, &told);
}

/* --- libvirt's events --- */

static void on_iteration(virConnectPtr connection, virDomainPtr domain, int iteration, void *context) {
    struct libvirt_migrations *migrations = context;
    char uuid[VIR_UUID_STRING_BUFLEN];
    (void)connection;
    (void)iteration;
    if (virDomainGetUUIDString(domain, uuid) != 0)
        return;
    uv_mutex_lock(&migrations->lock);
    if (*find(migrations, uuid) == NULL)
        begin(migrations, uuid);
    uv_mutex_unlock(&migrations->lock);
}

static int on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail, void *context) {
    struct libvirt_migrations *migrations = context;
    char uuid[VIR_UUID_STRING_BUFLEN];
    (void)connection;
    if (virDomainGetUUIDString(domain, uuid) != 0)
        return 0;
    uv_mutex_lock(&migrations->lock);
    struct leaving **link = find(migrations, uuid);
    if (event == VIR_DOMAIN_EVENT_SUSPENDED && detail == VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED && *link != NULL)
        (*link)->suspended_unix_ms = clock_unix_ms();
    else if (event == VIR_DOMAIN_EVENT_STOPPED && *link != NULL)
        stop_leaving(migrations, link, detail == VIR_DOMAIN_EVENT_STOPPED_MIGRATED);
    else if (event == VIR_DOMAIN_EVENT_RESUMED && *link != NULL)
        end_leaving(migrations, link); /* it goes on here */
    else if (event == VIR_DOMAIN_EVENT_RESUMED && detail == VIR_DOMAIN_EVENT_RESUMED_MIGRATED)
        arrive(migrations, uuid);
    uv_mutex_unlock(&migrations->lock);
    return 0;
}

static double figure(virTypedParameterPtr params, int n_params, const char *name) {
    unsigned long long value = 0;
    return virTypedParamsGetULLong(params, n_params, name, &value) == 1 ? (double)value : -1;
}

static void on_job_completed(virConnectPtr connection, virDomainPtr domain, virTypedParameterPtr params, int n_params,
                             void *context) {
    struct libvirt_migrations *migrations = context;
    char uuid[VIR_UUID_STRING_BUFLEN];
    (void)connection;
    if (virDomainGetUUIDString(domain, uuid) != 0)
        return;
    uv_mutex_lock(&migrations->lock);
    struct leaving **link = find(migrations, uuid);
    if (*link != NULL) {
        (*link)->downtime_ms = figure(params, n_params, VIR_DOMAIN_JOB_DOWNTIME);
        (*link)->bytes = figure(params, n_params, VIR_DOMAIN_JOB_MEMORY_PROCESSED);
        if ((*link)->has_left)
            end_leaving(migrations, link);
    }
    uv_mutex_unlock(&migrations->lock);
}

bool libvirt_migrations_watch(struct libvirt_migrations *migrations, virConnectPtr connection) {
    return virConnectDomainEventRegisterAny(connection, NULL, VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION,
                                            VIR_DOMAIN_EVENT_CALLBACK(on_iteration), migrations, NULL) >= 0 &&
           virConnectDomainEventRegisterAny(connection, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                            VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), migrations, NULL) >= 0 &&
           virConnectDomainEventRegisterAny(connection, NULL, VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
                                            VIR_DOMAIN_EVENT_CALLBACK(on_job_completed), migrations, NULL) >= 0;
}

void libvirt_migrations_look(struct libvirt_migrations *migrations, const struct libvirt_facts *facts) {
    uv_mutex_lock(&migrations->lock);
    for (struct leaving **link = &migrations->leaving; *link != NULL;) {
        const struct libvirt_vm *vm = libvirt_facts_find(facts, (*link)->uuid);
        const bool is_idle = vm == NULL || vm->state == FLEET_VM_RUNNING;
        (*link)->n_idle_looks = is_idle ? (*link)->n_idle_looks + 1 : 0;
        if ((*link)->n_idle_looks > LOOKS_IN_A_ROW)
            end_leaving(migrations, link);
        else
            link = &(*link)->next;
    }
    uv_mutex_unlock(&migrations->lock);
}

bool libvirt_migrations_take(struct libvirt_migrations *migrations, struct source_migration *told_out) {
    free(migrations->taken);
    uv_mutex_lock(&migrations->lock);
    migrations->taken = migrations->first;
    if (migrations->first != NULL)
        migrations->first = migrations->first->next;
    if (migrations->first == NULL)
        migrations->end = &migrations->first;
    uv_mutex_unlock(&migrations->lock);
    if (migrations->taken == NULL)
        return false;
    *told_out = migrations->taken->told;
    told_out->vm = migrations->taken->uuid;
    return true;
}
