/* SPDX-License-Identifier: MIT */
/* weir store: what is in a data directory, and whether it is whole. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "cli/commands.h"
#include "cli/datadir.h"
#include "cli/facts.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "runtime/clock.h"
#include "store/repair/repair.h"
#include "store/repair/verify.h"
#include "store/stats.h"

struct store_options {
    const char *config, *data_dir;
    int format;
    weir_option_strings env_files;
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
    WEIR_ENV_FILE_OPTION(struct store_options),
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

static const char *const tier_words[WEIR_STORE_TIERS] = {"1 hour", "1 day", "8 days", "64 days",
                                                         "512 days"};

static const char *size_of(weir_text *t, uint64_t bytes)
{
    weir_text_clear(t);
    weir_text_add_size(t, bytes);
    return weir_text_get(t);
}

static weir_value per_sample(uint64_t bytes, uint64_t samples)
{
    return samples ? weir_value_decimal((int64_t)((double)bytes / (double)samples * 100 + 0.5), -2)
                   : weir_value_null();
}

static void say_level(weir_output *output, const char *name, uint64_t pieces, uint64_t samples,
                      uint64_t bytes)
{
    WEIR_TEXT_AUTO size = WEIR_TEXT_INIT;
    const weir_value row[] = {text_value(name), weir_value_u64(pieces), weir_value_u64(samples),
                              text_value(size_of(&size, bytes)), per_sample(bytes, samples)};
    (void)weir_output_row(output, row);
}

static weir_err say_levels(const weir_store_stats *s, weir_error *error)
{
    static const char *const names[] = {"where", "pieces", "samples", "size", "bytes/sample"};
    weir_output *output = weir_output_new(stdout, WEIR_FORMAT_TABLE, names, 5);
    if (!output)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    say_level(output, "newest commits", s->level_rows[0], s->level_samples[0], s->level_bytes[0]);
    say_level(output, "log", s->level_rows[1], s->level_samples[1], s->level_bytes[1]);
    for (size_t i = 0; i < WEIR_STORE_TIERS; i++) {
        if (s->tiers[i].parts == 0)
            continue;
        char name[40];
        (void)snprintf(name, sizeof name, "history, %s", tier_words[i]);
        say_level(output, name, s->tiers[i].parts, s->tiers[i].samples, s->tiers[i].bytes);
    }
    weir_output_end(output);
    return WEIR_OK;
}

static void say_counts(const weir_store_stats *s)
{
    char first[28], last[28];
    weir_wall_format(s->first_ts, first);
    weir_wall_format(s->last_ts, last);
    (void)printf("%llu samples of %llu tags (%llu in the newest configuration), %llu events\n",
                 (unsigned long long)s->samples, (unsigned long long)s->tags,
                 (unsigned long long)s->current_tags, (unsigned long long)s->events);
    if (s->samples)
        (void)printf("from %.19sZ to %.19sZ, %.2f bytes a sample\n", first, last,
                     s->bytes_per_sample);
    if (s->purged_tags)
        (void)printf("%llu tags were purged: samples of before count until they are merged away\n",
                     (unsigned long long)s->purged_tags);
    if (s->expired)
        (void)printf("%llu samples have passed their retention and are gone\n",
                     (unsigned long long)s->expired);
    if (s->quarantined)
        (void)printf("%llu blocks could not be read and are kept aside: see 'weir store verify'\n",
                     (unsigned long long)s->quarantined);
}

/* For people: what it is, what it holds, where that lies, what it takes. */
static weir_err say_stats(const weir_store_stats *s, weir_error *error)
{
    WEIR_TEXT_AUTO file = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO unused = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO wal = WEIR_TEXT_INIT;
    char created[28];
    weir_wall_format(s->created, created);
    (void)printf("store %s%s%s%s, version %d, created %.10s\n", s->identity.uuid,
                 *s->identity.name ? " (copy '" : "", s->identity.name,
                 *s->identity.name ? "')" : "", s->schema, created);
    if (*s->identity.instance)
        (void)printf("instance %s\n", s->identity.instance);
    (void)putchar('\n');
    say_counts(s);
    (void)putchar('\n');
    weir_err err = say_levels(s, error);
    (void)printf("\ndata.db %s, of it %s free; write-ahead log %s\n", size_of(&file, s->file_bytes),
                 size_of(&unused, s->free_bytes), size_of(&wal, s->wal_bytes));
    return err;
}

