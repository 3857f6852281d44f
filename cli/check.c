/* SPDX-License-Identifier: MIT */
/* weir check: what is wrong with a configuration, and what it asks of each bus. */

#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "catalog/warnings.h"
#include "catalog/yaml.h"
#include "cli/check_store.h"
#include "cli/commands.h"
#include "cli/live.h"
#include "cli/output.h"
#include "daemon/problems.h"
#include "daemon/assemble.h"
#include "modbus/grouping.h"
#include "sinks/delivery/filter.h"

struct check_options {
    const char *config;
    bool requests, strict, live;
    int format;
};

static const weir_option check_option_table[] = {
    {.name = "config",
     .letter = 'c',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct check_options, config),
     .metavar = "FILE",
     .text = "The configuration. Without it ./weir.yaml, then /etc/weir/weir.yaml."},
    {.name = "requests",
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct check_options, requests),
     .text = "Lists every request: device, interval, unit, function, address, count, points."},
    {.name = "live",
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct check_options, live),
     .text = "Tries every connection, device and sink: latency, good points, likely cause and the "
             "next command, a row each; exit code 8 when one of them fails."},
    {.name = "strict",
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct check_options, strict),
     .text =
         "Warnings are mistakes too (exit code 3): for a pipeline that shall let nothing pass."},
    WEIR_FORMAT_OPTION(struct check_options),
    {0}};

/* A row is of an interval of a connection, and has these; or of a sink, and has what follows. */
enum { SINK_COLUMNS = 8, LOAD_COLUMNS = 13 };

/* What one interval of one connection costs. */
struct load {
    int64_t interval_us;
    size_t devices, points, requests, registers, bits;
    uint64_t cost_us;
};

struct check {
    const weir_invocation *in;
    const struct check_options *options;
    weir_catalog *catalog;
    weir_output *output;
    weir_format format;
    size_t n_warnings;
};

/* Of the bus, in percent, above which a connection will not keep up: the estimate is of a healthy
 * network, and retries need room. */
static const double load_max = 90;

/* By file and line, like mistakes. */
static void say_warnings(struct check *c, const weir_problems *warnings)
{
    c->n_warnings += warnings->n;
    for (size_t i = 0; i < warnings->n; i++) {
        WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
        weir_problem_format(&warnings->items[i], &line);
        (void)fprintf(stderr, "warning: %s\n", weir_text_get(&line));
    }
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static void say_valid(const weir_catalog *c, const char *path)
{
    (void)fprintf(stderr, "%s is valid: %zu connection%s, %zu device%s, %zu tag%s", path,
                  c->n_connections, plural(c->n_connections), c->n_devices, plural(c->n_devices),
                  c->n_tags, plural(c->n_tags));
    if (c->n_sinks)
        (void)fprintf(stderr, ", %zu sink%s", c->n_sinks, plural(c->n_sinks));
    (void)fputc('\n', stderr);
}

static weir_err load_catalog(struct check *c, weir_error *error)
{
    const char *name = NULL;
    weir_problems problems = WEIR_PROBLEMS_INIT, warnings = WEIR_PROBLEMS_INIT;
    weir_yaml_options yaml = {0};
    if (weir_assemble_yaml(c->in->arena, &yaml))
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    yaml.warnings = &warnings;
    weir_err err =
        weir_assemble_parse(c->options->config, &yaml, &c->catalog, &problems, &name, error);
    if (!err) {
        weir_catalog_warn(c->catalog, &warnings);
        weir_check_renames(c->catalog, &warnings);
    }
    say_warnings(c, &warnings);
    if (err)
        weir_problems_print(&problems);
    else
        say_valid(c->catalog, name);
    weir_problems_deinit(&problems);
    weir_problems_deinit(&warnings);
    return err;
}

/* --- grouping --- */

/* The requests for a device's points of one interval; they live in the arena. */
static weir_err group(const struct check *c, const weir_device *device, uint32_t interval,
                      weir_arena *arena, weir_grouping *ret, weir_error *error)
{
    const weir_connection *connection = &c->catalog->connections[device->connection];
    const weir_grouping_limits limits = weir_grouping_limits_of(device, connection);
    uint32_t *index = weir_arena_alloc(arena, device->n_points + 1, sizeof *index);
    size_t n = 0;
    if (!index)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < device->n_points; i++)
        if (device->point_interval[i] == interval)
            index[n++] = i;
    weir_err err = weir_grouping_make(device->points, index, n, &limits, arena, ret, error);
    return err ? weir_fail_prefix(error, "device '%s': ", device->name) : WEIR_OK;
}

