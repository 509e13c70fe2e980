/*
 * One pass over the bytes, no recursion, no memory. `owed` counts the items
 * still to come on all levels together: each needs a byte, so a claim of more
 * items than there are bytes left is a lie, found before anyone believes it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_scan.h"

#include "proto/msg.h"
#include "proto/msg_text.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum item_type { ITEM_PLAIN, ITEM_STRING, ITEM_FLOAT32, ITEM_FLOAT64, ITEM_ARRAY, ITEM_MAP, ITEM_BAD };

/* How one leading byte continues: `n_length_bytes` that hold a length (of the payload, or the
 * number of children), then the payload. */
struct item {
    enum item_type type;
    unsigned n_length_bytes;
    size_t n; /* payload bytes or children, where the leading byte tells */
};

struct level {
    size_t n_left; /* items still to come; a map counts two a key */
    bool is_map;
};

struct scan {
    const uint8_t *bytes;
    size_t n_bytes;
    size_t at;
    size_t owed;
    size_t n_levels;
    struct level levels[MSG_MAX_DEPTH];
    struct dc_error *err;
};

/* 0xc0 to 0xdf of the msgpack specification, in order. */
static const struct item wide_items[32] = {
    {ITEM_PLAIN, 0, 0},   {ITEM_BAD, 0, 0},     {ITEM_PLAIN, 0, 0},
    {ITEM_PLAIN, 0, 0},                                             /* nil, never used, false, true */
    {ITEM_PLAIN, 1, 0},   {ITEM_PLAIN, 2, 0},   {ITEM_PLAIN, 4, 0}, /* bin 8, 16, 32 */
    {ITEM_BAD, 0, 0},     {ITEM_BAD, 0, 0},     {ITEM_BAD, 0, 0},   /* ext 8, 16, 32 */
    {ITEM_FLOAT32, 0, 4}, {ITEM_FLOAT64, 0, 8},                     /* float 32, 64 */
    {ITEM_PLAIN, 0, 1},   {ITEM_PLAIN, 0, 2},   {ITEM_PLAIN, 0, 4},
    {ITEM_PLAIN, 0, 8}, /* uint 8 to 64 */
    {ITEM_PLAIN, 0, 1},   {ITEM_PLAIN, 0, 2},   {ITEM_PLAIN, 0, 4},
    {ITEM_PLAIN, 0, 8}, /* int 8 to 64 */
    {ITEM_BAD, 0, 0},     {ITEM_BAD, 0, 0},     {ITEM_BAD, 0, 0},
    {ITEM_BAD, 0, 0},                                                /* fixext 1 to 8 */
    {ITEM_BAD, 0, 0},                                                /* fixext 16 */
    {ITEM_STRING, 1, 0},  {ITEM_STRING, 2, 0},  {ITEM_STRING, 4, 0}, /* str 8, 16, 32 */
    {ITEM_ARRAY, 2, 0},   {ITEM_ARRAY, 4, 0},   {ITEM_MAP, 2, 0},
    {ITEM_MAP, 4, 0}, /* array, map 16, 32 */
};

static struct item item_of(uint8_t lead) {
    if (lead < 0x80 || lead >= 0xe0)
        return (struct item){ITEM_PLAIN, 0, 0}; /* fixint */
    if (lead < 0x90)
        return (struct item){ITEM_MAP, 0, lead & 0x0fU};
    if (lead < 0xa0)
        return (struct item){ITEM_ARRAY, 0, lead & 0x0fU};
    if (lead < 0xc0)
        return (struct item){ITEM_STRING, 0, lead & 0x1fU};
    return wide_items[lead - 0xc0];
}

static uint64_t big_endian(const uint8_t *bytes, size_t n_bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < n_bytes; i++)
        value = value << 8 | bytes[i];
    return value;
}

static bool is_finite(const struct scan *scan, enum item_type type) {
    if (type == ITEM_FLOAT32) {
        const uint32_t bits = (uint32_t)big_endian(scan->bytes + scan->at, 4);
        float value;
        memcpy(&value, &bits, sizeof(value));
        return isfinite(value);
    }
    const uint64_t bits = big_endian(scan->bytes + scan->at, 8);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return isfinite(value);
}

