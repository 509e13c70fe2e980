/* The allow-list: lines of host and key, checked when they are read so that a
 * look-up need not be. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/allow_list.h"

#include "base/vec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void allow_list_dispose(struct allow_list *list) {
    free(list->entries);
    *list = (struct allow_list){0};
}

const char *allow_list_host(const struct allow_list *list, const char *public_key) {
    for (size_t i = 0; i < list->n_entries; i++) {
        if (strcmp(list->entries[i].public_key, public_key) == 0)
            return list->entries[i].host;
    }
    return NULL;
}

static enum dc_status check_entry(const struct allow_list *list, const char *host, const char *key,
                                  struct dc_error *err) {
    if (strlen(host) >= ALLOW_LIST_HOST_BYTES)
        return error_set(err, DC_EINVAL, "expected a host name of at most %d bytes", ALLOW_LIST_HOST_BYTES - 1);
    if (!key_file_is_key(key))
        return error_set(err, DC_EINVAL, "expected HOST and a public key of 40 characters (Z85)");
    const char *other = allow_list_host(list, key);
    if (other != NULL)
        return error_set(err, DC_EINVAL, "this key already stands for host %s", other);
    size_t n_keys = 0;
    for (size_t i = 0; i < list->n_entries; i++)
        n_keys += strcmp(list->entries[i].host, host) == 0;
    if (n_keys >= ALLOW_LIST_KEYS_PER_HOST)
        return error_set(err, DC_EINVAL, "host %s has %d keys already: remove the oldest", host,
                         ALLOW_LIST_KEYS_PER_HOST);
    return DC_OK;
}

static enum dc_status add_line(struct allow_list *list, char *line, struct dc_error *err) {
    static const char blanks[] = " \t\r\n";
    char *rest = NULL;
    const char *host = strtok_r(line, blanks, &rest);
    if (host == NULL || host[0] == '#')
        return DC_OK;
    const char *key = strtok_r(NULL, blanks, &rest);
    if (key == NULL || strtok_r(NULL, blanks, &rest) != NULL)
        return error_set(err, DC_EINVAL, "expected HOST and a public key of 40 characters (Z85)");
    const enum dc_status rc = check_entry(list, host, key, err);
    if (rc != DC_OK)
        return rc;
    void *items = list->entries;
    if (!vec_reserve(&items, &list->capacity, list->n_entries + 1, sizeof(*list->entries)))
        return error_set_nomem(err);
    list->entries = items;
    struct allow_entry *entry = &list->entries[list->n_entries];
    memcpy(entry->host, host, strlen(host) + 1);
    memcpy(entry->public_key, key, KEY_FILE_TEXT_BYTES);
    list->n_entries++;
    return DC_OK;
}

enum dc_status allow_list_load(const char *path, struct allow_list *list_out, struct dc_error *err) {
    *list_out = (struct allow_list){0};
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set_errno(err, errno, "%s", path);
    enum dc_status rc = DC_OK;
    char *line = NULL;
    size_t line_bytes = 0;
    for (unsigned n = 1; rc == DC_OK && getline(&line, &line_bytes, file) >= 0; n++) {
        rc = add_line(list_out, line, err);
        if (rc != DC_OK)
            (void)error_prefix(err, "%s:%u", path, n);
    }
    if (rc == DC_OK && ferror(file))
        rc = error_set_errno(err, errno, "%s", path);
    free(line);
    (void)fclose(file);
    if (rc != DC_OK)
        allow_list_dispose(list_out);
    return rc;
}