/* For programs: one row. */
static weir_err put_stats(const weir_store_stats *s, weir_format format, weir_error *error)
{
    char created[28], first[28], last[28];
    const weir_fact facts[] = {
        {"uuid", text_value(s->identity.uuid), NULL},
        {"instance", text_value(s->identity.instance), NULL},
        {"name", text_value(s->identity.name), NULL},
        {"schema", weir_value_i64(s->schema), NULL},
        {"created", time_value(s->created, created), NULL},
        {"rows", weir_value_u64(s->level_rows[0] + s->level_rows[1]), NULL},
        {"samples", weir_value_u64(s->samples), NULL},
        {"events", weir_value_u64(s->events), NULL},
        {"tags", weir_value_u64(s->tags), NULL},
        {"current_tags", weir_value_u64(s->current_tags), NULL},
        {"purged_tags", weir_value_u64(s->purged_tags), NULL},
        {"quarantined", weir_value_u64(s->quarantined), NULL},
        {"expired_samples", weir_value_u64(s->expired), NULL},
        {"first_time", time_value(s->first_ts, first), NULL},
        {"last_time", time_value(s->last_ts, last), NULL},
        {"bytes_per_sample", weir_value_decimal((int64_t)(s->bytes_per_sample * 100 + 0.5), -2),
         NULL},
        {"level0_bytes", weir_value_u64(s->level_bytes[0]), NULL},
        {"level1_bytes", weir_value_u64(s->level_bytes[1]), NULL},
        {"level2_bytes", weir_value_u64(s->level_bytes[2]), NULL},
        {"level0_samples", weir_value_u64(s->level_samples[0]), NULL},
        {"level1_samples", weir_value_u64(s->level_samples[1]), NULL},
        {"level2_samples", weir_value_u64(s->level_samples[2]), NULL},
        {"level2_segments", weir_value_u64(s->level_rows[2]), NULL},
        {"tier0_parts", weir_value_u64(s->tiers[0].parts), NULL},
        {"tier1_parts", weir_value_u64(s->tiers[1].parts), NULL},
        {"tier2_parts", weir_value_u64(s->tiers[2].parts), NULL},
        {"tier3_parts", weir_value_u64(s->tiers[3].parts), NULL},
        {"tier4_parts", weir_value_u64(s->tiers[4].parts), NULL},
        {"file_bytes", weir_value_u64(s->file_bytes), NULL},
        {"free_bytes", weir_value_u64(s->free_bytes), NULL},
        {"wal_bytes", weir_value_u64(s->wal_bytes), NULL},
    };
    return weir_facts_print(stdout, format, facts, sizeof facts / sizeof *facts)
               ? WEIR_OK
               : weir_fail(error, WEIR_ENOMEM, "out of memory");
}

static weir_err store_stats(const weir_invocation *in, const char *data_dir, weir_error *error)
{
    const struct store_options *options = in->options;
    weir_store_stats s;
    weir_err err = weir_store_get_stats(data_dir, NULL, &s, error);
    weir_format format = (weir_format)options->format;
    if (err)
        return err;
    if (format == WEIR_FORMAT_AUTO)
        format = weir_format_of(stdout);
    return format == WEIR_FORMAT_TABLE ? say_stats(&s, error) : put_stats(&s, format, error);
}

/* --- verify --- */

/* The output begins with the first one. */
struct findings {
    weir_format format;
    weir_progress progress;
    weir_output *output;
};

static weir_output *findings_output(const struct findings *f)
{
    static const char *const names[] = {"finding"};
    return weir_output_new(stdout, f->format, names, 1);
}

static void on_finding(void *data, const char *finding)
{
    struct findings *f = data;
    const weir_value row[] = {text_value(finding)};
    if (!f->output)
        f->output = findings_output(f);
    if (f->output)
        (void)weir_output_row(f->output, row);
}

static void on_verified(void *data, uint64_t done, uint64_t total)
{
    struct findings *f = data;
    weir_progress_set(&f->progress, done, total ? (double)done / (double)total : 0);
}

static weir_err store_verify(const weir_invocation *in, const char *data_dir, weir_error *error)
{
    const struct store_options *options = in->options;
    weir_verify_counts counts = {0};
    struct findings findings = {.format = (weir_format)options->format};
    weir_progress_start(&findings.progress, "verifying", "samples");
    weir_err err = weir_store_verify_watched(data_dir, NULL, on_finding, on_verified, &findings,
                                             &counts, error);
    weir_progress_end(&findings.progress);
    if (err && counts.findings == 0)
        return err; /* nothing could be read at all */
    /* A head without a line below would look like a finding to people. */
    if (!findings.output && (findings.format != WEIR_FORMAT_AUTO || !isatty(STDOUT_FILENO)))
        findings.output = findings_output(&findings);
    weir_output_end(findings.output);
    weir_command_note(in,
                      "read %llu row%s, %llu segments, %llu samples, %llu events, %llu tags: %llu "
                      "finding%s",
                      (unsigned long long)counts.rows, counts.rows == 1 ? "" : "s",
                      (unsigned long long)counts.segments, (unsigned long long)counts.samples,
                      (unsigned long long)counts.events, (unsigned long long)counts.tags,
                      (unsigned long long)counts.findings, counts.findings == 1 ? "" : "s");
    return err;
}

/* --- repair --- */

static void note_range(const weir_invocation *in, const weir_lost_range *range)
{
    char from[28] = "the beginning", to[28] = "the end";
    if (range->from.us)
        weir_wall_format(range->from, from);
    if (range->to.us)
        weir_wall_format(range->to, to);
    weir_command_note(in, "lost: %llu samples and events, numbers %llu to %llu, between %s and %s",
                      (unsigned long long)(range->last_seq - range->first_seq + 1),
                      (unsigned long long)range->first_seq, (unsigned long long)range->last_seq,
                      from, to);
}