static enum dc_status enter(struct scan *scan, const struct item *item, size_t start) {
    const bool is_map = item->type == ITEM_MAP;
    const size_t left = scan->n_bytes - scan->at;
    if (item->n > left || (is_map && item->n * 2 > left) || scan->owed + (is_map ? 2 : 1) * item->n > left)
        return error_set(scan->err, DC_EPARSE, "byte %zu: claims %zu items where %zu bytes are left", start, item->n,
                         left);
    if (scan->n_levels == MSG_MAX_DEPTH)
        return error_set(scan->err, DC_ELIMIT, "byte %zu: deeper than %d levels", start, MSG_MAX_DEPTH);
    const size_t n_children = (is_map ? 2 : 1) * item->n;
    scan->owed += n_children;
    scan->levels[scan->n_levels++] = (struct level){.n_left = n_children, .is_map = is_map};
    return DC_OK;
}

static enum dc_status skip_payload(struct scan *scan, const struct item *item, size_t start) {
    if (item->n > scan->n_bytes - scan->at)
        return error_set(scan->err, DC_EPARSE, "byte %zu: an item of %zu bytes where %zu are left", start, item->n,
                         scan->n_bytes - scan->at);
    if ((item->type == ITEM_FLOAT32 || item->type == ITEM_FLOAT64) && !is_finite(scan, item->type))
        return error_set(scan->err, DC_EPARSE, "byte %zu: a number that is not finite", start);
    if (item->type == ITEM_STRING && !msg_text_is_utf8((const char *)scan->bytes + scan->at, item->n))
        return error_set(scan->err, DC_EPARSE, "byte %zu: a string that is not UTF-8", start);
    scan->at += item->n;
    return DC_OK;
}

/* Takes the next item off its level; true where it stands for a map's key. */
static bool take_place(struct scan *scan) {
    if (scan->n_levels == 0)
        return false;
    struct level *level = &scan->levels[scan->n_levels - 1];
    const bool is_key = level->is_map && level->n_left % 2 == 0;
    level->n_left--;
    scan->owed--;
    return is_key;
}

static enum dc_status scan_item(struct scan *scan) {
    const size_t start = scan->at;
    if (start == scan->n_bytes)
        return error_set(scan->err, DC_EPARSE, "byte %zu: ends too early", start);
    const bool is_outermost = scan->n_levels == 0;
    const bool is_key = take_place(scan);
    struct item item = item_of(scan->bytes[scan->at++]);
    if (item.type == ITEM_BAD)
        return error_set(scan->err, DC_EPARSE, "byte %zu: type 0x%02x is not allowed", start, scan->bytes[start]);
    if (is_outermost && item.type != ITEM_MAP)
        return error_set(scan->err, DC_EPARSE, "byte %zu: expected a map", start);
    if (is_key && item.type != ITEM_STRING)
        return error_set(scan->err, DC_EPARSE, "byte %zu: expected a string as the key of a map", start);
    if (item.n_length_bytes > 0) {
        if (item.n_length_bytes > scan->n_bytes - scan->at)
            return error_set(scan->err, DC_EPARSE, "byte %zu: ends within a length", start);
        item.n = (size_t)big_endian(scan->bytes + scan->at, item.n_length_bytes);
        scan->at += item.n_length_bytes;
    }
    if (item.type == ITEM_ARRAY || item.type == ITEM_MAP)
        return enter(scan, &item, start);
    return skip_payload(scan, &item, start);
}

enum dc_status msg_scan(const void *bytes, size_t n_bytes, struct dc_error *err) {
    if (n_bytes > MSG_MAX_BYTES)
        return error_set(err, DC_ELIMIT, "%zu bytes; at most %d are allowed", n_bytes, MSG_MAX_BYTES);
    struct scan scan = {.bytes = bytes, .n_bytes = n_bytes, .err = err};
    do {
        const enum dc_status rc = scan_item(&scan);
        if (rc != DC_OK)
            return rc;
        while (scan.n_levels > 0 && scan.levels[scan.n_levels - 1].n_left == 0)
            scan.n_levels--;
    } while (scan.n_levels > 0);
    if (scan.at != n_bytes)
        return error_set(err, DC_EPARSE, "byte %zu: %zu bytes after the map", scan.at, n_bytes - scan.at);
    return DC_OK;
}
