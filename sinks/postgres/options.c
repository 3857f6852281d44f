/* SPDX-License-Identifier: MIT */
/* The options of a postgres sink. */

#include "sinks/postgres/options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "base/clock.h"
#include "sinks/postgres/layout.h"

static const char *const tls_words[] = {"auto",      "disable",     "require",
                                        "verify-ca", "verify-full", NULL};

/* NAMEDATALEN - 1: what PostgreSQL would cut off in silence. */
enum { NAME_MAX_BYTES = 63 };

#define FIELD(member) .offset = offsetof(weir_pg_options, member)

const weir_option weir_pg_option_table[] = {
    {.name = "url",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_REQUIRED,
     FIELD(url),
     .metavar = "URL",
     .text = "Where the server is: postgresql://host:5432/database, or key=value words of libpq "
             "such as host=/run/postgresql dbname=plant; without a password. Several hosts: "
             "postgresql://a,b/plant?target_session_attrs=read-write."},
    {.name = "database",
     .type = WEIR_OPTION_STRING,
     FIELD(database),
     .metavar = "NAME",
     .text = "The database, if the url names none."},
    {.name = "username",
     .type = WEIR_OPTION_STRING,
     FIELD(username),
     .metavar = "NAME",
     .text = "The role, if the url names none."},
    {.name = "password",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_SECRET,
     FIELD(password),
     .metavar = "TEXT",
     .text = "Its password; better in password_file or as ${NAME}."},
    {.name = "password_file",
     .type = WEIR_OPTION_STRING,
     FIELD(password_file),
     .metavar = "FILE",
     .text = "File whose first line is the password; read at each connection, so it can be changed "
             "under way."},
    {.name = "sslmode",
     .type = WEIR_OPTION_ENUM,
     FIELD(sslmode),
     .fallback = "auto",
     .words = tls_words,
     .text = "How the server proves who it is. auto: verify-full, but disable for a socket file "
             "and this machine. It never falls back to plain text."},
    {.name = "ssl_root_cert",
     .type = WEIR_OPTION_STRING,
     FIELD(ssl_root_cert),
     .metavar = "FILE",
     .text = "Certificates (PEM) of the authorities to trust, instead of the system's."},
    {.name = "ssl_cert",
     .type = WEIR_OPTION_STRING,
     FIELD(ssl_cert),
     .metavar = "FILE",
     .text = "Certificate (PEM) to show to a server that asks for one."},
    {.name = "ssl_key",
     .type = WEIR_OPTION_STRING,
     FIELD(ssl_key),
     .metavar = "FILE",
     .text = "Its key; readable for weir alone."},
    {.name = "layout",
     .type = WEIR_OPTION_ENUM,
     FIELD(layout),
     .fallback = "weir",
     .words = weir_pg_layout_words,
     .text = "weir: tables weir_tags and weir_samples. emdc: topics and data of an Energy Meter "
             "Data Collector."},
    {.name = "schema",
     .type = WEIR_OPTION_STRING,
     FIELD(schema),
     .fallback = "public",
     .metavar = "NAME",
     .text = "The schema the tables are in."},
    {.name = "tags_table",
     .type = WEIR_OPTION_STRING,
     FIELD(tags_table),
     .metavar = "NAME",
     .text = "The table of the tags. Default: weir_tags or topics, by the layout."},
    {.name = "samples_table",
     .type = WEIR_OPTION_STRING,
     FIELD(samples_table),
     .metavar = "NAME",
     .text = "The table of the samples. Default: weir_samples or data, by the layout."},
    {.name = "create_tables",
     .type = WEIR_OPTION_BOOL,
     FIELD(create_tables),
     .fallback = "true",
     .text =
         "Whether the schema and tables that are missing are made; a Timescale hypertable where "
         "that extension is."},
    {.name = "application_name",
     .type = WEIR_OPTION_STRING,
     FIELD(application_name),
     .metavar = "NAME",
     .text = "Shown in pg_stat_activity. Default: weir/VERSION."},
    {.name = "connect_timeout",
     .type = WEIR_OPTION_DURATION,
     FIELD(connect_timeout_us),
     .fallback = "10s",
     .min = 100 * WEIR_MS,
     .max = 10 * WEIR_MINUTE,
     .text = "How long connecting may take."},
    {.name = NULL},
};

/* --- the url ------------------------------------------------------------------------------ */

static PQconninfoOption *url_parse(const weir_pg_options *options)
{
    /* libpq's words about what is wrong may hold a piece of a password: they are not shown. */
    char *words = NULL;
    PQconninfoOption *parsed = options->url ? PQconninfoParse(options->url, &words) : NULL;
    PQfreemem(words);
    return parsed;
}

