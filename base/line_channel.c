/* Both directions in growing buffers; a read takes a bounded amount, so that no peer keeps the loop to itself. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/line_channel.h"

#include "base/vec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ_BYTES = 65536 };

enum dc_status line_channel_open(const char *path, size_t most_bytes, struct line_channel *channel_out,
                                 struct dc_error *err) {
    *channel_out = (struct line_channel){.fd = -1, .most_bytes = most_bytes};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return error_set(err, DC_EINVAL, "%s: expected a socket's path of at most %zu bytes", path,
                         sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set_errno(err, errno, "socket");
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        const int r = errno;
        (void)close(fd);
        return error_set(err, DC_EUNREACHABLE, "%s: %s", path, strerror(r));
    }
    channel_out->fd = fd;
    return DC_OK;
}

void line_channel_close(struct line_channel *channel) {
    if (channel->fd >= 0)
        (void)close(channel->fd);
    free(channel->in);
    free(channel->out);
    *channel = (struct line_channel){.fd = -1};
}

pid_t line_channel_peer(const struct line_channel *channel) {
    struct ucred peer = {.pid = -1};
    socklen_t n_bytes = sizeof(peer);
    return getsockopt(channel->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n_bytes) == 0 ? peer.pid : -1;
}

bool line_channel_is_full(const struct line_channel *channel) {
    return channel->n_out > 0;
}

enum dc_status line_channel_flush(struct line_channel *channel, struct dc_error *err) {
    while (channel->n_out > 0) {
        const ssize_t n = send(channel->fd, channel->out, channel->n_out, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return DC_OK;
        if (n < 0)
            return error_set(err, DC_EIO, "the other side has gone: %s", strerror(errno));
        channel->n_out -= (size_t)n;
        memmove(channel->out, channel->out + n, channel->n_out);
    }
    return DC_OK;
}

enum dc_status line_channel_write(struct line_channel *channel, const char *bytes, size_t n_bytes,
                                  struct dc_error *err) {
    if (channel->fd < 0)
        return error_set(err, DC_EIO, "the channel is closed");
    if (n_bytes > channel->most_bytes || channel->n_out > channel->most_bytes - n_bytes)
        return error_set(err, DC_ELIMIT, "the other side takes nothing");
    if (!vec_reserve((void **)&channel->out, &channel->out_capacity, channel->n_out + n_bytes, 1))
        return error_set_nomem(err);
    memcpy(channel->out + channel->n_out, bytes, n_bytes);
    channel->n_out += n_bytes;
    return line_channel_flush(channel, err);
}

/* Hands over whole lines; what is left of the last one stays. */
static void take_lines(struct line_channel *channel, line_channel_fn take, void *context, bool *more) {
    size_t begin = 0;
    while (*more && begin < channel->n_in) {
        const char *line = channel->in + begin;
        const char *end = memchr(line, '\n', channel->n_in - begin);
        if (end == NULL)
            break;
        size_t n_bytes = (size_t)(end - line);
        begin += n_bytes + 1;
        if (n_bytes > 0 && line[n_bytes - 1] == '\r')
            n_bytes--;
        *more = take(context, line, n_bytes);
    }
    channel->n_in -= begin;
    memmove(channel->in, channel->in + begin, channel->n_in);
}

enum dc_status line_channel_read(struct line_channel *channel, line_channel_fn take, void *context,
                                 struct dc_error *err) {
    bool more = true;
    if (!vec_reserve((void **)&channel->in, &channel->in_capacity, channel->n_in + READ_BYTES, 1))
        return error_set_nomem(err);
    const ssize_t n = recv(channel->fd, channel->in + channel->n_in, READ_BYTES, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR
                   ? DC_OK
                   : error_set(err, DC_EIO, "the other side has gone: %s", strerror(errno));
    if (n == 0)
        return error_set(err, DC_EIO, "the other side has closed");
    channel->n_in += (size_t)n;
    take_lines(channel, take, context, &more);
    if (more && channel->n_in > channel->most_bytes)
        return error_set(err, DC_ELIMIT, "a line of more than %zu bytes", channel->most_bytes);
    return DC_OK;
}
