/* SPDX-License-Identifier: MIT */
/* A connection to PostgreSQL that never waits longer than it may. */

/*
 * The happy path: weir_pg_open() connects, encrypts and logs in; weir_pg_run() and the three of
 * COPY send, and read until the server is ready again.
 *
 * The ways it fails: the server cannot be reached, or refuses (libpq's message is judged); its
 * certificate is not trusted (a second connection, given up before a word was said in it, shows
 * which and why); it goes away (closed here); it stays silent (closed here at the deadline); it
 * reports an error (judged by SQLSTATE; the connection goes on).
 */

#include "sinks/postgres/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sinks/postgres/address.h"
#include "sinks/postgres/certificate.h"
#include "sinks/text/secret.h"

enum {
    SLICE_MS = 200,        /* is_ending is asked so often */
    KEYWORDS_MAX = 80,     /* libpq 15 has 40 */
    EXPIRY_TOLD_DAYS = 21, /* before a certificate expires: three weekends to renew it */
};

/* Where Debian and Red Hat keep what the system trusts. */
static const char *const system_roots[] = {"/etc/ssl/certs/ca-certificates.crt",
                                           "/etc/pki/tls/certs/ca-bundle.crt"};

static weir_pg_place place_of(const weir_pg_connection *c)
{
    return (weir_pg_place){.host = c->server,
                           .port = c->port,
                           .database = c->database,
                           .user = c->user,
                           .tags = c->tables->tags,
                           .samples = c->tables->samples,
                           .schema = c->tables->schema,
                           .sink = c->host->name};
}

void weir_pg_connection_init(weir_pg_connection *c, const weir_sink_host *host,
                             const weir_pg_options *options, const weir_pg_tables *tables)
{
    *c = (weir_pg_connection){.host = host, .options = options, .tables = tables, .table = ""};
}

void weir_pg_close(weir_pg_connection *c)
{
    PQfinish(c->pg);
    c->pg = NULL;
}

/* --- waiting ------------------------------------------------------------------------------ */

static int64_t time_left(const weir_pg_connection *c, weir_mono deadline)
{
    const weir_mono now = c->host->now(c->host->data);
    return weir_mono_reached(now, deadline) ? 0 : deadline.us - now.us;
}

/* Until one of the events is there. ret_events may be NULL. */
static bool socket_wait(weir_pg_connection *c, PGconn *pg, short events, weir_mono deadline,
                        short *ret_events, weir_send_answer *ret)
{
    struct pollfd fd = {.fd = PQsocket(pg), .events = events};
    for (;;) {
        const int64_t left = time_left(c, deadline);
        if (c->host->is_ending(c->host->data)) {
            weir_pg_later(ret, WEIR_TROUBLE_OFFLINE, "given up because weir ends");
            return false;
        }
        if (left <= 0) {
            weir_pg_later(ret, WEIR_TROUBLE_OFFLINE, "the server at %s:%s does not answer in time",
                          c->server, c->port);
            weir_pg_remedy(ret, "does it do anything? pg_isready -h %s -p %s", c->server, c->port);
            return false;
        }
        const int64_t ms = left / WEIR_MS + 1;
        if (poll(&fd, 1, ms < SLICE_MS ? (int)ms : SLICE_MS) > 0)
            break;
    }
    if (ret_events)
        *ret_events = fd.revents;
    return true;
}

static bool wait_or_close(weir_pg_connection *c, short events, short *ret_events,
                          weir_send_answer *ret)
{
    if (socket_wait(c, c->pg, events, c->deadline, ret_events, ret))
        return true;
    weir_pg_close(c);
    return false;
}

static bool connection_lost(weir_pg_connection *c, weir_send_answer *ret)
{
    const weir_pg_place place = place_of(c);
    weir_pg_judge_connection(PQerrorMessage(c->pg), &place, ret);
    weir_pg_close(c);
    return false;
}

