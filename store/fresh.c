/* SPDX-License-Identifier: MIT */
/* The fresh rows: what was committed since the last merge, each written over a used one. */

/*
 * What wears out flash is the number of pages a commit writes. SQLite overwrites a row in place
 * when its record keeps its size, and then only pages whose bytes differ are dirty. So records are
 * padded to a ladder of sizes, and a commit takes a used slot that is as large or up to twice as
 * large: one page, for a row that fits one. Where none fits, a slot is added while there are few,
 * else one changes its size; after a minute or two of a steady load all fit.
 *
 * Memory knows the slots. A transaction notes what it changes there, and takes it back when it
 * fails.
 */

#include "store/fresh.h"

#include <string.h>

#include "base/alloc.h"
#include "store/file/database.h"

enum {
    RECORD_LOCAL_MAX = 4061, /* bytes of a record within a leaf of 4096 bytes: usable - 35 */
    SLOTS_SPARE = 8,         /* more used ones than waiting ones, before one changes its size */
    SLOTS_KEPT = 64,
    SHRINK_ROWS = 128, /* per transaction */
};

/* --- the size of a record ----------------------------------------------------------------- */

/* SQLite file format, 2.1 "Record Format". */
static size_t serial_size(int64_t v)
{
    static const struct {
        int64_t max;
        size_t bytes;
    } sizes[] = {
        {INT8_MAX, 1}, {INT16_MAX, 2}, {(1 << 23) - 1, 3}, {INT32_MAX, 4}, {(1LL << 47) - 1, 6}};
    const int64_t magnitude = v < 0 ? ~v : v;
    if (v == 0 || v == 1)
        return 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (magnitude <= sizes[i].max)
            return sizes[i].bytes;
    return 8;
}

static size_t varint_size(uint64_t v)
{
    size_t n = 1;
    for (; v > 0x7f && n < 9; v >>= 7)
        n++;
    return n;
}

/* A column's length in the record: its type in the header, and itself. */
static size_t blob_size(size_t length)
{
    return varint_size(12 + 2 * (uint64_t)length) + length;
}

/* Of all columns but the body. The slot is the key: a null in the record. The header's own length
 * is below 128. */
static size_t record_size(const int64_t *numbers, size_t n, size_t state, size_t head)
{
    size_t size = 1 + 1 + n + blob_size(state) + blob_size(head);
    for (size_t i = 0; i < n; i++)
        size += serial_size(numbers[i]);
    return size;
}

/* Steps of 1/16 to 1/8. A record that fits a leaf stays in it. */
static size_t ladder(size_t size)
{
    size_t step = 8;
    while (step * 16 <= size)
        step *= 2;
    size_t up = (size + step - 1) / step * step;
    return size <= RECORD_LOCAL_MAX && up > RECORD_LOCAL_MAX ? RECORD_LOCAL_MAX : up;
}

/* --- slots -------------------------------------------------------------------------------- */

static uint64_t slot_last(const weir_fresh_slot *s)
{
    return s->first_seq + s->count - (s->count > 0);
}

static bool slots_reserve(weir_fresh *f, size_t n)
{
    if (n <= f->capacity)
        return true;
    size_t capacity = f->capacity * 2 > n ? f->capacity * 2 : n + 62;
    weir_fresh_slot *slots = weir_realloc_array(f->slots, capacity, sizeof *slots);
    if (!slots)
        return false;
    memset(slots + f->capacity, 0, (capacity - f->capacity) * sizeof *slots);
    f->slots = slots;
    f->capacity = capacity;
    return true;
}

/* Notes that a slot changes in this transaction. */
static bool slot_note(weir_fresh *f, size_t i)
{
    if (f->n_written == f->written_capacity) {
        size_t capacity = f->written_capacity ? f->written_capacity * 2 : SHRINK_ROWS;
        weir_fresh_slot *before = weir_realloc_array(f->before, capacity, sizeof *before);
        if (before)
            f->before = before;
        size_t *written = weir_realloc_array(f->written, capacity, sizeof *written);
        if (written)
            f->written = written;
        if (!before || !written)
            return false;
        f->written_capacity = capacity;
    }
    f->before[f->n_written] = f->slots[i];
    f->written[f->n_written++] = i;
    return true;
}

