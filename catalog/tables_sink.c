/* SPDX-License-Identifier: MIT */
/* Keys that every sink has. */

#include "catalog/tables_priv.h"

static const char *const qualities[] = {"all", "usable", "good", NULL};

const weir_option weir_sink_table[] = {
    {.name = "name",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_REQUIRED,
     AT(weir_sink_in, name),
     .text =
         "What commands and messages call it; unique among sinks. How far it came is kept under "
         "this name: with another name it is another sink, which begins with what is new."},
    {.name = "type",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_REQUIRED,
     AT(weir_sink_in, type),
     .metavar = "TYPE",
     .text = "What it delivers to, such as csv; each type has keys of its own, see below."},
    {.name = "enabled",
     .type = WEIR_OPTION_BOOL,
     AT(weir_sink_in, enabled),
     .fallback = "true",
     .text = "false: nothing is sent; what it has not got is kept for it."},
    {.name = "tags",
     .type = WEIR_OPTION_STRINGS,
     AT(weir_sink_in, tags),
     .metavar = "PATTERN",
     .text = "Which tags it gets: a pattern such as \"main-meter/*\" or a list of them. One with ! "
             "in front leaves out what it matches. When left out, all tags."},
    {.name = "labels",
     .type = WEIR_OPTION_MAP,
     AT(weir_sink_in, labels),
     .metavar = "{KEY: PATTERN}",
     .text = "Only tags that have all of these labels, such as {building: A}: their own or their "
             "device's."},
    {.name = "plans",
     .type = WEIR_OPTION_STRINGS,
     AT(weir_sink_in, plans),
     .metavar = "PLAN",
     .text = "Only samples that one of these plans asked for. The plan default is what the "
             "intervals of devices and points ask for."},
    {.name = "quality",
     .type = WEIR_OPTION_ENUM,
     AT(weir_sink_in, quality),
     .words = qualities,
     .fallback = "all",
     .text = "all: bad samples too, with their cause. usable: good and uncertain ones. good: only "
             "these."},
    {.name = "batch",
     .type = WEIR_OPTION_INT,
     AT(weir_sink_in, batch),
     .min = 1,
     .max = 1000 * 1000,
     .metavar = "ROWS",
     .text = "Rows in one send at most. When left out, as the type does best; how many are sent is "
             "found by itself."},
    {.name = "backlog_rate",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_sink_in, backlog_rate),
     .metavar = "N/s",
     .fallback = "none",
     .text =
         "How many samples a second of a backlog or a replay are sent at most, such as 20000/s, "
         "to spare the other side; none: as fast as it takes them. New samples go first."},
    END,
};
