/*
 * throttle BYTES_PER_S LOG: a bandwidth cap for whatever goes through a pipe.
 *
 * Passes stdin on to stdout (pipes both) by a token bucket of BURST_MS. The log
 * gets lines "TIME_S BYTES" (CLOCK_MONOTONIC, and bytes passed on so far), at
 * most one each LOG_MS: they tell the bandwidth that was really achieved.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE // NOLINT: splice
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK_BYTES = 16384, PIPE_BYTES = 65536, BURST_MS = 100, LOG_MS = 10 };

static double now_s(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct bucket {
    double bytes_per_s;
    double tokens_bytes;
    double filled_s;
};

/* Returns when what comes after `n_bytes` may pass. */
static void take(struct bucket *bucket, double n_bytes) {
    const double time_s = now_s(), most_bytes = bucket->bytes_per_s * BURST_MS / 1e3;
    bucket->tokens_bytes += (time_s - bucket->filled_s) * bucket->bytes_per_s;
    bucket->filled_s = time_s;
    if (bucket->tokens_bytes > most_bytes)
        bucket->tokens_bytes = most_bytes;
    bucket->tokens_bytes -= n_bytes;
    if (bucket->tokens_bytes >= 0)
        return;
    const double wait_s = -bucket->tokens_bytes / bucket->bytes_per_s;
    struct timespec wait = {.tv_sec = (time_t)wait_s, .tv_nsec = (long)((wait_s - (double)(time_t)wait_s) * 1e9)};
    (void)nanosleep(&wait, NULL);
}

/* Without a copy: dom0's processor is what the migration needs most. */
static int pass_on(struct bucket *bucket, FILE *log) {
    unsigned long long n_bytes = 0;
    double logged_s = 0, time_s = now_s();
    ssize_t n;
    while ((n = splice(STDIN_FILENO, NULL, STDOUT_FILENO, NULL, CHUNK_BYTES, 0)) > 0) {
        n_bytes += (unsigned long long)n;
        time_s = now_s();
        if (time_s - logged_s >= LOG_MS / 1e3) {
            (void)fprintf(log, "%.6f %llu\n", time_s, n_bytes);
            logged_s = time_s;
        }
        take(bucket, (double)n);
    }
    (void)fprintf(log, "%.6f %llu\n", time_s, n_bytes);
    return n == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    struct bucket bucket = {.bytes_per_s = argc == 3 ? strtod(argv[1], NULL) : 0, .filled_s = now_s()};
    if (bucket.bytes_per_s <= 0) {
        (void)fprintf(stderr, "usage: throttle BYTES_PER_S LOG\n");
        return 64;
    }
    FILE *log = fopen(argv[2], "w");
    if (log == NULL) {
        perror(argv[2]);
        return 1;
    }
    (void)setvbuf(log, NULL, _IOLBF, 0); /* the receiver's end can kill this program */
    (void)fcntl(STDIN_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
    (void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
    const int rc = pass_on(&bucket, log);
    return fclose(log) == 0 ? rc : 1;
}
