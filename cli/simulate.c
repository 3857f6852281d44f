/* SPDX-License-Identifier: MIT */
/* weir simulate: a profile's or configuration's devices, served over Modbus. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "catalog/yaml.h"
#include "cli/commands.h"
#include "cli/mbpoll.h"
#include "daemon/assemble.h"
#include "daemon/problems.h"
#include "cli/server.h"
#include "runtime/clock.h"

struct simulate_options {
    weir_option_strings listen;
    const char *units;
    int64_t seed;
    weir_option_strings env_files;
};

static const weir_option simulate_option_table[] = {
    {.name = "listen",
     .type = WEIR_OPTION_STRINGS,
     .offset = offsetof(struct simulate_options, listen),
     .metavar = "URI",
     .text =
         "tcp://HOST:PORT or rtu+tcp://HOST:PORT, more than once if needed; port 0 takes a free "
         "one. (default tcp://127.0.0.1:5020)"},
    {.name = "units",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct simulate_options, units),
     .metavar = "RANGES",
     .text = "Unit ids that all show the one device: 1-16. Without it the file's own."},
    {.name = "seed",
     .type = WEIR_OPTION_INT,
     .offset = offsetof(struct simulate_options, seed),
     .fallback = "1",
     .text = "Another seed shows other values; the same one the same at the same time."},
    WEIR_ENV_FILE_OPTION(struct simulate_options),
    {0}};

struct simulation {
    const weir_invocation *in;
    const struct simulate_options *options;
    weir_catalog *catalog;
    weir_plant *plant;
    uv_loop_t loop;
    uv_signal_t signals[2];
    weir_server *server;
};

static weir_err load(struct simulation *s, weir_error *error)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_yaml_options yaml = {0};
    weir_err err = weir_assemble_yaml(s->in->arena, &yaml);
    yaml.sink_type = NULL; /* only what is read is wanted */
    yaml.databases = false;
    if (!err)
        err = weir_yaml_load_simulation(s->in->args[0], &yaml, &s->catalog, &problems);
    if (err)
        err = weir_problems_fail(&problems, err, s->in->args[0], error);
    weir_problems_deinit(&problems);
    return err;
}

/* One answers for all unit ids that are not there. */
static weir_err check_any_unit(const struct simulation *s, weir_error *error)
{
    const weir_device *first = NULL;
    for (size_t i = 0; i < s->catalog->n_devices; i++) {
        const weir_device *device = &s->catalog->devices[i];
        if (!device->simulate_any_unit)
            continue;
        if (first)
            return weir_fail(error, WEIR_ECONFIG,
                             "simulate: any_unit is true for both %s and %s: only one can answer "
                             "to all other unit ids",
                             first->name, device->name);
        first = device;
    }
    return WEIR_OK;
}

static weir_err plant_add(struct simulation *s, uint8_t unit, const weir_device *device,
                          weir_error *error)
{
    if (device->simulate_fill)
        weir_plant_fill(s->plant, unit);
    if (device->simulate_any_unit)
        weir_plant_any_unit(s->plant, unit);
    return weir_plant_add(s->plant, unit, device->points, device->n_points, error);
}

/* --units: one device, shown by every unit of the list. */
static weir_err plant_of_units(struct simulation *s, weir_error *error)
{
    uint16_t *units;
    size_t n;
    weir_err err = weir_mbpoll_list_parse(s->options->units, "--units", 0, 255, s->in->arena,
                                          &units, &n, error);
    if (err)
        return err;
    if (s->catalog->n_devices != 1)
        return weir_fail(error, WEIR_EINVAL,
                         "--units needs a profile or a file with one device; %s has %zu",
                         s->in->args[0], s->catalog->n_devices);
    const weir_device *device = &s->catalog->devices[0];
    for (size_t i = 0; i < n && !err; i++)
        err = plant_add(s, (uint8_t)units[i], device, error);
    return err;
}

/* Units as configured. A unit id used on several connections means several devices in the field,
 * but one here: the first connection's. */
static weir_err plant_of_catalog(struct simulation *s, weir_error *error)
{
    const weir_device *owner[256] = {0};
    const weir_device *left_out = NULL;
    size_t n_left_out = 0;
    for (size_t i = 0; i < s->catalog->n_devices; i++) {
        const weir_device *device = &s->catalog->devices[i];
        const weir_device *first = owner[device->unit_id];
        if (first && first->connection != device->connection) {
            left_out = device;
            n_left_out++;
            continue;
        }
        if (!first)
            owner[device->unit_id] = device;
        weir_err err = plant_add(s, device->unit_id, device, error);
        if (err)
            return err;
    }
    if (left_out)
        weir_command_note(s->in,
                          "%zu device%s of other connections share a unit id with one served here; "
                          "unit %u shows %s, not %s",
                          n_left_out, n_left_out == 1 ? "" : "s", left_out->unit_id,
                          owner[left_out->unit_id]->name, left_out->name);
    return WEIR_OK;
}

static weir_err make_plant(struct simulation *s, weir_error *error)
{
    weir_err err = load(s, error);
    if (!err)
        err = check_any_unit(s, error);
    if (err)
        return err;
    s->plant = weir_plant_new((uint64_t)s->options->seed);
    if (!s->plant)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    weir_plant_start(s->plant, weir_system_wall());
    return s->options->units ? plant_of_units(s, error) : plant_of_catalog(s, error);
}

