/* SPDX-License-Identifier: MIT */
/* weir run: the daemon in the foreground, or every point once. */

#include "cli/commands.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "catalog/provider.h"
#include "cli/logger.h"
#include "cli/once.h"
#include "cli/output.h"
#include "daemon/assemble.h"
#include "daemon/control.h"
#include "daemon/deliveries.h"
#include "daemon/log.h"
#include "daemon/reload.h"

struct run_options {
    const char *config;
    const char *data_dir;
    bool once;
    bool verbose;
    bool watch_config;
    int format;
};

static const weir_option run_option_table[] = {
    {.name = "config",
     .letter = 'c',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct run_options, config),
     .metavar = "FILE",
     .text =
         "The configuration. Without it ./weir.yaml, then /etc/weir/weir.yaml. One that ends in "
         ".cfg is the config.cfg of ModbusDataLogger."},
    {.name = "data-dir",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct run_options, data_dir),
     .metavar = "DIR",
     .text = "Where data is kept, instead of the configuration's data_dir; \"memory\" keeps "
             "nothing on disk."},
    {.name = "once",
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct run_options, once),
     .text = "Reads every point once, stores nothing, prints tag, value, unit, quality and time; "
             "exit code 8 when one is bad."},
    {.name = "verbose",
     .letter = 'v',
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct run_options, verbose),
     .text = "Logs at level debug."},
    {.name = "watch-config",
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct run_options, watch_config),
     .text = "Looks each second whether the configuration, a file it includes or a profile has "
             "changed, and reads it again then, as with weir reload. Databases of the catalog are "
             "looked at always."},
    WEIR_FORMAT_OPTION(struct run_options),
    {0},
};

/* once */

/* Prints all; returns the exit code. */
static int once_print(const weir_once *once, weir_format format)
{
    static const char *const columns[] = {"tag", "value", "unit", "quality", "time"};
    WEIR_CLEANUP(weir_output_end)
    weir_output *output = weir_output_new(stdout, format, columns, 5);
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO quality = WEIR_TEXT_INIT;
    int code = WEIR_EXIT_OK;
    if (!output)
        return WEIR_EXIT_FAILURE;
    for (size_t i = 0; i < once->catalog->n_tags; i++) {
        const weir_tag *tag = &once->catalog->tags[i];
        const weir_once_reading *current = &once->readings[i];
        const char *unit = weir_tag_point(once->catalog, tag)->unit;
        char time[28];
        if (!current->sample.tag)
            continue; /* its device or connection is disabled */
        weir_text_clear(&name);
        weir_text_clear(&quality);
        weir_tag_name(once->catalog, tag, &name);
        /* People get the cause too; programs get one word, as in SQL. */
        if (weir_output_format(output) == WEIR_FORMAT_TABLE)
            weir_quality_format(current->sample.quality, &quality);
        else
            weir_text_add(&quality, weir_class_text(weir_quality_class(current->sample.quality)));
        weir_wall_format(current->received, time);
        if (weir_quality_class(current->sample.quality) == WEIR_BAD)
            code = WEIR_EXIT_PARTLY;
        const weir_value row[] = {
            weir_value_string(weir_text_get(&name), name.length),
            current->sample.value,
            weir_value_string(unit, strlen(unit)),
            weir_value_string(weir_text_get(&quality), quality.length),
            weir_value_string(time, strlen(time)),
        };
        if (!weir_output_row(output, row))
            break;
    }
    return code;
}

/* Why values are bad, once for each device: programs get one word of it only. */
static void once_explain(const weir_invocation *in, const weir_once *once)
{
    for (size_t d = 0; d < once->catalog->n_devices; d++) {
        const weir_device *device = &once->catalog->devices[d];
        const weir_once_share share = weir_once_share_of(once, d);
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        weir_quality_format(share.worst, &text);
        if (share.n_good < share.n_read)
            weir_command_note(in, "%s: %zu of %u values are bad, the first %s", device->name,
                              share.n_read - share.n_good, device->n_tags, weir_text_get(&text));
    }
}

static int run_once(const weir_invocation *in, const struct run_options *options,
                    weir_catalog *catalog)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_once once;
    if (weir_once_read(catalog, in->arena, &once, &error))
        return weir_command_fail(in, &error);
    if (!once.complete)
        weir_command_note(in, "some devices did not answer within a minute");
    const int code = once_print(&once, (weir_format)options->format);
    once_explain(in, &once);
    return code == WEIR_EXIT_OK && !once.complete ? WEIR_EXIT_PARTLY : code;
}

/* the daemon */