typedef weir_err on_grouping(struct check *c, const weir_device *device, uint32_t interval,
                             const weir_grouping *grouping, void *data, weir_error *error);

/* Every enabled device and interval of a connection. */
static weir_err each_grouping(struct check *c, uint32_t connection, on_grouping *call, void *data,
                              weir_error *error)
{
    for (size_t d = 0; d < c->catalog->n_devices; d++) {
        const weir_device *device = &c->catalog->devices[d];
        if (device->connection != connection || !device->enabled)
            continue;
        for (uint32_t i = 0; i < device->n_intervals; i++) {
            WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
            weir_grouping grouping;
            if (!arena)
                return weir_fail(error, WEIR_ENOMEM, "out of memory");
            weir_err err = group(c, device, i, arena, &grouping, error);
            if (!err)
                err = call(c, device, i, &grouping, data, error);
            if (err)
                return err;
        }
    }
    return WEIR_OK;
}

/* --- every request --- */

static weir_value text_value(const char *text)
{
    return weir_value_string(text, strlen(text));
}

static weir_err show_requests(struct check *c, const weir_device *device, uint32_t interval,
                              const weir_grouping *grouping, void *data, weir_error *error)
{
    (void)data;
    for (size_t g = 0; g < grouping->n_groups; g++) {
        const weir_group *request = &grouping->groups[g];
        WEIR_TEXT_AUTO every = WEIR_TEXT_INIT;
        WEIR_TEXT_AUTO points = WEIR_TEXT_INIT;
        weir_text_add_duration(&every, device->intervals[interval]);
        for (uint32_t i = 0; i < request->n; i++)
            weir_text_format(&points, "%s%s", i ? " " : "",
                             device->points[grouping->point_index[request->first + i]].name);
        const weir_value row[] = {
            text_value(c->catalog->connections[device->connection].name),
            text_value(device->name),
            text_value(weir_text_get(&every)),
            weir_value_u64(device->unit_id),
            weir_value_u64(request->function),
            weir_value_u64(request->address),
            weir_value_u64(request->count),
            text_value(weir_text_get(&points)),
        };
        if (every.failed || points.failed)
            return weir_fail(error, WEIR_ENOMEM, "out of memory");
        if (!weir_output_row(c->output, row))
            return weir_fail(error, WEIR_ECANCELED, "nobody reads the output");
    }
    return WEIR_OK;
}

/* --- the load of each bus --- */

static void warn(struct check *c, weir_where where, const char *format, ...) WEIR_PRINTF(3, 4);
static void warn(struct check *c, weir_where where, const char *format, ...)
{
    weir_problems warnings = WEIR_PROBLEMS_INIT;
    char text[1024];
    va_list va;
    va_start(va, format);
    (void)vsnprintf(text, sizeof text, format, va);
    va_end(va);
    weir_problems_add(&warnings, WEIR_OK, where, "%s", text);
    say_warnings(c, &warnings);
    weir_problems_deinit(&warnings);
}

struct loads {
    size_t n;
    struct load items[WEIR_INTERVALS_MAX * 8];
};

