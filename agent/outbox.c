/* The waiting room before the socket: order, credit, conflation. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/outbox.h"

#include "base/vec.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    struct msg_prediction prediction;
    uint64_t waits_since; /* order of arrival; 0: sent */
    bool in_batch;        /* part of what outbox_next gave last */
};

struct outbox {
    char *boot_id, *instance_id;
    outbox_snapshot_fn snapshot;
    void *context;
    uint64_t credit;
    bool owes_snapshot;  /* of a new session: before anything else */
    bool wants_snapshot; /* the last one is out of date: after the events that made it so */
    uint64_t n_events;   /* ever made; event i stands at i % OUTBOX_EVENTS */
    uint64_t next_event;
    struct msg_event events[OUTBOX_EVENTS];
    struct entry *entries;
    size_t n_entries, entries_capacity;
    uint64_t n_put; /* source of waits_since */
    uint64_t n_conflated;
    unsigned given_kind; /* what outbox_next gave last, 0: nothing */
};

enum dc_status outbox_new(const char *boot_id, const char *instance_id, outbox_snapshot_fn snapshot, void *context,
                          struct outbox **outbox_out, struct dc_error *err) {
    *outbox_out = NULL;
    struct outbox *outbox = calloc(1, sizeof(*outbox));
    if (outbox == NULL)
        return error_set_nomem(err);
    outbox->snapshot = snapshot;
    outbox->context = context;
    outbox->boot_id = strdup(boot_id);
    outbox->instance_id = strdup(instance_id);
    if (outbox->boot_id == NULL || outbox->instance_id == NULL) {
        outbox_free(&outbox);
        return error_set_nomem(err);
    }
    *outbox_out = outbox;
    return DC_OK;
}

void outbox_free(struct outbox **outbox) {
    struct outbox *o = *outbox;
    if (o == NULL)
        return;
    for (size_t i = 0; i < o->n_entries; i++)
        msg_prediction_dispose(&o->entries[i].prediction);
    for (size_t i = 0; i < OUTBOX_EVENTS; i++)
        free(o->events[i].peer_host);
    free(o->entries);
    free(o->boot_id);
    free(o->instance_id);
    free(o);
    *outbox = NULL;
}

void outbox_restart(struct outbox *outbox, uint64_t credit) {
    outbox->credit = credit;
    outbox->given_kind = 0;
    outbox->owes_snapshot = true;
    outbox->wants_snapshot = outbox->n_events > 0; /* old events come again: what is so now has the last word */
    outbox->next_event = outbox->n_events > OUTBOX_EVENTS ? outbox->n_events - OUTBOX_EVENTS : 0;
    for (size_t i = 0; i < outbox->n_entries; i++) {
        outbox->entries[i].in_batch = false;
        if (outbox->entries[i].waits_since == 0)
            outbox->entries[i].waits_since = ++outbox->n_put;
    }
}

void outbox_suspend(struct outbox *outbox) {
    outbox->credit = 0;
    outbox->given_kind = 0;
}

void outbox_grant(struct outbox *outbox, uint64_t credit) {
    outbox->credit = credit > UINT64_MAX - outbox->credit ? UINT64_MAX : outbox->credit + credit;
}

void outbox_want_snapshot(struct outbox *outbox) {
    outbox->wants_snapshot = true;
}

static struct entry *find_entry(struct outbox *outbox, const char *vm) {
    for (size_t i = 0; i < outbox->n_entries; i++) {
        if (strcmp(outbox->entries[i].prediction.vm, vm) == 0)
            return &outbox->entries[i];
    }
    return NULL;
}

enum dc_status outbox_put(struct outbox *outbox, struct msg_prediction *prediction, struct dc_error *err) {
    struct entry *entry = find_entry(outbox, prediction->vm);
    if (entry == NULL) {
        if (!vec_reserve((void **)&outbox->entries, &outbox->entries_capacity, outbox->n_entries + 1, sizeof(*entry)))
            return error_set_nomem(err);
        entry = &outbox->entries[outbox->n_entries++];
        *entry = (struct entry){.waits_since = 0};
    }
    if (entry->waits_since != 0)
        outbox->n_conflated++;
    else
        entry->waits_since = ++outbox->n_put; /* a replaced one keeps its place in the queue */
    entry->in_batch = false;
    msg_prediction_dispose(&entry->prediction);
    entry->prediction = *prediction;
    *prediction = (struct msg_prediction){.sample_number = 0};
    return DC_OK;
}

