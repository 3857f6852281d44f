/* SPDX-License-Identifier: MIT */
/* weir generate: sample history, from waveforms or EMDC's Fourier description. */

#include "cli/generate.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/number.h"
#include "cli/commands.h"
#include "cli/moment.h"
#include "daemon/assemble.h"
#include "runtime/clock.h"

struct generate_options {
    const char *config, *fourier, *data_dir, *from, *to, *units, *resolution;
    int64_t interval, seed;
    int format;
    weir_option_strings env_files;
};

static const char *const format_words[] = {"store", "csv", "jsonl", NULL};

static const weir_option generate_option_table[] = {
    {.name = "from",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct generate_options, from),
     .metavar = "TIME",
     .text = "The first sample's time or a little before. Needed, except with "
             "--fourier. " WEIR_MOMENT_HELP},
    {.name = "to",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct generate_options, to),
     .metavar = "TIME",
     .text = "Samples before this time. Without it: now."},
    {.name = "interval",
     .type = WEIR_OPTION_DURATION,
     .offset = offsetof(struct generate_options, interval),
     .min = 10 * WEIR_MS,
     .max = 366 * WEIR_DAY,
     .text = "From one sample of a tag to the next. Without it: as the configuration says, 1s for "
             "a profile, sample_rate of the Fourier description."},
    {.name = "seed",
     .type = WEIR_OPTION_INT,
     .offset = offsetof(struct generate_options, seed),
     .fallback = "1",
     .text = "Another seed gives other values; the same one the same, as with weir simulate."},
    {.name = "units",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct generate_options, units),
     .metavar = "RANGES",
     .text = "The one device once for each unit id, such as 1-4: DEVICE-1 to DEVICE-4."},
    {.name = "fourier",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct generate_options, fourier),
     .metavar = "FILE",
     .text = "A description as for EMDC's gendata: JSON, a list of topics with start, end, "
             "sample_rate, period, amplitude_cos, amplitude_sin, amplitude_offset and spread."},
    {.name = "resolution",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct generate_options, resolution),
     .metavar = "NUMBER",
     .text = "The smallest step of --fourier's values, such as 0.001: a tenth of the size. Without "
             "it they are exact doubles."},
    {.name = "format",
     .type = WEIR_OPTION_ENUM,
     .offset = offsetof(struct generate_options, format),
     .fallback = "store",
     .words = format_words,
     .metavar = "FORMAT",
     .text = "store: into the data directory. csv and jsonl: to standard output, as weir export "
             "writes them."},
    {.name = "data-dir",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct generate_options, data_dir),
     .metavar = "DIR",
     .text = "The data directory; nothing else may be using it. Without it the configuration's, "
             "else ./weir-data."},
    {.name = "config",
     .letter = 'c',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct generate_options, config),
     .metavar = "FILE",
     .text = "The configuration, the same as FILE. Without any: ./weir.yaml, then "
             "/etc/weir/weir.yaml."},
    WEIR_ENV_FILE_OPTION(struct generate_options),
    {0}};

static atomic_bool stop;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stop, true);
}

/* --- what was asked --- */

static weir_err range_parse(const struct generate_options *o, weir_wall now,
                            weir_generator_options *ret, weir_error *error)
{
    if (!o->from && o->fourier && !o->to)
        return WEIR_OK; /* its own */
    if (!o->from)
        return weir_fail(error, WEIR_EINVAL, "--from is missing: how far back, such as -365d");
    weir_err err = weir_moment_parse("from", o->from, now, &ret->from, error);
    if (!err)
        err = weir_moment_parse("to", o->to ? o->to : "now", now, &ret->to, error);
    if (!err && ret->from.us >= ret->to.us)
        err = weir_fail(error, WEIR_EINVAL, "--from must be before --to");
    ret->has_range = true;
    return err;
}

static weir_err source_find(const weir_invocation *in, weir_generator_options *ret,
                            weir_error *error)
{
    const struct generate_options *o = in->options;
    const char *file = in->n_args ? in->args[0] : NULL;
    ret->fourier = o->fourier;
    if ((file != NULL) + (o->config != NULL) + (o->fourier != NULL) > 1)
        return weir_fail(error, WEIR_EINVAL, "one of FILE|PROFILE, --config and --fourier");
    if (o->fourier)
        return WEIR_OK;
    ret->source = file ? file : weir_assemble_config_path(o->config);
    return ret->source ? WEIR_OK
                       : weir_fail(error, WEIR_EINVAL,
                                   "name a configuration, a profile or a --fourier FILE");
}

static weir_err options_parse(const weir_invocation *in, weir_wall now, weir_generator_options *ret,
                              weir_error *error)
{
    const struct generate_options *o = in->options;
    *ret = (weir_generator_options){
        .units = o->units, .interval_us = o->interval, .seed = (uint64_t)o->seed};
    weir_err err = source_find(in, ret, error);
    if (!err)
        err = range_parse(o, now, ret, error);
    if (!err && o->resolution &&
        (!weir_parse_decimal(o->resolution, &ret->resolution_mantissa, &ret->resolution_exponent) ||
         ret->resolution_mantissa <= 0))
        err = weir_fail(error, WEIR_EINVAL, "--resolution must be a number above 0, not \"%s\"",
                        o->resolution);
    if (!err && o->resolution && !o->fourier)
        err = weir_fail(error, WEIR_EINVAL,
                        "--resolution is for --fourier; a point's simulate has its own");
    return err;
}

/* --- the work --- */

