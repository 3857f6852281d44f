/* SPDX-License-Identifier: MIT */
/* weir tag: what tags there are, changing their points, and purging a tag's history. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/edit.h"
#include "cli/thing.h"

struct tag_options {
    struct weir_edit_options place;
    bool yes;
    int format;
    struct weir_thing_values values;
};

static weir_option tag_option_table[WEIR_THING_OPTIONS + 8] = {
    {.name = "yes",
     .letter = 'y',
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct tag_options, yes),
     .text = "Does not ask."},
    WEIR_EDIT_OPTIONS(struct tag_options),
    WEIR_FORMAT_OPTION(struct tag_options)};

enum { TAG_OWN = 5 };

void weir_command_tag_init(void)
{
    weir_thing_fill_options(WEIR_THING_POINT, tag_option_table, TAG_OWN,
                            offsetof(struct tag_options, values));
}

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
    if (weir_thing_verb(in))
        return weir_thing_run(in, &(weir_thing_command){.thing = WEIR_THING_POINT,
                                                        .place = &options->place,
                                                        .values = &options->values,
                                                        .format = options->format});
    if (strcmp(in->args[0], "purge") != 0)
        return weir_command_usage(in, "'%s' is none of add, set, remove, list, show, purge",
                                  in->args[0]);
    if (in->n_args != 2)
        return weir_command_usage(in, "missing PATTERN: which tags to purge");
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
    {"weir tag list", "all tags and where each is defined"},
    {"weir tag add m07/power --register holding --address 52 --type float32 --unit kW",
     "one point more of a device that was added"},
    {"weir tag purge 'test-bench/*'", "forgets what a trial left behind"},
    {0}};

const weir_command weir_command_tag = {
    .name = "tag",
    .summary = "list, add and change tags; purge their history",
    .arguments = "add|set|remove|list|show|purge [TAG|PATTERN]",
    .args_min = 1,
    .args_max = 2,
    .options = tag_option_table,
    .options_size = sizeof(struct tag_options),
    .examples = tag_examples,
    .text = WEIR_THING_TEXT
    "\n\nTags are the points of devices: DEVICE/POINT. They can be added to a device that "
    "config.db has; the others' are in their files and profiles.\n\n"
    "purge: all samples so far of the tags that match are gone for every reader at once, and "
    "a running weir frees the disk of them in the next hours. What is sampled from now on is "
    "kept: take the point "
    "out of the configuration first if it shall end. Names and numbers of tags are never "
    "given to others. A running weir does it; without one this command does.",
    .run = tag_run,
};
