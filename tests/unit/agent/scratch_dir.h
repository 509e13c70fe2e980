/* A folder of a test's own below TMPDIR, removed with what is in it. */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCRATCH_PATH_BYTES = 512 };

static char scratch_dir[SCRATCH_PATH_BYTES / 2];

static inline const char *scratch_make(void) {
    const char *base = getenv("TMPDIR");
    (void)snprintf(scratch_dir, sizeof(scratch_dir), "%s/decamp-test-XXXXXX", base != NULL ? base : "/tmp");
    return mkdtemp(scratch_dir);
}

static inline const char *scratch_path(const char *name, char path_out[SCRATCH_PATH_BYTES]) {
    (void)snprintf(path_out, SCRATCH_PATH_BYTES, "%s/%s", scratch_dir, name);
    return path_out;
}

/* Writes `n_bytes` of `text` to the file called `name`. */
static inline int scratch_write(const char *name, const char *text, size_t n_bytes) {
    char path[SCRATCH_PATH_BYTES];
    FILE *file = fopen(scratch_path(name, path), "we");
    if (file == NULL)
        return -1;
    const size_t n = fwrite(text, 1, n_bytes, file);
    return fclose(file) == 0 && n == n_bytes ? 0 : -1;
}

/* The boot id of the made-up proc/ of this folder. */
static inline int scratch_boot_id(const char *boot_id) {
    static const char *const dirs[] = {"proc/sys", "proc/sys/kernel", "proc/sys/kernel/random"};
    char path[SCRATCH_PATH_BYTES];
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        (void)mkdir(scratch_path(dirs[i], path), 0700);
    return scratch_write("proc/sys/kernel/random/boot_id", boot_id, strlen(boot_id));
}

static inline int scratch_remove_one(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void scratch_remove(void) {
    (void)nftw(scratch_dir, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
