/*
 * What texts of a message may be: the rules shared by the pre-scan, the
 * readers and the writers, so that no side sends what the other refuses.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/msg.h"

#include <stdbool.h>
#include <stddef.h>

#define MSG_TEXT_EXPECTED_NAME "1 to 255 bytes of UTF-8 without control characters"
#define MSG_TEXT_EXPECTED_LINE "at most 1023 bytes of UTF-8 without control characters"
#define MSG_TEXT_EXPECTED_UUID "a uuid of 36 characters"

/* Well-formed UTF-8: no overlong forms, no surrogates, nothing past U+10FFFF. */
bool msg_text_is_utf8(const char *text, size_t n_bytes);

/* UTF-8 of at most `max_bytes` bytes without control characters (they would
 * reach logs and terminals). Empty is fine. */
bool msg_text_is_line(const char *text, size_t n_bytes, size_t max_bytes);

/* A line of 1 to MSG_MAX_NAME_BYTES bytes. */
bool msg_text_is_name(const char *text, size_t n_bytes);

/* 36 characters, hexadecimal 8-4-4-4-12, in either case. */
bool msg_text_is_uuid(const char *text, size_t n_bytes);
