/* SPDX-License-Identifier: MIT */
/* A command of the program: its table row, and the parsing of its arguments. */

#include "cli/command.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/help.h"
#include "cli/manual.h"
#include "cli/thing.h"
#include "cli/topic.h"

/* Commands of the interface that this version lacks: they are recognised, not misspelt. */
static const char *const commands_unsupported[] = {
    "scan", "write", "watch", "import", "explain",
};

static const weir_option no_options[] = {{0}};

const weir_command *weir_command_find(const char *name)
{
    for (size_t i = 0; weir_commands[i]; i++)
        if (!strcmp(weir_commands[i]->name, name))
            return weir_commands[i];
    return NULL;
}

/* Reading position in argv while one command's arguments are parsed. */
struct parse {
    const weir_command *command;
    const weir_option *options;
    char **argv;
    int argc;
    int next;
    char *base; /* the options struct */
    weir_arena *arena;
    weir_error *error;
};

static const char *parse_take(struct parse *p)
{
    return p->next < p->argc ? p->argv[p->next++] : NULL;
}

static weir_err parse_append(struct parse *p, const weir_option *option, const char *value)
{
    weir_option_strings *list = (weir_option_strings *)(void *)(p->base + option->offset);
    const char **items = weir_arena_alloc(p->arena, list->n + 1, sizeof *items);
    if (!items)
        return weir_fail(p->error, WEIR_ENOMEM, "out of memory");
    if (list->n)
        memcpy(items, list->items, list->n * sizeof *items);
    items[list->n] = value;
    *list = (weir_option_strings){list->n + 1, items};
    return WEIR_OK;
}

/* The message of a wrong value begins with the option's name: "timeout must be ...". */
static weir_err parse_set(struct parse *p, const weir_option *option, const char *value)
{
    if (option->set_offset)
        *(bool *)(p->base + option->set_offset) = true;
    if (option->type == WEIR_OPTION_STRINGS)
        return parse_append(p, option, value);
    weir_err err = weir_option_set(option, value, p->base, p->error);
    return err ? weir_fail_prefix(p->error, "--") : WEIR_OK;
}

static weir_err parse_unknown(struct parse *p, const char *word, const char *name)
{
    const weir_option *nearest = name ? weir_option_nearest(p->options, name) : NULL;
    if (nearest)
        return weir_fail(p->error, WEIR_EINVAL, "unknown option '%s'. Did you mean '--%s'?", word,
                         nearest->name);
    return weir_fail(p->error, WEIR_EINVAL, "unknown option '%s'", word);
}

static weir_err parse_long(struct parse *p, const char *word)
{
    const char *equals = strchr(word, '=');
    char *name = weir_arena_text_n(p->arena, word + 2,
                                   equals ? (size_t)(equals - word - 2) : strlen(word + 2));
    if (!name)
        return weir_fail(p->error, WEIR_ENOMEM, "out of memory");
    const weir_option *option = weir_option_find(p->options, name);
    if (!option)
        return parse_unknown(p, word, name);
    const char *value = equals ? equals + 1 : NULL;
    if (!value)
        value = option->type == WEIR_OPTION_BOOL ? "true" : parse_take(p);
    if (!value)
        return weir_fail(p->error, WEIR_EINVAL, "--%s needs a value", name);
    return parse_set(p, option, value);
}

static const weir_option *option_by_letter(const weir_option *options, char letter)
{
    for (; options->name; options++)
        if (options->letter == letter)
            return options;
    return NULL;
}

static weir_err parse_letters(struct parse *p, const char *word)
{
    for (const char *at = word + 1; *at; at++) {
        const weir_option *option = option_by_letter(p->options, *at);
        if (!option)
            return parse_unknown(p, word, word[2] ? word + 1 : NULL);
        if (option->type == WEIR_OPTION_BOOL) {
            weir_err err = parse_set(p, option, "true");
            if (err)
                return err;
            continue;
        }
        const char *value = at[1] ? at + 1 : parse_take(p);
        if (!value)
            return weir_fail(p->error, WEIR_EINVAL, "-%c needs a value", *at);
        return parse_set(p, option, value);
    }
    return WEIR_OK;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return true;
    return false;
}

