/*
 * Copying disks under the simulation's clock.
 *
 * A mirror that copies again what was written keeps going round the disk. What
 * it finds at a place was written since it was there last, so the disk is cut
 * into zones, and each round sends of every zone
 *   its share of W(now - when it was copied last)
 * A round that finds less than the mirror has in flight is the last.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/storage.h"

#include "model/precopy_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double READY_BYTES = 1048576;   /* in one chunk of QEMU's mirror, or ... */
static const double READY_S = 0.1;           /* ... in this time: as good as nothing is dirty */
static const double SHRINKING_FRAC = 0.99;   /* a round that sends more of the one before got nowhere */
static const double MOST_WRITES_FRAC = 0.99; /* of the bandwidth; beyond, memory gets nothing */

enum { ZONES = 16, MOST_ROUNDS = 2000 };

void storage_disk_dispose(struct storage_disk *disk) {
    free(disk->name);
    dirty_curve_dispose(&disk->written);
    *disk = (struct storage_disk){0};
}

enum dc_status storage_disk_copy(const struct storage_disk *disk, struct storage_disk *copy_out, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    *copy_out = *disk;
    copy_out->written = (struct dirty_curve){0};
    copy_out->name = disk->name != NULL ? strdup(disk->name) : NULL;
    if (disk->name != NULL && copy_out->name == NULL)
        rc = error_set_nomem(err);
    if (rc == DC_OK)
        rc = dirty_curve_copy(&disk->written, &copy_out->written, err);
    if (rc != DC_OK)
        storage_disk_dispose(copy_out);
    return rc;
}

static enum dc_status check_disk(const struct storage_disk *disk, struct dc_error *err) {
    const double figures[] = {disk->size_bytes, disk->allocated_bytes, disk->write_bytes_per_s, disk->block_bytes};
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        if (!(figures[i] >= 0) || !isfinite(figures[i]))
            return error_set(err, DC_EINVAL, "a figure of %g; expected a number of at least 0", figures[i]);
    }
    if (disk->written.n_points > 0 && !(disk->written.points[0].window_s > 0))
        return error_set(err, DC_EINVAL, "writes in a window of %g s; expected more than 0",
                         disk->written.points[0].window_s);
    return DC_OK;
}

enum dc_status storage_check(const struct storage *storage, struct dc_error *err) {
    for (size_t i = 0; i < storage->n_disks; i++) {
        const struct storage_disk *disk = &storage->disks[i];
        const enum dc_status rc = check_disk(disk, err);
        if (rc != DC_OK)
            return error_prefix(err, "disk %s", disk->name != NULL ? disk->name : "without a name");
    }
    return DC_OK;
}

const struct storage_disk *storage_first_local(const struct storage *storage) {
    for (size_t i = 0; i < storage->n_disks; i++) {
        if (storage->disks[i].local)
            return &storage->disks[i];
    }
    return NULL;
}

double storage_allocated_bytes(const struct storage *storage) {
    double bytes = 0;
    for (size_t i = 0; i < storage->n_disks; i++) {
        const struct storage_disk *disk = &storage->disks[i];
        if (disk->local)
            bytes += disk->allocated_bytes > 0 ? fmin(disk->allocated_bytes, disk->size_bytes) : disk->size_bytes;
    }
    return bytes;
}

static double block_bytes(const struct storage_disk *disk) {
    return disk->block_bytes > 0 ? disk->block_bytes : STORAGE_BLOCK_BYTES;
}

double storage_written_bytes(const struct storage *storage, double window_s) {
    double bytes = 0;
    for (size_t i = 0; !storage->is_still && i < storage->n_disks; i++) {
        const struct storage_disk *disk = &storage->disks[i];
        if (!disk->local)
            continue;
        if (disk->written.n_points > 0)
            bytes += fmin(dirty_curve_pages(&disk->written, window_s, INFINITY) * block_bytes(disk), disk->size_bytes);
        else
            bytes += fmin(disk->write_bytes_per_s * window_s, disk->size_bytes);
    }
    return bytes;
}

