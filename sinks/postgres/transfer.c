/* SPDX-License-Identifier: MIT */
/* One batch into the tables, in one transaction. */

/*
 * The happy path: all tags are known, so BEGIN, COPY and COMMIT go out as one text, the rows behind
 * it, and one answer comes back. Tags that are new are told between BEGIN and COPY.
 *
 * The ways it fails: a key is there already (repeated after a crash, or corrected): the batch goes
 * once more, through a temporary table and INSERT ... ON CONFLICT; the highest seq stays. A row is
 * refused: the COPY's line says which. Anything else: rolled back, LATER. If the connection is lost
 * after COMMIT was sent nobody knows how it ended: LATER, and the key absorbs the repetition.
 */

#include "sinks/postgres/transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Handed to libpq so much at a time: the server works on it while the next is encoded. */
enum { CHUNK = 64 * 1024 };

enum route { ROUTE_DIRECT, ROUTE_STAGED };

void weir_pg_transfer_deinit(weir_pg_transfer *t)
{
    weir_pg_tags_deinit(&t->tags);
    weir_pg_batch_deinit(&t->batch);
    weir_pg_copy_deinit(&t->copy);
}

/* synchronous_commit may be off for this role: delivered means durable. Other values are durable,
 * or more, and stay. */
static void begin_add(const weir_pg_connection *c, weir_text *sql)
{
    const int64_t left_ms = (c->deadline.us - c->host->now(c->host->data).us) / WEIR_MS;
    weir_text_format(sql,
                     "BEGIN; SET LOCAL statement_timeout = %" PRId64
                     "; SELECT set_config('synchronous_commit', 'on', true) WHERE "
                     "current_setting('synchronous_commit') = 'off'; ",
                     left_ms < 1           ? 1
                     : left_ms > INT32_MAX ? INT32_MAX
                                           : left_ms);
}

bool weir_pg_transaction_begin(weir_pg_connection *c, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO sql = WEIR_TEXT_INIT;
    begin_add(c, &sql);
    return weir_pg_run(c, weir_text_get(&sql), NULL, 0, NULL, ret);
}

/* --- rows --------------------------------------------------------------------------------- */

static void copy_add(const weir_pg_tables *tables, enum route route, weir_text *sql)
{
    if (route == ROUTE_STAGED)
        weir_pg_tables_fill(tables,
                            "CREATE TEMPORARY TABLE " WEIR_PG_STAGING
                            " (LIKE @SAMPLES@ INCLUDING DEFAULTS INCLUDING CONSTRAINTS) ON COMMIT "
                            "DROP; ",
                            sql);
    weir_pg_tables_fill(
        tables, route == ROUTE_STAGED ? "COPY @STAGING@ (@COLUMNS@)" : "COPY @SAMPLES@ (@COLUMNS@)",
        sql);
    weir_text_add(sql, " FROM STDIN (FORMAT binary)");
    if (route == ROUTE_STAGED) {
        weir_text_add(sql, "; ");
        weir_pg_tables_fill(tables, tables->layout->staged_insert, sql);
    }
}

static bool chunk_put(weir_pg_transfer *t, weir_send_answer *ret)
{
    const bool is_put = weir_pg_copy_put(t->connection, t->copy.bytes, t->copy.length, ret);
    weir_pg_copy_clear(&t->copy);
    return is_put;
}

static bool rows_put(weir_pg_transfer *t, const weir_sink_row *rows, weir_send_answer *ret)
{
    const weir_pg_batch *b = &t->batch;
    weir_pg_copy_clear(&t->copy);
    weir_pg_copy_header(&t->copy);
    for (size_t i = 0; i < b->n; i++) {
        if (!weir_pg_row_copy(t->connection->tables, &rows[b->items[i].row], b->items[i].id,
                              &t->copy))
            break;
        if (t->copy.length >= CHUNK && !chunk_put(t, ret))
            return false;
    }
    weir_pg_copy_trailer(&t->copy);
    if (t->copy.failed) {
        weir_send_later(ret, WEIR_TROUBLE_BUSY, "", "no memory to send %zu samples", b->n);
        weir_pg_close(t->connection);
        return false;
    }
    return chunk_put(t, ret);
}

/* A duplicate key of a row, wherever it was met. */
static bool is_duplicate(const weir_send_answer *answer)
{
    return answer->result == WEIR_SEND_REJECTED && strstr(answer->why, "(23505)");
}

/* The statements before, the rows, the statements behind. A rejection's first_bad is an index among
 * the rows sent. */