bool weir_pg_options_keyword(const weir_pg_options *options, const char *keyword, char *ret,
                             size_t size)
{
    PQconninfoOption *parsed = url_parse(options);
    bool found = false;
    for (const PQconninfoOption *o = parsed; o && o->keyword; o++)
        if (strcmp(o->keyword, keyword) == 0 && o->val && *o->val) {
            (void)snprintf(ret, size, "%s", o->val);
            found = true;
        }
    PQconninfoFree(parsed);
    return found;
}

static bool host_is_here(const char *host, size_t n)
{
    return n == 0 || host[0] == '/' || host[0] == '@' || (n >= 4 && memcmp(host, "127.", 4) == 0) ||
           (n == 9 && memcmp(host, "localhost", 9) == 0) || (n == 3 && memcmp(host, "::1", 3) == 0);
}

/* Whether each server of the list is on this machine. libpq takes from the environment what the url
 * does not say. */
static bool server_is_here(const weir_pg_options *options)
{
    static const char *const keywords[][2] = {{"hostaddr", "PGHOSTADDR"}, {"host", "PGHOST"}};
    char hosts[1024];
    for (size_t i = 0; i < 2; i++) {
        const char *outside = getenv(keywords[i][1]);
        if (!weir_pg_options_keyword(options, keywords[i][0], hosts, sizeof hosts))
            (void)snprintf(hosts, sizeof hosts, "%s", outside ? outside : "");
        for (const char *at = hosts; *hosts; at++) {
            const size_t n = strcspn(at, ",");
            if (!host_is_here(at, n))
                return false;
            at += n;
            if (!*at)
                return true;
        }
    }
    return true;
}

const char *weir_pg_options_sslmode(const weir_pg_options *options)
{
    static const char *const ours[] = {"disable", "require", "verify-ca", "verify-full"};
    char mode[20];
    if (options->sslmode != WEIR_PG_TLS_AUTO)
        return tls_words[options->sslmode];
    if (weir_pg_options_keyword(options, "sslmode", mode, sizeof mode))
        for (size_t i = 0; i < 4; i++)
            if (strcmp(mode, ours[i]) == 0)
                return ours[i];
    return server_is_here(options) ? "disable" : "verify-full";
}

/* --- check -------------------------------------------------------------------------------- */

static weir_err url_check(const weir_pg_options *options, weir_error *error)
{
    char text[20];
    PQconninfoOption *parsed = url_parse(options);
    if (!parsed)
        return weir_fail(error, WEIR_EINVAL,
                         "url must be postgresql://host:5432/database, or words of libpq such as "
                         "\"host=/run/postgresql dbname=plant\"");
    PQconninfoFree(parsed);
    if (weir_pg_options_keyword(options, "password", text, sizeof text))
        return weir_fail(error, WEIR_EINVAL,
                         "a password in url would be shown: write it as password_file: FILE, or "
                         "password: \"${NAME}\"");
    if (weir_pg_options_keyword(options, "sslmode", text, sizeof text) &&
        (strcmp(text, "prefer") == 0 || strcmp(text, "allow") == 0))
        return weir_fail(error, WEIR_EINVAL,
                         "sslmode=%s would fall back to plain text: use verify-full, or disable on "
                         "a network you trust",
                         text);
    return WEIR_OK;
}

static weir_err name_check(const char *option, const char *name, weir_error *error)
{
    if (name && (!*name || strlen(name) > NAME_MAX_BYTES))
        return weir_fail(error, WEIR_EINVAL, "%s must be a name of 1 to %d bytes", option,
                         NAME_MAX_BYTES);
    return WEIR_OK;
}

weir_err weir_pg_options_check(const void *options, weir_error *error)
{
    const weir_pg_options *o = options;
    weir_err err = url_check(o, error);
    if (err == WEIR_OK)
        err = name_check("schema", o->schema, error);
    if (err == WEIR_OK)
        err = name_check("tags_table", o->tags_table, error);
    if (err == WEIR_OK)
        err = name_check("samples_table", o->samples_table, error);
    if (err == WEIR_OK && !o->ssl_cert != !o->ssl_key)
        err = weir_fail(error, WEIR_EINVAL, "ssl_cert and ssl_key belong together: give both");
    if (err == WEIR_OK && o->password && *o->password && o->password_file && *o->password_file)
        err = weir_fail(error, WEIR_EINVAL, "give password or password_file, not both");
    return err;
}