weir_err weir_command_parse(const weir_command *command, int argc, char **argv, weir_arena *arena,
                            weir_invocation *in, bool *ret_help, weir_error *error)
{
    *ret_help = asks_for_help(argc, argv);
    if (*ret_help)
        return WEIR_OK;
    struct parse p = {.command = command,
                      .options = command->options ? command->options : no_options,
                      .argv = argv,
                      .argc = argc,
                      .arena = arena,
                      .error = error};
    const char **args = weir_arena_alloc(arena, (size_t)argc + 1, sizeof *args);
    p.base = weir_arena_alloc(arena, 1, command->options_size + 1);
    if (!args || !p.base)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    weir_option_defaults(p.options, p.base);
    size_t n = 0;
    bool literal = false;
    for (const char *word; (word = parse_take(&p));) {
        weir_err err = WEIR_OK;
        if (literal || word[0] != '-' || !word[1])
            args[n++] = word;
        else if (!strcmp(word, "--"))
            literal = true;
        else
            err = word[1] == '-' ? parse_long(&p, word) : parse_letters(&p, word);
        if (err)
            return err;
    }
    if (n < command->args_min)
        return weir_fail(error, WEIR_EINVAL, "%s is missing", command->arguments);
    if (n > command->args_max)
        return weir_fail(error, WEIR_EINVAL, "unexpected argument '%s'", args[command->args_max]);
    *in = (weir_invocation){command, arena, p.base, n, args};
    return WEIR_OK;
}

int weir_command_fail(const weir_invocation *in, const weir_error *error)
{
    (void)fprintf(stderr, "weir %s: %s\n", in->command->name, error->text);
    return weir_exit_of(error->code);
}

int weir_command_usage(const weir_invocation *in, const char *format, ...)
{
    va_list va;
    (void)fprintf(stderr, "weir %s: ", in->command->name);
    va_start(va, format);
    (void)vfprintf(stderr, format, va);
    va_end(va);
    (void)fprintf(stderr, "\nSee 'weir %s --help'.\n", in->command->name);
    return WEIR_EXIT_USAGE;
}

void weir_command_note(const weir_invocation *in, const char *format, ...)
{
    va_list va;
    (void)fprintf(stderr, "weir %s: ", in->command->name);
    va_start(va, format);
    (void)vfprintf(stderr, format, va);
    va_end(va);
    (void)fputc('\n', stderr);
}

static int command_unknown(const char *word)
{
    enum { COMMANDS_MAX = 64 };
    const char *names[COMMANDS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < sizeof commands_unsupported / sizeof *commands_unsupported; i++)
        if (!strcmp(commands_unsupported[i], word)) {
            (void)fprintf(stderr, "weir: '%s' is not supported by this version\n", word);
            return WEIR_EXIT_CONFIG;
        }
    for (; weir_commands[n]; n++) {
        assert(n < COMMANDS_MAX);
        names[n] = weir_commands[n]->name;
    }
    const char *nearest = weir_text_nearest(word, names, n);
    (void)fprintf(stderr, "weir: unknown %s '%s'.", word[0] == '-' ? "option" : "command", word);
    if (nearest)
        (void)fprintf(stderr, " Did you mean '%s'?", nearest);
    (void)fprintf(stderr, "\nSee 'weir --help'.\n");
    return WEIR_EXIT_USAGE;
}

