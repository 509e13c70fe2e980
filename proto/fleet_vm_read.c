/* The VMs of the fleet document: identity, place and size. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/fleet_fields.h"
#include "proto/fleet_reading.h"

#include <string.h>

static void read_host_name(struct fleet_reading *reading, const struct doc_object *object, struct fleet_vm *vm) {
    struct doc_reader *reader = &reading->reader;
    const json_t *value = doc_reader_get(reader, object, "host");
    if (!doc_reader_ok(reader))
        return;
    if (!json_is_string(value)) {
        doc_reader_fail_value(reader, "host", "the name of a host", value);
        return;
    }
    char quoted[DOC_READER_QUOTED_BYTES];
    const char *name = json_string_value(value);
    const long node = doc_index_find(&reading->nodes, name);
    if (node == DOC_INDEX_NONE || node >= (long)reading->fleet->n_hosts)
        doc_reader_fail(reader, "host", DC_EINVAL, "unknown host %s", doc_reader_quote(name, quoted));
    else
        vm->host = (size_t)node;
}

static void read_disk(struct doc_reader *reader, const struct doc_object *object, struct storage_disk *disk) {
    doc_field_read(reader, object, fleet_fields_storage.rows, fleet_fields_storage.n, disk);
    if (doc_reader_ok(reader) && doc_reader_get(reader, object, "profile") != NULL)
        fleet_reading_curve(reader, object, "profile", &disk->written);
}

static void read_storage(struct doc_reader *reader, const struct doc_object *object, struct fleet_vm *vm) {
    const json_t *array = doc_reader_array(reader, object, "storage");
    const size_t n = json_array_size(array);
    vm->storage = n > 0 ? doc_reader_alloc(reader, n, sizeof(*vm->storage)) : NULL;
    vm->n_storage = vm->storage != NULL ? n : 0;
    for (size_t i = 0; i < vm->n_storage && doc_reader_ok(reader); i++) {
        struct doc_object item;
        doc_reader_enter_item(reader, "storage", i);
        if (doc_reader_item(reader, array, i, &item))
            read_disk(reader, &item, &vm->storage[i]);
        doc_reader_leave(reader);
    }
}

/* A uuid stands once; a name may stand several times, but is then no reference. */
static void name_vm(struct fleet_reading *reading, struct fleet_vm *vm, size_t index) {
    struct doc_reader *reader = &reading->reader;
    if (!doc_reader_ok(reader))
        return;
    const long other = doc_index_find(&reading->vm_uuids, vm->uuid);
    if (other != DOC_INDEX_NONE) {
        doc_reader_fail(reader, "uuid", DC_EINVAL, "duplicate of vms[%ld].uuid", other);
        return;
    }
    doc_index_set(reader, &reading->vm_uuids, vm->uuid, (long)index);
    if (vm->name == NULL && (vm->name = strdup(vm->uuid)) == NULL) {
        doc_reader_fail_nomem(reader);
        return;
    }
    const bool known = doc_index_find(&reading->vm_names, vm->name) != DOC_INDEX_NONE;
    doc_index_set(reader, &reading->vm_names, vm->name, known ? FLEET_READING_AMBIGUOUS : (long)index);
}

static void read_vm(struct fleet_reading *reading, const struct doc_object *object, struct fleet_vm *vm) {
    struct doc_reader *reader = &reading->reader;
    doc_field_read(reader, object, fleet_fields_vm_id.rows, fleet_fields_vm_id.n, vm);
    read_host_name(reading, object, vm);
    doc_field_read(reader, object, fleet_fields_vm.rows, fleet_fields_vm.n, vm);
    doc_field_read(reader, object, fleet_fields_vm_age.rows, fleet_fields_vm_age.n, vm);
    vm->cpu_features = doc_reader_strings(reader, object, "cpu_features", &vm->n_cpu_features);
    fleet_reading_labels(reader, object, &vm->labels, &vm->n_labels);
    fleet_reading_vm_model(reader, object, vm);
    read_storage(reader, object, vm);
    reader->origin = NULL;
}

void fleet_reading_vms(struct fleet_reading *reading) {
    size_t n = 0;
    const json_t *section = fleet_reading_section(reading, "vms", &n);
    struct fleet *fleet = reading->fleet;
    fleet->vms = doc_reader_alloc(&reading->reader, n, sizeof(*fleet->vms));
    fleet->n_vms = fleet->vms != NULL ? n : 0;
    for (size_t i = 0; i < fleet->n_vms && doc_reader_ok(&reading->reader); i++) {
        struct doc_object object;
        doc_reader_enter_item(&reading->reader, "vms", i);
        if (fleet_reading_item(reading, section, i, "vm", &object)) {
            read_vm(reading, &object, &fleet->vms[i]);
            name_vm(reading, &fleet->vms[i], i);
        }
        doc_reader_leave(&reading->reader);
    }
}