static struct load *loads_of(struct loads *loads, int64_t interval_us)
{
    size_t i = 0;
    while (i < loads->n && loads->items[i].interval_us < interval_us)
        i++;
    if (i < loads->n && loads->items[i].interval_us == interval_us)
        return &loads->items[i];
    if (loads->n == sizeof loads->items / sizeof *loads->items)
        return NULL;
    memmove(&loads->items[i + 1], &loads->items[i], (loads->n - i) * sizeof *loads->items);
    loads->items[i] = (struct load){.interval_us = interval_us};
    loads->n++;
    return &loads->items[i];
}

static weir_err add_load(struct check *c, const weir_device *device, uint32_t interval,
                         const weir_grouping *grouping, void *data, weir_error *error)
{
    struct load *load = loads_of(data, device->intervals[interval]);
    (void)c;
    if (!load)
        return weir_fail(error, WEIR_ELIMIT, "more than %d intervals on one connection",
                         WEIR_INTERVALS_MAX * 8);
    load->devices++;
    load->points += grouping->n_points;
    load->requests += grouping->n_groups;
    load->cost_us += grouping->cost;
    for (size_t g = 0; g < grouping->n_groups; g++)
        if (weir_register_is_bits(grouping->groups[g].table))
            load->bits += grouping->groups[g].count;
        else
            load->registers += grouping->groups[g].count;
    return WEIR_OK;
}

static double percent(const struct load *load)
{
    return 100.0 * (double)load->cost_us / (double)load->interval_us;
}

static void say_load(const struct load *load)
{
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO every = WEIR_TEXT_INIT;
    weir_text_add_duration(&every, load->interval_us);
    weir_text_format(&t, "  every %s: %zu request%s", weir_text_get(&every), load->requests,
                     load->requests == 1 ? "" : "s");
    if (load->registers)
        weir_text_format(&t, ", %zu register%s", load->registers, load->registers == 1 ? "" : "s");
    if (load->bits)
        weir_text_format(&t, ", %zu bit%s", load->bits, load->bits == 1 ? "" : "s");
    weir_text_format(&t, " for %zu point%s of %zu device%s: about %.0f ms, %.3g %% of %s\n",
                     load->points, load->points == 1 ? "" : "s", load->devices,
                     load->devices == 1 ? "" : "s", (double)load->cost_us / (double)WEIR_MS,
                     percent(load), weir_text_get(&every));
    (void)fputs(weir_text_get(&t), stdout);
}

static bool row_load(struct check *c, const weir_connection *connection, const struct load *load)
{
    WEIR_TEXT_AUTO every = WEIR_TEXT_INIT;
    weir_text_add_duration(&every, load->interval_us);
    const weir_value row[LOAD_COLUMNS] = {
        text_value(connection->name),   text_value(weir_text_get(&every)),
        weir_value_u64(load->devices),  weir_value_u64(load->points),
        weir_value_u64(load->requests), weir_value_u64(load->registers),
        weir_value_u64(load->bits),     weir_value_decimal((int64_t)(percent(load) * 10 + 0.5), -1),
    };
    return weir_output_row(c->output, row);
}

static weir_err show_loads(struct check *c, uint32_t number, weir_error *error)
{
    const weir_connection *connection = &c->catalog->connections[number];
    struct loads *loads = weir_arena_alloc(c->in->arena, 1, sizeof *loads);
    if (!loads)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    weir_err err = each_grouping(c, number, add_load, loads, error);
    if (err)
        return err;
    double sum = 0;
    if (c->format == WEIR_FORMAT_TABLE)
        (void)printf("%s  %s%s\n", connection->name, connection->uri_text,
                     connection->enabled ? "" : "  (disabled)");
    for (size_t i = 0; i < loads->n; i++) {
        sum += percent(&loads->items[i]);
        if (c->format == WEIR_FORMAT_TABLE)
            say_load(&loads->items[i]);
        else if (!row_load(c, connection, &loads->items[i]))
            return weir_fail(error, WEIR_ECANCELED, "nobody reads the output");
    }
    if (loads->n > 1 && c->format == WEIR_FORMAT_TABLE)
        (void)printf("  together about %.3g %% of the time\n", sum);
    /* One request at a time; more in flight need less, and simulated: has no bus. */
    bool one_by_one = connection->max_in_flight <= 1 &&
                      weir_scheme_is_modbus(connection->uri.scheme) && connection->enabled;
    if (one_by_one && sum > load_max)
        warn(c, connection->where,
             "connection '%s' needs about %.0f %% of the time: readings will be late. Longer "
             "intervals, fewer points or a second connection help",
             connection->name, sum);
    return WEIR_OK;
}

