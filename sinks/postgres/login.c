/* SPDX-License-Identifier: MIT */
/* Connecting to PostgreSQL: where, as whom, and whether it is the right server. */

/*
 * The happy path: names are looked up, libpq is told all that the options and the url say, it
 * connects, encrypts, verifies and logs in.
 *
 * The ways it fails: the name server or the server is silent (given up at the deadline); the server
 * refuses (libpq's message is judged); its certificate is not trusted (a second connection, given
 * up before a word was said in it, shows which and why).
 */

#include "sinks/postgres/login.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sinks/postgres/address.h"
#include "sinks/postgres/certificate.h"
#include "sinks/text/secret.h"

enum {
    KEYWORDS_MAX = 80,     /* libpq 15 has 40 */
    EXPIRY_TOLD_DAYS = 21, /* before a certificate expires: three weekends to renew it */
};

/* Where Debian and Red Hat keep what the system trusts. */
static const char *const system_roots[] = {"/etc/ssl/certs/ca-certificates.crt",
                                           "/etc/pki/tls/certs/ca-bundle.crt"};

/* --- what libpq is told ------------------------------------------------------------------- */

typedef struct keywords {
    const char *names[KEYWORDS_MAX + 1], *values[KEYWORDS_MAX + 1];
    size_t n;
} keywords;

static void keyword_set(keywords *k, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    for (size_t i = 0; i < k->n; i++)
        if (strcmp(k->names[i], name) == 0) {
            k->values[i] = value;
            return;
        }
    if (k->n < KEYWORDS_MAX) {
        k->names[k->n] = name;
        k->values[k->n++] = value;
    }
}

static const char *keyword_get(const keywords *k, const char *name)
{
    for (size_t i = 0; i < k->n; i++)
        if (strcmp(k->names[i], name) == 0)
            return k->values[i];
    return "";
}

static const char *root_file_of(const weir_pg_options *options)
{
    if (options->ssl_root_cert && *options->ssl_root_cert)
        return options->ssl_root_cert;
    for (size_t i = 0; i < 2; i++)
        if (access(system_roots[i], R_OK) == 0)
            return system_roots[i];
    return NULL; /* libpq's own: ~/.postgresql/root.crt */
}

/* What libpq is told: ours beside the url's, which give way where both say something. */
static void keywords_fill(const weir_pg_connection *c, const PQconninfoOption *url,
                          const char *password, keywords *k)
{
    const weir_pg_options *o = c->options;
    keyword_set(k, "fallback_application_name", c->host->program);
    keyword_set(k, "gssencmode", "disable");
    /* A peer that vanished is noticed in a minute, even while nothing is sent. */
    keyword_set(k, "keepalives_idle", "30");
    keyword_set(k, "keepalives_interval", "10");
    keyword_set(k, "keepalives_count", "3");
    keyword_set(k, "tcp_user_timeout", "60000");
    keyword_set(k, "sslrootcert", root_file_of(o));
    for (const PQconninfoOption *u = url; u && u->keyword; u++)
        if (strcmp(u->keyword, "sslrootcert") != 0 || !o->ssl_root_cert)
            keyword_set(k, u->keyword, u->val);
    keyword_set(k, "dbname", o->database);
    keyword_set(k, "user", o->username);
    keyword_set(k, "password", password);
    keyword_set(k, "sslmode", weir_pg_options_sslmode(o));
    keyword_set(k, "sslcert", o->ssl_cert);
    keyword_set(k, "sslkey", o->ssl_key);
    keyword_set(k, "application_name", o->application_name);
    keyword_set(k, "client_encoding", "UTF8");
}

/* --- connecting --------------------------------------------------------------------------- */

/* Where we are going, for messages, also if we never arrive. */
static void server_note(weir_pg_connection *c, const PGconn *pg)
{
    const char *host = PQhost(pg), *port = PQport(pg), *database = PQdb(pg), *user = PQuser(pg);
    (void)snprintf(c->server, sizeof c->server, "%s", host ? host : "?");
    (void)snprintf(c->port, sizeof c->port, "%s", port && *port ? port : "5432");
    (void)snprintf(c->database, sizeof c->database, "%s", database ? database : "");
    (void)snprintf(c->user, sizeof c->user, "%s", user ? user : "");
}

enum goal { GOAL_READY, GOAL_ENCRYPTED };

/* To the goal; false with an answer. */
static bool handshake(weir_pg_connection *c, PGconn *pg, enum goal goal, weir_mono deadline,
                      weir_send_answer *ret)
{
    const weir_pg_place place = weir_pg_connection_place(c);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (PQstatus(pg) != CONNECTION_BAD && next != PGRES_POLLING_OK &&
           next != PGRES_POLLING_FAILED) {
        if (!weir_pg_socket_wait(c, pg, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline,
                                 NULL, ret))
            return false;
        next = PQconnectPoll(pg);
        if (goal == GOAL_ENCRYPTED && PQsslInUse(pg) && PQstatus(pg) == CONNECTION_MADE)
            return true;
    }
    if (PQstatus(pg) == CONNECTION_OK && goal == GOAL_READY)
        return true;
    weir_pg_judge_connection(PQerrorMessage(pg), &place, ret);
    return false;
}

/* The server's certificate was refused; why exactly? Asked on a connection where nothing is
 * verified and that is given up before the role or the password would be sent. */
