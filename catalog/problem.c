/* SPDX-License-Identifier: MIT */
/* What is wrong with a file, all of it at once: where, what, and what to do. */

#include "catalog/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void weir_problems_deinit(weir_problems *problems)
{
    for (size_t i = 0; i < problems->n; i++)
        weir_free(problems->items[i].text);
    weir_free(problems->items);
    *problems = (weir_problems)WEIR_PROBLEMS_INIT;
}

static bool problems_grow(weir_problems *problems)
{
    weir_problem *items =
        weir_array_room(problems->items, problems->n, &problems->capacity, sizeof *items);
    problems->items = items ? items : problems->items;
    return items != NULL;
}

/* The text and, behind its NUL, the name of the file: one allocation, one release. */
static char *problem_text(const char *file, const char **ret_file, const char *format, va_list va)
{
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    char text[1024];
    (void)vsnprintf(text, sizeof text, format, va);
    weir_text_add(&t, text);
    weir_text_add_n(&t, "", 1);
    weir_text_add(&t, file);
    if (t.failed)
        return NULL;
    char *whole = t.text;
    *ret_file = whole + strlen(text) + 1;
    t = (weir_text)WEIR_TEXT_INIT; /* handed over */
    return whole;
}

void weir_problems_add(weir_problems *problems, weir_err code, weir_where where, const char *format,
                       ...)
{
    if (problems->n >= WEIR_PROBLEMS_MAX) {
        problems->n_more++;
        return;
    }
    va_list va;
    va_start(va, format);
    weir_problem problem = {.code = code, .where = where};
    problem.text = problem_text(where.file ? where.file : "", &problem.where.file, format, va);
    va_end(va);
    if (!problem.text || !problems_grow(problems)) {
        weir_free(problem.text);
        problems->failed = true;
        return;
    }
    problems->items[problems->n++] = problem;
}

static int problem_compare(const void *x, const void *y)
{
    const weir_problem *a = x, *b = y;
    int by_file = strcmp(a->where.file, b->where.file);
    if (by_file)
        return by_file;
    if (a->where.line != b->where.line)
        return a->where.line < b->where.line ? -1 : 1;
    if (a->where.column != b->where.column)
        return a->where.column < b->where.column ? -1 : 1;
    return strcmp(a->text, b->text);
}

void weir_problems_sort(weir_problems *problems)
{
    size_t kept = 0;
    if (!problems->n)
        return;
    qsort(problems->items, problems->n, sizeof *problems->items, problem_compare);
    for (size_t i = 1; i < problems->n; i++) {
        if (problem_compare(&problems->items[kept], &problems->items[i]) == 0)
            weir_free(problems->items[i].text);
        else
            problems->items[++kept] = problems->items[i];
    }
    problems->n = kept + 1;
}

/* A problem quotes what the file says; a terminal must not obey it. */
static void add_printable(weir_text *t, const char *text)
{
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f)
            weir_text_format(t, "\\x%02x", c);
        else
            weir_text_add_char(t, *text);
    }
}

void weir_problem_format(const weir_problem *problem, weir_text *t)
{
    WEIR_TEXT_AUTO place = WEIR_TEXT_INIT;
    weir_where_format(&problem->where, &place);
    add_printable(t, weir_text_get(&place));
    weir_text_add(t, ": ");
    add_printable(t, problem->text);
}
