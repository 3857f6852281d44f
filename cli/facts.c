/* SPDX-License-Identifier: MIT */
/* Named facts about one thing: a line each for people, one row for programs. */

#include "cli/facts.h"

#include <string.h>

#include "base/text.h"

/* How much of "file_bytes" people see: the unit stands in the text. */
static size_t label_length(const weir_fact *fact)
{
    static const char *const units[] = {"_bytes", "_ms"};
    const size_t n = strlen(fact->name);
    for (size_t i = 0; fact->text && i < sizeof units / sizeof *units; i++) {
        const size_t unit = strlen(units[i]);
        if (n > unit && strcmp(fact->name + n - unit, units[i]) == 0)
            return n - unit;
    }
    return n;
}

static void label_print(FILE *file, const weir_fact *fact, size_t width)
{
    const size_t n = label_length(fact);
    for (size_t i = 0; i < n; i++)
        (void)fputc(fact->name[i] == '_' ? ' ' : fact->name[i], file);
    (void)fprintf(file, "%*s", (int)(width - n + 2), "");
}

static bool fact_is_shown(const weir_fact *fact)
{
    return fact->text ? *fact->text != '\0' : fact->value.kind != WEIR_KIND_NULL;
}

static void facts_list(FILE *file, const weir_fact *facts, size_t n)
{
    size_t width = 0;
    for (size_t i = 0; i < n; i++)
        if (fact_is_shown(&facts[i]) && label_length(&facts[i]) > width)
            width = label_length(&facts[i]);
    for (size_t i = 0; i < n; i++) {
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        if (!fact_is_shown(&facts[i]))
            continue;
        weir_value_format(&facts[i].value, &text);
        label_print(file, &facts[i], width);
        (void)fprintf(file, "%s\n", facts[i].text ? facts[i].text : weir_text_get(&text));
    }
}

static bool facts_row(FILE *file, weir_format format, const weir_fact *facts, size_t n)
{
    enum { FACTS_MAX = 64 };
    const char *names[FACTS_MAX];
    weir_value values[FACTS_MAX];
    n = n < FACTS_MAX ? n : FACTS_MAX;
    for (size_t i = 0; i < n; i++) {
        names[i] = facts[i].name;
        values[i] = facts[i].value;
    }
    WEIR_CLEANUP(weir_output_end)
    weir_output *output = weir_output_new(file, format, names, n);
    if (output)
        (void)weir_output_row(output, values); /* the end of the program says if it matters */
    return output != NULL;
}

bool weir_facts_print(FILE *file, weir_format format, const weir_fact *facts, size_t n)
{
    if (format == WEIR_FORMAT_AUTO)
        format = weir_format_of(file);
    if (format != WEIR_FORMAT_TABLE)
        return facts_row(file, format, facts, n);
    facts_list(file, facts, n);
    return true;
}
