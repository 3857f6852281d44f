/* SPDX-License-Identifier: MIT */
/* weir connection: what connections there are, and changing them. */

#include "cli/commands.h"
#include "cli/thing.h"

struct connection_options {
    struct weir_edit_options place;
    int format;
    struct weir_thing_values values;
};

static weir_option connection_option_table[WEIR_THING_OPTIONS + 8] = {
    WEIR_EDIT_OPTIONS(struct connection_options), WEIR_FORMAT_OPTION(struct connection_options)};

enum { CONNECTION_OWN = 4 };

void weir_command_connection_init(void)
{
    weir_thing_fill_options(WEIR_THING_CONNECTION, connection_option_table, CONNECTION_OWN,
                            offsetof(struct connection_options, values));
}

static int connection_run(const weir_invocation *in)
{
    const struct connection_options *options = in->options;
    if (!weir_thing_verb(in))
        return weir_command_usage(in, "'%s' is none of add, set, remove, list, show", in->args[0]);
    return weir_thing_run(in, &(weir_thing_command){.thing = WEIR_THING_CONNECTION,
                                                    .place = &options->place,
                                                    .values = &options->values,
                                                    .format = options->format});
}

static const weir_example connection_examples[] = {
    {"weir connection list", "all connections and where each is defined"},
    {"weir connection add hall --uri tcp://192.168.1.113 --timeout 2s", "a gateway more"},
    {"weir connection set hall --enabled false", "nothing is sent to it until it is true again"},
    {0}};

const weir_command weir_command_connection = {
    .name = "connection",
    .summary = "list, add and change connections",
    .arguments = "add|set|remove|list|show [CONNECTION]",
    .args_min = 1,
    .args_max = 2,
    .options = connection_option_table,
    .options_size = sizeof(struct connection_options),
    .examples = connection_examples,
    .text = WEIR_THING_TEXT,
    .run = connection_run,
};
