/*
 * Every message's reader: the first byte is the kind, as in the first frame on
 * the wire, the rest the map. What is read must be writable, what is written
 * readable, and a second round must give the same bytes.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg.h"
#include "proto/msg_bye.h"
#include "proto/msg_credit.h"
#include "proto/msg_event.h"
#include "proto/msg_hello.h"
#include "proto/msg_hold.h"
#include "proto/msg_pred.h"
#include "proto/msg_reject.h"
#include "proto/msg_release.h"
#include "proto/msg_resync.h"
#include "proto/msg_snapshot.h"
#include "proto/msg_status.h"
#include "proto/msg_welcome.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

/* A column of numbers written out in full can be longer than the short floats it came from: a
 * message near the size limit may then not be written. Nothing else excuses a refusal. */
#define DEFINE_ROUND(name)                                                                                \
    static void round_##name(const uint8_t *data, size_t n_bytes) {                                       \
        struct msg_##name msg;                                                                            \
        struct msg_buffer first = {0};                                                                    \
        struct msg_buffer second = {0};                                                                   \
        if (msg_##name##_read(data, n_bytes, &msg, NULL) != DC_OK)                                        \
            return;                                                                                       \
        const enum dc_status rc = msg_##name##_write(&msg, &first, NULL);                                 \
        msg_##name##_dispose(&msg);                                                                       \
        if (rc != DC_OK && !(rc == DC_ELIMIT && n_bytes > MSG_MAX_BYTES / 16))                            \
            abort();                                                                                      \
        if (rc == DC_OK) {                                                                                \
            if (msg_##name##_read(first.bytes, first.n_bytes, &msg, NULL) != DC_OK ||                     \
                msg_##name##_write(&msg, &second, NULL) != DC_OK)                                         \
                abort();                                                                                  \
            msg_##name##_dispose(&msg);                                                                   \
            if (first.n_bytes != second.n_bytes || memcmp(first.bytes, second.bytes, first.n_bytes) != 0) \
                abort();                                                                                  \
        }                                                                                                 \
        msg_buffer_dispose(&first);                                                                       \
        msg_buffer_dispose(&second);                                                                      \
    }

DEFINE_ROUND(hello)
DEFINE_ROUND(snapshot)
DEFINE_ROUND(pred)
DEFINE_ROUND(event)
DEFINE_ROUND(status)
DEFINE_ROUND(bye)
DEFINE_ROUND(welcome)
DEFINE_ROUND(reject)
DEFINE_ROUND(credit)
DEFINE_ROUND(resync)
DEFINE_ROUND(hold)
DEFINE_ROUND(release)

static const struct {
    enum msg_kind kind;
    void (*round)(const uint8_t *data, size_t n_bytes);
} rounds[] = {
    {MSG_HELLO, round_hello},     {MSG_SNAPSHOT, round_snapshot}, {MSG_PRED, round_pred},
    {MSG_EVENT, round_event},     {MSG_STATUS, round_status},     {MSG_BYE, round_bye},
    {MSG_WELCOME, round_welcome}, {MSG_REJECT, round_reject},     {MSG_CREDIT, round_credit},
    {MSG_RESYNC, round_resync},   {MSG_HOLD, round_hold},         {MSG_RELEASE, round_release},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes) {
    for (size_t i = 0; n_bytes > 0 && i < sizeof(rounds) / sizeof(rounds[0]); i++) {
        if (rounds[i].kind == data[0])
            rounds[i].round(data + 1, n_bytes - 1);
    }
    return 0;
}
