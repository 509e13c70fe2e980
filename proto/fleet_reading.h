/*
 * A fleet document half read: what the readers of its sections share.
 *
 * Order: hosts, switches, links, VMs, rules; each section may refer to those before.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/doc_index.h"
#include "proto/fleet_doc.h"

struct fleet_reading {
    struct doc_reader reader;
    struct doc_object root;
    struct doc_object defaults;
    struct fleet *fleet;
    struct doc_index nodes;    /* hosts from 0, then the switches */
    struct doc_index vm_uuids; /* to indices of VMs */
    struct doc_index vm_names; /* the same; FLEET_READING_AMBIGUOUS for a name that several have */
};

enum { FLEET_READING_AMBIGUOUS = -2 };

/* Hosts, switches and links: fleet_net_read.c. */
void fleet_reading_hosts(struct fleet_reading *reading);
void fleet_reading_switches(struct fleet_reading *reading);
void fleet_reading_links(struct fleet_reading *reading);

/* fleet_vm_read.c */
void fleet_reading_vms(struct fleet_reading *reading);

/* The profile, prediction, policy and overhead of one VM: fleet_vm_model_read.c. */
void fleet_reading_vm_model(struct doc_reader *reader, const struct doc_object *object, struct fleet_vm *vm);

/* The curve `key` of `object`, which must have it: [[window in seconds, pages or blocks], ...]; the
 * caller's to dispose. fleet_vm_model_read.c. */
void fleet_reading_curve(struct doc_reader *reader, const struct doc_object *object, const char *key,
                         struct dirty_curve *curve);

/* fleet_rule_read.c */
void fleet_reading_rules(struct fleet_reading *reading);

/* The array `key` of the document's root, and how many items it has. */
json_t *fleet_reading_section(struct fleet_reading *reading, const char *key, size_t *n_items_out);

/* Item `i` of a section, with defaults.DEFAULTS_KEY behind it (NULL: none). */
bool fleet_reading_item(struct fleet_reading *reading, const json_t *section, size_t i, const char *defaults_key,
                        struct doc_object *object_out);

/* CPU features and labels, of hosts and VMs alike. */
void fleet_reading_labels(struct doc_reader *reader, const struct doc_object *object, struct fleet_label **labels_out,
                          size_t *n_labels_out);
