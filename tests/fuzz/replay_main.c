/*
 * Replays every file of the folders named on the command line through one fuzz target, so that
 * the corpus is an ordinary test under any compiler and sanitizer.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static int replay_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    struct stat info;
    uint8_t *data = NULL;
    int rc = -1;
    if (fstat(fileno(file), &info) == 0 && (data = malloc((size_t)info.st_size + 1)) != NULL) {
        const size_t n = fread(data, 1, (size_t)info.st_size, file);
        (void)LLVMFuzzerTestOneInput(data, n);
        rc = 0;
    }
    free(data);
    (void)fclose(file);
    return rc;
}

int main(int argc, char **argv) {
    size_t n_files = 0;
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        if (folder == NULL) {
            perror(argv[i]);
            return 1;
        }
        for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
            if (entry->d_name[0] == '.')
                continue;
            char path[4096];
            (void)snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
            if (replay_file(path) != 0)
                return 1;
            n_files++;
        }
        (void)closedir(folder);
    }
    printf("%zu inputs replayed\n", n_files);
    return n_files > 0 ? 0 : 1;
}
