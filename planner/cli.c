/* Finds the verb, runs it, and turns its status into an exit code. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cli.h"

#include "base/file_text.h"
#include "base/log.h"
#include "planner/api_client.h"
#include "planner/cli_options.h"
#include "planner/fleet_calibrate.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_verb *find_verb(const char *name) {
    for (const struct cli_verb *verb = cli_verbs; verb->name != NULL; verb++) {
        if (strcmp(verb->name, name) == 0)
            return verb;
    }
    return NULL;
}

static void print_help(FILE *stream) {
    (void)fprintf(stream,
                  "Usage: decamp VERB [OPTION...] [ARGUMENT...]\n"
                  "Plans live migrations of sets of virtual machines. Nothing migrates: a plan is a document.\n\n");
    for (const struct cli_verb *verb = cli_verbs; verb->name != NULL; verb++)
        (void)fprintf(stream, "  %-13s %-22s %s\n", verb->name, verb->arguments, verb->summary);
    (void)fprintf(stream, "\n`decamp VERB --help` lists the verb's options. With --fleet FILE a question is answered\n"
                          "from that document, else by the daemon.\n");
}

/* What stands in place of a verb: --help, --version, or a mistake. */
static int no_verb(const char *word) {
    if (word != NULL && (strcmp(word, "--help") == 0 || strcmp(word, "-?") == 0 || strcmp(word, "help") == 0)) {
        print_help(stdout);
        return CLI_EXIT_OK;
    }
    if (word != NULL && (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)) {
        (void)printf("decamp %s\n", DECAMP_VERSION);
        return CLI_EXIT_OK;
    }
    if (word == NULL)
        print_help(stderr);
    else
        (void)fprintf(stderr, "decamp: no verb is called %s; see `decamp --help`\n", word);
    return CLI_EXIT_USAGE;
}

static int exit_code_of(enum dc_status rc) {
    switch (rc) {
    case DC_OK:
        return CLI_EXIT_OK;
    case DC_ESTALE:
        return CLI_EXIT_STALE;
    case DC_EUNREACHABLE:
        return CLI_EXIT_UNREACHABLE;
    default:
        return CLI_EXIT_ERROR;
    }
}

static int run(const struct cli_verb *verb, int argc, char **argv) {
    struct cli cli;
    struct dc_error err = DC_ERROR_NONE;
    enum cli_exit code = CLI_EXIT_OK;
    enum dc_status rc = cli_options_parse(verb, argc, argv, &cli, &err);
    if (rc == DC_OK) {
        log_set_level(cli.quiet ? LOG_LEVEL_ERROR : cli.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN);
        rc = verb->run(&cli, &code, &err);
        cli_options_dispose(&cli);
    }
    if (rc == DC_OK)
        return (int)code;
    (void)fprintf(stderr, "decamp: %s\n", error_text(&err));
    return exit_code_of(rc);
}

int cli_main(int argc, char **argv) {
    const struct cli_verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;
    if (verb == NULL)
        return no_verb(argc > 1 ? argv[1] : NULL);
    char name[64];
    (void)snprintf(name, sizeof(name), "decamp %s", verb->name);
    argv[1] = name;
    return run(verb, argc - 1, argv + 1);
}

enum dc_status cli_load_fleet(const struct cli *cli, struct fleet *fleet_out, struct dc_error *err) {
    const enum dc_status rc = cli_read_fleet(cli, fleet_out, err);
    if (rc == DC_OK)
        fleet_calibrate(fleet_out);
    return rc;
}

enum dc_status cli_read_fleet(const struct cli *cli, struct fleet *fleet_out, struct dc_error *err) {
    if (cli->fleet_path != NULL)
        return fleet_doc_read_file(cli->fleet_path, fleet_out, err);
    *fleet_out = (struct fleet){0};
    struct api_reply reply;
    enum dc_status rc = api_client_fleet(cli->socket_path, &reply, err);
    if (rc != DC_OK)
        return rc;
    rc = fleet_doc_read(reply.body, reply.n_bytes, fleet_out, err);
    if (rc != DC_OK)
        (void)error_prefix(err, "the daemon's snapshot");
    api_reply_dispose(&reply);
    return rc;
}

enum dc_status cli_emit(const struct cli *cli, const char *text, struct dc_error *err) {
    const size_t n_bytes = strlen(text);
    if (cli->out_path != NULL && strcmp(cli->out_path, "-") != 0)
        return file_text_write_atomic(cli->out_path, text, n_bytes, err);
    if (fwrite(text, 1, n_bytes, stdout) != n_bytes || fflush(stdout) != 0)
        return error_set(err, DC_EIO, "cannot write to standard output");
    return DC_OK;
}

static bool wants_colour(const struct cli *cli) {
    const char *no_color = getenv("NO_COLOR");
    return cli->out_path == NULL && (no_color == NULL || no_color[0] == '\0') && isatty(STDOUT_FILENO) == 1;
}

enum dc_status cli_page_open(const struct cli *cli, struct cli_page *page_out, struct dc_error *err) {
    *page_out = (struct cli_page){0};
    page_out->stream = open_memstream(&page_out->text, &page_out->n_bytes);
    if (page_out->stream == NULL)
        return error_set_nomem(err);
    const enum dc_status rc = cli->format == CLI_JSON ? writer_json_new(page_out->stream, &page_out->writer, err)
                                                      : writer_table_new(page_out->stream, cli->format == CLI_WIDE,
                                                                         wants_colour(cli), &page_out->writer, err);
    if (rc != DC_OK)
        cli_page_dispose(page_out);
    return rc;
}

enum dc_status cli_page_emit(const struct cli *cli, struct cli_page *page, struct dc_error *err) {
    const enum dc_status rc = writer_finish(page->writer, err);
    if (rc != DC_OK)
        return rc;
    if (fflush(page->stream) != 0)
        return error_set_nomem(err);
    return cli_emit(cli, page->text, err);
}

void cli_page_dispose(struct cli_page *page) {
    writer_free(&page->writer);
    if (page->stream != NULL)
        (void)fclose(page->stream);
    free(page->text);
    *page = (struct cli_page){0};
}
