/* A folder of its own for each test that writes files; removed with what is in it. */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEMP_PATH_BYTES = 512 };

/* cmocka setup and teardown: `*state` is the folder's path. */
static inline int temp_folder_setup(void **state) {
    const char *base = getenv("TMPDIR");
    char *path = NULL;
    if (asprintf(&path, "%s/decamp-test-XXXXXX", base != NULL ? base : "/tmp") < 0 || mkdtemp(path) == NULL)
        return -1;
    *state = path;
    return 0;
}

static inline int temp_folder_teardown(void **state) {
    char *path = *state;
    char name[TEMP_PATH_BYTES];
    DIR *folder = opendir(path);
    for (const struct dirent *entry = folder != NULL ? readdir(folder) : NULL; entry != NULL; entry = readdir(folder)) {
        (void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            (void)unlink(name);
    }
    if (folder != NULL)
        (void)closedir(folder);
    const int r = rmdir(path);
    free(path);
    return r;
}

static inline const char *temp_folder_path(void *const *state, const char *file, char path[TEMP_PATH_BYTES]) {
    (void)snprintf(path, TEMP_PATH_BYTES, "%s/%s", (const char *)*state, file);
    return path;
}

/* Puts `text` into a file of the folder, with `mode`. */
static inline void temp_folder_put(const char *path, const char *text, mode_t mode) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

/* Files in the folder. */
static inline size_t temp_folder_count(void *const *state) {
    size_t n = 0;
    DIR *folder = opendir(*state);
    assert_non_null(folder);
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        n += entry->d_name[0] != '.';
    (void)closedir(folder);
    return n;
}