/* --- sinks --- */

static size_t count_tags(const weir_catalog *c, const weir_sink_config *config)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_tags; i++) {
        const weir_tag *tag = &c->tags[i];
        WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
        weir_tag_name(c, tag, &name);
        n += weir_sink_wants_tag(config, weir_text_get(&name), weir_labels_of_tag(c, tag));
    }
    return n;
}

static bool row_sink(struct check *c, const weir_sink_config *config, size_t n_tags)
{
    const weir_value row[LOAD_COLUMNS] = {
        [SINK_COLUMNS] = text_value(config->name), text_value(config->type->name),
        weir_value_bool(config->enabled),          weir_value_u64(n_tags),
        weir_value_u64(c->catalog->n_tags),
    };
    return weir_output_row(c->output, row);
}

/* Never its options, which may hold a secret. */
static weir_err show_sink(struct check *c, const weir_sink_config *config, weir_error *error)
{
    const size_t n = count_tags(c->catalog, config);
    if (config->enabled && !n && c->catalog->n_tags)
        warn(c, config->where, "sink '%s' gets no tag: its tags and labels match none together",
             config->name);
    if (c->options->requests)
        return WEIR_OK;
    if (c->output)
        return row_sink(c, config, n) ? WEIR_OK
                                      : weir_fail(error, WEIR_ECANCELED, "nobody reads the output");
    (void)printf("%s  sink of type %s%s: %zu of %zu tag%s\n", config->name, config->type->name,
                 config->enabled ? "" : "  (disabled)", n, c->catalog->n_tags,
                 plural(c->catalog->n_tags));
    return WEIR_OK;
}

/* --- plans --- */

/* "every 5s", "by cron 0 5 * * * (Europe/Berlin)". */
static void text_add_rhythm(weir_text *t, const weir_plan *plan)
{
    if (plan->has_cron) {
        weir_text_format(t, "by cron %s (%s)", plan->cron_text, plan->zone_name);
    } else if (plan->interval_us) {
        weir_text_add(t, "every ");
        weir_text_add_duration(t, plan->interval_us);
    } else {
        weir_text_add(t, "each at its own interval");
    }
}

static void show_plan(const struct check *c, const weir_plan *plan)
{
    WEIR_TEXT_AUTO rhythm = WEIR_TEXT_INIT;
    text_add_rhythm(&rhythm, plan);
    (void)printf("%s  plan%s: %zu of %zu tag%s, %s\n", plan->name,
                 plan->enabled ? "" : "  (waits for weir plan start)", plan->n_tags,
                 c->catalog->n_tags, plural(c->catalog->n_tags), weir_text_get(&rhythm));
}

/* --- all --- */

static bool open_output(struct check *c)
{
    static const char *const requests[] = {"connection", "device",  "interval", "unit_id",
                                           "function",   "address", "count",    "points"};
    static const char *const loads[LOAD_COLUMNS] = {
        "connection", "interval",     "devices",
        "points",     "requests",     "registers",
        "bits",       "load_percent", [SINK_COLUMNS] = "sink",
        "type",       "enabled",      "tags",
        "of_tags"};
    c->format = (weir_format)c->options->format;
    if (c->format == WEIR_FORMAT_AUTO)
        c->format = weir_format_of(stdout);
    /* For people the loads are sentences. */
    if (!c->options->requests && c->format == WEIR_FORMAT_TABLE)
        return true;
    c->output = c->options->requests ? weir_output_new(stdout, c->format, requests,
                                                       sizeof requests / sizeof *requests)
                                     : weir_output_new(stdout, c->format, loads, LOAD_COLUMNS);
    return c->output != NULL;
}

