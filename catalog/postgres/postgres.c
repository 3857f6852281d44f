/* SPDX-License-Identifier: MIT */
/* A catalog in PostgreSQL: the module that is loaded when one is named. */

/*
 * read() asks all queries in one REPEATABLE READ, READ ONLY transaction, so they are of one moment,
 * and with them a fingerprint of each: its columns' names, how many rows, and the sum of their
 * hashes, made by the server. changed() compares fingerprints, or, with a channel, waits for a
 * notification and compares only now and then. Nothing waits longer than the timeout; the server
 * ends a statement after that too, and this session could not write if it wanted to.
 *
 * What fails: the server cannot be reached, or goes (a failover): the connection is closed and the
 * next call makes a new one, to whichever of its hosts answers, at which the fingerprints tell
 * whether something was missed. A query fails: the transaction is ended, the connection kept.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "catalog/postgres/words.h"

enum {
    FINGERPRINT_MAX = 80,
    NOTIFY_DOUBT_US = 60 * WEIR_S, /* a trigger may have been forgotten on one of the tables */
    BYTEA_OID = 17,                /* pg_type.dat */
};

struct server {
    const weir_database_config *config;
    PGconn *pg; /* NULL: closed */
    char fingerprints[WEIR_LAYOUT_QUERIES][FINGERPRINT_MAX];
    bool is_read;  /* fingerprints are of the last read */
    bool is_told;  /* a notification came, or may have been missed */
    int64_t asked; /* when they were compared last */
};

static int64_t now_us(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * WEIR_S + t.tv_nsec / 1000;
}

static void server_close(struct server *s)
{
    PQfinish(s->pg);
    s->pg = NULL;
}

/* The first line of what libpq says: the rest is advice for psql. */
static weir_err server_fail(const struct server *s, weir_err code, const char *table,
                            const char *says, weir_error *error)
{
    const int n = (int)strcspn(says, "\n");
    return weir_fail(error, code, "%s%s%s: %.*s", s->config->place, table ? ", " : "",
                     table ? table : "", n < 300 ? n : 300, says);
}

static weir_err server_lost(struct server *s, const char *says, weir_error *error)
{
    const weir_err err = server_fail(s, WEIR_ECONNECT, NULL, says, error);
    server_close(s);
    return err;
}

/* ---- connecting ---- */

