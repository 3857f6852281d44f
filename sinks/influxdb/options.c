/* SPDX-License-Identifier: MIT */
/* The options of the sink influxdb, and what follows from them. */

#include "sinks/influxdb/options.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "sinks/http/http.h"
#include "sinks/text/template.h"

static const char *const layout_words[] = {"weir", "telegraf", "energy_monitoring", NULL};
static const char *const precision_words[] = {"ns", "us", "ms", "s", NULL};
const weir_influxdb_unit weir_influxdb_units[] = {
    {"ns", "n", 1}, {"us", "u", 1000}, {"ms", "ms", 1000000}, {"s", "s", 1000000000}};

/* One timeout in the option table covers the whole request, connecting included. */
#define TIMEOUT_DEFAULT "30s"

#define ROW(field) .name = #field, .offset = offsetof(weir_influxdb_options, field)
#define SECRET     .type = WEIR_OPTION_STRING, .flags = WEIR_OPTION_SECRET
#define TEXT       .type = WEIR_OPTION_STRING
#define FILE_NAME  .type = WEIR_OPTION_STRING, .metavar = "FILE"

const weir_option weir_influxdb_option_table[] = {
    {ROW(url), TEXT, .flags = WEIR_OPTION_REQUIRED, .metavar = "URL",
     .text = "Where the server is: http://10.0.0.9:8086, with a path if a proxy wants one."},
    {ROW(database), TEXT, .text = "Database of InfluxDB 1.x; /write is used."},
    {ROW(retention_policy), TEXT,
     .text = "Retention policy of that database; else its default one."},
    {ROW(org), TEXT, .text = "Organization of InfluxDB 2.x."},
    {ROW(bucket), TEXT, .text = "Bucket of InfluxDB 2.x, database of 3.x; /api/v2/write is used."},
    {ROW(username), TEXT, .text = "User, with database; it is sent in a header, never in the URL."},
    {ROW(username_file), FILE_NAME, .text = "File whose first line is the user."},
    {ROW(password), SECRET, .text = "Password of the user."},
    {ROW(password_file), FILE_NAME, .text = "File whose first line is the password."},
    {ROW(token), SECRET, .text = "Token that may write into the bucket."},
    {ROW(token_file), FILE_NAME, .text = "File whose first line is the token."},
    {ROW(layout), .type = WEIR_OPTION_ENUM, .words = layout_words, .fallback = "weir",
     .text = "Names of measurements, tags and fields: weir's, those of Telegraf's modbus plugin, "
             "or those of EnergyMonitoringManagement."},
    {ROW(measurement), TEXT, .metavar = "TEMPLATE",
     .text = "Measurement, such as plant or {device} or {label:building}; default: weir, modbus "
             "or {point}, by the layout."},
    {ROW(precision), .type = WEIR_OPTION_ENUM, .words = precision_words, .fallback = "ns",
     .text = "Unit of the times sent. With s, of two samples of a tag within a second the later "
             "one replaces the other in the database."},
    {ROW(gzip), .type = WEIR_OPTION_BOOL, .fallback = "true",
     .text = "Whether what is sent is compressed: a seventh of the bytes."},
    {ROW(create_database), .type = WEIR_OPTION_BOOL, .fallback = "false",
     .text = "Whether database and retention policy are created when the server says it has none; "
             "needs the right of an administrator."},
    {.name = "label_tags",
     .offset = offsetof(weir_influxdb_options, label_tags),
     .type = WEIR_OPTION_BOOL,
     .fallback = "true",
     .text = "Whether the labels of a tag are tags of its series; a key that means something else "
             "there is written label_KEY."},
    {ROW(ca_file), FILE_NAME,
     .text = "Certificates (PEM) of the authorities to trust, instead of the system's."},
    {ROW(cert_file), FILE_NAME, .text = "Certificate (PEM) to show to the server."},
    {ROW(key_file), FILE_NAME, .text = "Its key."},
    {ROW(proxy), .type = WEIR_OPTION_BOOL, .fallback = "false",
     .text =
         "Whether the proxy is used that http_proxy, https_proxy and no_proxy in the environment "
         "name."},
    {.name = "timeout",
     .offset = offsetof(weir_influxdb_options, timeout_us),
     .type = WEIR_OPTION_DURATION,
     .fallback = TIMEOUT_DEFAULT,
     .min = WEIR_S / 10,
     .max = WEIR_HOUR,
     .text = "A request that has no answer by then is given up and repeated."},
    {.name = NULL}};

bool weir_influxdb_is_v2(const weir_influxdb_options *o)
{
    return o->bucket != NULL;
}

/* --- check -------------------------------------------------------------------------------- */

static weir_err check_url(const char *url, weir_error *error)
{
    const char *host = strstr(url, "://");
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return weir_fail(error, WEIR_EINVAL, "url must begin with http:// or https://");
    host += 3;
    const size_t n = strcspn(host, "/?#");
    if (memchr(host, '@', n)) /* the URL is shown in states and logs */
        return weir_fail(error, WEIR_EINVAL,
                         "url must not have a user or password in it: there are username, "
                         "password and token for that");
    if (n == 0 || host[strcspn(host, "?# \t")])
        return weir_fail(error, WEIR_EINVAL,
                         "url must be http://HOST:PORT, without ? and #: what goes behind is made "
                         "of database, or of org and bucket");
    return WEIR_OK;
}

