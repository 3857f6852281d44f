/* SPDX-License-Identifier: MIT */
/* Help on the terminal, from the command tables. */

#include "cli/help.h"

#include <ctype.h>
#include <string.h>

#include "base/number.h"
#include "cli/output.h"

enum { WIDTH_MAX = 92 }; /* of a line: longer ones are hard to read */

void weir_help_overview(FILE *file)
{
    (void)fputs("weir collects data from meters and controllers and keeps it safe.\n\n"
                "  weir demo                        a simulated plant, polled and shown\n"
                "  weir init                        a first ./weir.yaml, from a few questions\n"
                "  weir run                         collect as ./weir.yaml says\n\n"
                "Usage: weir COMMAND [ARGUMENTS]\n\nCommands:\n",
                file);
    for (size_t i = 0; weir_commands[i]; i++)
        (void)fprintf(file, "  %-10s %s\n", weir_commands[i]->name, weir_commands[i]->summary);
    (void)fputs("\n'weir COMMAND --help' shows examples and options, 'weir help COMMAND' all;\n"
                "'weir help config' and 'weir help sinks' list the keys of the configuration.\n",
                file);
}

void weir_help_wrapped(FILE *file, const char *text, size_t at, size_t indent)
{
    const size_t terminal = weir_terminal_width(file);
    const size_t width = terminal < WIDTH_MAX ? terminal : WIDTH_MAX;
    while (*text) {
        size_t n = strcspn(text, " \n");
        if (at > indent && at + 1 + n > width) {
            (void)fprintf(file, "\n%*s", (int)indent, "");
            at = indent;
        } else if (at > indent) {
            (void)fputc(' ', file);
            at++;
        }
        (void)fprintf(file, "%.*s", (int)n, text);
        at += n;
        text += n;
        if (text[0] == '\n' && text[1] == '\n') {
            (void)fprintf(file, "\n\n%*s", (int)indent, "");
            at = indent;
        }
        text += strspn(text, " \n");
    }
    (void)fputc('\n', file);
}

const char *weir_option_metavar(const weir_option *option)
{
    if (option->metavar)
        return option->metavar;
    switch (option->type) {
    case WEIR_OPTION_BOOL:
        return "";
    case WEIR_OPTION_INT:
    case WEIR_OPTION_NUMBER:
        return "N";
    case WEIR_OPTION_DURATION:
        return "TIME";
    case WEIR_OPTION_SIZE:
        return "SIZE";
    case WEIR_OPTION_STRING:
    case WEIR_OPTION_STRINGS:
        return "TEXT";
    case WEIR_OPTION_ENUM:
        return "WORD";
    case WEIR_OPTION_RANGES:
        return "RANGES";
    case WEIR_OPTION_MAP:
    case WEIR_OPTION_TABLE:
        return "MAP";
    case WEIR_OPTION_LIST:
        return "LIST";
    case WEIR_OPTION_CUSTOM:
        break;
    }
    return "VALUE";
}

static void add_limit(const weir_option *option, int64_t limit, weir_text *t)
{
    if (option->type == WEIR_OPTION_DURATION)
        weir_text_add_duration(t, limit);
    else if (option->type == WEIR_OPTION_SIZE)
        weir_text_add_size(t, (uint64_t)limit);
    else
        weir_text_format(t, "%lld", (long long)limit);
}

/* The extremes of int64_t mean "no such limit" (lib/model/option.c). */
static void add_limits(const weir_option *option, weir_text *t)
{
    if (option->max == INT64_MAX) {
        weir_text_add(t, "at least ");
        add_limit(option, option->min, t);
    } else if (option->min == INT64_MIN) {
        weir_text_add(t, "at most ");
        add_limit(option, option->max, t);
    } else {
        add_limit(option, option->min, t);
        weir_text_add(t, " to ");
        add_limit(option, option->max, t);
    }
}

void weir_option_notes(const weir_option *option, weir_text *t)
{
    const char *separator = " (";
    if (option->type == WEIR_OPTION_ENUM) {
        for (size_t i = 0; option->words[i]; i++) {
            weir_text_add(t, i ? ", " : " (");
            weir_text_add(t, option->words[i]);
        }
        separator = "; ";
    }
    if (option->min || option->max) {
        weir_text_add(t, separator);
        add_limits(option, t);
        separator = "; ";
    }
    if (option->fallback && *option->fallback && option->type != WEIR_OPTION_BOOL) {
        weir_text_format(t, "%sdefault %s", separator, option->fallback);
        separator = "; ";
    }
    if (*separator == ';')
        weir_text_add(t, ")");
}

void weir_help_entry(FILE *file, const char *head, const char *body)
{
    enum { TEXT_COLUMN = 26 };
    const size_t n = strlen(head);
    (void)fputs(head, file);
    if (n + 2 > TEXT_COLUMN)
        (void)fprintf(file, "\n%*s", TEXT_COLUMN, "");
    else
        (void)fprintf(file, "%*s", (int)(TEXT_COLUMN - n), "");
    weir_help_wrapped(file, body, TEXT_COLUMN, TEXT_COLUMN);
}

static void print_option(FILE *file, const weir_option *option)
{
    WEIR_TEXT_AUTO head = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO body = WEIR_TEXT_INIT;
    const char *metavar = weir_option_metavar(option);
    if (option->letter)
        weir_text_format(&head, "  -%c, --%s", option->letter, option->name);
    else
        weir_text_format(&head, "      --%s", option->name);
    if (*metavar)
        weir_text_format(&head, " %s", metavar);
    weir_text_add(&body, option->text);
    weir_option_notes(option, &body);
    weir_help_entry(file, weir_text_get(&head), weir_text_get(&body));
}

void weir_help_command(const weir_command *command, bool whole, FILE *file)
{
    (void)fprintf(file, "%c%s.\n\n", toupper((unsigned char)command->summary[0]),
                  command->summary + 1);
    for (const weir_example *e = command->examples; e->command; e++)
        (void)fprintf(file, "  %s\n      %s\n", e->command, e->text);
    (void)fprintf(file, "\nUsage: weir %s%s%s%s\n", command->name,
                  command->options ? " [OPTIONS]" : "", *command->arguments ? " " : "",
                  command->arguments);
    if (whole && command->text) {
        (void)fputc('\n', file);
        weir_help_wrapped(file, command->text, 0, 0);
    }
    if (command->options) {
        (void)fputs("\nOptions:\n", file);
        for (const weir_option *o = command->options; o->name; o++)
            if (!(o->flags & WEIR_OPTION_UNSUPPORTED))
                print_option(file, o);
    }
    if (!whole && command->text)
        (void)fprintf(file, "\n'weir help %s' says more.\n", command->name);
}