static void log_line(void *data, weir_log_level level, const char *event, const char *subject,
                     const char *text)
{
    (void)data;
    weir_log_line(level, event, subject, text);
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static void on_committed(void *data, uint64_t seq)
{
    (void)seq;
    weir_deliveries_wake(data);
}

static void say_started(const weir_catalog *catalog, const weir_control *control)
{
    char text[400];
    (void)snprintf(
        text, sizeof text, "%zu tag%s of %zu device%s on %zu connection%s; data in %s; status: %s",
        catalog->n_tags, plural(catalog->n_tags), catalog->n_devices, plural(catalog->n_devices),
        catalog->n_connections, plural(catalog->n_connections), catalog->store.data_dir,
        weir_control_socket(control));
    weir_log_line(WEIR_LOG_NOTICE, "started", "", text);
}

/* What runs until a signal, begun in this order and ended in the other. */
struct run_parts {
    weir_deliveries *deliveries;
    weir_runtime *collector;
    weir_reload *reload;
    weir_control *control;
};

static weir_err parts_start(struct run_parts *p, weir_catalog *catalog,
                            const weir_assemble_options *assemble, bool watch, weir_error *error)
{
    weir_err err = weir_deliveries_new(catalog, 0, &p->deliveries, error);
    if (!err)
        weir_deliveries_listen(p->deliveries, &(weir_deliveries_listener){.log = log_line});
    const weir_runtime_config config = {
        .catalog = catalog,
        .sources = weir_assemble_sources,
        .built = weir_assemble_built(),
        .log = log_line,
        .on_committed = on_committed,
        .data = p->deliveries,
    };
    if (!err)
        err = weir_runtime_start(&config, &p->collector, error);
    if (!err) /* the data directory is its own now, and nobody looks at files yet */
        weir_logger_started(assemble->config, assemble->providers);
    if (!err)
        err = weir_deliveries_start(p->deliveries, p->collector, error);
    const weir_reload_config reload = {.assemble = *assemble,
                                       .runtime = p->collector,
                                       .deliveries = p->deliveries,
                                       .watch = watch};
    if (!err)
        err = weir_reload_new(&reload, &p->reload, error);
    if (!err)
        err = weir_control_start(p->collector, p->deliveries, p->reload, &p->control, error);
    return err;
}

/* False: the last samples could not be committed. */
static bool parts_stop(struct run_parts *p)
{
    weir_control_stop(p->control);
    weir_reload_free(p->reload);
    if (p->deliveries)
        weir_deliveries_end(p->deliveries);
    const bool committed = weir_runtime_stop(p->collector);
    weir_deliveries_free(p->deliveries);
    return committed;
}

/* Until a signal that ends; SIGHUP reads the configuration again. */
static int parts_run(struct run_parts *p)
{
    int signal;
    while ((signal = weir_signal_wait(-1)) == SIGHUP) {
        const weir_err err = weir_reload_now(p->reload, "SIGHUP", NULL, NULL);
        (void)err; /* said so */
    }
    return signal;
}

/* Takes the catalog: another may take its place. */
static int run_daemon(const weir_invocation *in, weir_catalog *catalog,
                      const weir_assemble_options *assemble, bool watch)
{
    weir_error error = WEIR_ERROR_INIT;
    struct run_parts parts = {0};
    weir_signal_block();
    weir_err err = parts_start(&parts, catalog, assemble, watch, &error);
    if (!err)
        say_started(catalog, parts.control);
    weir_catalog_free(catalog);
    if (err) {
        (void)parts_stop(&parts);
        return weir_command_fail(in, &error);
    }
    const int signal = parts_run(&parts);
    weir_log_line(WEIR_LOG_NOTICE, "stopping", "", strsignal(signal));
    const bool committed = parts_stop(&parts);
    if (committed)
        weir_log_line(WEIR_LOG_NOTICE, "stopped", "", "what was acquired is committed");
    else
        weir_log_line(WEIR_LOG_ERROR, "stopped", "", "the last samples could not be committed");
    return committed ? WEIR_EXIT_OK : WEIR_EXIT_FAILURE;
}

static int run_command(const weir_invocation *in)
{
    const struct run_options *options = in->options;
    WEIR_CLEANUP(weir_providers_free)
    weir_providers *providers = options->once ? NULL : weir_providers_new();
    const weir_assemble_options assemble = {.config = options->config,
                                            .data_dir = options->data_dir,
                                            .verbose = options->verbose,
                                            .without_sinks = options->once,
                                            .providers = providers};
    weir_error error = WEIR_ERROR_INIT;
    weir_catalog *catalog = NULL;
    bool ends = false;
    weir_err err =
        options->once || providers ? WEIR_OK : weir_fail(&error, WEIR_ENOMEM, "the configuration");
    if (!err && !options->once)
        err = weir_logger_begin(in, options->config, &ends, &error);
    if (!err && ends)
        return WEIR_EXIT_OK;
    if (!err)
        err = weir_assemble_load(&assemble, &catalog, &error);
    if (err) {
        const int code = weir_command_fail(in, &error);
        return err == WEIR_ENOTFOUND ? WEIR_EXIT_CONFIG : code;
    }
    if (!options->once)
        return run_daemon(in, catalog, &assemble, options->watch_config);
    const int code = run_once(in, options, catalog);
    weir_catalog_free(catalog);
    return code;
}

static const weir_example run_examples[] = {
    {"weir run", "the daemon with ./weir.yaml, until Ctrl-C"},
    {"weir run -c plant.yaml --once", "reads every point once and prints it"},
    {"weir run -c config.cfg", "in place of ModbusDataLogger, in its folder"},
    {0},
};

const weir_command weir_command_run = {
    .name = "run",
    .summary = "poll all devices and keep their values, in the foreground",
    .arguments = "",
    .options = run_option_table,
    .options_size = sizeof(struct run_options),
    .examples = run_examples,
    .text = "Reads every device of the configuration on its schedule and commits what was "
            "acquired to data.db in the data directory every max_loss. Log lines go to stderr, one "
            "for each change of state.\n\n"
            "SIGINT and SIGTERM end it: what was acquired is committed first. SIGHUP reads the "
            "configuration again, as weir reload does; under nohup it is ignored.\n\n"
            "A FILE whose name ends in .cfg is read as the config.cfg of ModbusDataLogger, by "
            "every command. run makes it if it is not there, and its database; after the first "
            "run, which ends, RequestedData is to be filled. At each start it writes starttime and "
            "pid to [RUNTIME], and sees to it that a request that is deleted takes its results "
            "along (triggers in the database).",
    .run = run_command,
};