static void note_repair(const weir_invocation *in, const weir_repair_report *r)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    if (r->foreign_wal[0])
        weir_command_note(in, "data.db-wal was of another store; it is now %s", r->foreign_wal);
    if (!r->repaired) {
        weir_command_note(in, r->foreign_wal[0] ? "nothing else is wrong"
                                                : "nothing is wrong; nothing was changed");
        return;
    }
    weir_salvage_say(&r->counts, &text);
    weir_command_note(in, "%s", r->why);
    for (unsigned i = 0; i < r->counts.n_ranges; i++)
        note_range(in, &r->counts.ranges[i]);
    weir_command_note(in, "%s. The damaged files are in %s", weir_text_get(&text), r->quarantine);
}

/* *ret_lost: something is. */
static weir_err store_repair(const weir_invocation *in, const char *data_dir, bool *ret_lost,
                             weir_error *error)
{
    static const char *const names[] = {"repaired",  "samples",      "events", "tags",
                                        "lost_seqs", "lost_samples", "moved",  "quarantine"};
    enum { N = sizeof names / sizeof *names };
    const struct store_options *options = in->options;
    weir_repair_report r;
    weir_err err = weir_store_repair(data_dir, NULL, weir_system_wall(), &r, error);
    if (err)
        return err;
    const weir_value values[N] = {
        weir_value_bool(r.repaired),        weir_value_u64(r.counts.samples),
        weir_value_u64(r.counts.events),    weir_value_u64(r.counts.tags),
        weir_value_u64(r.counts.lost_seqs), weir_value_u64(r.counts.lost_samples),
        weir_value_u64(r.counts.moved),     text_value(r.quarantine),
    };
    note_repair(in, &r);
    *ret_lost = r.counts.lost_seqs + r.counts.lost_samples > 0;
    if (!r.repaired)
        return WEIR_OK;
    WEIR_CLEANUP(weir_output_end)
    weir_output *output = weir_output_new(stdout, (weir_format)options->format, names, N);
    if (!output)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    (void)weir_output_row(output, values);
    return WEIR_OK;
}

/* --- all --- */

static int store_run(const weir_invocation *in)
{
    const struct store_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    const char *action = in->args[0];
    bool lost = false;
    weir_err err;
    if (strcmp(action, "stats") != 0 && strcmp(action, "verify") != 0 &&
        strcmp(action, "repair") != 0)
        return weir_command_usage(in, "'%s' is none of stats, verify, repair", action);
    const char *data_dir = weir_data_dir(in->arena, options->config, options->data_dir, &error);
    if (!data_dir)
        return weir_command_fail(in, &error);
    if (strcmp(action, "stats") == 0)
        err = store_stats(in, data_dir, &error);
    else if (strcmp(action, "verify") == 0)
        err = store_verify(in, data_dir, &error);
    else
        err = store_repair(in, data_dir, &lost, &error);
    if (err == WEIR_EDAMAGED && strcmp(action, "verify") == 0 &&
        !strstr(error.text, "store repair") && !strstr(error.text, "another program")) {
        const int code = weir_command_fail(in, &error);
        weir_command_note(in,
                          "with weir stopped, `weir store repair --data-dir %s` keeps all that can "
                          "be read",
                          data_dir);
        return code;
    }
    if (err)
        return weir_command_fail(in, &error);
    return lost ? WEIR_EXIT_PARTLY : WEIR_EXIT_OK;
}

static const weir_example store_examples[] = {
    {"weir store stats", "how many samples there are, and what they take"},
    {"weir store verify --data-dir /var/lib/weir", "reads everything; exit code 9 when damaged"},
    {"weir store repair --data-dir /var/lib/weir", "keeps all that can be read"},
    {0}};

const weir_command weir_command_store = {
    .name = "store",
    .summary = "show what is in a data directory, whether it is whole, and repair it",
    .arguments = "stats|verify|repair",
    .args_min = 1,
    .args_max = 1,
    .options = store_option_table,
    .options_size = sizeof(struct store_options),
    .examples = store_examples,
    .text =
        "stats: which store it is, what it holds and what that takes: the newest commits (level "
        "0), the log (level 1: merged each minute, kept until every sink has it) and history "
        "(level 2: parts of an hour, 1, 8, 64 and 512 days are tiers 0 to 4). A sample may be in "
        "the log and in history; samples counts it once. Nothing is decompressed.\n\n"
        "verify: the database's own integrity check; every row's and segment's checksums, codec, "
        "counts and times; every summary against its samples. One line for each finding on "
        "standard output, what was read on standard "
        "error. It sees one moment beside a running daemon.\n\n"
        "repair: for a stopped weir. Verifies, and when anything is wrong writes every row that "
        "can "
        "be read into a new data.db; the damaged files are moved to quarantine/ in the data "
        "directory, which needs as much room once more. What is lost is said, as far as it can be "
        "known. Exit code 0: nothing was wrong, or nothing is known to be lost; 8: something is; "
        "9: nothing in the file is weir's, and it was not touched. A weir that finds its store "
        "damaged does the same by itself. Numbers (seq) go on above the next multiple of 2^32.",
    .run = store_run,
};