/* --- connecting --------------------------------------------------------------------------- */

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
    const weir_pg_place place = place_of(c);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (PQstatus(pg) != CONNECTION_BAD && next != PGRES_POLLING_OK &&
           next != PGRES_POLLING_FAILED) {
        if (!socket_wait(c, pg, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline, NULL,
                         ret))
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
            weir_pg_later(ret, WEIR_TROUBLE_MISCONFIGURED, "%.200s cannot be read: %s", files[i],
                          strerror(errno));
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
        const weir_pg_place place = place_of(c);
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
        weir_pg_later(ret, WEIR_TROUBLE_BUSY, "no memory to connect");
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
    const int64_t left = time_left(c, c->deadline);
    const weir_mono by = weir_mono_add(
        c->host->now(c->host->data),
        left < c->options->connect_timeout_us ? left : c->options->connect_timeout_us);
    const bool is_open = names_look_up(c, k, &addresses, by, ret) && connect_to(c, k, by, ret);
    weir_pg_addresses_deinit(&addresses);
    return is_open;
}

static void notice_ignore(void *data, const PGresult *result)
{
    (void)data;
    (void)result;
}

bool weir_pg_open(weir_pg_connection *c, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO password = WEIR_TEXT_INIT;
    weir_error error = WEIR_ERROR_INIT;
    keywords k = {0};
    if (weir_secret_read(c->options->password, c->options->password_file, &password, &error) !=
        WEIR_OK) {
        weir_pg_later(ret, WEIR_TROUBLE_MISCONFIGURED, "%.250s", error.text);
        return false;
    }
    if (!files_are_there(c->options, ret))
        return false;
    PQconninfoOption *url = PQconninfoParse(c->options->url, NULL);
    keywords_fill(c, url, weir_text_get(&password), &k);
    const bool is_open = connect_by(c, &k, ret);
    PQconninfoFree(url);
    if (!is_open)
        return false;
    (void)PQsetErrorVerbosity(c->pg, PQERRORS_DEFAULT);
    (void)PQsetNoticeReceiver(c->pg, notice_ignore, NULL);
    if (PQsetnonblocking(c->pg, 1) != 0)
        return connection_lost(c, ret);
    certificate_warn(c);
    return true;
}

/* --- talking ------------------------------------------------------------------------------ */

/* Everything written, with what comes in meanwhile read: else both sides could wait for ever. */
static bool output_flush(weir_pg_connection *c, weir_send_answer *ret)
{
    for (int more; (more = PQflush(c->pg)) != 0;) {
        short events = 0;
        if (more < 0)
            return connection_lost(c, ret);
        if (!wait_or_close(c, POLLIN | POLLOUT, &events, ret))
            return false;
        if ((events & POLLIN) && !PQconsumeInput(c->pg))
            return connection_lost(c, ret);
    }
    return true;
}

static bool result_wait(weir_pg_connection *c, PGresult **ret_result, weir_send_answer *ret)
{
    while (PQisBusy(c->pg)) {
        if (!wait_or_close(c, POLLIN, NULL, ret))
            return false;
        if (!PQconsumeInput(c->pg))
            return connection_lost(c, ret);
    }
    *ret_result = PQgetResult(c->pg);
    return true;
}

static void result_judge(weir_pg_connection *c, const PGresult *result, weir_send_answer *ret)
{
    const weir_pg_place place = place_of(c);
    const weir_pg_fault fault = {.sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE),
                                 .message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
                                 .detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL),
                                 .context = PQresultErrorField(result, PG_DIAG_CONTEXT)};
    if (fault.sqlstate)
        weir_pg_judge(&fault, &place, c->table, c->n_rows, ret);
    else
        weir_pg_judge_connection(PQresultErrorMessage(result), &place, ret);
}

