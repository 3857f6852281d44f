/* SPDX-License-Identifier: MIT */
/* Cursors: how far each sink has acknowledged the log. */

#include "store/file/cursor.h"

#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "store/file/database.h"

enum {
    STATE_CURSOR = 1,
    STATE_CURSOR_SPANS = 2,
    CURSOR_MOVED = 1, /* since the last commit */
    CURSOR_UNFOLDED = 2,
    VARINT_MAX = 10,
    SPANS_SIZE_MAX = WEIR_CURSOR_SPANS_MAX * 2 * VARINT_MAX,
    STATE_ITEM_MAX = 64 + SPANS_SIZE_MAX, /* bytes beside the name */
};

/* --- what is done beyond it --------------------------------------------------------------- */

weir_err weir_cursor_set_done(weir_cursor *cursor, const weir_span *spans, size_t n,
                              weir_error *error)
{
    weir_cursor to = *cursor;
    to.n_done = 0;
    if (n > WEIR_CURSOR_SPANS_MAX)
        return weir_fail(error, WEIR_EINVAL, "a cursor has %d spans at most",
                         WEIR_CURSOR_SPANS_MAX);
    for (size_t i = 0; i < n; i++) {
        uint64_t *end = to.n_done > 0 ? &to.done[to.n_done - 1].last : &to.seq;
        if (spans[i].last < spans[i].first || (i > 0 && spans[i].first <= spans[i - 1].last))
            return weir_fail(error, WEIR_EINVAL, "a cursor's spans are ascending");
        if (spans[i].last <= *end)
            continue;
        if (spans[i].first <= *end + 1)
            *end = spans[i].last;
        else
            to.done[to.n_done++] = spans[i];
    }
    *cursor = to;
    return WEIR_OK;
}

uint64_t weir_cursor_needs(const weir_cursor *cursor, uint64_t first, uint64_t last)
{
    first = first > cursor->seq ? first : cursor->seq + 1;
    if (last < first)
        return 0;
    uint64_t n = last - first + 1;
    for (size_t i = 0; i < cursor->n_done; i++) {
        const uint64_t from = cursor->done[i].first > first ? cursor->done[i].first : first;
        const uint64_t to = cursor->done[i].last < last ? cursor->done[i].last : last;
        n -= to >= from ? to - from + 1 : 0;
    }
    return n;
}

static void spans_write(weir_writer *w, const weir_cursor *cursor)
{
    uint64_t end = cursor->seq;
    for (size_t i = 0; i < cursor->n_done; i++) {
        weir_write_varint(w, cursor->done[i].first - end);
        weir_write_varint(w, cursor->done[i].last - cursor->done[i].first);
        end = cursor->done[i].last;
    }
}

/* To the end of the bytes. False: they are no spans. */
static bool spans_read(weir_reader *r, weir_cursor *cursor)
{
    weir_span spans[WEIR_CURSOR_SPANS_MAX];
    uint64_t end = cursor->seq;
    size_t n = 0;
    while (weir_reader_left(r) > 0 && !r->failed) {
        uint64_t first, last;
        const uint64_t gap = weir_read_varint(r), length = weir_read_varint(r);
        if (r->failed || n == WEIR_CURSOR_SPANS_MAX || gap < 2 ||
            __builtin_add_overflow(end, gap, &first) ||
            __builtin_add_overflow(first, length, &last) || last > INT64_MAX)
            return false;
        spans[n++] = (weir_span){first, last};
        end = last;
    }
    return !r->failed && weir_cursor_set_done(cursor, spans, n, NULL) == WEIR_OK;
}

/* --- the list ----------------------------------------------------------------------------- */

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

weir_err weir_cursors_set(weir_cursors *c, const char *name, size_t name_length,
                          const weir_cursor *to, weir_error *error)
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
    const weir_cursor before = c->items[i];
    c->items[i] = *to;
    c->items[i].name = before.name;
    c->items[i].folded = before.folded;
    c->marks[i] = CURSOR_MOVED | CURSOR_UNFOLDED;
    return WEIR_OK;
}