static bool copy_run(weir_pg_transfer *t, const char *sql, enum route route,
                     const weir_sink_row *rows, weir_send_answer *ret)
{
    weir_pg_connection *c = t->connection;
    c->n_rows = t->batch.n;
    c->table = route == ROUTE_STAGED ? WEIR_PG_STAGING : c->tables->samples_name;
    const bool is_done =
        weir_pg_copy_begin(c, sql, ret) && rows_put(t, rows, ret) && weir_pg_copy_end(c, ret);
    c->n_rows = 0;
    if (!is_done && ret->result == WEIR_SEND_REJECTED && ret->first_bad != SIZE_MAX)
        ret->first_bad = t->batch.items[ret->first_bad].row;
    return is_done;
}

/* --- a transaction ------------------------------------------------------------------------ */

static bool tags_tell(weir_pg_transfer *t, size_t n, weir_send_answer *ret)
{
    weir_pg_connection *c = t->connection;
    c->n_rows = n; /* a name that is too long for its column is a row's fault */
    c->table = "";
    const bool is_told = weir_pg_tags_tell(&t->tags, c, ret);
    c->n_rows = 0;
    return is_told;
}

static bool batch_fill(weir_pg_transfer *t, const weir_sink_row *rows, size_t n,
                       weir_send_answer *ret)
{
    const weir_err err =
        weir_pg_batch_fill(&t->batch, t->connection->tables->layout, &t->tags, rows, n);
    if (err != WEIR_OK)
        weir_send_later(ret, WEIR_TROUBLE_BUSY, "", "no memory to send %zu samples", n);
    return err == WEIR_OK;
}

static bool transaction_run(weir_pg_transfer *t, const weir_sink_row *rows, size_t n,
                            enum route route, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO sql = WEIR_TEXT_INIT;
    const bool has_tags = t->tags.n_pending > 0;
    if (has_tags && (!weir_pg_transaction_begin(t->connection, ret) || !tags_tell(t, n, ret)))
        return false;
    if (!batch_fill(t, rows, n, ret))
        return false;
    if (!has_tags)
        begin_add(t->connection, &sql);
    if (t->batch.n > 0)
        copy_add(t->connection->tables, route, &sql);
    weir_text_add(&sql, t->batch.n > 0 ? "; COMMIT" : "COMMIT");
    return t->batch.n > 0 ? copy_run(t, weir_text_get(&sql), route, rows, ret)
                          : weir_pg_run(t->connection, weir_text_get(&sql), NULL, 0, NULL, ret);
}

static bool attempt(weir_pg_transfer *t, const weir_sink_row *rows, size_t n, enum route route,
                    weir_send_answer *ret)
{
    const weir_err err = weir_pg_tags_find(&t->tags, rows, n);
    if (err != WEIR_OK)
        weir_send_later(ret, WEIR_TROUBLE_BUSY, "", "no memory for the names of tags");
    const bool is_done = err == WEIR_OK && transaction_run(t, rows, n, route, ret);
    weir_pg_tags_settle(&t->tags, is_done);
    if (!is_done)
        weir_pg_settle(t->connection);
    return is_done;
}

void weir_pg_transfer_send(weir_pg_transfer *t, const weir_sink_row *rows, size_t n,
                           weir_send_answer *ret)
{
    *ret = (weir_send_answer){.result = WEIR_SEND_DELIVERED};
    /* What is replayed is there already, most likely: straight to where that is no error. */
    const enum route first = rows[0].replayed ? ROUTE_STAGED : ROUTE_DIRECT;
    if (attempt(t, rows, n, first, ret) || first == ROUTE_STAGED || !is_duplicate(ret) ||
        !t->connection->pg)
        return;
    *ret = (weir_send_answer){.result = WEIR_SEND_DELIVERED};
    (void)attempt(t, rows, n, ROUTE_STAGED, ret);
}

bool weir_pg_transfer_try(weir_pg_transfer *t, const weir_sink_row *row, weir_send_answer *ret)
{
    const weir_err err = weir_pg_tags_find(&t->tags, row, 1);
    if (err != WEIR_OK || !tags_tell(t, 1, ret) || !batch_fill(t, row, 1, ret))
        return false;
    for (enum route route = ROUTE_DIRECT; route <= ROUTE_STAGED; route++) {
        WEIR_TEXT_AUTO sql = WEIR_TEXT_INIT;
        copy_add(t->connection->tables, route, &sql);
        if (!copy_run(t, weir_text_get(&sql), route, row, ret))
            return false;
    }
    return true;
}
