/* SPDX-License-Identifier: MIT */
/* Taking from the log: what the store was told about the consumer, and rows to be tried again. */

#include <string.h>

#include "store/file/database.h"
#include "store/query/take_priv.h"

enum { TEXTS_MAX = 16 * 1024 * 1024 }; /* of one call */

/* --- orders ------------------------------------------------------------------------------- */

/* The table, and what rode with the commits that are not merged yet. */
static weir_err cursor_read(weir_take *take, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *state = take->statements[TAKE_STATE];
    bool row;
    weir_cursors_deinit(&take->cursors);
    weir_err err = weir_cursors_load(&take->cursors, weir_take_db(take), error);
    for (size_t i = 0; err == WEIR_OK && i < take->n_fresh; i++) {
        (void)sqlite3_bind_int64(state, 1, take->fresh[i].slot);
        err = weir_db_step(state, &row, error);
        if (err == WEIR_OK && row)
            err = weir_cursors_apply(&take->cursors, take->fresh[i].first_seq,
                                     sqlite3_column_blob(state, 0),
                                     (size_t)sqlite3_column_bytes(state, 0), error);
        (void)sqlite3_reset(state);
    }
    const weir_cursor *found = weir_cursors_find(&take->cursors, take->name, strlen(take->name));
    take->orders.known = found != NULL;
    take->orders.cursor = found ? *found : (weir_cursor){.name = take->name};
    return err;
}

static weir_err orders_read(weir_take *take, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = take->statements[TAKE_ORDERS];
    weir_take_orders *o = &take->orders;
    bool row;
    (void)sqlite3_bind_text(stmt, 1, take->name, -1, SQLITE_STATIC);
    weir_err err = weir_db_step(stmt, &row, error);
    if (err != WEIR_OK || !row)
        return err;
    const int64_t done = sqlite3_column_int64(stmt, 4);
    o->paused = sqlite3_column_int(stmt, 0) != 0;
    if (done != INT64_MAX) { /* else it has ended */
        o->replay_id = (uint64_t)sqlite3_column_int64(stmt, 1);
        o->replay_from = sqlite3_column_int64(stmt, 2);
        o->replay_to = sqlite3_column_int64(stmt, 3);
        o->replay_done = done;
    }
    o->set_aside = (uint64_t)sqlite3_column_int64(stmt, 5);
    o->retries = (uint64_t)sqlite3_column_int64(stmt, 6);
    return WEIR_OK;
}

weir_err weir_take_get_orders(weir_take *take, const weir_take_orders **ret, weir_error *error)
{
    weir_err err = weir_take_begin(take, error);
    if (err != WEIR_OK)
        return err;
    take->orders = (weir_take_orders){0};
    err = cursor_read(take, error);
    if (err == WEIR_OK)
        err = orders_read(take, error);
    weir_take_end(take);
    if (err != WEIR_OK)
        return err;
    take->orders_version = take->version;
    *ret = &take->orders;
    return WEIR_OK;
}

/* --- rows to be tried again --------------------------------------------------------------- */

static weir_err no_memory(weir_error *error)
{
    return weir_fail(error, WEIR_ENOMEM, "no memory for rows that were set aside");
}

static weir_err value_read(weir_take *take, sqlite3_stmt *stmt, weir_value *ret, weir_error *error)
{
    const int64_t kind = sqlite3_column_int64(stmt, 7);
    const size_t n = (size_t)sqlite3_column_bytes(stmt, 10);
    if (kind < 0 || kind >= WEIR_KIND_COUNT || n > WEIR_VALUE_LENGTH_MAX)
        return weir_fail(error, WEIR_EDAMAGED, "a row that was set aside is damaged");
    *ret = (weir_value){.kind = (uint8_t)kind,
                        .exponent = (int8_t)sqlite3_column_int64(stmt, 8),
                        .as.bits = (uint64_t)sqlite3_column_int64(stmt, 9)};
    if (kind < WEIR_KIND_STRING)
        return WEIR_OK;
    const void *bytes = n > 0 ? sqlite3_column_blob(stmt, 10) : "";
    ret->length = (uint32_t)n;
    ret->as.text = weir_arena_text_n(take->texts, bytes, n);
    return ret->as.text ? WEIR_OK : no_memory(error);
}

static weir_err row_read(weir_take *take, sqlite3_stmt *stmt, weir_error *error)
{
    weir_sink_row row = {.seq = (uint64_t)sqlite3_column_int64(stmt, 0),
                         .sample = {.tag = (weir_tag_uid)sqlite3_column_int64(stmt, 1),
                                    .ts = {sqlite3_column_int64(stmt, 2)},
                                    .quality = (weir_quality)sqlite3_column_int64(stmt, 6)},
                         .received = {sqlite3_column_int64(stmt, 3)},
                         .plans = (uint64_t)sqlite3_column_int64(stmt, 4),
                         .epoch = (uint32_t)sqlite3_column_int64(stmt, 5)};
    weir_err err = value_read(take, stmt, &row.sample.value, error);
    if (err == WEIR_OK)
        err = weir_take_find_tag(take, row.sample.tag, row.seq, &row.tag, error);
    if (err == WEIR_OK)
        err = weir_take_row_room(take, error);
    if (err == WEIR_OK)
        take->rows[take->n_rows++] = row;
    return err;
}

static weir_err rows_read(weir_take *take, uint64_t after, size_t wanted, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = take->statements[TAKE_RETRIES];
    bool row = true;
    weir_err err = WEIR_OK;
    (void)sqlite3_bind_text(stmt, 1, take->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(stmt, 2, (int64_t)after);
    (void)sqlite3_bind_int64(stmt, 3, wanted < INT32_MAX ? (int64_t)wanted : INT32_MAX);
    while (err == WEIR_OK && weir_arena_size(take->texts) < TEXTS_MAX &&
           (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row)
        err = row_read(take, stmt, error);
    return err;
}

weir_err weir_take_retries(weir_take *take, uint64_t after, size_t wanted, weir_take_chunk *ret,
                           weir_error *error)
{
    weir_arena *texts = weir_arena_new();
    if (!texts)
        return no_memory(error);
    weir_arena_free(take->texts);
    take->texts = texts;
    take->n_rows = 0;
    weir_err err = weir_take_begin(take, error);
    if (err != WEIR_OK)
        return err;
    err = rows_read(take, after, wanted > 0 ? wanted : 1, error);
    weir_take_end(take);
    if (err != WEIR_OK)
        return err;
    *ret = (weir_take_chunk){.n = take->n_rows, .rows = take->rows};
    if (ret->n > 0) {
        ret->first_seq = ret->rows[0].seq;
        ret->last_seq = ret->rows[ret->n - 1].seq;
    }
    return WEIR_OK;
}
