/*
 * The allow-list: which public key speaks for which host.
 *
 * In:  a file of lines `HOST PUBLICKEY` (40 characters of Z85), blank lines and
 *      lines that start with '#'. A '#' further on is no comment: Z85 uses it.
 * Out: the host of a key. A host may have two keys, so that they can be rotated.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "base/key_file.h"

#include <stddef.h>

enum { ALLOW_LIST_KEYS_PER_HOST = 2, ALLOW_LIST_HOST_BYTES = 256 };

struct allow_entry {
    char host[ALLOW_LIST_HOST_BYTES];
    char public_key[KEY_FILE_TEXT_BYTES];
};

struct allow_list {
    size_t n_entries;
    size_t capacity;
    struct allow_entry *entries; /* in the file's order */
};

/* Reads the file. Errors name file and line: no key, a key of two hosts, a
 * third key of one host. On failure `*list_out` is empty. */
DC_WARN_UNUSED enum dc_status allow_list_load(const char *path, struct allow_list *list_out, struct dc_error *err);
void allow_list_dispose(struct allow_list *list);

/* The host that `public_key` speaks for, lent until the list changes; NULL where there is none. */
const char *allow_list_host(const struct allow_list *list, const char *public_key);
