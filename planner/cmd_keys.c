/* decamp keys: key pairs for CURVE, and the planner's allow-list. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd.h"

#include "base/file_text.h"
#include "base/key_file.h"
#include "planner/allow_list.h"
#include "planner/collector.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_ALLOW_LIST_BYTES = 1 << 20 };

static enum dc_status usage(enum cli_exit *exit_out) {
    (void)fprintf(stderr, "decamp keys: expected `keys new NAME` or `keys allow FILE HOST PUBFILE`\n");
    *exit_out = CLI_EXIT_USAGE;
    return DC_OK;
}

static void say(const struct cli *cli, const char *what, const char *path) {
    if (!cli->quiet)
        (void)fprintf(stderr, "%s %s\n", what, path);
}

/* DIR/NAME.pub for everybody and DIR/NAME.key for its owner alone. The secret
 * first: a public key without its secret is of no use to anybody. */
static enum dc_status new_pair(const struct cli *cli, const char *name, struct dc_error *err) {
    const char *dir = cli->dir_path != NULL ? cli->dir_path : ".";
    char public_key[KEY_FILE_TEXT_BYTES], secret_key[KEY_FILE_TEXT_BYTES];
    char *public_path = NULL;
    char *secret_path = NULL;
    enum dc_status rc;
    if (name[0] == '\0')
        return error_set(err, DC_EINVAL, "keys new: expected a name, got nothing");
    if (asprintf(&public_path, "%s/%s.pub", dir, name) < 0) {
        public_path = NULL;
        return error_set_nomem(err);
    }
    if (asprintf(&secret_path, "%s/%s.key", dir, name) < 0) {
        free(public_path);
        return error_set_nomem(err);
    }
    if (access(public_path, F_OK) == 0)
        rc = error_set(err, DC_EEXIST, "%s: exists already; a key is never overwritten", public_path);
    else
        rc = collector_generate_keypair(public_key, secret_key, err);
    if (rc == DC_OK)
        rc = key_file_write(secret_path, true, secret_key, err);
    if (rc == DC_OK)
        rc = key_file_write(public_path, false, public_key, err);
    explicit_bzero(secret_key, sizeof(secret_key));
    if (rc == DC_OK) {
        say(cli, "secret key", secret_path);
        say(cli, "public key", public_path);
    }
    free(public_path);
    free(secret_path);
    return rc;
}

/* What the list would refuse when it is read is refused before it is written. */
static enum dc_status check_new_entry(const char *path, const char *host, const char *key, struct dc_error *err) {
    struct allow_list list;
    if (host[0] == '\0' || host[0] == '#' || strpbrk(host, " \t\r\n") != NULL)
        return error_set(err, DC_EINVAL, "\"%s\": expected a host name without blanks", host);
    if (access(path, F_OK) != 0)
        return DC_OK;
    enum dc_status rc = allow_list_load(path, &list, err);
    if (rc != DC_OK)
        return rc;
    const char *other = allow_list_host(&list, key);
    size_t n_keys = 0;
    for (size_t i = 0; i < list.n_entries; i++)
        n_keys += strcmp(list.entries[i].host, host) == 0;
    if (other != NULL)
        rc = error_set(err, DC_EEXIST, "%s: this key already speaks for host %s", path, other);
    else if (n_keys >= ALLOW_LIST_KEYS_PER_HOST)
        rc = error_set(err, DC_ELIMIT, "%s: host %s has %zu keys already; remove the oldest", path, host, n_keys);
    allow_list_dispose(&list);
    return rc;
}

static enum dc_status allow(const struct cli *cli, const char *path, const char *host, const char *key_path,
                            struct dc_error *err) {
    char key[KEY_FILE_TEXT_BYTES];
    char *old_text = NULL;
    char *new_text = NULL;
    size_t n_bytes = 0;
    /* The two keys of a pair look alike: a secret must not end up in a list that others read. */
    const size_t length = strlen(key_path);
    if (length >= 4 && strcmp(key_path + length - 4, ".key") == 0)
        return error_set(err, DC_EINVAL, "%s: expected a public key (NAME.pub), got a secret one", key_path);
    enum dc_status rc = key_file_read(key_path, false, key, err);
    if (rc == DC_OK)
        rc = check_new_entry(path, host, key, err);
    if (rc == DC_OK && access(path, F_OK) == 0)
        rc = file_text_read(path, MAX_ALLOW_LIST_BYTES, &old_text, &n_bytes, err);
    if (rc != DC_OK)
        goto out;
    const bool needs_newline = n_bytes > 0 && old_text[n_bytes - 1] != '\n';
    const int r =
        asprintf(&new_text, "%s%s%s %s\n", old_text != NULL ? old_text : "", needs_newline ? "\n" : "", host, key);
    if (r < 0) {
        new_text = NULL;
        rc = error_set_nomem(err);
        goto out;
    }
    rc = file_text_write_atomic(path, new_text, (size_t)r, err);
    if (rc == DC_OK)
        say(cli, "allowed", host);
out:
    free(new_text);
    free(old_text);
    return rc;
}

enum dc_status cmd_keys(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    const char *const *words = cli->arguments.items;
    if (strcmp(words[0], "new") == 0 && cli->arguments.n == 2)
        return new_pair(cli, words[1], err);
    if (strcmp(words[0], "allow") == 0 && cli->arguments.n == 4)
        return allow(cli, words[1], words[2], words[3], err);
    return usage(exit_out);
}
