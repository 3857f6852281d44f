/* SPDX-License-Identifier: MIT */
/* A sink type that only a configuration knows, with an option of each kind. */

#pragma once
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "model/sink.h"

typedef struct ledger_options {
    const char *path, *url, *password;
    int format;
    int64_t keep;
    bool keep_given;
    weir_option_strings columns;
    weir_option_map extra;
    weir_option_ranges pages;
} ledger_options;

static const char *const ledger_formats[] = {"plain", "double_entry", NULL};

static const weir_option ledger_table[] = {
    {.name = "path",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_REQUIRED,
     .offset = offsetof(ledger_options, path),
     .text = "The file."},
    {.name = "url",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(ledger_options, url),
     .text = "Where it is sent to."},
    {.name = "password",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_SECRET,
     .offset = offsetof(ledger_options, password),
     .text = "The password there."},
    {.name = "format",
     .type = WEIR_OPTION_ENUM,
     .offset = offsetof(ledger_options, format),
     .words = ledger_formats,
     .fallback = "plain",
     .text = "How it is kept."},
    {.name = "keep",
     .type = WEIR_OPTION_DURATION,
     .offset = offsetof(ledger_options, keep),
     .set_offset = offsetof(ledger_options, keep_given),
     .min = 1000000,
     .max = 86400000000,
     .text = "How long."},
    {.name = "columns",
     .type = WEIR_OPTION_STRINGS,
     .offset = offsetof(ledger_options, columns),
     .text = "Which columns."},
    {.name = "extra",
     .type = WEIR_OPTION_MAP,
     .offset = offsetof(ledger_options, extra),
     .text = "What else is written."},
    {.name = "pages",
     .type = WEIR_OPTION_RANGES,
     .offset = offsetof(ledger_options, pages),
     .min = 1,
     .max = 999,
     .text = "Which pages."},
    {.name = NULL},
};

static weir_err ledger_check(const void *options, weir_error *error)
{
    const ledger_options *o = options;
    if (o->password && !o->url)
        return weir_fail(error, WEIR_EINVAL, "password goes with url: give it one");
    return WEIR_OK;
}

static const weir_sink_type ledger_type = {.abi = WEIR_SINK_ABI,
                                           .name = "ledger",
                                           .flags = WEIR_SINK_IN_ORDER,
                                           .options = ledger_table,
                                           .options_size = sizeof(ledger_options),
                                           .check = ledger_check};

static weir_err find_ledger(const char *name, const weir_sink_type **ret, weir_error *error)
{
    if (!strcmp(name, "broken"))
        return weir_fail(error, WEIR_EUNSUPPORTED, "the module cannot be loaded: no library");
    if (strcmp(name, ledger_type.name) != 0)
        return weir_fail(error, WEIR_ENOTFOUND, "there is no sink type \"%s\". There are: ledger",
                         name);
    *ret = &ledger_type;
    return WEIR_OK;
}
