/*
 * The only process of a lab guest: dirties memory at a known rate and pattern,
 * looks its memory over all the time, and tells of both once a second.
 *
 * In:  the kernel's command line: lab.pages_per_s=N, lab.pattern=cyclic|random|hot,
 *      lab.working_set_mib=N (written to), lab.cold_mib=N (only looked at), lab.pass_s=N (a look at every page
 *      takes so long; 2 where it is not said).
 * Out: on the console (Xen's, else the first serial line), once a second,
 *      beat N written PAGES passes N bad PAGES longest_gap_ms N
 *      where a pass is one look at every page, and a bad page is not as it was left.
 *
 * Every page holds its own number, how often it was written (twice, at both
 * ends) and a filling that is made from its number: a migration that loses or
 * mixes up a page shows.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGE_BYTES = 4096,
    PAGE_WORDS = PAGE_BYTES / 8,
    PAGES_PER_MIB = 256,
    TICK_MS = 20,
    TICKS_PER_S = 1000 / TICK_MS,
    PASS_S = 2,
    MOST_CATCH_UP_MS = 500, /* time in which it was suspended is not made up for */
    HOT_PART = 8,           /* "hot": seven writes in eight go to one page in eight */
};

struct page {
    uint64_t number;
    uint64_t n_written;
    uint64_t filling[PAGE_WORDS - 3];
    uint64_t n_written_again;
};

struct guest {
    struct page *pages;
    uint32_t *n_written; /* of each page, as it should be */
    size_t n_working, n_pages;
    size_t n_look; /* pages a tick */
    double pages_per_s;
    char pattern; /* first letter */
    size_t next_write, next_look;
    uint64_t random_state;
    uint64_t written, n_passes, n_bad;
};

static double now_s(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* xorshift64 (Marsaglia 2003). */
static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t filling_of(size_t page, size_t word) {
    return (page + 1) * 0x9e3779b97f4a7c15u + word;
}

static size_t choose_page(struct guest *guest) {
    if (guest->pattern == 'c')
        return guest->next_write++ % guest->n_working;
    const uint64_t random = next_random(&guest->random_state);
    const bool is_hot = guest->pattern == 'h' && (random >> 60) % HOT_PART != 0;
    return (random & 0xffffffff) % (is_hot ? guest->n_working / HOT_PART : guest->n_working);
}

static void write_pages(struct guest *guest, double *due) {
    for (; *due >= 1; *due -= 1) {
        const size_t i = choose_page(guest);
        guest->n_written[i]++;
        guest->pages[i].n_written = guest->n_written[i];
        guest->pages[i].n_written_again = guest->n_written[i];
        guest->written++;
    }
}

static bool is_intact(const struct guest *guest, size_t i) {
    const struct page *page = &guest->pages[i];
    uint64_t differences =
        (page->number ^ i) | (page->n_written ^ guest->n_written[i]) | (page->n_written_again ^ guest->n_written[i]);
    for (size_t word = 0; word < PAGE_WORDS - 3; word++)
        differences |= page->filling[word] ^ filling_of(i, word);
    return differences == 0;
}

static void look_over(struct guest *guest) {
    for (size_t k = 0; k < guest->n_look; k++) {
        guest->n_bad += !is_intact(guest, guest->next_look);
        if (++guest->next_look == guest->n_pages) {
            guest->next_look = 0;
            guest->n_passes++;
        }
    }
}

static _Noreturn void live(struct guest *guest) {
    double last_s = now_s(), beat_s = last_s, longest_gap_s = 0, due = 0;
    for (unsigned long n_beats = 1;;) {
        (void)usleep(TICK_MS * 1000);
        const double time_s = now_s(), gap_s = time_s - last_s;
        last_s = time_s;
        if (gap_s > longest_gap_s)
            longest_gap_s = gap_s;
        due += guest->pages_per_s * (gap_s < MOST_CATCH_UP_MS / 1e3 ? gap_s : MOST_CATCH_UP_MS / 1e3);
        write_pages(guest, &due);
        look_over(guest);
        if (time_s - beat_s < 1)
            continue;
        (void)printf("beat %lu written %llu passes %llu bad %llu longest_gap_ms %.0f\n", n_beats++,
                     (unsigned long long)guest->written, (unsigned long long)guest->n_passes,
                     (unsigned long long)guest->n_bad, longest_gap_s * 1e3);
        beat_s = time_s;
        longest_gap_s = 0;
    }
}

static _Noreturn void fail(const char *what) {
    (void)printf("guest_init: %s\n", what);
    for (;;)
        (void)pause(); /* the kernel panics when its first process ends */
}

static const char *option(const char *cmdline, const char *name) {
    const char *found = strstr(cmdline, name);
    return found != NULL ? found + strlen(name) : "0";
}

static void prepare(struct guest *guest, const char *cmdline) {
    guest->pages_per_s = strtod(option(cmdline, "lab.pages_per_s="), NULL);
    guest->pattern = option(cmdline, "lab.pattern=")[0];
    guest->n_working = strtoul(option(cmdline, "lab.working_set_mib="), NULL, 10) * PAGES_PER_MIB;
    guest->n_pages = guest->n_working + strtoul(option(cmdline, "lab.cold_mib="), NULL, 10) * PAGES_PER_MIB;
    const size_t pass_s = strtoul(option(cmdline, "lab.pass_s="), NULL, 10);
    guest->n_look = guest->n_pages / (TICKS_PER_S * (pass_s > 0 ? pass_s : PASS_S)) + 1;
    guest->random_state = 88172645463325252u;
    if (guest->n_working == 0 || strchr("crh", guest->pattern) == NULL)
        fail("lab.working_set_mib and lab.pattern are wanted on the command line");
    const size_t n_bytes = guest->n_pages * PAGE_BYTES;
    guest->pages = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    guest->n_written = calloc(guest->n_pages, sizeof(*guest->n_written));
    if (guest->pages == MAP_FAILED || guest->n_written == NULL)
        fail("out of memory");
    (void)madvise(guest->pages, n_bytes, MADV_NOHUGEPAGE); /* pages move one by one */
    for (size_t i = 0; i < guest->n_pages; i++) {
        guest->pages[i].number = i;
        for (size_t word = 0; word < PAGE_WORDS - 3; word++)
            guest->pages[i].filling[word] = filling_of(i, word);
    }
}

int main(void) {
    static struct guest guest;
    static char cmdline[4096];
    (void)mkdir("/proc", 0755);
    (void)mount("proc", "/proc", "proc", 0, NULL);
    (void)mkdir("/dev", 0755);
    (void)mount("dev", "/dev", "devtmpfs", 0, NULL);
    int console = open("/dev/hvc0", O_RDWR);
    if (console < 0)
        console = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
    if (console >= 0 && (dup2(console, STDOUT_FILENO) < 0 || dup2(console, STDERR_FILENO) < 0))
        return 1;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    FILE *file = fopen("/proc/cmdline", "r");
    if (file == NULL || fgets(cmdline, sizeof(cmdline), file) == NULL)
        fail("no command line to read");
    (void)fclose(file);
    prepare(&guest, cmdline);
    live(&guest);
}
