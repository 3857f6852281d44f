/* SPDX-License-Identifier: MIT */
/* Cursors: how far each sink has acknowledged the log. */

#include "store/file/cursor.h"

#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "store/file/database.h"

enum {
    STATE_CURSOR = 1, /* the only kind of state so far */
    CURSOR_MOVED = 1, /* since the last commit */
    CURSOR_UNFOLDED = 2,
    STATE_ITEM_MAX = 64, /* bytes beside the name */
};

void weir_cursors_deinit(weir_cursors *c)
{
    for (size_t i = 0; i < c->n; i++)
        weir_free(c->items[i].name);
    weir_free(c->items);
    weir_free(c->marks);
    weir_free(c->state);
    *c = (weir_cursors){0};
}

static size_t cursor_index(const weir_cursors *c, const char *name, size_t n)
{
    size_t i = 0;
    while (i < c->n && (strlen(c->items[i].name) != n || memcmp(c->items[i].name, name, n) != 0))
        i++;
    return i;
}

const weir_cursor *weir_cursors_find(const weir_cursors *c, const char *name, size_t name_length)
{
    size_t i = cursor_index(c, name, name_length);
    return i < c->n ? &c->items[i] : NULL;
}

static bool cursors_reserve(weir_cursors *c)
{
    if (c->n < c->capacity)
        return true;
    size_t capacity = c->capacity ? c->capacity * 2 : 8;
    weir_cursor *items = weir_realloc_array(c->items, capacity, sizeof *items);
    if (items)
        c->items = items;
    uint8_t *marks = weir_realloc_array(c->marks, capacity, 1);
    if (marks)
        c->marks = marks;
    if (!items || !marks)
        return false;
    c->capacity = capacity;
    return true;
}

weir_err weir_cursors_set(weir_cursors *c, const char *name, size_t name_length, uint64_t seq,
                          weir_wall ts, weir_wall detached, weir_error *error)
{
    size_t i = cursor_index(c, name, name_length);
    if (i == c->n) {
        char *copy = cursors_reserve(c) ? weir_alloc(name_length + 1) : NULL;
        if (!copy)
            return weir_fail(error, WEIR_ENOMEM, "no memory for a cursor");
        memcpy(copy, name, name_length);
        copy[name_length] = '\0';
        c->items[c->n++] = (weir_cursor){.name = copy};
    }
    c->items[i].seq = seq;
    c->items[i].ts = ts;
    c->items[i].detached = detached;
    c->marks[i] = CURSOR_MOVED | CURSOR_UNFOLDED;
    return WEIR_OK;
}

weir_err weir_cursors_load(weir_cursors *c, sqlite3 *db, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err = weir_db_prepare(db, "SELECT name, seq, ts, detached FROM cursor", &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        const char *name = (const char *)sqlite3_column_text(rows, 0);
        err = weir_cursors_set(c, name ? name : "", (size_t)sqlite3_column_bytes(rows, 0),
                               (uint64_t)sqlite3_column_int64(rows, 1),
                               (weir_wall){sqlite3_column_int64(rows, 2)},
                               (weir_wall){sqlite3_column_int64(rows, 3)}, error);
    }
    weir_cursors_folded(c);
    return err;
}

/* --- the state of a commit ---------------------------------------------------------------- */

weir_err weir_cursors_apply(weir_cursors *c, const uint8_t *state, size_t n, weir_error *error)
{
    weir_reader r = weir_reader_of(state, n);
    weir_err err = WEIR_OK;
    while (err == WEIR_OK && weir_reader_left(&r) > 0 && !r.failed) {
        uint8_t kind = weir_read_u8(&r);
        size_t length = (size_t)weir_read_varint(&r);
        const uint8_t *bytes = weir_read_bytes(&r, length);
        if (kind != STATE_CURSOR || !bytes)
            continue;
        weir_reader item = weir_reader_of(bytes, length);
        size_t name_length = (size_t)weir_read_varint(&item);
        const uint8_t *name = weir_read_bytes(&item, name_length);
        uint64_t seq = weir_read_varint(&item);
        weir_wall ts = {weir_read_svarint(&item)};
        weir_wall detached = {weir_read_svarint(&item)};
        if (item.failed)
            r.failed = true;
        else
            err = weir_cursors_set(c, (const char *)name, name_length, seq, ts, detached, error);
    }
    if (err == WEIR_OK && r.failed)
        err = weir_fail(error, WEIR_EDAMAGED, "what came with a commit is damaged");
    for (size_t i = 0; i < c->n; i++)
        c->marks[i] &= (uint8_t)~CURSOR_MOVED;
    return err;
}

