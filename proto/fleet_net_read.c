/*
 * Hosts, switches and links of the fleet document. Hosts and switches are the
 * nodes of one network and share their names. Without links, a NIC for each host and
 * one switch are added as if the document had listed them.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/fleet_fields.h"
#include "proto/fleet_reading.h"

#include <stdio.h>
#include <string.h>

static void name_node(struct fleet_reading *reading, const char *name, size_t node) {
    if (!doc_reader_ok(&reading->reader))
        return;
    const long other = doc_index_find(&reading->nodes, name);
    const long n_hosts = (long)reading->fleet->n_hosts;
    if (other == DOC_INDEX_NONE)
        doc_index_set(&reading->reader, &reading->nodes, name, (long)node);
    else if (other < n_hosts)
        doc_reader_fail(&reading->reader, "name", DC_EINVAL, "duplicate of hosts[%ld].name", other);
    else
        doc_reader_fail(&reading->reader, "name", DC_EINVAL, "duplicate of switches[%ld].name", other - n_hosts);
}

static void read_host(struct fleet_reading *reading, const struct doc_object *object, struct fleet_host *host) {
    struct doc_reader *reader = &reading->reader;
    doc_field_read(reader, object, fleet_fields_host.rows, fleet_fields_host.n, host);
    doc_field_read(reader, object, fleet_fields_host_age.rows, fleet_fields_host_age.n, host);
    host->cpu_features = doc_reader_strings(reader, object, "cpu_features", &host->n_cpu_features);
    fleet_reading_labels(reader, object, &host->labels, &host->n_labels);
    reader->origin = NULL;
    if (doc_reader_ok(reader) && host->reserved_memory_bytes > host->memory_bytes)
        doc_reader_fail(reader, "reserved_memory_bytes", DC_EINVAL, "expected at most memory_bytes = %.15g, got %.15g",
                        host->memory_bytes, host->reserved_memory_bytes);
}

void fleet_reading_hosts(struct fleet_reading *reading) {
    size_t n = 0;
    const json_t *section = fleet_reading_section(reading, "hosts", &n);
    struct fleet *fleet = reading->fleet;
    fleet->hosts = doc_reader_alloc(&reading->reader, n, sizeof(*fleet->hosts));
    fleet->n_hosts = fleet->hosts != NULL ? n : 0;
    for (size_t i = 0; i < fleet->n_hosts && doc_reader_ok(&reading->reader); i++) {
        struct doc_object object;
        doc_reader_enter_item(&reading->reader, "hosts", i);
        if (fleet_reading_item(reading, section, i, "host", &object)) {
            read_host(reading, &object, &fleet->hosts[i]);
            name_node(reading, fleet->hosts[i].name, i);
        }
        doc_reader_leave(&reading->reader);
    }
}

static bool lacks_links(struct fleet_reading *reading) {
    size_t n_links = 0;
    (void)fleet_reading_section(reading, "links", &n_links);
    return doc_reader_ok(&reading->reader) && n_links == 0 && reading->fleet->n_hosts > 0;
}

/* Appends the one switch that the hosts of a document without links stand on,
 * under a name that no other node has. */
static void add_switch(struct fleet_reading *reading) {
    char name[40] = "switch";
    for (unsigned i = 2; doc_index_find(&reading->nodes, name) != DOC_INDEX_NONE; i++)
        (void)snprintf(name, sizeof(name), "switch-%u", i);
    struct fleet *fleet = reading->fleet;
    struct fleet_switch *added = &fleet->switches[fleet->n_switches++];
    *added = (struct fleet_switch){.name = strdup(name), .capacity_bytes_per_s = FLEET_UNSET};
    if (added->name == NULL)
        doc_reader_fail_nomem(&reading->reader);
    else
        name_node(reading, name, fleet->n_hosts + fleet->n_switches - 1);
}

void fleet_reading_switches(struct fleet_reading *reading) {
    size_t n = 0;
    const json_t *section = fleet_reading_section(reading, "switches", &n);
    struct fleet *fleet = reading->fleet;
    const size_t n_room = n + 1; /* for the one that may be added */
    fleet->switches = doc_reader_alloc(&reading->reader, n_room, sizeof(*fleet->switches));
    fleet->n_switches = fleet->switches != NULL ? n : 0;
    for (size_t i = 0; i < fleet->n_switches && doc_reader_ok(&reading->reader); i++) {
        struct doc_object object;
        doc_reader_enter_item(&reading->reader, "switches", i);
        if (fleet_reading_item(reading, section, i, NULL, &object)) {
            doc_field_read(&reading->reader, &object, fleet_fields_switch.rows, fleet_fields_switch.n,
                           &fleet->switches[i]);
            name_node(reading, fleet->switches[i].name, fleet->n_hosts + i);
        }
        doc_reader_leave(&reading->reader);
    }
    if (fleet->switches != NULL && lacks_links(reading))
        add_switch(reading);
}

