/*
 * The replay source: recorded bursts of a fleet document, in order, round and
 * round, at their recorded spacing divided by `replay_speed`.
 *
 * The first burst of a VM is delivered at once, as if it had just ended; a later
 * one when its longest window, divided by the speed, has passed. Size, policy, overhead and budget of
 * the VMs come from the document too.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/source.h"

#include "base/log.h"
#include "proto/msg_text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* However fast the replay, a VM has no more than ten bursts a second. */
#define LEAST_SPACING_MS 100.0

struct replay_vm {
    uv_timer_t timer;
    struct source *source;
    const struct dirty_profile *recording;
    size_t next; /* burst to be begun next, modulo n_bursts */
    bool has_begun;
};

struct source {
    struct source_events events;
    struct fleet fleet; /* owns what `vms` shows */
    const struct fleet_host *host;
    double speed;
    double default_spacing_ms;
    size_t n_vms;
    struct source_vm *vms;
    struct replay_vm *replays; /* beside vms */
    size_t n_open;             /* timers whose close callback has not come */
};

static struct replay_vm *find_replay(struct source *source, const char *vm) {
    for (size_t i = 0; i < source->n_vms; i++) {
        if (strcmp(source->vms[i].facts.uuid, vm) == 0)
            return &source->replays[i];
    }
    return NULL;
}

static bool has_recording(const struct replay_vm *replay) {
    return replay->recording->kind == DIRTY_PROFILE_CURVE && replay->recording->n_bursts > 0;
}

static double length_ms(const struct dirty_burst *burst) {
    return burst->curve.n_points > 0 ? burst->curve.points[burst->curve.n_points - 1].window_s * 1e3 : 0;
}

/* From the start of burst `i` to the start of its successor, as recorded. The last one is followed by
 * the first, after the mean spacing. */
static double spacing_ms(const struct source *source, const struct dirty_profile *recording, size_t i) {
    const struct dirty_burst *bursts = recording->bursts;
    const size_t n = recording->n_bursts;
    double spacing = 0;
    if (i + 1 < n)
        spacing = (double)bursts[i + 1].at_unix_ms - (double)bursts[i].at_unix_ms;
    else if (n > 1)
        spacing = ((double)bursts[n - 1].at_unix_ms - (double)bursts[0].at_unix_ms) / (double)(n - 1);
    if (spacing <= 0)
        spacing = source->default_spacing_ms;
    return fmax(spacing, length_ms(&bursts[i]));
}

static void on_burst_end(uv_timer_t *timer) {
    struct replay_vm *replay = timer->data;
    struct source *source = replay->source;
    const struct dirty_profile *recording = replay->recording;
    const size_t i = (replay->next + recording->n_bursts - 1) % recording->n_bursts;
    const char *vm = source->vms[replay - source->replays].facts.uuid;
    source->events.burst_done(source->events.context, vm, &recording->bursts[i].curve, NULL);
}

static enum dc_status replay_begin_burst(struct source *source, const char *vm, const double *windows_s,
                                         size_t n_windows, struct dc_error *err) {
    (void)windows_s;
    (void)n_windows;
    struct replay_vm *replay = find_replay(source, vm);
    if (replay == NULL)
        return error_set(err, DC_ENOTFOUND, "no such VM");
    if (!has_recording(replay))
        return error_set(err, DC_EUNSUPPORTED, "the file has no recorded bursts of it");
    const struct dirty_burst *burst = &replay->recording->bursts[replay->next];
    const double after_ms = replay->has_begun ? length_ms(burst) / source->speed : 0;
    const int r = uv_timer_start(&replay->timer, on_burst_end, (uint64_t)after_ms, 0);
    if (r != 0)
        return error_set(err, DC_EINTERNAL, "timer: %s", uv_strerror(r));
    replay->has_begun = true;
    replay->next = (replay->next + 1) % replay->recording->n_bursts;
    return DC_OK;
}

static void replay_cancel_burst(struct source *source, const char *vm) {
    struct replay_vm *replay = find_replay(source, vm);
    if (replay != NULL)
        (void)uv_timer_stop(&replay->timer);
}

static double replay_next_burst_ms(struct source *source, const char *vm) {
    struct replay_vm *replay = find_replay(source, vm);
    if (replay == NULL || !has_recording(replay) || !replay->has_begun)
        return 0;
    const size_t n = replay->recording->n_bursts;
    const size_t last = (replay->next + n - 1) % n;
    return fmax(LEAST_SPACING_MS, spacing_ms(source, replay->recording, last) / source->speed);
}

