/* decamp check-config FILE: reads a planner's configuration, its keys and its
 * allow-list as the daemon would. An agent's is checked by the agent itself. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd.h"

#include "base/key_file.h"
#include "planner/allow_list.h"
#include "planner/daemon_config.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static enum dc_status check_planner(const char *path, struct dc_error *err) {
    struct daemon_config config;
    struct allow_list list = {0};
    char key[KEY_FILE_TEXT_BYTES];
    enum dc_status rc = daemon_config_load(path, &config, err);
    if (rc != DC_OK)
        return rc;
    rc = key_file_read(config.secret_key_file, true, key, err);
    explicit_bzero(key, sizeof(key));
    if (rc == DC_OK)
        rc = allow_list_load(config.allow_list_file, &list, err);
    if (rc != DC_OK)
        (void)error_prefix(err, "%s", path);
    allow_list_dispose(&list);
    daemon_config_dispose(&config);
    return rc;
}

/* decamp-agent beside this program, else on the path. */
static void find_agent(char *path, size_t path_bytes) {
    static const char name[] = "decamp-agent";
    const ssize_t r = readlink("/proc/self/exe", path, path_bytes - sizeof(name));
    if (r > 0) {
        path[r] = '\0';
        char *slash = strrchr(path, '/');
        memcpy(slash != NULL ? slash + 1 : path, name, sizeof(name));
        if (access(path, X_OK) == 0)
            return;
    }
    memcpy(path, name, sizeof(name));
}

/* The agent says itself what is wrong, on standard error. */
static enum dc_status check_agent(const char *config_path, enum cli_exit *exit_out, struct dc_error *err) {
    char program[4096], option[] = "--config", check[] = "--check-config", config[4096];
    if (strlen(config_path) >= sizeof(config))
        return error_set(err, DC_EINVAL, "the path of the configuration is too long");
    memcpy(config, config_path, strlen(config_path) + 1);
    find_agent(program, sizeof(program));
    char *const arguments[] = {program, option, config, check, NULL};
    pid_t pid = 0;
    const int r = posix_spawnp(&pid, program, NULL, NULL, arguments, environ);
    if (r != 0)
        return error_set_errno(err, r, "cannot start decamp-agent");
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return error_set_errno(err, errno, "decamp-agent");
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        *exit_out = CLI_EXIT_ERROR;
    return DC_OK;
}

enum dc_status cmd_check_config(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    if (cli->arguments.n == 0 && cli->agent_path == NULL) {
        (void)fprintf(stderr, "decamp check-config: expected FILE, --agent FILE or both\n");
        *exit_out = CLI_EXIT_USAGE;
        return DC_OK;
    }
    if (cli->arguments.n > 0)
        rc = check_planner(cli->arguments.items[0], err);
    if (rc == DC_OK && cli->arguments.n > 0 && !cli->quiet)
        (void)fprintf(stderr, "%s: good\n", cli->arguments.items[0]);
    if (rc == DC_OK && cli->agent_path != NULL)
        rc = check_agent(cli->agent_path, exit_out, err);
    return rc;
}