static weir_err check_all(struct check *c, weir_error *error)
{
    weir_err err = load_catalog(c, error);
    if (err)
        return err;
    if (!open_output(c))
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < c->catalog->n_connections && !err; i++)
        err = c->options->requests ? each_grouping(c, i, show_requests, NULL, error)
                                   : show_loads(c, i, error);
    for (size_t i = 0; i < c->catalog->n_plans && !err && !c->output; i++)
        show_plan(c, &c->catalog->plans[i]);
    for (size_t i = 0; i < c->catalog->n_sinks && !err; i++)
        err = show_sink(c, &c->catalog->sinks[i], error);
    weir_output_end(c->output);
    return err;
}

/* Everything is tried: the loads are another question. */
static weir_err check_live(struct check *c, int *ret_code, weir_error *error)
{
    weir_err err = load_catalog(c, error);
    if (err == WEIR_OK)
        *ret_code = weir_live_check(c->in, c->catalog, (weir_format)c->options->format);
    return err;
}

static int check_run(const weir_invocation *in)
{
    weir_error error = WEIR_ERROR_INIT;
    struct check c = {.in = in, .options = in->options};
    int code = WEIR_EXIT_OK;
    if (c.options->live && c.options->requests)
        return weir_command_usage(in, "--live and --requests: one at a time");
    weir_err err = c.options->live ? check_live(&c, &code, &error) : check_all(&c, &error);
    weir_catalog_free(c.catalog);
    if (!err && c.options->strict && c.n_warnings)
        err = weir_fail(&error, WEIR_ECONFIG, "%zu warning%s, and --strict", c.n_warnings,
                        plural(c.n_warnings));
    if (!err || err == WEIR_ECANCELED)
        return code;
    (void)weir_command_fail(in, &error);
    /* A file that is not there or not readable is a wrong configuration to whoever asks. */
    return err == WEIR_ENOMEM ? WEIR_EXIT_FAILURE : WEIR_EXIT_CONFIG;
}

static const weir_example check_examples[] = {
    {"weir check", "is ./weir.yaml right, and can its connections keep up?"},
    {"weir check --strict", "the same, with exit code 3 also for warnings"},
    {"weir check --live", "does everything answer: connections, devices, sinks?"},
    {"weir check -c plant.yaml --requests --format csv", "every request that polling will send"},
    {0}};

const weir_command weir_command_check = {
    .name = "check",
    .summary = "check a configuration and the load on each bus",
    .arguments = "",
    .options = check_option_table,
    .options_size = sizeof(struct check_options),
    .examples = check_examples,
    .text =
        "All mistakes are shown at once, as FILE:LINE:COLUMN: TEXT on standard error, with exit "
        "code 3. A valid configuration is followed by what polling asks of each connection: how "
        "many requests and registers each interval needs, and which part of the time that "
        "takes; and by each sink with the tags it gets, in csv and json as rows that have a sink "
        "and no connection.\n\n"
        "The time is an estimate for a healthy network: 2 ms a request and 50 us a register over "
        "Modbus TCP; over rtu+tcp:// as long as a serial line of 9600 baud behind it needs. It is "
        "what the grouping of points into requests is made with. Points that are due together "
        "share requests, so the sum is an upper limit.\n\n"
        "Warnings are about what is no mistake but most likely not meant: a register that is read "
        "twice, two masters on a serial line, a bus without enough time, a sink that gets no tag, "
        "a "
        "secret that everybody may read. With --strict they are mistakes.\n\n"
        "With --live every connection is opened, every point read once and every sink asked to "
        "take "
        "a row that is taken back. It needs no running weir and stores nothing; a device that "
        "allows one client only refuses it while a weir is polling.",
    .run = check_run,
};
