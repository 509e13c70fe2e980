/* Each VM goes to the host with the most free memory: believable, and even. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/demo_fleet.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { HOSTS_PER_RACK = 8, N_BURSTS = 4, N_WINDOWS = 9, NAME_BYTES = 48, UUID_BYTES = 37 };

static const json_int_t taken_unix_ms = 1790000000000; /* the same bytes whenever it is asked */
static const double gib = 1024.0 * 1024 * 1024;
static const double page_bytes = 4096;
static const double host_bytes = 256 * 1024.0 * 1024 * 1024, reserved_bytes = 8 * 1024.0 * 1024 * 1024;
static const double nic_bytes_per_s = 1.25e9, uplink_bytes_per_s = 5e9;
static const double most_full_frac = 0.75; /* so that there is room for others */
static const double first_window_s = 0.125;

/* What a VM of a service is like: memory in GiB, the part of it that it works on, and how fast. */
static const struct service {
    const char *name;
    unsigned share; /* of all VMs, by weight */
    double least_gib, most_gib;
    double working_frac;
    double pages_per_s;
    double budget_ms; /* 0: none */
    bool has_replica; /* they come in pairs, on two hosts */
} services[] = {
    {"web", 30, 2, 4, 0.05, 1500, 1000, false}, {"app", 20, 4, 8, 0.08, 4000, 1000, false},
    {"db", 10, 16, 32, 0.06, 12000, 500, true}, {"cache", 8, 8, 16, 0.15, 20000, 800, false},
    {"queue", 6, 4, 8, 0.1, 8000, 800, false},  {"build", 10, 8, 16, 0.2, 15000, 0, false},
    {"mail", 6, 4, 8, 0.04, 1000, 2000, false}, {"log", 6, 4, 16, 0.1, 6000, 0, false},
    {"test", 4, 2, 8, 0.02, 300, 0, false},
};

static const char *const customers[] = {"shop", "bank", "wiki", "news", "game", "maps", "blog", "crm"};

enum { N_SERVICES = sizeof(services) / sizeof(services[0]), N_CUSTOMERS = sizeof(customers) / sizeof(customers[0]) };

struct demo {
    struct demo_fleet_size size;
    gsl_rng *rng;
    double *free_bytes; /* [n_hosts] */
    struct {
        char uuid[UUID_BYTES]; /* "": none */
        size_t host;
    } alone[N_CUSTOMERS]; /* of each customer the database that has no replica yet */
    json_t *hosts, *switches, *links, *vms, *rules;
};

static void name_host(size_t i, char name_out[NAME_BYTES]) {
    (void)snprintf(name_out, NAME_BYTES, "host%zu", i + 1);
}

static void name_switch(size_t rack, char name_out[NAME_BYTES]) {
    (void)snprintf(name_out, NAME_BYTES, "rack%zu", rack + 1);
}

static void add_hosts(struct demo *demo) {
    char name[NAME_BYTES], rack[NAME_BYTES], link[NAME_BYTES + 8];
    for (size_t i = 0; i < demo->size.n_hosts; i++) {
        name_host(i, name);
        name_switch(i / HOSTS_PER_RACK, rack);
        (void)snprintf(link, sizeof(link), "%s-nic", name);
        (void)json_array_append_new(
            demo->hosts, json_pack("{s:s, s:s, s:i, s:I, s:I, s:i, s:i, s:i, s:i, s:i, s:{s:s}}", "name", name, "state",
                                   "on", "cpus", 64, "memory_bytes", (json_int_t)host_bytes, "reserved_memory_bytes",
                                   (json_int_t)reserved_bytes, "max_migrations", 4, "boot_s", 180, "shutdown_s", 30,
                                   "idle_watts", 140, "peak_watts", 420, "labels", "rack", rack));
        (void)json_array_append_new(demo->links, json_pack("{s:s, s:[s, s], s:f}", "name", link, "between", name, rack,
                                                           "capacity_bytes_per_s", nic_bytes_per_s));
        demo->free_bytes[i] = most_full_frac * (host_bytes - reserved_bytes);
    }
}