/* Before there is any other thread. */
static weir_err env_files_pass_on(const weir_command *command, const weir_invocation *in,
                                  weir_error *error)
{
    const weir_option *row =
        command->options ? weir_option_find(command->options, WEIR_ENV_FILE) : NULL;
    const weir_option_strings *files =
        row ? (const void *)((const char *)in->options + row->offset) : NULL;
    WEIR_TEXT_AUTO all = WEIR_TEXT_INIT;
    for (size_t i = 0; files && i < files->n; i++) {
        if (!*files->items[i] || strchr(files->items[i], ':'))
            return weir_fail(error, WEIR_EINVAL,
                             "--" WEIR_ENV_FILE
                             " must be the name of a file without ':' in it, not "
                             "\"%.200s\"",
                             files->items[i]);
        weir_text_format(&all, "%s%s", i ? ":" : "", files->items[i]);
    }
    if (files && files->n &&
        (all.failed || setenv("WEIR_ENV_FILES", weir_text_get(&all), true) != 0))
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    return WEIR_OK;
}

static int command_run(const weir_command *command, int argc, char **argv)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_invocation in = {.command = command};
    bool help = false;
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    if (!arena) {
        (void)weir_fail(&error, WEIR_ENOMEM, "out of memory");
        return weir_command_fail(&in, &error);
    }
    weir_err err = weir_command_parse(command, argc, argv, arena, &in, &help, &error);
    if (!err && !help)
        err = env_files_pass_on(command, &in, &error);
    if (err == WEIR_EINVAL)
        return weir_command_usage(&in, "%s", error.text);
    if (err)
        return weir_command_fail(&in, &error);
    if (help) {
        weir_help_command(command, false, stdout);
        return WEIR_EXIT_OK;
    }
    return command->run(&in);
}

static int command_help(int argc, char **argv)
{
    if (argc == 0) {
        weir_help_overview(stdout);
        return WEIR_EXIT_OK;
    }
    if (!strcmp(argv[0], "help") || !strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))
        return command_help(0, NULL);
    const weir_command *command = weir_command_find(argv[0]);
    if (command)
        weir_help_command(command, true, stdout);
    /* `config` is both: a command, and the keys of the file it is about. */
    if (command == &weir_command_config)
        (void)fputc('\n', stdout);
    return weir_topic_print(argv[0], stdout) || command ? WEIR_EXIT_OK : command_unknown(argv[0]);
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        weir_help_overview(stderr);
        return WEIR_EXIT_USAGE;
    }
    const char *word = argv[1];
    if (!strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h"))
        return command_help(argc - 2, argv + 2);
    if (!strcmp(word, "--man") && argc == 3)
        return weir_manual_print(argv[2], stdout);
    if (!strcmp(word, "--complete") && argc >= 3)
        return weir_complete(argv[2], argc - 3, argv + 3, stdout);
    if (!strcmp(word, "--version") || !strcmp(word, "-V"))
        word = "version";
    const weir_command *command = weir_command_find(word);
    return command ? command_run(command, argc - 2, argv + 2) : command_unknown(word);
}

/* A full disk is the usual reason; what else it was, nobody knows any more. */
static const char *stdout_fault(void)
{
    struct statvfs disk;
    return fstatvfs(STDOUT_FILENO, &disk) == 0 && disk.f_blocks > 0 && disk.f_bavail == 0
               ? "the disk is full: the output is incomplete"
               : "cannot write the output: it is incomplete";
}

/* Writing to a pipe or socket fails when its reader has gone; anywhere else data is missing. errno
 * cannot tell: the write that failed may be long ago. */
static bool stdout_has_reader_gone(void)
{
    struct stat st;
    return fstat(STDOUT_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

/* Data that never arrived is a failure, except when the reader closed the pipe: `... | head`. */
int weir_cli_main(int argc, char **argv)
{
    weir_thing_commands_init();
    int code = dispatch(argc, argv);
    if ((fflush(stdout) != 0 || ferror(stdout)) && !stdout_has_reader_gone()) {
        (void)fprintf(stderr, "weir: %s\n", stdout_fault());
        return code ? code : WEIR_EXIT_FAILURE;
    }
    return code;
}
