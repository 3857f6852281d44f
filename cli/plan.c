/* SPDX-License-Identifier: MIT */
/* weir plan: what plans there are, and changing them. */

#include "cli/commands.h"
#include "cli/thing.h"

struct plan_options {
    struct weir_edit_options place;
    int format;
    struct weir_thing_values values;
};

static weir_option plan_option_table[WEIR_THING_OPTIONS + 8] = {
    WEIR_EDIT_OPTIONS(struct plan_options), WEIR_FORMAT_OPTION(struct plan_options)};

enum { PLAN_OWN = 3 };

void weir_command_plan_init(void)
{
    weir_thing_fill_options(WEIR_THING_PLAN, plan_option_table, PLAN_OWN,
                            offsetof(struct plan_options, values));
}

static int plan_run(const weir_invocation *in)
{
    const struct plan_options *options = in->options;
    if (!weir_thing_verb(in))
        return weir_command_usage(in, "'%s' is none of add, set, remove, list, show", in->args[0]);
    return weir_thing_run(in, &(weir_thing_command){.thing = WEIR_THING_PLAN,
                                                    .place = &options->place,
                                                    .values = &options->values,
                                                    .format = options->format});
}

static const weir_example plan_examples[] = {
    {"weir plan list", "all plans and where each is defined"},
    {"weir plan add night --tags 'chiller/*' --cron '0 */5 22-23 * * *'",
     "the chillers each 5 minutes in the night too"},
    {0}};

const weir_command weir_command_plan = {
    .name = "plan",
    .summary = "list, add and change plans",
    .arguments = "add|set|remove|list|show [PLAN]",
    .args_min = 1,
    .args_max = 2,
    .options = plan_option_table,
    .options_size = sizeof(struct plan_options),
    .examples = plan_examples,
    .text = WEIR_THING_TEXT,
    .run = plan_run,
};
