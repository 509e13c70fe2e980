/* Z85 keys in files with the permissions that they need. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/key_file.h"

#include "base/file_text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_CHARACTERS = KEY_FILE_TEXT_BYTES - 1, MAX_FILE_BYTES = 4096 };

static const char z85_alphabet[] =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

bool key_file_is_key(const char *text) {
    return strlen(text) == KEY_CHARACTERS && strspn(text, z85_alphabet) == KEY_CHARACTERS;
}

static enum dc_status check_permissions(int fd, const char *path, bool secret, struct dc_error *err) {
    struct stat info;
    if (fstat(fd, &info) != 0)
        return error_set_errno(err, errno, "%s", path);
    if (!S_ISREG(info.st_mode))
        return error_set(err, DC_EINVAL, "%s: not a regular file", path);
    if (secret && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return error_set(err, DC_EACCES, "%s: a secret key open to group or others (mode %04o); run: chmod 600 %s",
                         path, (unsigned)(info.st_mode & 07777), path);
    return DC_OK;
}

/* Reads the whole file into `text`, terminated. */
static enum dc_status read_text(int fd, const char *path, char text[MAX_FILE_BYTES], struct dc_error *err) {
    size_t n_bytes = 0;
    for (;;) {
        if (n_bytes == MAX_FILE_BYTES)
            return error_set(err, DC_EPARSE, "%s: too long for a key file", path);
        const ssize_t r = read(fd, text + n_bytes, MAX_FILE_BYTES - n_bytes);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return error_set_errno(err, errno, "%s", path);
        if (r == 0)
            break;
        n_bytes += (size_t)r;
    }
    text[n_bytes] = '\0';
    if (strlen(text) != n_bytes)
        return error_set(err, DC_EPARSE, "%s: holds a NUL byte; expected a key as text", path);
    return DC_OK;
}

/* Finds the one line that is no comment. Cuts `text` into lines. */
static enum dc_status find_key(char *text, const char *path, char key_out[KEY_FILE_TEXT_BYTES], struct dc_error *err) {
    const char *found = NULL;
    unsigned line_number = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        line_number++;
        line += strspn(line, " \t\r");
        if (*line == '\0' || strcmp(line, "#") == 0 || strncmp(line, "# ", 2) == 0)
            continue;
        const size_t length = strcspn(line, " \t\r");
        if (line[length + strspn(line + length, " \t\r")] != '\0')
            return error_set(err, DC_EPARSE, "%s:%u: expected a key alone on its line", path, line_number);
        line[length] = '\0';
        if (!key_file_is_key(line))
            return error_set(err, DC_EPARSE, "%s:%u: expected a key of %d Z85 characters, got %zu%s", path, line_number,
                             KEY_CHARACTERS, length, length == KEY_CHARACTERS ? " of which some are not Z85" : "");
        if (found != NULL)
            return error_set(err, DC_EPARSE, "%s:%u: a second key; a key file holds one", path, line_number);
        found = line;
    }
    if (found == NULL)
        return error_set(err, DC_EPARSE, "%s: holds no key", path);
    memcpy(key_out, found, KEY_FILE_TEXT_BYTES);
    return DC_OK;
}

enum dc_status key_file_read(const char *path, bool secret, char key_out[KEY_FILE_TEXT_BYTES], struct dc_error *err) {
    char text[MAX_FILE_BYTES + 1];
    memset(key_out, 0, KEY_FILE_TEXT_BYTES);
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return error_set(err, DC_ENOTFOUND, "%s: no such key file", path);
    if (fd < 0)
        return error_set_errno(err, errno, "%s", path);
    enum dc_status rc = check_permissions(fd, path, secret, err);
    if (rc == DC_OK)
        rc = read_text(fd, path, text, err);
    if (rc == DC_OK)
        rc = find_key(text, path, key_out, err);
    (void)close(fd);
    explicit_bzero(text, sizeof(text));
    return rc;
}

enum dc_status key_file_write(const char *path, bool secret, const char *key, struct dc_error *err) {
    if (!key_file_is_key(key))
        return error_set(err, DC_EINVAL, "%s: not a key of %d Z85 characters", path, KEY_CHARACTERS);
    char line[KEY_FILE_TEXT_BYTES];
    memcpy(line, key, KEY_CHARACTERS);
    line[KEY_CHARACTERS] = '\n';
    const mode_t mode = secret ? 0600 : 0644;
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0 && errno == EEXIST)
        return error_set(err, DC_EEXIST, "%s: exists already; a key is never overwritten", path);
    if (fd < 0)
        return error_set_errno(err, errno, "%s: cannot be created", path);
    int os_errno = fchmod(fd, mode) != 0 ? errno : 0; /* a umask may have taken 0044 */
    if (os_errno == 0)
        os_errno = file_text_write_all(fd, line, sizeof(line));
    if (os_errno == 0 && fsync(fd) != 0)
        os_errno = errno;
    if (close(fd) != 0 && os_errno == 0)
        os_errno = errno;
    explicit_bzero(line, sizeof(line));
    if (os_errno == 0)
        return DC_OK;
    (void)unlink(path);
    return error_set_errno(err, os_errno, "%s: cannot be written", path);
}
