/* SPDX-License-Identifier: MIT */
/* weir version: which program this is, and what it was built with. */

#include <sqlite3.h>
#include <stdio.h>
#include <uv.h>
#include <yaml.h>
#include <zstd.h>

#include "cli/commands.h"

struct version_options {
    bool json;
};

static const weir_option version_options[] = {{.name = "json",
                                               .type = WEIR_OPTION_BOOL,
                                               .offset = offsetof(struct version_options, json),
                                               .text = "One JSON object."},
                                              {0}};

static const weir_example version_examples[] = {
    {"weir version --json", "the versions of weir and its libraries, for a program or a report"},
    {0}};

static int version_run(const weir_invocation *in)
{
    const struct version_options *options = in->options;
    const struct {
        const char *name, *version;
    } parts[] = {
        {"version", WEIR_VERSION},      {"build_date", WEIR_BUILD_DATE},
        {"libuv", uv_version_string()}, {"sqlite", sqlite3_libversion()},
        {"zstd", ZSTD_versionString()}, {"yaml", yaml_get_version_string()},
    };
    const size_t n = sizeof parts / sizeof *parts;
    if (!options->json) {
        (void)printf("weir %s, built %s\n", parts[0].version, parts[1].version);
        for (size_t i = 2; i < n; i++)
            (void)printf("%s %s\n", parts[i].name, parts[i].version);
        return WEIR_EXIT_OK;
    }
    for (size_t i = 0; i < n; i++)
        (void)printf("%s\"%s\":\"%s\"", i ? "," : "{", parts[i].name, parts[i].version);
    (void)puts("}");
    return WEIR_EXIT_OK;
}

const weir_command weir_command_version = {
    .name = "version",
    .summary = "show the version of weir and of its libraries",
    .arguments = "",
    .options = version_options,
    .options_size = sizeof(struct version_options),
    .examples = version_examples,
    .run = version_run,
};
