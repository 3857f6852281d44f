/* SPDX-License-Identifier: MIT */
/* Questions on a terminal. */

#include "cli/question.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

bool weir_question_possible(void)
{
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

weir_err weir_question_ask(const char *text, const char *fallback, weir_arena *arena,
                           const char **ret, weir_error *error)
{
    char line[1024]; /* a terminal's own limit is 4096, nothing that is asked needs a tenth */
    (void)fprintf(stderr, "%s [%s]: ", text, fallback);
    (void)fflush(stderr);
    if (!fgets(line, sizeof line, stdin)) {
        (void)fputc('\n', stderr);
        return weir_fail(error, WEIR_ECANCELED, "no answer");
    }
    const char *start = line;
    size_t n = strlen(line);
    while (n && is_blank(*start)) {
        start++;
        n--;
    }
    while (n && is_blank(start[n - 1]))
        n--;
    const char *answer = n ? weir_arena_text_n(arena, start, n) : weir_arena_text(arena, fallback);
    if (!answer)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    *ret = answer;
    return WEIR_OK;
}

weir_err weir_question_confirm(const char *text, bool fallback, weir_arena *arena, bool *ret,
                               weir_error *error)
{
    const char *answer = NULL;
    for (;;) {
        weir_err err = weir_question_ask(text, fallback ? "yes" : "no", arena, &answer, error);
        if (err)
            return err;
        const bool yes = !strcasecmp(answer, "yes") || !strcasecmp(answer, "y");
        if (yes || !strcasecmp(answer, "no") || !strcasecmp(answer, "n")) {
            *ret = yes;
            return WEIR_OK;
        }
        (void)fprintf(stderr, "  yes or no?\n");
    }
}
