/* uv_spawn with a timer beside it; output goes to files, so that a child never waits for us, nor dies with us. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/command_job.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_OUTPUT_BYTES = 64 << 10, REASON_BYTES = 256, LOCK_FD = 3 };

/* What a command wrote, the last of it. */
struct output {
    char out[MOST_OUTPUT_BYTES + 1];
    char errors[MOST_OUTPUT_BYTES + 1];
};

struct command_job {
    uv_process_t process;
    uv_timer_t timer;
    unsigned n_open; /* handles */
    int out_fd, err_fd;
    bool timed_out;
    char *command;
    command_job_fn done; /* NULL: abandoned */
    void *context;
};

static void on_closed(uv_handle_t *handle) {
    struct command_job *job = handle->data;
    if (--job->n_open > 0)
        return;
    free(job->command);
    free(job);
}

static void close_job(struct command_job *job) {
    if (job->out_fd >= 0)
        (void)close(job->out_fd);
    if (job->err_fd >= 0)
        (void)close(job->err_fd);
    job->out_fd = job->err_fd = -1;
    uv_close((uv_handle_t *)&job->process, on_closed);
    uv_close((uv_handle_t *)&job->timer, on_closed);
}

/* The end of a file as a text; "" where it cannot be read. */
static void read_tail(int fd, char text[static MOST_OUTPUT_BYTES + 1]) {
    struct stat status;
    text[0] = '\0';
    if (fd < 0 || fstat(fd, &status) != 0)
        return;
    const off_t from = status.st_size > MOST_OUTPUT_BYTES ? status.st_size - MOST_OUTPUT_BYTES : 0;
    const ssize_t n = pread(fd, text, MOST_OUTPUT_BYTES, from);
    text[n > 0 ? n : 0] = '\0';
}

/* The last line that says something, without what a terminal would not show. */
static void last_line(const char *text, char line[static REASON_BYTES]) {
    const char *end = text + strlen(text);
    while (end > text && (unsigned char)end[-1] <= ' ')
        end--;
    const char *begin = end;
    while (begin > text && begin[-1] != '\n' && begin[-1] != '\r')
        begin--;
    (void)snprintf(line, REASON_BYTES, "%.*s", (int)(end - begin), begin);
    for (char *c = line; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ')
            *c = ' ';
    }
}

static void put_reason(const struct command_job_end *end, const char *errors, char reason[static REASON_BYTES]) {
    last_line(errors, reason);
    if (end->timed_out)
        (void)snprintf(reason, REASON_BYTES, "did not answer in time");
    else if (end->signal != 0)
        (void)snprintf(reason, REASON_BYTES, "ended by signal %d", end->signal);
    else if (reason[0] == '\0' && end->exit_status != 0)
        (void)snprintf(reason, REASON_BYTES, "exit status %lld", (long long)end->exit_status);
}

static void on_exit_of(uv_process_t *process, int64_t exit_status, int signal) {
    struct command_job *job = process->data;
    char reason[REASON_BYTES] = "";
    struct output *output = malloc(sizeof(*output));
    struct command_job_end end = {.ok = exit_status == 0 && signal == 0,
                                  .timed_out = job->timed_out,
                                  .exit_status = exit_status,
                                  .signal = signal,
                                  .out = "",
                                  .reason = reason};
    if (output != NULL) {
        read_tail(job->out_fd, output->out);
        read_tail(job->err_fd, output->errors);
        put_reason(&end, output->errors, reason);
        end.out = output->out;
    }
    if (job->done != NULL)
        job->done(job->context, &end);
    free(output);
    close_job(job);
}

static void kill_session(const struct command_job *job) {
    if (job->process.pid > 0)
        (void)kill(-job->process.pid, SIGKILL);
}

static void on_timeout(uv_timer_t *timer) {
    struct command_job *job = timer->data;
    job->timed_out = true;
    kill_session(job);
}

static int spawn(uv_loop_t *loop, struct command_job *job, const struct command_job_spec *spec) {
    char shell[] = "/bin/sh", option[] = "-c";
    char *arguments[] = {shell, option, job->command, NULL};
    uv_stdio_container_t stdio[LOCK_FD + 1] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = job->out_fd},
        {.flags = UV_INHERIT_FD, .data.fd = job->err_fd},
        {.flags = UV_INHERIT_FD, .data.fd = spec->lock_fd},
    };
    const uv_process_options_t options = {.exit_cb = on_exit_of,
                                          .file = shell,
                                          .args = arguments,
                                          .flags = UV_PROCESS_DETACHED,
                                          .stdio_count = spec->lock_fd >= 0 ? LOCK_FD + 1 : LOCK_FD,
                                          .stdio = stdio};
    return uv_spawn(loop, &job->process, &options);
}

enum dc_status command_job_start(uv_loop_t *loop, const struct command_job_spec *spec, struct command_job **job_out,
                                 struct dc_error *err) {
    struct command_job *job = calloc(1, sizeof(*job));
    *job_out = NULL;
    if (job == NULL) {
        if (spec->out_fd >= 0)
            (void)close(spec->out_fd);
        if (spec->err_fd >= 0)
            (void)close(spec->err_fd);
        return error_set_nomem(err);
    }
    job->done = spec->done;
    job->context = spec->context;
    job->command = strdup(spec->command);
    job->out_fd = spec->out_fd >= 0 ? spec->out_fd : memfd_create("out", MFD_CLOEXEC);
    job->err_fd = spec->err_fd >= 0 ? spec->err_fd : memfd_create("err", MFD_CLOEXEC);
    (void)uv_timer_init(loop, &job->timer);
    job->process.data = job->timer.data = job;
    job->n_open = 2;
    const int r = job->out_fd < 0 || job->err_fd < 0 || job->command == NULL ? UV_ENOMEM : spawn(loop, job, spec);
    if (r == 0) {
        if (spec->timeout_ms > 0)
            (void)uv_timer_start(&job->timer, on_timeout, (uint64_t)spec->timeout_ms, 0);
        *job_out = job;
        return DC_OK;
    }
    if (job->process.type == UV_UNKNOWN_HANDLE) { /* never came to uv_spawn, which makes it a handle */
        job->n_open = 1;
        if (job->out_fd >= 0)
            (void)close(job->out_fd);
        if (job->err_fd >= 0)
            (void)close(job->err_fd);
        uv_close((uv_handle_t *)&job->timer, on_closed);
    } else {
        close_job(job);
    }
    return error_set(err, DC_EIO, "cannot run /bin/sh: %s", uv_strerror(r));
}

int command_job_pid(const struct command_job *job) {
    return job->process.pid;
}

void command_job_abandon(struct command_job *job, bool kill) {
    job->done = NULL;
    if (kill)
        kill_session(job);
    close_job(job);
}
