/* SPDX-License-Identifier: MIT */
/* A connection to PostgreSQL that never waits longer than it may. */

/*
 * The happy path: weir_pg_login() (login.c) connects; weir_pg_run() and the three of COPY send, and
 * read until the server is ready again.
 *
 * The ways it fails: the server goes away (closed here); it stays silent (closed here at the
 * deadline); it reports an error (judged by SQLSTATE; the connection goes on).
 */

#include "sinks/postgres/connection.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "sinks/postgres/login.h"

enum { SLICE_MS = 200 }; /* is_ending is asked so often */

weir_pg_place weir_pg_connection_place(const weir_pg_connection *c)
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

bool weir_pg_socket_wait(weir_pg_connection *c, PGconn *pg, short events, weir_mono deadline,
                         short *ret_events, weir_send_answer *ret)
{
    struct pollfd fd = {.fd = PQsocket(pg), .events = events};
    for (;;) {
        const int64_t left = time_left(c, deadline);
        if (c->host->is_ending(c->host->data)) {
            weir_send_later(ret, WEIR_TROUBLE_OFFLINE, "", "given up because weir ends");
            return false;
        }
        if (left <= 0) {
            weir_send_later(ret, WEIR_TROUBLE_OFFLINE, "",
                            "the server at %s:%s does not answer in time", c->server, c->port);
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
    if (weir_pg_socket_wait(c, c->pg, events, c->deadline, ret_events, ret))
        return true;
    weir_pg_close(c);
    return false;
}

static bool connection_lost(weir_pg_connection *c, weir_send_answer *ret)
{
    const weir_pg_place place = weir_pg_connection_place(c);
    weir_pg_judge_connection(PQerrorMessage(c->pg), &place, ret);
    weir_pg_close(c);
    return false;
}

/* --- opening ------------------------------------------------------------------------------ */

static void notice_ignore(void *data, const PGresult *result)
{
    (void)data;
    (void)result;
}

bool weir_pg_open(weir_pg_connection *c, weir_send_answer *ret)
{
    if (!weir_pg_login(c, ret))
        return false;
    (void)PQsetErrorVerbosity(c->pg, PQERRORS_DEFAULT);
    (void)PQsetNoticeReceiver(c->pg, notice_ignore, NULL);
    return PQsetnonblocking(c->pg, 1) == 0 || connection_lost(c, ret);
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
    const weir_pg_place place = weir_pg_connection_place(c);
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
