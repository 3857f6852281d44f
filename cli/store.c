/* SPDX-License-Identifier: MIT */
/* weir store: what is in a data directory, and whether it is whole. */

#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "cli/commands.h"
#include "cli/datadir.h"
#include "cli/output.h"
#include "store/stats.h"
#include "store/verify.h"

struct store_options {
    const char *config, *data_dir;
    int format;
};

static const weir_option store_option_table[] = {
    {.name = "data-dir",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct store_options, data_dir),
     .metavar = "DIR",
     .text = "The data directory. Without it the configuration's, else ./weir-data."},
    {.name = "config",
     .letter = 'c',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct store_options, config),
     .metavar = "FILE",
     .text = "The configuration that names the data directory. Without it ./weir.yaml, then "
             "/etc/weir/weir.yaml."},
    WEIR_FORMAT_OPTION(struct store_options),
    {0}};

static weir_value text_value(const char *text)
{
    return weir_value_string(text, strlen(text));
}

/* Null for a time that is not there. */
static weir_value time_value(weir_wall t, char room[28])
{
    if (!t.us)
        return weir_value_null();
    weir_wall_format(t, room);
    return text_value(room);
}

/* --- stats --- */

enum { STATS = 26 };

/* For people one line a number, with sizes that can be read. */
static void say_stats(const char *const names[STATS], const weir_value values[STATS])
{
    for (size_t i = 0; i < STATS; i++) {
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        size_t n = strlen(names[i]);
        bool size = n > 6 && !strcmp(names[i] + n - 6, "_bytes");
        if (size)
            weir_text_add_size(&text, values[i].as.u);
        else
            weir_value_format(&values[i], &text);
        (void)printf("%-18s %s\n", names[i], weir_text_get(&text));
    }
}

static weir_err store_stats(const weir_invocation *in, const char *data_dir, weir_error *error)
{
    static const char *const names[STATS] = {
        "uuid",           "schema",           "created",
        "rows",           "samples",          "events",
        "tags",           "current_tags",     "first_time",
        "last_time",      "bytes_per_sample", "level0_bytes",
        "level1_bytes",   "level2_bytes",     "level0_samples",
        "level1_samples", "level2_samples",   "tier0_parts",
        "tier1_parts",    "tier2_parts",      "tier3_parts",
        "tier4_parts",    "file_bytes",       "free_bytes",
        "wal_bytes",      "expired_samples",
    };
    const struct store_options *options = in->options;
    char created[28], first[28], last[28];
    weir_store_stats s;
    weir_err err = weir_store_get_stats(data_dir, NULL, &s, error);
    if (err)
        return err;
    const weir_value values[STATS] = {
        text_value(s.uuid),
        weir_value_i64(s.schema),
        time_value(s.created, created),
        weir_value_u64(s.rows),
        weir_value_u64(s.samples),
        weir_value_u64(s.events),
        weir_value_u64(s.tags),
        weir_value_u64(s.current_tags),
        time_value(s.first_ts, first),
        time_value(s.last_ts, last),
        weir_value_decimal((int64_t)(s.bytes_per_sample * 100 + 0.5), -2),
        weir_value_u64(s.level_bytes[0]),
        weir_value_u64(s.level_bytes[1]),
        weir_value_u64(s.level_bytes[2]),
        weir_value_u64(s.level_samples[0]),
        weir_value_u64(s.level_samples[1]),
        weir_value_u64(s.level_samples[2]),
        weir_value_u64(s.parts[0]),
        weir_value_u64(s.parts[1]),
        weir_value_u64(s.parts[2]),
        weir_value_u64(s.parts[3]),
        weir_value_u64(s.parts[4]),
        weir_value_u64(s.file_bytes),
        weir_value_u64(s.free_bytes),
        weir_value_u64(s.wal_bytes),
        weir_value_u64(s.expired),
    };
    weir_format format = (weir_format)options->format;
    if (format == WEIR_FORMAT_AUTO)
        format = weir_format_of(stdout);
    if (format == WEIR_FORMAT_TABLE) {
        say_stats(names, values);
        return WEIR_OK;
    }
    WEIR_CLEANUP(weir_output_end)
    weir_output *output = weir_output_new(stdout, format, names, STATS);
    if (!output)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    (void)weir_output_row(output, values);
    return WEIR_OK;
}

/* --- verify --- */

static void on_finding(void *data, const char *finding)
{
    const weir_value row[] = {text_value(finding)};
    (void)weir_output_row(data, row);
}

static weir_err store_verify(const weir_invocation *in, const char *data_dir, weir_error *error)
{
    static const char *const names[] = {"finding"};
    const struct store_options *options = in->options;
    weir_verify_counts counts = {0};
    weir_output *output = weir_output_new(stdout, (weir_format)options->format, names, 1);
    if (!output)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    weir_err err = weir_store_verify(data_dir, NULL, on_finding, output, &counts, error);
    weir_output_end(output);
    if (err && counts.findings == 0)
        return err; /* nothing could be read at all */
    weir_command_note(in,
                      "read %llu rows, %llu segments, %llu samples, %llu events, %llu tags: %llu "
                      "finding%s",
                      (unsigned long long)counts.rows, (unsigned long long)counts.segments,
                      (unsigned long long)counts.samples, (unsigned long long)counts.events,
                      (unsigned long long)counts.tags, (unsigned long long)counts.findings,
                      counts.findings == 1 ? "" : "s");
    return err;
}

/* --- both --- */

static int store_run(const weir_invocation *in)
{
    const struct store_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    weir_err (*action)(const weir_invocation *, const char *, weir_error *) = NULL;
    if (!strcmp(in->args[0], "stats"))
        action = store_stats;
    else if (!strcmp(in->args[0], "verify"))
        action = store_verify;
    if (!action && !strcmp(in->args[0], "repair")) {
        (void)weir_fail(&error, WEIR_EUNSUPPORTED, "'repair' is not supported by this version");
        return weir_command_fail(in, &error);
    }
    if (!action)
        return weir_command_usage(in, "'%s' is neither stats nor verify", in->args[0]);
    const char *data_dir = weir_data_dir(in->arena, options->config, options->data_dir, &error);
    if (!data_dir)
        return weir_command_fail(in, &error);
    return action(in, data_dir, &error) ? weir_command_fail(in, &error) : WEIR_EXIT_OK;
}

static const weir_example store_examples[] = {
    {"weir store stats", "how many samples there are, and what they take"},
    {"weir store verify --data-dir /var/lib/weir", "reads everything; exit code 9 when damaged"},
    {0}};

const weir_command weir_command_store = {
    .name = "store",
    .summary = "show what is in a data directory, and whether it is whole",
    .arguments = "stats|verify",
    .args_min = 1,
    .args_max = 1,
    .options = store_option_table,
    .options_size = sizeof(struct store_options),
    .examples = store_examples,
    .text =
        "stats: samples, events, tags, times and sizes: of the newest commits (level 0), of the "
        "log (level 1: merged each minute, kept until every sink has it) and of history (level "
        "2: parts of an hour, 1, 8, 64 and 512 days are tiers 0 to 4). Nothing is "
        "decompressed.\n\n"
        "verify: the database's own integrity check; every row's and segment's checksums, codec, "
        "counts and times; every summary against its samples. One line for each finding on "
        "standard output, what was read on standard "
        "error. It sees one moment beside a running daemon.",
    .run = store_run,
};