static weir_err fresh_read_slots(weir_fresh *f, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err =
        weir_db_prepare(f->db,
                        "SELECT slot, first_seq, count, min_ts, max_ts, newest_ts, trusted_ts,"
                        " epoch, epoch_ts, length(state), length(head), length(body) FROM fresh",
                        &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        int64_t slot = sqlite3_column_int64(rows, 0), numbers[8];
        for (int i = 0; i < 8; i++)
            numbers[i] = sqlite3_column_int64(rows, 1 + i);
        if (slot <= 0 || slot > INT32_MAX)
            return weir_fail(error, WEIR_EDAMAGED, "fresh slot %lld is impossible",
                             (long long)slot);
        if (!slots_reserve(f, (size_t)slot))
            return weir_fail(error, WEIR_ENOMEM, "no memory for %lld fresh rows", (long long)slot);
        f->n = (size_t)slot > f->n ? (size_t)slot : f->n;
        f->slots[slot - 1] = (weir_fresh_slot){
            (uint64_t)numbers[0], (uint32_t)numbers[1],
            (uint32_t)(record_size(numbers, 8, (size_t)sqlite3_column_int64(rows, 9),
                                   (size_t)sqlite3_column_int64(rows, 10)) +
                       blob_size((size_t)sqlite3_column_int64(rows, 11)))};
    }
    return err;
}