static void add_network(struct demo *demo) {
    const size_t n_racks = (demo->size.n_hosts + HOSTS_PER_RACK - 1) / HOSTS_PER_RACK;
    char rack[NAME_BYTES], link[NAME_BYTES + 8];
    for (size_t i = 0; i < n_racks; i++) {
        name_switch(i, rack);
        (void)json_array_append_new(demo->switches, json_pack("{s:s}", "name", rack));
        if (n_racks == 1)
            continue;
        (void)snprintf(link, sizeof(link), "%s-uplink", rack);
        (void)json_array_append_new(demo->links, json_pack("{s:s, s:[s, s], s:f}", "name", link, "between", rack,
                                                           "core", "capacity_bytes_per_s", uplink_bytes_per_s));
    }
    if (n_racks > 1)
        (void)json_array_append_new(demo->switches, json_pack("{s:s}", "name", "core"));
}

static const struct service *draw_service(gsl_rng *rng) {
    unsigned all = 0;
    for (size_t i = 0; i < N_SERVICES; i++)
        all += services[i].share;
    unsigned long at = gsl_rng_uniform_int(rng, all);
    size_t i = 0;
    while (at >= services[i].share)
        at -= services[i++].share;
    return &services[i];
}

/* A power of two between the two. */
static double draw_memory(gsl_rng *rng, const struct service *service) {
    const double steps = log2(service->most_gib / service->least_gib);
    return gib * service->least_gib * exp2((double)gsl_rng_uniform_int(rng, (unsigned long)steps + 1));
}

static void draw_uuid(gsl_rng *rng, char uuid_out[UUID_BYTES]) {
    unsigned words[4];
    for (size_t i = 0; i < 4; i++)
        words[i] = (unsigned)gsl_rng_get(rng);
    (void)snprintf(uuid_out, UUID_BYTES, "%08x-%04x-4%03x-%04x-%04x%08x", words[0], words[1] >> 16, words[1] & 0xfff,
                   0x8000 | (words[2] >> 18), words[2] & 0xffff, words[3]);
}

/* W(t) = S (1 - exp(-d t / S)) of a working set S at d pages/s, a little other in each burst. */
static json_t *draw_profile(gsl_rng *rng, const struct service *service, double memory_bytes) {
    const double set_pages = memory_bytes / page_bytes * service->working_frac * gsl_ran_flat(rng, 0.5, 1.5);
    const double pages_per_s = service->pages_per_s * gsl_ran_lognormal(rng, 0, 0.5);
    json_t *bursts = json_array();
    for (int b = 0; b < N_BURSTS; b++) {
        const double rate = pages_per_s * gsl_ran_flat(rng, 0.8, 1.2);
        json_t *points = json_array();
        for (int i = 0; i < N_WINDOWS; i++) {
            const double window_s = first_window_s * exp2(i);
            const double pages = floor(set_pages * (1 - exp(-rate * window_s / set_pages)));
            (void)json_array_append_new(points, json_pack("[f, I]", window_s, (json_int_t)pages));
        }
        (void)json_array_append_new(
            bursts, json_pack("{s:I, s:o}", "at_unix_ms", taken_unix_ms - (N_BURSTS - b) * 300000LL, "points", points));
    }
    const double idle_frac = gsl_ran_flat(rng, 0.05, 0.4);
    return json_pack("{s:s, s:I, s:o}", "kind", "curve", "zero_pages",
                     (json_int_t)(idle_frac * memory_bytes / page_bytes), "bursts", bursts);
}

static size_t emptiest_host(const struct demo *demo) {
    size_t best = 0;
    for (size_t i = 1; i < demo->size.n_hosts; i++)
        if (demo->free_bytes[i] > demo->free_bytes[best])
            best = i;
    return best;
}

