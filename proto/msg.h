/*
 * The messages between agents and planner: kinds, limits and the buffer they
 * are written to. GRAMMAR.md is the protocol; one file per message holds its
 * struct, writer and reader.
 *
 * A message on the wire is two frames: [kind, one byte][a msgpack map with
 * string keys]. Readers ignore unknown keys; every reader scans the structure
 * (msg_scan.h) before it allocates anything.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    MSG_PROTOCOL_MIN = 1,
    MSG_PROTOCOL_MAX = 1,
    MSG_MAX_BYTES = 1 << 20, /* of the map; larger messages are refused */
    MSG_MAX_DEPTH = 8,
    MSG_MAX_KEYS = 64, /* of one map */
    MSG_MAX_NAME_BYTES = 255,
    MSG_MAX_LINE_BYTES = 1023, /* of a text for people */
    MSG_MAX_VMS = 4096,        /* in one SNAPSHOT */
    MSG_MAX_POINTS = 64,       /* of a grid or curve */
    MSG_MAX_HOURS = 48,        /* of one prediction */
    MSG_MAX_PREDICTIONS = 256, /* in one PRED */
    MSG_MAX_FEATURES = 512,    /* of one host or VM */
    MSG_MAX_DISKS = 64,        /* of one VM */
    MSG_MAX_CAPABILITIES = 32,
    MSG_MAX_ROUNDS = 10000,
    MSG_MAX_PROTOCOL = 65535,
    MSG_MAX_CREDIT = 1000000,
    MSG_MIN_STATUS_INTERVAL_MS = 100,
    MSG_MAX_STATUS_INTERVAL_MS = 3600 * 1000,
    MSG_MAX_HOLD_MS = 24 * 3600 * 1000,
    MSG_UUID_BYTES = 37,
};

/* No number is larger: every whole one up to here is exact as a double. */
#define MSG_MAX_NUMBER (INT64_C(1) << 53)

#define MSG_KIND_MAP(X)                   \
    X(HELLO, 1) /* agent -> planner */    \
    X(SNAPSHOT, 2)                        \
    X(PRED, 3)                            \
    X(EVENT, 4)                           \
    X(STATUS, 5)                          \
    X(BYE, 6)                             \
    X(WELCOME, 65) /* planner -> agent */ \
    X(REJECT, 66)                         \
    X(CREDIT, 67)                         \
    X(RESYNC, 68)                         \
    X(HOLD, 69)                           \
    X(RELEASE, 70)

enum msg_kind {
#define X(name, value) MSG_##name = (value),
    MSG_KIND_MAP(X)
#undef X
};

/* "HELLO", or NULL for a number that is no kind. */
const char *msg_kind_text(unsigned kind);

/* The map's bytes; heap, freed by msg_buffer_dispose (idempotent). */
struct msg_buffer {
    void *bytes;
    size_t n_bytes;
    size_t capacity;
};

void msg_buffer_dispose(struct msg_buffer *buffer);