static void item_write(weir_writer *w, const weir_cursor *cursor)
{
    uint8_t bytes[STATE_ITEM_MAX];
    weir_writer tail = weir_writer_of(bytes, sizeof bytes), length = {0};
    uint8_t length_bytes[10];
    size_t name = strlen(cursor->name);
    weir_write_varint(&tail, cursor->seq);
    weir_write_svarint(&tail, cursor->ts.us);
    weir_write_svarint(&tail, cursor->detached.us);
    length = weir_writer_of(length_bytes, sizeof length_bytes);
    weir_write_varint(&length, name);
    weir_write_u8(w, STATE_CURSOR);
    weir_write_varint(w, weir_writer_length(&length) + name + weir_writer_length(&tail));
    weir_write_varint(w, name);
    weir_write_bytes(w, cursor->name, name);
    weir_write_bytes(w, bytes, weir_writer_length(&tail));
}

weir_err weir_cursors_state(weir_cursors *c, const uint8_t **ret, size_t *ret_n, weir_error *error)
{
    size_t most = 0;
    for (size_t i = 0; i < c->n; i++)
        most += c->marks[i] & CURSOR_MOVED ? strlen(c->items[i].name) + STATE_ITEM_MAX : 0;
    if (most > c->state_capacity) {
        uint8_t *state = weir_realloc_array(c->state, most, 1);
        if (!state)
            return weir_fail(error, WEIR_ENOMEM, "no memory for the moves of cursors");
        c->state = state;
        c->state_capacity = most;
    }
    weir_writer w = weir_writer_of(c->state, c->state_capacity);
    for (size_t i = 0; i < c->n; i++)
        if (c->marks[i] & CURSOR_MOVED)
            item_write(&w, &c->items[i]);
    *ret = c->state;
    *ret_n = weir_writer_length(&w);
    return WEIR_OK;
}

void weir_cursors_committed(weir_cursors *c)
{
    for (size_t i = 0; i < c->n; i++)
        c->marks[i] &= (uint8_t)~CURSOR_MOVED;
}

/* --- the table ---------------------------------------------------------------------------- */

bool weir_cursors_unfolded(const weir_cursors *c)
{
    bool any = false;
    for (size_t i = 0; i < c->n; i++)
        any |= (c->marks[i] & CURSOR_UNFOLDED) != 0;
    return any;
}

weir_err weir_cursors_fold(weir_cursors *c, sqlite3 *db, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *put = NULL;
    if (!weir_cursors_unfolded(c))
        return WEIR_OK;
    weir_err err =
        weir_db_prepare(db, "INSERT OR REPLACE INTO cursor VALUES(?,?,?,?)", &put, error);
    for (size_t i = 0; err == WEIR_OK && i < c->n; i++) {
        if (!(c->marks[i] & CURSOR_UNFOLDED))
            continue;
        (void)sqlite3_clear_bindings(put);
        (void)sqlite3_bind_text(put, 1, c->items[i].name, -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(put, 2, (int64_t)c->items[i].seq);
        (void)sqlite3_bind_int64(put, 3, c->items[i].ts.us);
        if (c->items[i].detached.us != 0)
            (void)sqlite3_bind_int64(put, 4, c->items[i].detached.us);
        err = weir_db_run(put, error);
    }
    return err;
}

void weir_cursors_folded(weir_cursors *c)
{
    for (size_t i = 0; i < c->n; i++)
        c->marks[i] = 0;
}

uint64_t weir_cursors_passed(const weir_cursors *c, weir_wall now, int64_t detached_after_us)
{
    uint64_t passed = UINT64_MAX;
    for (size_t i = 0; i < c->n; i++) {
        const weir_cursor *item = &c->items[i];
        /* Nobody says when a historian is gone for good. */
        const bool pulls =
            strncmp(item->name, WEIR_HISTORIAN_PREFIX, sizeof WEIR_HISTORIAN_PREFIX - 1) == 0;
        const int64_t since = item->detached.us != 0 ? item->detached.us : pulls ? item->ts.us : 0;
        const bool gone = since != 0 && now.us - since >= detached_after_us;
        if (!gone && item->seq < passed)
            passed = item->seq;
    }
    return passed;
}
