/* The mapping is told by its size: QEMU maps a guest's memory in one piece, or each NUMA node's. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/guest_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, MOST_SAMPLES = 16384 };

static const double slack_bytes = 2 * 1024 * 1024; /* alignment; mappings that grew together */

struct mapping {
    uint64_t begin, end;
};

/* The writable mapping of at least the memory's size that exceeds it the least. */
static bool find_mapping(FILE *maps, double memory_bytes, struct mapping *mapping_out) {
    char *line = NULL;
    size_t capacity = 0;
    double best_bytes = INFINITY;
    while (getline(&line, &capacity, maps) >= 0) {
        unsigned long long begin = 0, end = 0;
        char access[5] = "";
        if (sscanf(line, "%llx-%llx %4s", &begin, &end, access) != 3 || strncmp(access, "rw", 2) != 0 || end <= begin)
            continue;
        const double bytes = (double)(end - begin);
        if (bytes < memory_bytes || bytes > memory_bytes + slack_bytes || bytes >= best_bytes)
            continue;
        best_bytes = bytes;
        *mapping_out = (struct mapping){begin, end};
    }
    free(line);
    return isfinite(best_bytes);
}

static enum dc_status read_mapping(pid_t process, double memory_bytes, struct mapping *mapping_out,
                                   struct dc_error *err) {
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%ld/maps", (long)process);
    FILE *maps = fopen(path, "re");
    if (maps == NULL)
        return error_set(err, DC_EACCES, "%s: %s", path, strerror(errno));
    const bool found = find_mapping(maps, memory_bytes, mapping_out);
    (void)fclose(maps);
    return found
               ? DC_OK
               : error_set(err, DC_ENOTFOUND, "process %ld maps no memory of %.0f bytes", (long)process, memory_bytes);
}

static bool is_zero(const unsigned char *page) {
    return page[0] == 0 && memcmp(page, page + 1, PAGE_BYTES - 1) == 0;
}

/* Every k-th page, so that at most MOST_SAMPLES are read. */
static enum dc_status sample(int memory, const struct mapping *mapping, double memory_bytes, double *zero_frac_out,
                             struct dc_error *err) {
    const uint64_t n_pages = (uint64_t)(memory_bytes / PAGE_BYTES);
    const uint64_t n_samples = n_pages < MOST_SAMPLES ? n_pages : MOST_SAMPLES;
    unsigned char page[PAGE_BYTES];
    uint64_t n_zero = 0;
    for (uint64_t i = 0; i < n_samples; i++) {
        const uint64_t at = mapping->begin + i * n_pages / n_samples * PAGE_BYTES;
        if (pread(memory, page, PAGE_BYTES, (off_t)at) != PAGE_BYTES)
            return error_set(err, DC_EACCES, "the memory of the guest cannot be read: %s", strerror(errno));
        n_zero += is_zero(page);
    }
    *zero_frac_out = n_samples > 0 ? (double)n_zero / (double)n_samples : 0;
    return DC_OK;
}

enum dc_status guest_memory_zero_frac(pid_t process, double memory_bytes, double *zero_frac_out, struct dc_error *err) {
    struct mapping mapping = {0, 0};
    char path[64];
    enum dc_status rc = read_mapping(process, memory_bytes, &mapping, err);
    if (rc != DC_OK)
        return rc;
    (void)snprintf(path, sizeof(path), "/proc/%ld/mem", (long)process);
    const int memory = open(path, O_RDONLY | O_CLOEXEC);
    if (memory < 0)
        return error_set(err, DC_EACCES, "%s: %s", path, strerror(errno));
    rc = sample(memory, &mapping, memory_bytes, zero_frac_out, err);
    (void)close(memory);
    return rc;
}