void outbox_forget(struct outbox *outbox, const char *vm) {
    struct entry *entry = find_entry(outbox, vm);
    if (entry == NULL)
        return;
    msg_prediction_dispose(&entry->prediction);
    *entry = outbox->entries[--outbox->n_entries];
}

void outbox_event(struct outbox *outbox, const struct msg_event *event) {
    struct msg_event *slot = &outbox->events[outbox->n_events % OUTBOX_EVENTS];
    free(slot->peer_host);
    *slot = *event;
    slot->instance_id = outbox->instance_id;
    slot->event_number = ++outbox->n_events;
    slot->peer_host = event->peer_host != NULL ? strdup(event->peer_host) : NULL; /* out of memory: not known */
    outbox->wants_snapshot = true;
    if (outbox->n_events - outbox->next_event > OUTBOX_EVENTS)
        outbox->next_event = outbox->n_events - OUTBOX_EVENTS; /* the SNAPSHOT tells the rest */
}

/* The waiting entry that came first and is in no batch yet. */
static struct entry *oldest_waiting(struct outbox *outbox) {
    struct entry *oldest = NULL;
    for (size_t i = 0; i < outbox->n_entries; i++) {
        struct entry *entry = &outbox->entries[i];
        if (entry->waits_since != 0 && !entry->in_batch && (oldest == NULL || entry->waits_since < oldest->waits_since))
            oldest = entry;
    }
    return oldest;
}

static enum dc_status write_batch(struct outbox *outbox, struct msg_buffer *buffer, size_t *n_out,
                                  struct dc_error *err) {
    struct msg_prediction batch[OUTBOX_PRED_BATCH]; /* shallow: lent for the write */
    size_t n = 0;
    for (size_t i = 0; i < outbox->n_entries; i++)
        outbox->entries[i].in_batch = false;
    while (n < OUTBOX_PRED_BATCH) {
        struct entry *entry = oldest_waiting(outbox);
        if (entry == NULL)
            break;
        entry->in_batch = true;
        batch[n++] = entry->prediction;
    }
    *n_out = n;
    if (n == 0)
        return DC_OK;
    const struct msg_pred pred = {.boot_id = outbox->boot_id, .n_predictions = n, .predictions = batch};
    return msg_pred_write(&pred, buffer, err);
}

enum dc_status outbox_next(struct outbox *outbox, unsigned *kind_out, struct msg_buffer *buffer, struct dc_error *err) {
    *kind_out = 0;
    outbox->given_kind = 0;
    if (outbox->credit == 0)
        return DC_OK;
    enum dc_status rc = DC_OK;
    const bool is_event = !outbox->owes_snapshot && outbox->next_event < outbox->n_events;
    if (is_event) {
        rc = msg_event_write(&outbox->events[outbox->next_event % OUTBOX_EVENTS], buffer, err);
        *kind_out = MSG_EVENT;
    } else if (outbox->owes_snapshot || outbox->wants_snapshot) {
        rc = outbox->snapshot(outbox->context, buffer, err);
        *kind_out = MSG_SNAPSHOT;
    } else {
        size_t n = 0;
        rc = write_batch(outbox, buffer, &n, err);
        *kind_out = n > 0 ? MSG_PRED : 0;
    }
    outbox->given_kind = *kind_out;
    return rc;
}

void outbox_drop(struct outbox *outbox) {
    if (outbox->given_kind == MSG_SNAPSHOT && !outbox->owes_snapshot)
        outbox->wants_snapshot = false;
    if (outbox->given_kind == MSG_SNAPSHOT)
        outbox->owes_snapshot = false;
    if (outbox->given_kind == MSG_EVENT)
        outbox->next_event++;
    for (size_t i = 0; outbox->given_kind == MSG_PRED && i < outbox->n_entries; i++) {
        if (outbox->entries[i].in_batch)
            outbox->entries[i].waits_since = 0;
        outbox->entries[i].in_batch = false;
    }
    outbox->given_kind = 0;
}

void outbox_sent(struct outbox *outbox) {
    if (outbox->given_kind == 0)
        return;
    if (outbox->credit > 0)
        outbox->credit--;
    outbox_drop(outbox);
}

uint64_t outbox_n_conflated(const struct outbox *outbox) {
    return outbox->n_conflated;
}
