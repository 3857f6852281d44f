/* SPDX-License-Identifier: MIT */
/* weir check --live: every connection, device and sink tried once. */

/*
 * Connections first, each opened and closed again, so that a device with a single connection is
 * free when its points are read, all devices at once; then the sinks. What fails is a row like the
 * others, with its likely cause and the command that tells more.
 */

#include "cli/live.h"

#include <string.h>

#include "base/clock.h"
#include "cli/blocking.h"
#include "cli/once.h"
#include "cli/sink_probe.h"
#include "daemon/control_ask.h"
#include "daemon/log.h"
#include "runtime/clock.h"

struct live {
    const weir_invocation *in;
    weir_catalog *catalog;
    weir_output *output;
    bool *unreachable; /* [n_connections] */
    size_t n_failed;
};

struct live_row {
    const char *kind, *name, *state;
    int64_t latency_us; /* 0: none */
    bool has_share;     /* a device's good points, of all */
    size_t n_good, n_all;
    const char *cause, *remedy;
};

static weir_value text_value(const char *text)
{
    return weir_value_string(text, strlen(text));
}

static void live_row_put(struct live *l, const struct live_row *row)
{
    const weir_value values[] = {
        text_value(row->kind),
        text_value(row->name),
        text_value(row->state),
        row->latency_us ? weir_value_decimal((row->latency_us + 50) / 100, -1) : weir_value_null(),
        row->has_share ? weir_value_u64(row->n_good) : weir_value_null(),
        row->has_share ? weir_value_u64(row->n_all) : weir_value_null(),
        text_value(row->cause),
        text_value(row->remedy),
    };
    /* A table is as wide as its widest row. */
    if (weir_output_row(l->output, values) && weir_output_format(l->output) != WEIR_FORMAT_TABLE)
        weir_output_flush(l->output);
}

/* --- connections -------------------------------------------------------------------------- */

static void connection_advise(const weir_connection *c, const char *why, weir_text *next)
{
    if (strstr(why, "cannot find"))
        weir_text_format(next, "getent hosts %s", c->uri.host);
    else if (strstr(why, "refused"))
        weir_text_format(next, "nc -vz %s %u", c->uri.host, c->uri.port);
    else
        weir_text_format(next, "ping %s", c->uri.host);
}

static void connection_try(struct live *l, size_t number)
{
    const weir_connection *c = &l->catalog->connections[number];
    const weir_blocking_options options = {.uri = c->uri, .timeout_us = c->timeout_us};
    weir_error error = WEIR_ERROR_INIT;
    WEIR_TEXT_AUTO next = WEIR_TEXT_INIT;
    WEIR_CLEANUP(weir_blocking_close) weir_blocking *blocking = NULL;
    struct live_row row = {
        .kind = "connection", .name = c->name, .state = "ok", .cause = "", .remedy = ""};
    const weir_mono began = weir_system_mono();
    if (!c->enabled) {
        row.state = "disabled";
    } else if (!weir_scheme_is_modbus(c->uri.scheme)) {
        row.cause = "there is nothing to connect to";
    } else if (weir_blocking_open(&options, &blocking, &error) == WEIR_OK) {
        row.latency_us = weir_system_mono().us - began.us;
    } else {
        row.state = "offline";
        row.cause = error.text;
        connection_advise(c, error.text, &next);
        row.remedy = weir_text_get(&next);
        l->unreachable[number] = true;
        l->n_failed++;
    }
    live_row_put(l, &row);
}

/* --- devices ------------------------------------------------------------------------------ */

/* The worst point, by hand. */
static void device_advise_read(const weir_catalog *catalog, const weir_device *d,
                               const weir_point *p, weir_text *next)
{
    weir_text_format(next, "weir read %s --unit %u --register %s --address %u",
                     catalog->connections[d->connection].uri_text, d->unit_id,
                     weir_register_text(p->table), p->address);
}

/* What mostly is behind a cause; "": it says all. */
static const char *likely_cause(weir_quality worst)
{
    enum { GATEWAY_PATH = 10, GATEWAY_TARGET = 11 }; /* exceptions, Application Protocol 1.1b3, 7 */
    const uint16_t detail = weir_quality_detail(worst);
    switch (weir_quality_cause(worst)) {
    case WEIR_CAUSE_TIMEOUT:
        return "is the unit id right, is it switched on?";
    case WEIR_CAUSE_CONNECT:
    case WEIR_CAUSE_DISCONNECTED:
        return "its connection fails, or allows one client only";
    case WEIR_CAUSE_EXCEPTION:
        return detail == GATEWAY_PATH || detail == GATEWAY_TARGET
                   ? "the gateway does not reach this unit id"
                   : "it does not have these registers";
    case WEIR_CAUSE_WRONG_UNIT:
    case WEIR_CAUSE_WRONG_FUNCTION:
    case WEIR_CAUSE_MALFORMED:
        return "does it speak RTU over TCP (rtu+tcp://), or another protocol?";
    case WEIR_CAUSE_RANGE:
    case WEIR_CAUSE_NA:
    case WEIR_CAUSE_NOT_A_NUMBER:
        return "are address, type and order right?";
    case WEIR_CAUSE_NONE:
    case WEIR_CAUSE_LATE:
    case WEIR_CAUSE_CLOCK:
    case WEIR_CAUSE_DISABLED:
    case WEIR_CAUSE_OVERFLOW:
    case WEIR_CAUSE_CLAMPED:
    case WEIR_CAUSE_SCRIPT:
        break;
    }
    return "";
}