double storage_write_bytes_per_s(const struct storage *storage) {
    double bytes_per_s = 0;
    for (size_t i = 0; !storage->is_still && i < storage->n_disks; i++) {
        const struct storage_disk *disk = &storage->disks[i];
        if (!disk->local)
            continue;
        if (disk->write_bytes_per_s > 0 || disk->written.n_points == 0)
            bytes_per_s += disk->write_bytes_per_s;
        else
            bytes_per_s += disk->written.points[0].pages * block_bytes(disk) / disk->written.points[0].window_s;
    }
    return bytes_per_s;
}

/* One that copies again what was written. */
struct mirror {
    double copied_s[ZONES]; /* when each zone was, last */
    struct precopy *precopy;
    const struct storage *storage;
};

/* Once round the disks; returns the bytes sent. In the first round writes ahead
 * of the mirror cost nothing, of those into the zone it is at the half. */
static double copy_round(struct mirror *mirror, bool is_first) {
    double sent_bytes = 0;
    for (size_t zone = 0; zone < ZONES; zone++) {
        const double now_s = mirror->precopy->time_s;
        const double bytes = (is_first ? storage_allocated_bytes(mirror->storage)
                                       : storage_written_bytes(mirror->storage, now_s - mirror->copied_s[zone])) /
                             ZONES;
        precopy_carry(mirror->precopy, bytes);
        mirror->copied_s[zone] = is_first ? (now_s + mirror->precopy->time_s) / 2 : now_s;
        sent_bytes += bytes;
    }
    return sent_bytes;
}

/* Round after round until nearly nothing is dirty. */
static void recopy(struct precopy *precopy) {
    struct mirror mirror = {.precopy = precopy, .storage = &precopy->vm->storage};
    double before_bytes = INFINITY;
    for (unsigned round = 0;; round++) {
        const double sent_bytes = copy_round(&mirror, round == 0);
        precopy->result->storage_bytes += sent_bytes;
        if (sent_bytes <= fmax(READY_S * precopy_push_rate(precopy), READY_BYTES))
            return;
        const bool is_steady = precopy->n_steps == 1;
        if ((is_steady && sent_bytes >= SHRINKING_FRAC * before_bytes) || round == MOST_ROUNDS) {
            precopy->result->converges = false;
            return;
        }
        before_bytes = sent_bytes;
    }
}

void storage_copy(struct precopy *precopy) {
    const struct precopy_vm *vm = precopy->vm;
    const double from_s = precopy->time_s;
    if (vm->policy.policy->storage == STOP_POLICY_STORAGE_STAYS || storage_first_local(&vm->storage) == NULL)
        return;
    /* libvirt gives the mirrors the migration's own cap. */
    if (vm->policy.max_bandwidth_bytes_per_s > 0)
        precopy->live_cap_bytes_per_s = vm->policy.max_bandwidth_bytes_per_s;
    const double write_bytes_per_s = storage_write_bytes_per_s(&vm->storage);
    if (vm->policy.policy->storage == STOP_POLICY_STORAGE_RECOPIED) {
        recopy(precopy);
        precopy->mirror_bytes_per_s = write_bytes_per_s;
    } else {
        const double bytes = storage_allocated_bytes(&vm->storage);
        precopy->mirror_bytes_per_s = write_bytes_per_s;
        precopy_carry(precopy, bytes);
        precopy->result->storage_bytes += bytes;
    }
    precopy->live_cap_bytes_per_s = INFINITY;
    precopy->result->storage_s = precopy->time_s - from_s;
    if (write_bytes_per_s > MOST_WRITES_FRAC * precopy->steps[precopy->n_steps - 1].bytes_per_s)
        precopy->result->converges = false;
}

struct storage_cost storage_cost_at(const struct storage *storage, const struct stop_policy *policy,
                                    double bandwidth_bytes_per_s) {
    const struct bandwidth_step step = {.bytes_per_s = bandwidth_bytes_per_s};
    const struct precopy_vm vm = {.policy = *policy, .storage = *storage};
    struct precopy_result result = {.converges = true};
    struct precopy precopy = {
        .vm = &vm, .steps = &step, .n_steps = 1, .live_cap_bytes_per_s = INFINITY, .result = &result};
    storage_copy(&precopy);
    return (struct storage_cost){
        .duration_s = result.storage_s,
        .bytes = result.storage_bytes,
        .mirror_bytes_per_s = precopy.mirror_bytes_per_s,
        .converges = result.converges,
    };
}