static weir_err check_target(const weir_influxdb_options *o, weir_error *error)
{
    if (o->database && (o->bucket || o->org))
        return weir_fail(
            error, WEIR_EINVAL,
            "database is for InfluxDB 1.x, org and bucket are for 2.x: give one of both");
    if (!o->database && !o->bucket)
        return weir_fail(error, WEIR_EINVAL,
                         "database is missing (InfluxDB 1.x); or org and bucket (2.x), or bucket "
                         "alone (3.x, VictoriaMetrics)");
    if (o->bucket && (o->username || o->username_file || o->password || o->password_file))
        return weir_fail(error, WEIR_EINVAL,
                         "username and password go with database; with bucket give token");
    if (o->database && (o->token || o->token_file))
        return weir_fail(error, WEIR_EINVAL,
                         "token goes with bucket; with database give username and password");
    if (o->bucket && o->retention_policy)
        return weir_fail(error, WEIR_EINVAL,
                         "retention_policy goes with database: a bucket has its own retention");
    if (o->bucket && o->create_database)
        return weir_fail(error, WEIR_EINVAL,
                         "create_database goes with database; for a bucket: weir sink schema NAME");
    return WEIR_OK;
}

static weir_err check_secrets(const weir_influxdb_options *o, weir_error *error)
{
    const bool has_user = o->username || o->username_file;
    const bool has_password = o->password || o->password_file;
    if ((o->username && o->username_file) || (o->password && o->password_file) ||
        (o->token && o->token_file))
        return weir_fail(error, WEIR_EINVAL,
                         "a secret is given twice, as text and as file: remove one of both");
    if (has_user != has_password)
        return weir_fail(error, WEIR_EINVAL, "%s is missing: username and password go together",
                         has_user ? "password" : "username");
    if (!o->cert_file != !o->key_file)
        return weir_fail(error, WEIR_EINVAL, "cert_file and key_file go together");
    return WEIR_OK;
}

weir_err weir_influxdb_options_check(const weir_influxdb_options *o, weir_error *error)
{
    weir_template *template = NULL;
    weir_err err = check_url(o->url ? o->url : "", error);
    if (err == WEIR_OK)
        err = check_target(o, error);
    if (err == WEIR_OK)
        err = check_secrets(o, error);
    if (err == WEIR_OK && o->measurement) {
        err = weir_template_parse(o->measurement, &template, error);
        if (err != WEIR_OK)
            err = weir_fail_prefix(error, "measurement: ");
        weir_template_free(template);
    }
    return err;
}

/* --- URLs and commands -------------------------------------------------------------------- */

void weir_influxdb_add_url(const weir_influxdb_options *o, const char *path, weir_text *t)
{
    size_t n = strlen(o->url);
    while (n > 0 && o->url[n - 1] == '/')
        n--;
    weir_text_add_n(t, o->url, n);
    weir_text_add(t, path);
}

static void query_add(weir_text *t, const char *key, const char *value)
{
    if (!value)
        return;
    weir_text_format(t, "%s=", key);
    weir_http_add_escaped(t, value);
}

void weir_influxdb_add_write_url(const weir_influxdb_options *o, weir_text *t)
{
    const weir_influxdb_unit *unit = &weir_influxdb_units[o->precision];
    const bool is_v2 = weir_influxdb_is_v2(o);
    weir_influxdb_add_url(o, is_v2 ? "/api/v2/write?" : "/write?", t);
    query_add(t, "precision", is_v2 ? unit->word : unit->word_1);
    query_add(t, is_v2 ? "&bucket" : "&db", is_v2 ? o->bucket : o->database);
    query_add(t, is_v2 ? "&org" : "&rp", is_v2 ? o->org : o->retention_policy);
}

void weir_influxdb_add_identifier(weir_text *t, const char *name)
{
    weir_text_add_char(t, '"');
    for (; *name; name++) {
        if (*name == '"' || *name == '\\')
            weir_text_add_char(t, '\\');
        weir_text_add_char(t, *name);
    }
    weir_text_add_char(t, '"');
}

/* As a POSIX shell takes it. */
static void quoted_add(weir_text *t, const char *text)
{
    weir_text_add_char(t, '\'');
    for (; *text; text++)
        if (*text == '\'')
            weir_text_add(t, "'\\''");
        else
            weir_text_add_char(t, *text);
    weir_text_add_char(t, '\'');
}

void weir_influxdb_add_schema(const weir_influxdb_options *o, weir_text *t)
{
    if (weir_influxdb_is_v2(o)) {
        weir_text_add(t, "influx bucket create --name ");
        quoted_add(t, o->bucket);
        if (o->org) {
            weir_text_add(t, " --org ");
            quoted_add(t, o->org);
        }
        weir_text_add(t, " --retention 0\n");
        return;
    }
    weir_text_add(t, "CREATE DATABASE ");
    weir_influxdb_add_identifier(t, o->database);
    weir_text_add_char(t, '\n');
    if (o->retention_policy) {
        weir_text_add(t, "CREATE RETENTION POLICY ");
        weir_influxdb_add_identifier(t, o->retention_policy);
        weir_text_add(t, " ON ");
        weir_influxdb_add_identifier(t, o->database);
        weir_text_add(t, " DURATION INF REPLICATION 1\n");
    }
}