static weir_err listen_at(struct simulation *s, const char *text, weir_error *error)
{
    weir_uri uri;
    uint16_t port = 0;
    /* Port 0 is for listening only, so the parser of URIs does not know it. */
    size_t n = strlen(text);
    bool any_port = n > 2 && !strcmp(text + n - 2, ":0");
    const char *known = weir_arena_text_n(s->in->arena, text, any_port ? n - 2 : n);
    if (!known)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    weir_err err = weir_uri_parse(known, s->in->arena, &uri, error);
    if (err)
        return err;
    if (any_port)
        uri.port = 0;
    if (uri.scheme == WEIR_SCHEME_SIMULATED)
        return weir_fail(error, WEIR_EINVAL, "--listen must be tcp:// or rtu+tcp://");
    err = weir_server_listen(s->server, &uri, &port, error);
    if (err)
        return err;
    bool v6 = strchr(uri.host, ':') != NULL;
    (void)printf("listening %s://%s%s%s:%u\n", uri.scheme == WEIR_SCHEME_TCP ? "tcp" : "rtu+tcp",
                 v6 ? "[" : "", uri.host, v6 ? "]" : "", port);
    (void)fflush(stdout);
    return WEIR_OK;
}

static weir_err listen_all(struct simulation *s, weir_error *error)
{
    static const char *const fallback[] = {"tcp://127.0.0.1:5020"};
    const weir_option_strings *given = &s->options->listen;
    size_t n = given->n ? given->n : 1;
    for (size_t i = 0; i < n; i++) {
        weir_err err = listen_at(s, given->n ? given->items[i] : fallback[i], error);
        if (err)
            return err;
    }
    return WEIR_OK;
}

/* A master for each of a thousand devices needs more files than the usual 1024. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct simulation *s = handle->data;
    (void)number;
    weir_server_close(s->server);
    for (size_t i = 0; i < 2; i++)
        if (!uv_is_closing((uv_handle_t *)&s->signals[i]))
            uv_close((uv_handle_t *)&s->signals[i], NULL);
}

/* Whoever started us with a signal ignored means it: nohup, or a parent that ends us itself. */
static void watch_signal(struct simulation *s, uv_signal_t *handle, int number)
{
    struct sigaction old;
    (void)uv_signal_init(s->loop.data, handle);
    handle->data = s;
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
        return;
    (void)uv_signal_start(handle, on_signal, number);
}

static weir_err serve(struct simulation *s, weir_error *error)
{
    int code = uv_loop_init(&s->loop);
    if (code)
        return weir_fail(error, WEIR_EIO, "cannot start the event loop: %s", uv_strerror(code));
    s->loop.data = &s->loop;
    s->server = weir_server_new(&s->loop, s->plant);
    weir_err err = s->server ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "out of memory");
    watch_signal(s, &s->signals[0], SIGINT);
    watch_signal(s, &s->signals[1], SIGTERM);
    if (!err)
        err = listen_all(s, error);
    if (err && s->server)
        on_signal(&s->signals[0], 0); /* the same way out */
    (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    weir_server_free(s->server);
    (void)uv_loop_close(&s->loop);
    return err;
}

static int simulate_run(const weir_invocation *in)
{
    weir_error error = WEIR_ERROR_INIT;
    struct simulation s = {.in = in, .options = in->options};
    raise_file_limit();
    weir_err err = make_plant(&s, &error);
    if (!err)
        err = serve(&s, &error);
    weir_plant_free(s.plant);
    weir_catalog_free(s.catalog);
    if (err == WEIR_EINVAL)
        return weir_command_usage(in, "%s", error.text);
    return err ? weir_command_fail(in, &error) : WEIR_EXIT_OK;
}

static const weir_example simulate_examples[] = {
    {"weir simulate eastron-sdm630 --units 1-16",
     "sixteen meters on tcp://127.0.0.1:5020; read one with: weir read tcp://127.0.0.1:5020 -a 3 "
     "--register input --address 0"},
    {"weir simulate weir.yaml --listen rtu+tcp://127.0.0.1:0",
     "the devices of a configuration as RTU frames in a TCP stream, on a free port"},
    {0}};

const weir_command weir_command_simulate = {
    .name = "simulate",
    .summary = "serve a profile or a configuration's devices over Modbus",
    .arguments = "FILE|PROFILE",
    .args_min = 1,
    .args_max = 1,
    .options = simulate_option_table,
    .options_size = sizeof(struct simulate_options),
    .examples = simulate_examples,
    .text =
        "FILE is a weir.yaml, whose devices answer under their unit ids, or a profile; PROFILE is "
        "the name of a profile. Each address in use is written to standard output as 'listening "
        "URI' once connections are accepted. It serves until SIGTERM or Ctrl-C.\n\n"
        "A point's simulate key says what it shows: wave (constant, sine, ramp, square, "
        "random_walk, counter, uniform), min, max, period, resolution, and with update a cron "
        "expression: the value changes only then. Without it the point's unit suggests a wave. "
        "Values depend on the point, the unit id, the seed and the time alone. A device's simulate "
        "key has update for all its points; fill, so that all other addresses are there and 0; and "
        "any_unit, so that it answers to all other unit ids.\n\n"
        "It listens on this machine only, unless --listen names another address; Modbus has no "
        "passwords.",
    .run = simulate_run,
};