/* Until the socket is ready, or the deadline. */
static bool socket_wait(PGconn *pg, short events, int64_t deadline)
{
    struct pollfd fd = {.fd = PQsocket(pg), .events = events};
    int n;
    do {
        const int64_t left = (deadline - now_us()) / WEIR_MS;
        n = fd.fd < 0 || left <= 0 ? 0 : poll(&fd, 1, (int)left);
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

static weir_err handshake(struct server *s, int64_t deadline, bool *ret_silent, weir_error *error)
{
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (PQstatus(s->pg) != CONNECTION_BAD && next != PGRES_POLLING_OK &&
           next != PGRES_POLLING_FAILED) {
        *ret_silent =
            !socket_wait(s->pg, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline);
        if (*ret_silent)
            return server_lost(s, "no answer in time", error);
        next = PQconnectPoll(s->pg);
    }
    return PQstatus(s->pg) == CONNECTION_OK ? WEIR_OK
                                            : server_lost(s, PQerrorMessage(s->pg), error);
}

/* libpq goes from a host that refuses to the next by itself, but waits for a silent one as long as
 * it is let: then the next one is asked first. */
static weir_err server_connect(struct server *s, weir_pg_words *words, weir_error *error)
{
    const size_t n = weir_pg_words_hosts(words);
    weir_err err = WEIR_ECONNECT;
    bool silent = true;
    for (size_t i = 0; i < n && err && silent; i++) {
        silent = false;
        s->pg = PQconnectStartParams(words->names, words->values, 0);
        if (!s->pg)
            return weir_fail(error, WEIR_ENOMEM, "out of memory");
        err = handshake(s, now_us() + s->config->timeout_us / (int64_t)n, &silent, error);
        weir_pg_words_rotate(words);
    }
    return err;
}

static weir_err run(struct server *s, const char *table, const char *sql, PGresult **ret,
                    weir_error *error);

static weir_err server_listen(struct server *s, weir_error *error)
{
    char sql[160];
    char *name = PQescapeIdentifier(s->pg, s->config->notify, strlen(s->config->notify));
    if (!name)
        return server_fail(s, WEIR_EINVAL, "notify", PQerrorMessage(s->pg), error);
    (void)snprintf(sql, sizeof sql, "LISTEN %s", name);
    PQfreemem(name);
    return run(s, "notify", sql, NULL, error);
}

/* Not as `options` of the connection: with target_session_attrs=read-write libpq would refuse a
 * session that is read-only from its start. */
static weir_err server_restrict(struct server *s, weir_error *error)
{
    char sql[200];
    const int64_t ms = s->config->timeout_us / WEIR_MS;
    (void)snprintf(sql, sizeof sql,
                   "SET default_transaction_read_only = on; SET statement_timeout = %" PRId64
                   "; SET lock_timeout = %" PRId64,
                   ms, ms);
    return run(s, NULL, sql, NULL, error);
}

/* One that the server has closed meanwhile is opened anew at once. */
static bool server_is_open(struct server *s)
{
    return s->pg && PQconsumeInput(s->pg) && PQstatus(s->pg) == CONNECTION_OK;
}

static weir_err server_open(struct server *s, weir_error *error)
{
    weir_pg_words words = {0};
    if (server_is_open(s))
        return WEIR_OK;
    server_close(s);
    PQconninfoOption *url = PQconninfoParse(s->config->url, NULL);
    weir_pg_words_fill(&words, s->config, url);
    weir_err err = server_connect(s, &words, error);
    PQconninfoFree(url);
    s->is_told = true; /* what was said meanwhile was not heard */
    if (err == WEIR_OK)
        err = server_restrict(s, error);
    if (err == WEIR_OK && s->config->notify)
        err = server_listen(s, error);
    if (err)
        server_close(s);
    return err;
}

/* ---- asking ---- */

static weir_err result_take(struct server *s, int64_t deadline, const char *table, PGresult **ret,
                            weir_error *error)
{
    PGresult *last = NULL;
    for (;;) {
        while (PQisBusy(s->pg))
            if (!socket_wait(s->pg, POLLIN, deadline) || !PQconsumeInput(s->pg)) {
                PQclear(last);
                return server_lost(
                    s, *PQerrorMessage(s->pg) ? PQerrorMessage(s->pg) : "no answer in time", error);
            }
        PGresult *result = PQgetResult(s->pg);
        if (!result)
            break;
        PQclear(last);
        last = result;
    }
    const ExecStatusType status = PQresultStatus(last);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        *ret = last;
        return WEIR_OK;
    }
    const char *says = PQresultErrorField(last, PG_DIAG_MESSAGE_PRIMARY);
    weir_err err;
    if (PQstatus(s->pg) != CONNECTION_OK)
        err = server_lost(s, PQerrorMessage(s->pg), error);
    else
        err = server_fail(s, WEIR_EIO, table, says ? says : PQresultErrorMessage(last), error);
    PQclear(last);
    return err;
}

/* ret may be NULL. */
static weir_err run(struct server *s, const char *table, const char *sql, PGresult **ret,
                    weir_error *error)
{
    /* The server's own limit comes first: a second for its answer. */
    const int64_t deadline = now_us() + s->config->timeout_us + WEIR_S;
    PGresult *result = NULL;
    if (!PQsendQuery(s->pg, sql))
        return server_lost(s, PQerrorMessage(s->pg), error);
    const weir_err err = result_take(s, deadline, table, &result, error);
    if (err == WEIR_OK && ret)
        *ret = result;
    else
        PQclear(result);
    return err;
}

static weir_err rows_take(const struct server *s, const char *table, const PGresult *result,
                          weir_rows *ret, weir_error *error)
{
    enum { COLUMNS_MAX = 200 };
    const char *names[COLUMNS_MAX];
    const int n = PQnfields(result);
    if (n > COLUMNS_MAX || PQntuples(result) > WEIR_ROWS_MAX)
        return server_fail(s, WEIR_ELIMIT, table, "more than a million rows, or 200 columns",
                           error);
    for (int i = 0; i < n; i++)
        names[i] = PQfname(result, i);
    bool good = weir_rows_start(ret, (size_t)n, names);
    for (int row = 0; good && row < PQntuples(result); row++) {
        const char **cells = weir_rows_add(ret);
        good = cells != NULL;
        for (int i = 0; good && i < n; i++) {
            if (PQgetisnull(result, row, i))
                continue;
            cells[i] = PQftype(result, i) == BYTEA_OID
                           ? weir_cell_unreadable
                           : weir_rows_text(ret, PQgetvalue(result, row, i),
                                            (size_t)PQgetlength(result, row, i));
            good = cells[i] != NULL;
        }
    }
    return good ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "out of memory");
}

