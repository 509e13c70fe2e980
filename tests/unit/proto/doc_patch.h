/*
 * For the tests of documents: a good document with one thing changed.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The text of `good` with the value at `path` ("vms.0.host"; numbers are items) replaced by
 * the JSON `value`, or removed where that is NULL. The caller frees it; NULL
 * for a path that leads nowhere. */
static inline char *doc_patch(const char *good, const char *path, const char *value) {
    json_t *root = json_loads(good, 0, NULL);
    json_t *at = root;
    char *rest = strdup(path);
    char *text = NULL;
    char *save = NULL;
    char *key = strtok_r(rest, ".", &save);
    for (char *next = strtok_r(NULL, ".", &save); next != NULL && at != NULL; next = strtok_r(NULL, ".", &save)) {
        at = json_is_array(at) ? json_array_get(at, strtoul(key, NULL, 10)) : json_object_get(at, key);
        key = next;
    }
    json_t *changed = value != NULL ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
    int r = -1;
    if (json_is_array(at) && changed != NULL)
        r = strtoul(key, NULL, 10) == json_array_size(at) ? json_array_append(at, changed)
                                                          : json_array_set(at, strtoul(key, NULL, 10), changed);
    else if (json_is_array(at))
        r = json_array_remove(at, strtoul(key, NULL, 10));
    else if (at != NULL)
        r = changed != NULL ? json_object_set(at, key, changed) : json_object_del(at, key);
    if (r == 0)
        text = json_dumps(root, 0);
    json_decref(changed);
    json_decref(root);
    free(rest);
    return text;
}
