/* SPDX-License-Identifier: MIT */
/* weir tag: purging a tag's history. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/edit.h"

struct tag_options {
    struct weir_edit_options place;
    bool yes;
};

static const weir_option tag_option_table[] = {{.name = "yes",
                                                .letter = 'y',
                                                .type = WEIR_OPTION_BOOL,
                                                .offset = offsetof(struct tag_options, yes),
                                                .text = "Does not ask."},
                                               WEIR_EDIT_OPTIONS(struct tag_options),
                                               {0}};

static bool tag_confirm(const char *pattern)
{
    char answer[8] = "";
    (void)fprintf(stderr, "All samples of '%s' up to now will be gone for good. Go on? [y/N] ",
                  pattern);
    return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int tag_run(const weir_invocation *in)
{
    const struct tag_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    uint64_t n = 0;
    if (strcmp(in->args[0], "purge") != 0)
        return weir_command_usage(in, "'%s' is not purge", in->args[0]);
    const weir_edit edit = {.kind = WEIR_EDIT_PURGE, .subject = in->args[1]};
    if (!options->yes && !isatty(STDIN_FILENO))
        return weir_command_usage(in, "purge asks before it acts: give --yes where nobody answers");
    if (!options->yes && !tag_confirm(edit.subject))
        return WEIR_EXIT_FAILURE;
    if (weir_edit_make(in, &options->place, &edit, &n, &error))
        return weir_command_fail(in, &error);
    weir_command_note(in,
                      "the history of %llu tag%s is gone; a running weir gives its space back "
                      "in the next hours",
                      (unsigned long long)n, n == 1 ? "" : "s");
    return WEIR_EXIT_OK;
}

static const weir_example tag_examples[] = {
    {"weir tag purge 'test-bench/*'", "forgets what a trial left behind"}, {0}};

const weir_command weir_command_tag = {
    .name = "tag",
    .summary = "purge the history of tags",
    .arguments = "purge PATTERN",
    .args_min = 2,
    .args_max = 2,
    .options = tag_option_table,
    .options_size = sizeof(struct tag_options),
    .examples = tag_examples,
    .text =
        "purge: all samples so far of the tags that match are gone for every reader at once, and "
        "a running weir frees the disk of them in the next hours. What is sampled from now on is "
        "kept: take the point "
        "out of the configuration first if it shall end. Names and numbers of tags are never "
        "given to others. A running weir does it; without one this command does.",
    .run = tag_run,
};