static const weir_point *device_worst_point(const weir_once *once, const weir_device *d,
                                            weir_quality worst)
{
    for (uint32_t i = 0; i < d->n_tags; i++)
        if (once->readings[d->first_tag + i].sample.tag &&
            once->readings[d->first_tag + i].sample.quality == worst)
            return weir_tag_point(once->catalog, &once->catalog->tags[d->first_tag + i]);
    return NULL;
}

void weir_live_explain(const weir_once *once, size_t device, weir_text *cause, weir_text *next)
{
    const weir_device *d = &once->catalog->devices[device];
    const weir_quality worst = weir_once_share_of(once, device).worst;
    const weir_point *point = device_worst_point(once, d, worst);
    const char *likely = likely_cause(worst);
    if (weir_quality_class(worst) != WEIR_BAD)
        return;
    weir_quality_format(worst, cause);
    if (*likely)
        weir_text_format(cause, ": %s", likely);
    if (point && point->table != WEIR_REGISTER_FUNCTION)
        device_advise_read(once->catalog, d, point, next);
}

static void device_put(struct live *l, const weir_once *once, size_t number)
{
    const weir_device *d = &l->catalog->devices[number];
    const weir_connection *c = &l->catalog->connections[d->connection];
    const weir_once_share share = weir_once_share_of(once, number);
    WEIR_TEXT_AUTO cause = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO next = WEIR_TEXT_INIT;
    struct live_row row = {.kind = "device", .name = d->name, .cause = "", .remedy = ""};
    if (!d->enabled || !c->enabled) {
        row.state = "disabled";
        live_row_put(l, &row);
        return;
    }
    row.has_share = true;
    row.n_good = share.n_good;
    row.n_all = d->n_tags;
    row.latency_us = once->rtt_us[number];
    row.state = share.n_good == d->n_tags ? "ok" : share.n_good ? "partly" : "failed";
    l->n_failed += share.n_good < d->n_tags;
    if (share.n_good < d->n_tags && l->unreachable[d->connection])
        weir_text_format(&cause, "its connection '%s' fails", c->name);
    else if (share.n_read < d->n_tags)
        weir_text_add(&cause, "it did not answer everything within a minute");
    else
        weir_live_explain(once, number, &cause, &next);
    row.cause = weir_text_get(&cause);
    row.remedy = weir_text_get(&next);
    live_row_put(l, &row);
}

static weir_err devices_try(struct live *l, weir_error *error)
{
    weir_once once;
    if (l->catalog->n_devices == 0)
        return WEIR_OK;
    weir_err err = weir_once_read(l->catalog, l->in->arena, &once, error);
    for (size_t i = 0; err == WEIR_OK && i < l->catalog->n_devices; i++)
        device_put(l, &once, i);
    return err;
}

/* --- sinks -------------------------------------------------------------------------------- */

static void sink_try(struct live *l, const weir_sink_config *config)
{
    weir_sink_test test = {0};
    struct live_row row = {
        .kind = "sink", .name = config->name, .state = "disabled", .cause = "", .remedy = ""};
    if (config->enabled) {
        const weir_exit code = weir_sink_probe(config, WEIR_SINK_PROBE_US, &test);
        row.latency_us = test.latency_us;
        row.state = weir_sink_probe_word(&test);
        row.cause = code == WEIR_EXIT_OK ? test.peer : test.answer.why;
        row.remedy = test.answer.remedy;
        l->n_failed += code != WEIR_EXIT_OK;
    }
    live_row_put(l, &row);
}

/* --- all ---------------------------------------------------------------------------------- */

/* A device that allows one client only has one already then. */
static void tell_of_daemon(const struct live *l)
{
    WEIR_TEXT_AUTO path = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO reply = WEIR_TEXT_INIT;
    const char *data_dir = l->catalog->store.data_dir;
    if (strcmp(data_dir, "memory") != 0 && weir_control_path(data_dir, 0, &path, NULL) == WEIR_OK &&
        weir_control_ask(weir_text_get(&path), "{\"method\":\"status\"}", &reply, NULL) == WEIR_OK)
        weir_command_note(l->in,
                          "a weir is running with this data directory: a device that allows one "
                          "client only will refuse this one");
}

int weir_live_check(const weir_invocation *in, weir_catalog *catalog, weir_format format)
{
    static const char *const columns[] = {"kind",        "name",   "state", "latency_ms",
                                          "good_points", "points", "cause", "remedy"};
    weir_error error = WEIR_ERROR_INIT;
    WEIR_CLEANUP(weir_output_end)
    weir_output *output =
        weir_output_new(stdout, format, columns, sizeof columns / sizeof *columns);
    struct live l = {.in = in,
                     .catalog = catalog,
                     .output = output,
                     .unreachable =
                         weir_arena_alloc(in->arena, catalog->n_connections + 1, sizeof(bool))};
    if (!output || !l.unreachable)
        return WEIR_EXIT_FAILURE;
    weir_log_set(WEIR_LOG_ERROR, catalog->log_format); /* the rows say it */
    tell_of_daemon(&l);
    for (size_t i = 0; i < catalog->n_connections; i++)
        connection_try(&l, i);
    if (devices_try(&l, &error))
        return weir_command_fail(in, &error);
    for (size_t i = 0; i < catalog->n_sinks; i++)
        sink_try(&l, &catalog->sinks[i]);
    return l.n_failed ? WEIR_EXIT_PARTLY : WEIR_EXIT_OK;
}
