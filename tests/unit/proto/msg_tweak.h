/*
 * For tests of the message readers: a valid message with one value replaced,
 * so that a table can list what each key refuses.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <msgpack.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* One row of such a table. */
struct msg_tweak {
    const char *path;     /* "vms.0.name" */
    const char *raw;      /* msgpack bytes of the new value; NULL drops the key */
    size_t n_raw;         /* of them */
    const char *expected; /* part of the error's text; NULL: the message must still be read */
};

#define TWEAK(path, raw, expected) \
    { path, raw, sizeof(raw) - 1, expected }
#define TWEAK_DROP(path, expected) \
    { path, NULL, 0, expected }

typedef enum dc_status (*msg_tweak_read_fn)(const void *bytes, size_t n_bytes, struct dc_error *err);

static inline void msg_tweak_pack(msgpack_packer *packer, msgpack_sbuffer *out, const msgpack_object *object,
                                  const char *path, const struct msg_tweak *tweak);

/* What goes in the place of `object`, when the first part of `path` is its own name. */
static inline void msg_tweak_pack_inner(msgpack_packer *packer, msgpack_sbuffer *out, const msgpack_object *object,
                                        const char *path, const struct msg_tweak *tweak) {
    const char *dot = strchr(path, '.');
    if (dot != NULL)
        msg_tweak_pack(packer, out, object, dot + 1, tweak);
    else
        assert_int_equal(msgpack_sbuffer_write(out, tweak->raw, tweak->n_raw), 0);
}

static inline void msg_tweak_pack(msgpack_packer *packer, msgpack_sbuffer *out, const msgpack_object *object,
                                  const char *path, const struct msg_tweak *tweak) {
    const size_t n_head = strcspn(path, ".");
    const bool leaf = path[n_head] == '\0';
    if (object->type == MSGPACK_OBJECT_ARRAY) {
        const size_t wanted = strtoul(path, NULL, 10);
        msgpack_pack_array(packer, object->via.array.size);
        for (size_t i = 0; i < object->via.array.size; i++) {
            if (i == wanted)
                msg_tweak_pack_inner(packer, out, &object->via.array.ptr[i], path, tweak);
            else
                msgpack_pack_object(packer, object->via.array.ptr[i]);
        }
        return;
    }
    assert_int_equal(object->type, MSGPACK_OBJECT_MAP);
    long found = -1;
    for (size_t i = 0; i < object->via.map.size; i++) {
        const msgpack_object_str *key = &object->via.map.ptr[i].key.via.str;
        if (key->size == n_head && memcmp(key->ptr, path, n_head) == 0)
            found = (long)i;
    }
    const bool added = found < 0 && tweak->raw != NULL;
    const bool dropped = found >= 0 && leaf && tweak->raw == NULL;
    msgpack_pack_map(packer, object->via.map.size + added - dropped);
    for (size_t i = 0; i < object->via.map.size; i++) {
        const msgpack_object_kv *entry = &object->via.map.ptr[i];
        if (dropped && found == (long)i)
            continue;
        msgpack_pack_object(packer, entry->key);
        if (found == (long)i)
            msg_tweak_pack_inner(packer, out, &entry->val, path, tweak);
        else
            msgpack_pack_object(packer, entry->val);
    }
    if (added) {
        msgpack_pack_str(packer, n_head);
        msgpack_pack_str_body(packer, path, n_head);
        assert_int_equal(msgpack_sbuffer_write(out, tweak->raw, tweak->n_raw), 0);
    }
}

/* Defines read_NAME: reads, drops what it read (twice: disposing is idempotent). */
#define MSG_TWEAK_DEFINE_READ(name)                                                              \
    static enum dc_status read_##name(const void *bytes, size_t n_bytes, struct dc_error *err) { \
        struct msg_##name msg;                                                                   \
        const enum dc_status rc = msg_##name##_read(bytes, n_bytes, &msg, err);                  \
        msg_##name##_dispose(&msg);                                                              \
        msg_##name##_dispose(&msg);                                                              \
        return rc;                                                                               \
    }

#define MSG_TWEAK_CHECK(valid, read, tweaks) msg_tweak_check(valid, read, tweaks, sizeof(tweaks) / sizeof((tweaks)[0]))

/* Reads `valid` once for each row and compares what it says. */
static inline void msg_tweak_check(const struct msg_buffer *valid, msg_tweak_read_fn read,
                                   const struct msg_tweak *tweaks, size_t n_tweaks) {
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    assert_int_equal(msgpack_unpack_next(&unpacked, valid->bytes, valid->n_bytes, NULL), MSGPACK_UNPACK_SUCCESS);
    for (size_t i = 0; i < n_tweaks; i++) {
        msgpack_sbuffer out;
        msgpack_packer packer;
        msgpack_sbuffer_init(&out);
        msgpack_packer_init(&packer, &out, msgpack_sbuffer_write);
        msg_tweak_pack(&packer, &out, &unpacked.data, tweaks[i].path, &tweaks[i]);
        struct dc_error err = DC_ERROR_NONE;
        const enum dc_status rc = read(out.data, out.size, &err);
        if ((tweaks[i].expected == NULL) != (rc == DC_OK) || err.status != rc)
            fail_msg("row %zu, %s: status %d, \"%s\"", i, tweaks[i].path, (int)rc, error_text(&err));
        if (tweaks[i].expected != NULL && strstr(error_text(&err), tweaks[i].expected) == NULL)
            fail_msg("row %zu, %s: \"%s\" does not say \"%s\"", i, tweaks[i].path, error_text(&err),
                     tweaks[i].expected);
        msgpack_sbuffer_destroy(&out);
    }
    msgpack_unpacked_destroy(&unpacked);
}

/* Every prefix of a valid message is refused. */
static inline void msg_tweak_check_truncated(const struct msg_buffer *valid, msg_tweak_read_fn read) {
    for (size_t n_bytes = 0; n_bytes < valid->n_bytes; n_bytes++) {
        struct dc_error err = DC_ERROR_NONE;
        assert_int_equal(read(valid->bytes, n_bytes, &err), DC_EPARSE);
        assert_int_equal(err.status, DC_EPARSE);
    }
}