static void read_end(struct fleet_reading *reading, const json_t *value, struct fleet_endpoint *end) {
    struct doc_reader *reader = &reading->reader;
    if (!json_is_string(value)) {
        doc_reader_fail_value(reader, NULL, "the name of a host or switch", value);
        return;
    }
    char quoted[DOC_READER_QUOTED_BYTES];
    const char *name = json_string_value(value);
    const long node = doc_index_find(&reading->nodes, name);
    if (node == DOC_INDEX_NONE) {
        doc_reader_fail(reader, NULL, DC_EINVAL, "unknown host or switch %s", doc_reader_quote(name, quoted));
        return;
    }
    const size_t n_hosts = reading->fleet->n_hosts;
    end->is_switch = (size_t)node >= n_hosts;
    end->index = end->is_switch ? (size_t)node - n_hosts : (size_t)node;
}

static void read_between(struct fleet_reading *reading, const struct doc_object *object, struct fleet_link *link) {
    struct doc_reader *reader = &reading->reader;
    const json_t *between = doc_reader_array(reader, object, "between");
    if (json_array_size(between) != 2) {
        doc_reader_fail(reader, "between", DC_EINVAL, "expected an array of two names of hosts or switches, got %zu",
                        json_array_size(between));
        return;
    }
    for (size_t i = 0; i < 2 && doc_reader_ok(reader); i++) {
        doc_reader_enter_item(reader, "between", i);
        read_end(reading, json_array_get(between, i), &link->between[i]);
        doc_reader_leave(reader);
    }
    if (doc_reader_ok(reader) && link->between[0].is_switch == link->between[1].is_switch &&
        link->between[0].index == link->between[1].index)
        doc_reader_fail_value(reader, "between", "two different ends", json_array_get(between, 1));
}

static void check_usable(struct doc_reader *reader, const struct fleet_link *link) {
    const double usable_bytes_per_s = link->capacity_bytes_per_s * link->goodput_frac;
    reader->origin = NULL;
    if (doc_reader_ok(reader) && link->background_bytes_per_s >= usable_bytes_per_s)
        doc_reader_fail(reader, "background_bytes_per_s", DC_EINVAL,
                        "expected a number below capacity_bytes_per_s x goodput_frac = %.15g, got %.15g",
                        usable_bytes_per_s, link->background_bytes_per_s);
}

static void read_links(struct fleet_reading *reading, const json_t *section, struct doc_index *names) {
    struct fleet *fleet = reading->fleet;
    struct doc_reader *reader = &reading->reader;
    for (size_t i = 0; i < fleet->n_links && doc_reader_ok(reader); i++) {
        struct fleet_link *link = &fleet->links[i];
        struct doc_object object;
        doc_reader_enter_item(reader, "links", i);
        if (fleet_reading_item(reading, section, i, "link", &object)) {
            doc_field_read(reader, &object, fleet_fields_link.rows, fleet_fields_link.n, link);
            link->has_goodput = json_object_get(object.own, "goodput_frac") != NULL ||
                                json_object_get(object.defaults, "goodput_frac") != NULL;
            read_between(reading, &object, link);
            check_usable(reader, link);
        }
        const long other = doc_reader_ok(reader) ? doc_index_find(names, link->name) : DOC_INDEX_NONE;
        if (other != DOC_INDEX_NONE)
            doc_reader_fail(reader, "name", DC_EINVAL, "duplicate of links[%ld].name", other);
        else if (doc_reader_ok(reader))
            doc_index_set(reader, names, link->name, (long)i);
        doc_reader_leave(reader);
    }
}

/* One NIC for each host, between it and the last switch, as the document could have
 * listed them. A new reference, NULL without memory. */
static json_t *make_nics(const struct fleet_reading *reading) {
    const struct fleet *fleet = reading->fleet;
    const json_t *defaults = json_object_get(reading->defaults.own, "link");
    const bool has_capacity = json_object_get(defaults, "capacity_bytes_per_s") != NULL;
    json_t *nics = json_array();
    bool ok = nics != NULL;
    for (size_t i = 0; i < fleet->n_hosts && ok; i++) {
        json_t *nic = json_pack("{s:s+, s:[s, s]}", "name", fleet->hosts[i].name, "-nic", "between",
                                fleet->hosts[i].name, fleet->switches[fleet->n_switches - 1].name);
        ok = nic != NULL && (has_capacity || json_object_set_new(nic, "capacity_bytes_per_s",
                                                                 json_integer(FLEET_FIELDS_NIC_BYTES_PER_S)) == 0);
        ok = json_array_append_new(nics, nic) == 0 && ok;
    }
    if (!ok) {
        json_decref(nics);
        nics = NULL;
    }
    return nics;
}

void fleet_reading_links(struct fleet_reading *reading) {
    size_t n = 0;
    struct doc_reader *reader = &reading->reader;
    struct doc_index names = {0};
    json_t *section = json_incref(fleet_reading_section(reading, "links", &n));
    if (lacks_links(reading)) {
        json_decref(section);
        section = make_nics(reading);
        n = json_array_size(section);
        if (section == NULL)
            doc_reader_fail_nomem(reader);
    }
    reading->fleet->links = doc_reader_alloc(reader, n, sizeof(*reading->fleet->links));
    reading->fleet->n_links = reading->fleet->links != NULL ? n : 0;
    doc_index_init(reader, &names);
    read_links(reading, section, &names);
    doc_index_dispose(&names);
    json_decref(section);
}