static void refusal_explain(weir_pg_connection *c, keywords *k, weir_mono deadline,
                            weir_send_answer *ret)
{
    WEIR_TEXT_AUTO why = WEIR_TEXT_INIT;
    weir_send_answer ignored;
    char root[1024];
    const char *root_file = root_file_of(c->options);
    if (!c->options->ssl_root_cert &&
        weir_pg_options_keyword(c->options, "sslrootcert", root, sizeof root))
        root_file = root;
    keyword_set(k, "sslmode", "require");
    keyword_set(k, "sslrootcert", "/dev/null/none"); /* with one it would verify */
    PGconn *pg = PQconnectStartParams(k->names, k->values, 0);
    if (pg && root_file && handshake(c, pg, GOAL_ENCRYPTED, deadline, &ignored))
        weir_pg_certificate_explain(pg, root_file, &why);
    PQfinish(pg);
    if (why.length == 0)
        return;
    (void)snprintf(ret->why, sizeof ret->why, "%s", weir_text_get(&why));
    if (strstr(ret->why, "expired"))
        weir_pg_remedy(ret, "renew the certificate of the server %s", c->server);
}

static void certificate_warn(weir_pg_connection *c)
{
    char text[400];
    const int days = weir_pg_certificate_days(c->pg);
    if (days > EXPIRY_TOLD_DAYS || c->is_certificate_told)
        return;
    (void)snprintf(text, sizeof text,
                   "the certificate of the server %s expires in %d days: renew it", c->server,
                   days);
    c->host->log(c->host->data, WEIR_LOG_WARNING, "sink_certificate_expires", text);
    c->is_certificate_told = true;
}

/* libpq goes on without a certificate whose file is missing, and the server then asks for one. */
static bool files_are_there(const weir_pg_options *options, weir_send_answer *ret)
{
    const char *const files[] = {options->ssl_cert, options->ssl_key};
    for (size_t i = 0; i < 2; i++)
        if (files[i] && access(files[i], R_OK) != 0) {
            weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED, "", "%.200s cannot be read: %s",
                            files[i], strerror(errno));
            weir_pg_remedy(ret, "see ssl_cert and ssl_key of the sink");
            return false;
        }
    return true;
}

/* libpq would wait for the name server as long as that takes: it is given numbers. */
static bool names_look_up(weir_pg_connection *c, keywords *k, weir_pg_addresses *a, weir_mono by,
                          weir_send_answer *ret)
{
    WEIR_TEXT_AUTO why = WEIR_TEXT_INIT;
    const char *hosts = keyword_get(k, "host");
    if (!*hosts || *keyword_get(k, "hostaddr"))
        return true;
    (void)snprintf(c->server, sizeof c->server, "%s", hosts);
    if (!weir_pg_addresses_find(a, hosts, keyword_get(k, "port"), c->host, by, &why)) {
        const weir_pg_place place = weir_pg_connection_place(c);
        weir_pg_judge_connection(weir_text_get(&why), &place, ret);
        return false;
    }
    keyword_set(k, "host", weir_text_get(&a->hosts));
    keyword_set(k, "hostaddr", weir_text_get(&a->numbers));
    keyword_set(k, "port", weir_text_get(&a->ports));
    return true;
}

static bool connect_to(weir_pg_connection *c, keywords *k, weir_mono by, weir_send_answer *ret)
{
    PGconn *pg = PQconnectStartParams(k->names, k->values, 0);
    if (!pg) {
        weir_send_later(ret, WEIR_TROUBLE_BUSY, "", "no memory to connect");
        return false;
    }
    server_note(c, pg);
    (void)PQsetErrorVerbosity(pg, PQERRORS_VERBOSE);
    if (!handshake(c, pg, GOAL_READY, by, ret)) {
        PQfinish(pg);
        if (strstr(ret->why, "certificate verify failed"))
            refusal_explain(c, k, by, ret);
        return false;
    }
    c->pg = pg;
    server_note(c, pg);
    return true;
}

static bool connect_by(weir_pg_connection *c, keywords *k, weir_send_answer *ret)
{
    weir_pg_addresses addresses = {0};
    const int64_t left = c->deadline.us - c->host->now(c->host->data).us;
    const weir_mono by = weir_mono_add(
        c->host->now(c->host->data),
        left < c->options->connect_timeout_us ? left : c->options->connect_timeout_us);
    const bool is_open = names_look_up(c, k, &addresses, by, ret) && connect_to(c, k, by, ret);
    weir_pg_addresses_deinit(&addresses);
    return is_open;
}

bool weir_pg_login(weir_pg_connection *c, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO password = WEIR_TEXT_INIT;
    weir_error error = WEIR_ERROR_INIT;
    keywords k = {0};
    if (weir_secret_read(c->options->password, c->options->password_file, &password, &error) !=
        WEIR_OK) {
        weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED, "", "%.250s", error.text);
        return false;
    }
    if (!files_are_there(c->options, ret))
        return false;
    PQconninfoOption *url = PQconninfoParse(c->options->url, NULL);
    keywords_fill(c, url, weir_text_get(&password), &k);
    const bool is_open = connect_by(c, &k, ret);
    PQconninfoFree(url);
    if (is_open)
        certificate_warn(c);
    return is_open;
}