static weir_err row_load(weir_cursors *c, sqlite3_stmt *row, weir_error *error)
{
    const char *name = (const char *)sqlite3_column_text(row, 0);
    const size_t length = (size_t)sqlite3_column_bytes(row, 0);
    weir_cursor to = {.seq = (uint64_t)sqlite3_column_int64(row, 1),
                      .ts = {sqlite3_column_int64(row, 2)},
                      .detached = {sqlite3_column_int64(row, 3)}};
    if (sqlite3_column_type(row, 4) == SQLITE_BLOB) {
        const uint8_t *spans = sqlite3_column_blob(row, 4);
        weir_reader r = weir_reader_of(spans, (size_t)sqlite3_column_bytes(row, 4));
        if (!spans_read(&r, &to)) /* then its samples are sent once more */
            to.n_done = 0;
    }
    weir_err err = weir_cursors_set(c, name ? name : "", name ? length : 0, &to, error);
    if (err == WEIR_OK)
        c->items[cursor_index(c, name ? name : "", name ? length : 0)].folded =
            (uint64_t)sqlite3_column_int64(row, 5);
    return err;
}

weir_err weir_cursors_load(weir_cursors *c, sqlite3 *db, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err = weir_db_prepare(db, "SELECT name, seq, ts, detached, spans, folded FROM cursor",
                                   &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row)
        err = row_load(c, rows, error);
    weir_cursors_folded(c);
    return err;
}

/* --- the state of a commit ---------------------------------------------------------------- */

/* *ret_good false: it is damaged. */
static weir_err item_apply(weir_cursors *c, uint64_t first_seq, uint8_t kind, weir_reader item,
                           bool *ret_good, weir_error *error)
{
    const size_t length = (size_t)weir_read_varint(&item);
    const char *name = (const char *)weir_read_bytes(&item, length);
    weir_cursor to = {.seq = weir_read_varint(&item)};
    to.ts.us = weir_read_svarint(&item);
    to.detached.us = weir_read_svarint(&item);
    *ret_good = !item.failed && !memchr(name, '\0', length) &&
                (kind == STATE_CURSOR || spans_read(&item, &to));
    if (!*ret_good)
        return WEIR_OK;
    const weir_cursor *has = weir_cursors_find(c, name, length);
    return has && has->folded >= first_seq ? WEIR_OK
                                           : weir_cursors_set(c, name, length, &to, error);
}

weir_err weir_cursors_apply(weir_cursors *c, uint64_t first_seq, const uint8_t *state, size_t n,
                            weir_error *error)
{
    weir_reader r = weir_reader_of(state, n);
    weir_err err = WEIR_OK;
    bool good = true;
    while (err == WEIR_OK && good && weir_reader_left(&r) > 0 && !r.failed) {
        uint8_t kind = weir_read_u8(&r);
        size_t length = (size_t)weir_read_varint(&r);
        const uint8_t *bytes = weir_read_bytes(&r, length);
        if ((kind == STATE_CURSOR || kind == STATE_CURSOR_SPANS) && bytes)
            err = item_apply(c, first_seq, kind, weir_reader_of(bytes, length), &good, error);
    }
    if (err == WEIR_OK && (r.failed || !good))
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
    spans_write(&tail, cursor);
    length = weir_writer_of(length_bytes, sizeof length_bytes);
    weir_write_varint(&length, name);
    weir_write_u8(w, cursor->n_done > 0 ? STATE_CURSOR_SPANS : STATE_CURSOR);
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

static weir_err row_fold(sqlite3_stmt *put, const weir_cursor *item, uint64_t committed_seq,
                         weir_error *error)
{
    uint8_t bytes[SPANS_SIZE_MAX];
    weir_writer spans = weir_writer_of(bytes, sizeof bytes);
    spans_write(&spans, item);
    (void)sqlite3_clear_bindings(put);
    (void)sqlite3_bind_text(put, 1, item->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(put, 2, (int64_t)item->seq);
    (void)sqlite3_bind_int64(put, 3, item->ts.us);
    if (item->detached.us != 0)
        (void)sqlite3_bind_int64(put, 4, item->detached.us);
    if (item->n_done > 0)
        (void)sqlite3_bind_blob(put, 5, bytes, (int)weir_writer_length(&spans), SQLITE_STATIC);
    (void)sqlite3_bind_int64(put, 6, (int64_t)committed_seq);
    weir_err err = weir_db_run(put, error);
    (void)sqlite3_clear_bindings(put);
    return err;
}

weir_err weir_cursors_fold(weir_cursors *c, sqlite3 *db, uint64_t committed_seq, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *put = NULL;
    if (!weir_cursors_unfolded(c))
        return WEIR_OK;
    weir_err err =
        weir_db_prepare(db, "INSERT OR REPLACE INTO cursor VALUES(?,?,?,?,?,?)", &put, error);
    for (size_t i = 0; err == WEIR_OK && i < c->n; i++)
        if (c->marks[i] & CURSOR_UNFOLDED)
            err = row_fold(put, &c->items[i], committed_seq, error);
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