/* All results until the server is ready, or wants the rows of a COPY. The first error counts. */
static bool results_take(weir_pg_connection *c, bool is_copy_wanted, PGresult **ret_result,
                         weir_send_answer *ret)
{
    bool is_good = true;
    for (PGresult *result = NULL; result_wait(c, &result, ret);) {
        if (!result) {
            if (PQstatus(c->pg) == CONNECTION_BAD)
                weir_pg_close(c);
            return is_good;
        }
        const ExecStatusType status = PQresultStatus(result);
        if (is_good && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK &&
            status != PGRES_COPY_IN) {
            is_good = false;
            result_judge(c, result, ret);
        }
        if (is_good && ret_result && status == PGRES_TUPLES_OK) {
            PQclear(*ret_result);
            *ret_result = result;
        } else {
            PQclear(result);
        }
        if (status == PGRES_COPY_IN && is_copy_wanted)
            return true;
    }
    return false;
}

bool weir_pg_run(weir_pg_connection *c, const char *sql, const char *const *parameters, size_t n,
                 PGresult **ret_result, weir_send_answer *ret)
{
    PGresult *result = NULL;
    const int sent = n ? PQsendQueryParams(c->pg, sql, (int)n, NULL, parameters, NULL, NULL, 0)
                       : PQsendQuery(c->pg, sql);
    if (!sent)
        return connection_lost(c, ret);
    if (!output_flush(c, ret) || !results_take(c, false, &result, ret)) {
        PQclear(result);
        return false;
    }
    if (ret_result)
        *ret_result = result;
    else
        PQclear(result);
    return true;
}

bool weir_pg_copy_begin(weir_pg_connection *c, const char *sql, weir_send_answer *ret)
{
    if (!PQsendQuery(c->pg, sql))
        return connection_lost(c, ret);
    return output_flush(c, ret) && results_take(c, true, NULL, ret);
}

bool weir_pg_copy_put(weir_pg_connection *c, const uint8_t *bytes, size_t n, weir_send_answer *ret)
{
    if (PQputCopyData(c->pg, (const char *)bytes, (int)n) <= 0)
        return connection_lost(c, ret);
    return output_flush(c, ret);
}

bool weir_pg_copy_end(weir_pg_connection *c, weir_send_answer *ret)
{
    if (PQputCopyEnd(c->pg, NULL) <= 0)
        return connection_lost(c, ret);
    return output_flush(c, ret) && results_take(c, false, NULL, ret);
}

void weir_pg_settle(weir_pg_connection *c)
{
    weir_send_answer ignored;
    c->n_rows = 0;
    if (!c->pg)
        return;
    const PGTransactionStatusType status = PQtransactionStatus(c->pg);
    const bool can_roll_back = status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
    if (status != PQTRANS_IDLE &&
        (!can_roll_back || !weir_pg_run(c, "ROLLBACK", NULL, 0, NULL, &ignored)))
        weir_pg_close(c);
}

void weir_pg_look(weir_pg_connection *c)
{
    struct pollfd fd = {.fd = c->pg ? PQsocket(c->pg) : -1, .events = POLLIN};
    /* The last words of a server that goes come before the end of its stream. */
    for (int reads = 0; c->pg && reads < 3 && poll(&fd, 1, 0) > 0; reads++)
        if (!PQconsumeInput(c->pg) || PQstatus(c->pg) != CONNECTION_OK)
            weir_pg_close(c);
}

void weir_pg_peer(const weir_pg_connection *c, char *ret, size_t size)
{
    const char *version = PQparameterStatus(c->pg, "server_version");
    const char *tls = PQsslInUse(c->pg) ? PQsslAttribute(c->pg, "protocol") : NULL;
    const int n_version = version ? (int)strcspn(version, " ") : 0;
    const char *address = PQhostaddr(c->pg);
    const bool is_socket = c->server[0] == '/';
    (void)snprintf(ret, size, "PostgreSQL %.*s at %.100s%s%.8s, database %.63s, %s%.10s", n_version,
                   version ? version : "", is_socket || !address || !*address ? c->server : address,
                   is_socket ? " " : ":", c->port, c->database, tls ? "TLS " : "no TLS",
                   tls ? tls + (strncmp(tls, "TLSv", 4) == 0 ? 4 : 0) : "");
}