/* A column may have another name now and the same values. */
static weir_err names_digest(struct server *s, const weir_layout_query *query, uint64_t *ret,
                             weir_error *error)
{
    WEIR_TEXT_AUTO sql = WEIR_TEXT_INIT;
    PGresult *result = NULL;
    weir_text_format(&sql, "SELECT * FROM (%s\n) AS t LIMIT 0", query->sql);
    if (sql.failed)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    const weir_err err = run(s, query->table, weir_text_get(&sql), &result, error);
    uint64_t digest = 0xcbf29ce484222325u; /* FNV-1a, 64 bit */
    for (int i = 0; err == WEIR_OK && i < PQnfields(result); i++)
        for (const char *c = PQfname(result, i);; c++) {
            digest = (digest ^ (unsigned char)*c) * 0x100000001b3u;
            if (!*c)
                break;
        }
    PQclear(result);
    *ret = digest;
    return err;
}

static weir_err fingerprint(struct server *s, const weir_layout_query *query, char *ret,
                            weir_error *error)
{
    WEIR_TEXT_AUTO sql = WEIR_TEXT_INIT;
    PGresult *result = NULL;
    uint64_t names = 0;
    weir_err err = names_digest(s, query, &names, error);
    if (err)
        return err;
    weir_text_format(&sql,
                     "SELECT count(*) || ' ' || coalesce(sum(hashtext(t::text)::bigint), 0) FROM "
                     "(%s\n) AS t",
                     query->sql);
    if (sql.failed)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    err = run(s, query->table, weir_text_get(&sql), &result, error);
    if (err == WEIR_OK)
        (void)snprintf(ret, FINGERPRINT_MAX, "%" PRIx64 " %s", names,
                       PQntuples(result) ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return err;
}

static weir_err query_read(struct server *s, size_t i, weir_rows *ret, weir_error *error)
{
    const weir_layout_query *query = &s->config->queries[i];
    PGresult *result = NULL;
    weir_err err = fingerprint(s, query, s->fingerprints[i], error);
    if (err == WEIR_OK)
        err = run(s, query->table, query->sql, &result, error);
    if (err == WEIR_OK)
        err = rows_take(s, query->table, result, ret, error);
    PQclear(result);
    return err;
}

/* ---- the type ---- */

static weir_err postgres_open(const weir_database_config *config, void **ret, weir_error *error)
{
    char *says = NULL;
    PQconninfoOption *url = PQconninfoParse(config->url, &says);
    if (!url) {
        const weir_err err =
            weir_fail(error, WEIR_EINVAL, "url: %.*s", says ? (int)strcspn(says, "\n") : 9,
                      says ? says : "no memory");
        PQfreemem(says);
        return err;
    }
    PQconninfoFree(url);
    struct server *s = weir_alloc_zero(1, sizeof *s);
    if (!s)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    s->config = config;
    *ret = s;
    return WEIR_OK;
}

static weir_err transaction_end(struct server *s, weir_err before, weir_error *error)
{
    weir_error ignored = WEIR_ERROR_INIT;
    if (!s->pg)
        return before;
    const weir_err err = run(s, NULL, "COMMIT", NULL, before ? &ignored : error);
    return before ? before : err;
}

static weir_err server_read(struct server *s, weir_rows *ret, weir_error *error)
{
    weir_err err = server_open(s, error);
    if (err)
        return err;
    s->is_read = false;
    s->is_told = false;
    err = run(s, NULL, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, error);
    for (size_t i = 0; i < WEIR_LAYOUT_QUERIES && err == WEIR_OK; i++)
        if (s->config->queries[i].table)
            err = query_read(s, i, &ret[i], error);
    err = transaction_end(s, err, error);
    s->is_read = err == WEIR_OK;
    s->asked = now_us();
    return err;
}

/* One that was open may be lost since long ago, and only now it shows: then a new one is tried. */
static weir_err postgres_read(void *database, weir_rows *ret, weir_error *error)
{
    struct server *s = database;
    const bool was_open = s->pg != NULL;
    weir_err err = server_read(s, ret, error);
    if (err != WEIR_ECONNECT || !was_open)
        return err;
    for (size_t i = 0; i < WEIR_LAYOUT_QUERIES; i++)
        weir_rows_deinit(&ret[i]);
    return server_read(s, ret, error);
}

static void notifications_take(struct server *s)
{
    for (PGnotify *note; (note = PQnotifies(s->pg)); PQfreemem(note))
        s->is_told = true;
}

static weir_err fingerprints_compare(struct server *s, bool *ret, weir_error *error)
{
    bool differ = false;
    weir_err err = WEIR_OK;
    for (size_t i = 0; i < WEIR_LAYOUT_QUERIES && err == WEIR_OK && !differ; i++) {
        char now[FINGERPRINT_MAX];
        if (!s->config->queries[i].table)
            continue;
        err = fingerprint(s, &s->config->queries[i], now, error);
        differ = err == WEIR_OK && strcmp(now, s->fingerprints[i]) != 0;
    }
    if (err == WEIR_OK) {
        *ret = differ;
        s->is_told = false;
        s->asked = now_us();
    }
    return err;
}

static weir_err server_changed(struct server *s, bool *ret, weir_error *error)
{
    weir_err err = server_open(s, error);
    if (err)
        return err;
    if (!s->is_read) {
        *ret = true;
        return WEIR_OK;
    }
    notifications_take(s);
    *ret = false;
    if (s->config->notify && !s->is_told && now_us() - s->asked < NOTIFY_DOUBT_US)
        return WEIR_OK;
    return fingerprints_compare(s, ret, error);
}

static weir_err postgres_changed(void *database, bool *ret, weir_error *error)
{
    struct server *s = database;
    const bool was_open = s->pg != NULL;
    const weir_err err = server_changed(s, ret, error);
    return err == WEIR_ECONNECT && was_open ? server_changed(s, ret, error) : err;
}

static void postgres_close(void *database)
{
    struct server *s = database;
    if (!s)
        return;
    server_close(s);
    weir_free(s);
}

static const weir_database_type weir_database_postgres = {
    .abi = WEIR_DATABASE_ABI,
    .scheme = "postgresql",
    .open = postgres_open,
    .read = postgres_read,
    .changed = postgres_changed,
    .close = postgres_close,
};

/* What catalog/module.c looks for. */
__attribute__((visibility("default"))) const weir_database_type *weir_database_module_get(
    unsigned abi);

const weir_database_type *weir_database_module_get(unsigned abi)
{
    return abi == WEIR_DATABASE_ABI ? &weir_database_postgres : NULL;
}