weir_err weir_fresh_init(weir_fresh *f, sqlite3 *db, weir_error *error)
{
    *f = (weir_fresh){.db = db};
    weir_err err = weir_db_prepare(
        db, "INSERT OR REPLACE INTO fresh VALUES(?,?,?,?,?,?,?,?,?,?,?,?)", &f->put, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(db,
                              "SELECT first_seq, count, min_ts, max_ts, newest_ts, trusted_ts,"
                              " epoch, epoch_ts, state, head, body FROM fresh WHERE slot=?",
                              &f->read, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(db, "DELETE FROM fresh WHERE slot=?", &f->drop, error);
    return err == WEIR_OK ? fresh_read_slots(f, error) : err;
}

void weir_fresh_deinit(weir_fresh *f)
{
    (void)sqlite3_finalize(f->put);
    (void)sqlite3_finalize(f->read);
    (void)sqlite3_finalize(f->drop);
    weir_free(f->slots);
    weir_free(f->before);
    weir_free(f->written);
    weir_free(f->padded);
    *f = (weir_fresh){0};
}

void weir_fresh_committed(weir_fresh *f)
{
    f->n_written = 0;
    while (f->n > 0 && f->slots[f->n - 1].first_seq == 0)
        f->n--;
}

void weir_fresh_rolled_back(weir_fresh *f)
{
    while (f->n_written > 0) {
        f->n_written--;
        f->slots[f->written[f->n_written]] = f->before[f->n_written];
    }
    weir_fresh_committed(f);
}

/* --- writing ------------------------------------------------------------------------------ */

struct choice {
    size_t fitting; /* index of the used slot whose size is least above; SIZE_MAX: none */
    size_t any;     /* of some used slot */
    size_t used, waiting;
};

/* A slot that was deleted counts as used: it is written like a new one. */
static struct choice slot_choose(const weir_fresh *f, size_t size, uint64_t merged_seq)
{
    struct choice c = {SIZE_MAX, SIZE_MAX, 0, 0};
    for (size_t i = 0; i < f->n; i++) {
        const weir_fresh_slot *s = &f->slots[i];
        if (slot_last(s) > merged_seq) {
            c.waiting++;
            continue;
        }
        c.used++;
        c.any = i;
        if (s->size >= size && s->size <= 2 * size &&
            (c.fitting == SIZE_MAX || s->size < f->slots[c.fitting].size))
            c.fitting = i;
    }
    return c;
}

/* The body's length that makes the record `target` bytes long. At the borders of a varint no
 * length does: then one less. */
static size_t padded_length(size_t others, size_t target, size_t body)
{
    size_t length = target > others + 1 ? target - others - 1 : 0;
    while (length > body && others + blob_size(length) > target)
        length--;
    return length > body ? length : body;
}

/* The body with zeros behind it, `length` bytes. */
static const uint8_t *body_pad(weir_fresh *f, const weir_block_bytes *block, size_t length)
{
    if (length == block->body_length)
        return block->body;
    if (length > f->padded_capacity) {
        uint8_t *padded = weir_realloc_array(f->padded, length + length / 4, 1);
        if (!padded)
            return NULL;
        f->padded = padded;
        f->padded_capacity = length + length / 4;
    }
    memcpy(f->padded, block->body, block->body_length);
    memset(f->padded + block->body_length, 0, length - block->body_length);
    return f->padded;
}

static weir_err row_write(weir_fresh *f, size_t slot, const int64_t numbers[8],
                          const weir_fresh_row *row, const uint8_t *body, size_t length,
                          weir_error *error)
{
    sqlite3_stmt *s = f->put;
    (void)sqlite3_bind_int64(s, 1, (int64_t)slot + 1);
    for (int i = 0; i < 8; i++)
        (void)sqlite3_bind_int64(s, 2 + i, numbers[i]);
    (void)sqlite3_bind_blob(s, 10, row->state_length ? (const void *)row->state : "",
                            (int)row->state_length, SQLITE_STATIC);
    (void)sqlite3_bind_blob(s, 11, row->block.head, (int)row->block.head_length, SQLITE_STATIC);
    (void)sqlite3_bind_blob(s, 12, body, (int)length, SQLITE_STATIC);
    weir_err err = weir_db_run(s, error);
    (void)sqlite3_clear_bindings(s);
    return err;
}

weir_err weir_fresh_put(weir_fresh *f, const weir_fresh_row *row, uint64_t merged_seq,
                        weir_error *error)
{
    const int64_t numbers[8] = {
        (int64_t)row->first_seq, row->count,      row->min_ts, row->max_ts,
        row->newest_ts,          row->trusted_ts, row->epoch,  row->epoch_ts};
    const size_t others = record_size(numbers, 8, row->state_length, row->block.head_length);
    const size_t size = others + blob_size(row->block.body_length);
    const struct choice c = slot_choose(f, size, merged_seq);
    const bool add =
        c.fitting == SIZE_MAX && (c.any == SIZE_MAX || c.used < c.waiting + SLOTS_SPARE);
    const size_t slot = add ? f->n : c.fitting != SIZE_MAX ? c.fitting : c.any;
    const size_t target = c.fitting != SIZE_MAX ? f->slots[slot].size : ladder(size);
    const size_t length = padded_length(others, target, row->block.body_length);
    const uint8_t *body = body_pad(f, &row->block, length);
    if (!body || !slots_reserve(f, slot + 1) || !slot_note(f, slot))
        return weir_fail(error, WEIR_ENOMEM, "no memory to write a commit");
    f->n = slot + 1 > f->n ? slot + 1 : f->n;
    f->slots[slot] =
        (weir_fresh_slot){row->first_seq, row->count, (uint32_t)(others + blob_size(length))};
    return row_write(f, slot, numbers, row, body, length, error);
}

/* --- reading ------------------------------------------------------------------------------ */

const weir_fresh_slot *weir_fresh_next(const weir_fresh *f, uint64_t after_seq)
{
    const weir_fresh_slot *next = NULL;
    for (size_t i = 0; i < f->n; i++)
        if (f->slots[i].first_seq > after_seq && (!next || f->slots[i].first_seq < next->first_seq))
            next = &f->slots[i];
    return next;
}

weir_fresh_waits weir_fresh_waiting(const weir_fresh *f, uint64_t merged_seq)
{
    weir_fresh_waits w = {0};
    for (size_t i = 0; i < f->n; i++) {
        if (slot_last(&f->slots[i]) <= merged_seq)
            continue;
        w.samples += f->slots[i].count;
        w.bytes += f->slots[i].size;
        w.rows++;
    }
    return w;
}

weir_err weir_fresh_select(weir_fresh *f, const weir_fresh_slot *slot, sqlite3_stmt **ret,
                           weir_error *error)
{
    bool row;
    (void)sqlite3_bind_int64(f->read, 1, slot - f->slots + 1);
    weir_err err = weir_db_step(f->read, &row, error);
    if (err == WEIR_OK && !row)
        err = weir_fail(error, WEIR_EDAMAGED, "a row that was committed is gone");
    if (err == WEIR_OK)
        *ret = f->read;
    else
        (void)sqlite3_reset(f->read);
    return err;
}

/* --- giving back -------------------------------------------------------------------------- */

void weir_fresh_note_peak(weir_fresh *f, size_t rows)
{
    f->peak -= f->peak / 4;
    f->peak = rows > f->peak ? rows : f->peak;
}

bool weir_fresh_is_large(const weir_fresh *f, uint64_t merged_seq)
{
    return f->n > weir_fresh_waiting(f, merged_seq).rows + 3 * f->peak + 2 * SLOTS_KEPT;
}

/* The newest row stays: it knows how far all came. */
weir_err weir_fresh_shrink(weir_fresh *f, uint64_t merged_seq, weir_error *error)
{
    weir_err err = WEIR_OK;
    uint64_t newest = 0;
    for (size_t i = 0; i < f->n; i++)
        newest = f->slots[i].first_seq > newest ? f->slots[i].first_seq : newest;
    for (size_t i = f->n; i-- > SLOTS_KEPT && err == WEIR_OK && f->n_written < SHRINK_ROWS;) {
        weir_fresh_slot *s = &f->slots[i];
        if (s->first_seq == 0 || s->first_seq == newest || slot_last(s) > merged_seq)
            continue;
        if (!slot_note(f, i))
            return weir_fail(error, WEIR_ENOMEM, "no memory to give back fresh rows");
        (void)sqlite3_bind_int64(f->drop, 1, (int64_t)i + 1);
        err = weir_db_run(f->drop, error);
        *s = (weir_fresh_slot){0};
    }
    return err;
}