/* A daemon distrusts a clock that is behind the newest sample. */
static weir_err check_past(const weir_generator *g, weir_wall now, weir_error *error)
{
    char last[28];
    weir_wall_format(g->last, last);
    if (g->last.us <= now.us)
        return WEIR_OK;
    return weir_fail(error, WEIR_EINVAL,
                     "the last sample would be of %s, which is to come: a store holds the past",
                     last);
}

static void say_done(const weir_invocation *in, const weir_generate_job *job, int64_t took_us)
{
    const weir_generator *g = job->generator;
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    weir_text_format(&t, "%llu samples of %zu tag%s in ", (unsigned long long)job->done, g->n_tags,
                     g->n_tags == 1 ? "" : "s");
    weir_text_add_duration(&t, took_us / WEIR_MS * WEIR_MS);
    if (took_us > 0)
        weir_text_format(&t, ", %.2f M/s", (double)job->done / (double)took_us);
    weir_text_add(&t, "; ");
    weir_text_add_size(&t, job->bytes);
    if (job->done)
        weir_text_format(&t, ", %.2f bytes a sample", (double)job->bytes / (double)job->done);
    weir_command_note(in, "%s", weir_text_get(&t));
    weir_tag_name(g->catalog, &g->catalog->tags[g->groups[0].tags[0]], &name);
    weir_command_note(in,
                      "look: weir sql --data-dir %s \"SELECT time, value FROM samples WHERE tag = "
                      "'%s' ORDER BY ts DESC LIMIT 10\"",
                      job->data_dir, weir_text_get(&name));
}

static weir_err generate(const weir_invocation *in, const weir_generator *g, weir_error *error)
{
    const struct generate_options *o = in->options;
    const weir_mono started = weir_system_mono();
    weir_generate_job job = {
        .generator = g,
        .data_dir = o->data_dir ? o->data_dir : g->catalog->store.data_dir,
        .stop = &stop,
        .in = in,
    };
    if (g->n_left_out)
        weir_command_note(in, "%zu tag%s of 'function: N' left out: there is nothing to simulate",
                          g->n_left_out, g->n_left_out == 1 ? "" : "s");
    weir_progress_start(&job.progress, "generating", "samples");
    weir_err err = o->format == WEIR_GENERATE_STORE
                       ? weir_generate_store(&job, error)
                       : weir_generate_text(&job, (weir_generate_format)o->format, error);
    weir_progress_end(&job.progress);
    if (o->format == WEIR_GENERATE_STORE && job.done && (!err || err == WEIR_ECANCELED))
        say_done(in, &job, weir_system_mono().us - started.us);
    return err;
}

static void watch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM};
    const struct sigaction action = {.sa_handler = on_signal};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        (void)sigaction(signals[i], &action, NULL);
}

static int generate_run(const weir_invocation *in)
{
    const struct generate_options *o = in->options;
    weir_error error = WEIR_ERROR_INIT;
    weir_generator_options options;
    weir_generator generator = {0};
    const weir_wall now = weir_system_wall();
    weir_err err = options_parse(in, now, &options, &error);
    if (!err)
        err = weir_generator_init(&generator, &options, in->arena, &error);
    if (!err && o->format == WEIR_GENERATE_STORE)
        err = check_past(&generator, now, &error);
    if (!err) {
        watch_signals();
        err = generate(in, &generator, &error);
    }
    weir_generator_deinit(&generator);
    if (err == WEIR_ECANCELED && !*error.text)
        return WEIR_EXIT_OK;
    if (err == WEIR_EINVAL)
        return weir_command_usage(in, "%s", error.text);
    return err ? weir_command_fail(in, &error) : WEIR_EXIT_OK;
}

static const weir_example generate_examples[] = {
    {"weir generate eastron-sdm630 --units 1-4 --from -30d --data-dir sample",
     "a month of four meters, a sample a second of each of their tags"},
    {"weir generate -c weir.yaml --from -365d",
     "a year of a configuration's tags in its data directory; weir run goes on behind it"},
    {"weir generate --fourier square.json --resolution 0.001",
     "what EMDC's gendata would have made of this file"},
    {"weir generate eastron-sdm630 --from 2026-01-01 --to 2026-01-02 --interval 15min --format csv",
     "a day as CSV on standard output"},
    {0}};

const weir_command weir_command_generate = {
    .name = "generate",
    .summary = "make sample history: months of data in seconds",
    .arguments = "[FILE|PROFILE]",
    .args_max = 1,
    .options = generate_option_table,
    .options_size = sizeof(struct generate_options),
    .examples = generate_examples,
    .text =
        "FILE is a weir.yaml, PROFILE a profile's name or file. Each tag gets at each of its due "
        "times the value that weir simulate would have served then with this seed: see the "
        "simulate key of points. Points with interval on_demand and disabled devices get none. "
        "Tags "
        "are registered as weir run would: run it with the same file and it goes on behind.\n\n"
        "With --fourier, the value of a topic is the sum of the terms of its entries: offset + "
        "amplitude_cos cos(wt) + amplitude_sin sin(wt) + noise within spread, t from the entry's "
        "start. The file's start and end hold, unless --from says otherwise; phases stay. A topic "
        "'UW/Alder/W' is the tag of that name.\n\n"
        "The samples go straight into history, not through the log: sinks do not see them. What "
        "lies in the same times already stays; of two samples of one tag and time the new one is "
        "shown. Each day that is finished stays when the rest is interrupted.",
    .run = generate_run,
};
