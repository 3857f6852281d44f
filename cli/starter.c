/* SPDX-License-Identifier: MIT */
/* The text of a first configuration. */

#include "cli/starter.h"

#include <string.h>

enum { COMMENT_COLUMN = 38 };

/* What YAML takes for the same text without quotes; quotes are right for all others. */
static bool is_plain(const char *text)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/.";
    static const char more[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._:+-@,";
    const size_t n = strlen(text);
    return n && strchr(first, *text) && strspn(text, more) == n && text[n - 1] != ':' &&
           strcmp(text, "null") != 0;
}

static void add_scalar(weir_text *t, const char *text)
{
    if (is_plain(text))
        weir_text_add(t, text);
    else
        weir_text_add_json(t, text, strlen(text));
}

/* "    key: value      # comment" */
static void add_key(weir_text *t, const char *key, const char *value, const char *comment)
{
    const size_t start = t->length;
    weir_text_format(t, "%s: ", key);
    add_scalar(t, value);
    if (comment) {
        do
            weir_text_add_char(t, ' ');
        while (t->length - start < COMMENT_COLUMN && !t->failed);
        weir_text_format(t, "# %s", comment);
    }
    weir_text_add_char(t, '\n');
}

static void add_head(const weir_starter *s, weir_text *t)
{
    /* Editors look for this line anywhere among the first comments. */
    if (s->schema)
        weir_text_format(t, "# yaml-language-server: $schema=%s\n", s->schema);
    weir_text_add(t, "# What weir reads, how often, and where it goes. Written by `weir init`; it "
                     "is yours now.\n"
                     "# `weir check` finds every mistake, `weir help config` explains every key.\n"
                     "\n"
                     "# Everything weir keeps is in this folder; each weir needs one of its own.\n"
                     "data_dir: ./weir-data\n"
                     "\n"
                     "store:\n");
    add_key(t, "  max_loss", "1s", "what a power cut may cost; 10s spares an SD card");
    weir_text_add(t, "  # retention: 365d                   # without it: as long as max_size "
                     "lets them\n"
                     "  # max_size: 50%                     # of the disk; then the oldest go\n");
}

static void add_connection(const weir_starter *s, weir_text *t)
{
    const char *uri = s->uri ? s->uri : "simulated:";
    const bool simulated = !strncmp(uri, "simulated:", strlen("simulated:"));
    weir_text_add(t, "\n# The ways to reach devices: a network address, or the server of a serial "
                     "line.\n"
                     "connections:\n"
                     "  - name: main\n");
    add_key(t, "    uri", uri,
            simulated ? "no device at all; later tcp://HOST:502 or rtu+tcp://HOST:PORT" : NULL);
    if (simulated)
        return;
    weir_text_add(t, "    # timeout: 1s                     # how long a reply may take\n"
                     "    # pause_between_requests: 20ms    # for slow gateways and converters\n");
}

static bool names_several(const char *unit_id)
{
    return strpbrk(unit_id, ",") || strchr(unit_id + (*unit_id == '-'), '-');
}

static void add_points(const weir_starter *s, weir_text *t)
{
    const bool real = s->uri && strncmp(s->uri, "simulated:", strlen("simulated:")) != 0;
    if (s->profile) {
        add_key(t, "    profile", s->profile, "its points");
        weir_text_add(t, "    # only: [power, \"voltage_*\"]      # of these only some\n");
        return;
    }
    weir_text_add(t, "    points:\n"
                     "      # A line for each value, by the device's manual. What is there shows\n"
                     "      #   weir read ");
    weir_text_add(t, real ? s->uri : "tcp://HOST");
    weir_text_add(t, " --unit 1 --register holding --address 0\n"
                     "      # and ends with the line that belongs here.\n"
                     "      - {name: value, register: holding, address: 0, type: uint16}\n");
}

static void add_device(const weir_starter *s, weir_text *t)
{
    const char *unit_id = s->unit_id ? s->unit_id : "1";
    const bool several = names_several(unit_id);
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    weir_text_add(&name, s->device ? s->device : "meter");
    if (several)
        weir_text_add(&name, "-{unit_id}");
    weir_text_add(t, "\n# What is read. A value is called device/point, such as meter/power.\n"
                     "devices:\n");
    add_key(t, "  - name", weir_text_get(&name), several ? "one device for each unit id" : NULL);
    weir_text_add(t, "    connection: main\n");
    add_key(t, "    unit_id", unit_id, "the Modbus address");
    add_key(t, "    interval", s->interval ? s->interval : "5s", "how often");
    add_points(s, t);
    weir_text_add(t, "    # labels: {building: A}           # words to find it by\n");
    t->failed |= name.failed;
}

static void add_sink_examples(weir_text *t)
{
    weir_text_add(t, "\n# Where it goes besides weir's own store, through any outage: csv, sqlite, "
                     "postgres,\n"
                     "# influxdb; `weir help sinks` has their keys.\n"
                     "# sinks:\n"
                     "#   - {name: files, type: csv, path: ./samples.csv}\n");
}

static void add_sink(const weir_starter *s, weir_text *t)
{
    const bool file = s->sink && (!strcmp(s->sink, "csv") || !strcmp(s->sink, "sqlite"));
    if (!s->sink) {
        add_sink_examples(t);
        return;
    }
    weir_text_add(t, "\n# Where it goes besides weir's own store, through any outage: what waits "
                     "is kept.\n"
                     "sinks:\n");
    add_key(t, "  - name", s->sink, "how far it came is kept under this name");
    add_key(t, "    type", s->sink, NULL);
    add_key(t, file ? "    path" : "    url", s->target ? s->target : "", NULL);
    if (!strcmp(s->sink, "influxdb"))
        weir_text_add(t, "    database: weir                    # InfluxDB 1.x; of 2.x: org, "
                         "bucket and token\n"
                         "    # username: weir\n");
    if (!file)
        weir_text_add(t, "    # password: \"${WEIR_PASSWORD}\"    # from the environment, or "
                         "password_file\n");
    weir_text_add(t, "    # tags: [\"meter/*\"]               # only these\n");
}

void weir_starter_write(const weir_starter *s, weir_text *t)
{
    add_head(s, t);
    add_connection(s, t);
    add_device(s, t);
    add_sink(s, t);
}
