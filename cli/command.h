/* SPDX-License-Identifier: MIT */
/* A command of the program: its table row, and the parsing of its arguments. */

#pragma once
#include <stddef.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cli/exit.h"
#include "model/option.h"

/* What a command gets: its options (defaults, then the arguments) and what is left. */
typedef struct weir_invocation {
    const struct weir_command *command;
    weir_arena *arena;   /* lives as long as the command runs */
    const void *options; /* the struct that command->options describes */
    size_t n_args;
    const char *const *args; /* positional arguments; args[n_args] is NULL */
} weir_invocation;

typedef struct weir_example {
    const char *command; /* "weir read ..." */
    const char *text;    /* what it does */
} weir_example;

/* Environment files, of every command that reads a configuration. Whoever reads it finds them where
 * those of the environment are, in WEIR_ENV_FILES (catalog/yaml.h). */
#define WEIR_ENV_FILE "env-file"
#define WEIR_ENV_FILE_OPTION_AT(at)                                                             \
    {                                                                                           \
        .name = WEIR_ENV_FILE, .type = WEIR_OPTION_STRINGS, .offset = (at), .metavar = "FILE",  \
        .text = "A file with lines NAME=VALUE for \"${NAME}\" in the configuration, more than " \
                "one if needed, in place of $WEIR_ENV_FILES. It wins over the configuration's " \
                "env_file; the environment wins over both."                                     \
    }
#define WEIR_ENV_FILE_OPTION(options) WEIR_ENV_FILE_OPTION_AT(offsetof(options, env_files))

/* --help, `weir help`, the manual and the parser are made from this row. */
typedef struct weir_command {
    const char *name;
    const char *summary;   /* a line: small first letter, no full stop */
    const char *arguments; /* "URI", "[FILE]"; "" : none */
    size_t args_min, args_max;
    const weir_option *options;            /* NULL-name-terminated; NULL: none */
    size_t options_size;                   /* of the struct they describe */
    const weir_example *examples;          /* NULL-command-terminated; at least one */
    const char *text;                      /* paragraphs, "\n\n" between; NULL: none */
    int (*run)(const weir_invocation *in); /* returns the exit code */
} weir_command;

/* The commands this version has, in the order of the overview; NULL-terminated (commands.c). */
extern const weir_command *const weir_commands[];

const weir_command *weir_command_find(const char *name); /* NULL: no such command */

/* The whole program: finds the command, parses, runs it; returns the exit code. */
int weir_cli_main(int argc, char **argv);

/*
 * Parses the arguments after the command's name: `--name value`, `--name=value`, `-n value`,
 * `-nvalue`, several letters that take no value in one word (-1q), `--` ends the options. A BOOL
 * takes no value; `--name=false` is possible. STRINGS collects every occurrence. The last one
 * counts for all others.
 *
 * in       gets args and options, both in arena; strings are borrowed from argv.
 * ret_help set to true when --help or -h was met; then nothing else is checked.
 *
 * WEIR_EINVAL: error says what is wrong and what may have been meant.
 */
weir_err weir_command_parse(const weir_command *command, int argc, char **argv, weir_arena *arena,
                            weir_invocation *in, bool *ret_help, weir_error *error) WEIR_MUST_CHECK;

/* "weir read: TEXT" on stderr; returns the exit code of error->code. */
int weir_command_fail(const weir_invocation *in, const weir_error *error);

/* As above with WEIR_EXIT_USAGE and a pointer to --help. */
int weir_command_usage(const weir_invocation *in, const char *format, ...) WEIR_PRINTF(2, 3);

/* "weir read: TEXT" on stderr: a note that is no failure. */
void weir_command_note(const weir_invocation *in, const char *format, ...) WEIR_PRINTF(2, 3);