static void dispose(struct source *source) {
    fleet_doc_dispose(&source->fleet);
    free(source->vms);
    free(source->replays);
    free(source);
}

static void on_timer_closed(uv_handle_t *handle) {
    struct replay_vm *replay = handle->data;
    struct source *source = replay->source;
    if (--source->n_open == 0)
        dispose(source);
}

static void replay_close(struct source *source) {
    if (source->n_open == 0) {
        dispose(source);
        return;
    }
    for (size_t i = 0; i < source->n_vms; i++)
        uv_close((uv_handle_t *)&source->replays[i].timer, on_timer_closed);
}

/* A document may call a VM by any text; the planner knows uuids only, in lower case. */
static bool make_uuid(char *text) {
    if (!msg_text_is_uuid(text, strlen(text)))
        return false;
    for (; *text != '\0'; text++)
        *text = (char)tolower((unsigned char)*text);
    return true;
}

/* The VM without its profile and prediction, which stay with the document. */
static void show_vm(struct source *source, const struct fleet_vm *vm) {
    struct source_vm *shown = &source->vms[source->n_vms];
    shown->facts = *vm;
    shown->facts.profile = (struct dirty_profile){.kind = DIRTY_PROFILE_NONE};
    shown->facts.prediction = (struct prediction){.n_points = 0};
    shown->zero_pages = vm->profile.zero_pages;
    source->replays[source->n_vms] = (struct replay_vm){.source = source, .recording = &vm->profile};
    if (!has_recording(&source->replays[source->n_vms]))
        log_warn("source replay: %s has no recorded bursts: there will be no prediction of it", vm->name);
    source->n_vms++;
}

static enum dc_status load(struct source *source, const struct source_config *config, struct dc_error *err) {
    enum dc_status rc = fleet_doc_read_file(config->replay_file, &source->fleet, err);
    if (rc != DC_OK)
        return rc;
    const long host = fleet_doc_find_host(&source->fleet, config->host);
    if (host == FLEET_NO_INDEX)
        return error_set(err, DC_ENOTFOUND, "%s: has no host \"%s\"", config->replay_file, config->host);
    source->host = &source->fleet.hosts[host];
    source->vms = calloc(source->fleet.n_vms + 1, sizeof(*source->vms));
    source->replays = calloc(source->fleet.n_vms + 1, sizeof(*source->replays));
    if (source->vms == NULL || source->replays == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < source->fleet.n_vms; i++) {
        const struct fleet_vm *vm = &source->fleet.vms[i];
        if (vm->host != (size_t)host || vm->state == FLEET_VM_SHUTOFF)
            continue;
        if (!make_uuid(vm->uuid))
            return error_set(err, DC_EINVAL, "%s: vms[%zu].uuid: expected a uuid to replay it, got \"%s\"",
                             config->replay_file, i, vm->uuid);
        show_vm(source, vm);
    }
    return DC_OK;
}

static enum dc_status replay_open(uv_loop_t *loop, const struct source_config *config,
                                  const struct source_events *events, struct source **source_out,
                                  struct dc_error *err) {
    *source_out = NULL;
    struct source *source = calloc(1, sizeof(*source));
    if (source == NULL)
        return error_set_nomem(err);
    source->events = *events;
    source->speed = config->replay_speed;
    source->default_spacing_ms = config->sample_interval_ms;
    enum dc_status rc = load(source, config, err);
    if (rc != DC_OK) {
        dispose(source);
        return error_prefix(err, "source replay");
    }
    for (size_t i = 0; i < source->n_vms; i++) {
        (void)uv_timer_init(loop, &source->replays[i].timer); /* cannot fail */
        source->replays[i].timer.data = &source->replays[i];
        source->n_open++;
    }
    *source_out = source;
    return DC_OK;
}

static const struct fleet_host *replay_host(struct source *source) {
    return source->host;
}

static const struct source_vm *replay_vms(struct source *source, size_t *n_vms_out) {
    *n_vms_out = source->n_vms;
    return source->vms;
}

const struct source_ops source_replay_ops = {
    .name = "replay",
    .is_recording = true,
    .open = replay_open,
    .close = replay_close,
    .host = replay_host,
    .vms = replay_vms,
    .begin_burst = replay_begin_burst,
    .cancel_burst = replay_cancel_burst,
    .next_burst_ms = replay_next_burst_ms,
};