/* A database is the replica of the customer's one that has none, where that stands on another host. */
static void pair_up(struct demo *demo, size_t customer, const char *uuid, size_t host) {
    char *other = demo->alone[customer].uuid;
    if (other[0] != '\0' && demo->alone[customer].host != host) {
        (void)json_array_append_new(demo->rules,
                                    json_pack("{s:s, s:[s, s], s:b}", "type", "spread", "vms", other, uuid, "hard", 1));
        other[0] = '\0';
        return;
    }
    (void)snprintf(other, UUID_BYTES, "%s", uuid);
    demo->alone[customer].host = host;
}

static enum dc_status add_vm(struct demo *demo, size_t number, struct dc_error *err) {
    const struct service *service = draw_service(demo->rng);
    const size_t customer = gsl_rng_uniform_int(demo->rng, N_CUSTOMERS);
    const double memory_bytes = draw_memory(demo->rng, service);
    const size_t host = emptiest_host(demo);
    char name[NAME_BYTES], at[NAME_BYTES], uuid[UUID_BYTES];
    if (demo->free_bytes[host] < memory_bytes)
        return error_set(err, DC_ERANGE, "%zu VMs do not fit into %zu hosts: the first %zu do; expected more --hosts",
                         demo->size.n_vms, demo->size.n_hosts, number);
    demo->free_bytes[host] -= memory_bytes;
    (void)snprintf(name, sizeof(name), "%s-%s%zu", customers[customer], service->name, number + 1);
    name_host(host, at);
    draw_uuid(demo->rng, uuid);
    json_t *vm = json_pack("{s:s, s:s, s:s, s:s, s:I, s:i, s:f, s:{s:s}, s:{s:s, s:i}, s:o}", "uuid", uuid, "name",
                           name, "host", at, "state", "running", "memory_bytes", (json_int_t)memory_bytes, "vcpus",
                           memory_bytes > 8 * gib ? 8 : 2, "cpu_cores_used", gsl_ran_flat(demo->rng, 0.1, 1.5),
                           "labels", "app", customers[customer], "policy", "name", "qemu", "downtime_limit_ms", 300,
                           "profile", draw_profile(demo->rng, service, memory_bytes));
    if (vm == NULL)
        return error_set_nomem(err);
    if (service->budget_ms > 0)
        (void)json_object_set_new(vm, "downtime_budget_ms", json_real(service->budget_ms));
    (void)json_array_append_new(demo->vms, vm);
    if (service->has_replica)
        pair_up(demo, customer, uuid, host);
    return DC_OK;
}

static enum dc_status add_vms(struct demo *demo, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < demo->size.n_vms; i++)
        rc = add_vm(demo, i, err);
    return rc;
}

enum dc_status demo_fleet_make(const struct demo_fleet_size *size, json_t **fleet_out, struct dc_error *err) {
    struct demo demo = {.size = *size,
                        .rng = gsl_rng_alloc(gsl_rng_mt19937),
                        .free_bytes = calloc(size->n_hosts + 1, sizeof(double)),
                        .hosts = json_array(),
                        .switches = json_array(),
                        .links = json_array(),
                        .vms = json_array(),
                        .rules = json_array()};
    enum dc_status rc = demo.rng == NULL || demo.free_bytes == NULL ? error_set_nomem(err) : DC_OK;
    if (rc == DC_OK) {
        gsl_rng_set(demo.rng, (unsigned long)size->seed);
        add_hosts(&demo);
        add_network(&demo);
        rc = add_vms(&demo, err);
    }
    *fleet_out = json_pack("{s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "format", "decamp/fleet", "format_version",
                           "1.0", "taken_unix_ms", taken_unix_ms, "hosts", demo.hosts, "switches", demo.switches,
                           "links", demo.links, "vms", demo.vms, "rules", demo.rules);
    if (rc == DC_OK && *fleet_out == NULL)
        rc = error_set_nomem(err);
    if (rc != DC_OK) {
        json_decref(*fleet_out);
        *fleet_out = NULL;
    }
    if (demo.rng != NULL)
        gsl_rng_free(demo.rng);
    free(demo.free_bytes);
    return rc;
}
