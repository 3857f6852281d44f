/* SPDX-License-Identifier: MIT */
/* From a damaged file to a sound one: every row that can still be read. */

/*
 * No tree is walked, because any page of it may be gone. Each page that holds rows is read by
 * itself, and a row tells by its columns which table it is of; so a lost inner page costs nothing,
 * and a lost leaf its own rows. Blocks and segments have checksums over their bytes. What lies
 * beside them is taken from the block where it repeats it; a sequence number that does not fit
 * between its neighbours is not believed, and the row gets a new one at the end, so that sinks see
 * its samples once more rather than never.
 *
 * A second round looks at what the file says is free, and at every byte of pages that are damaged:
 * rows found there may have been deleted, so only blocks with numbers that nothing else has are
 * taken.
 *
 * The work is bounded by the size of the file: each page is looked at twice at most, and cells.c
 * bounds what rows may claim.
 */

#include "store/repair/salvage.h"

#include <string.h>

#include "base/alloc.h"
#include "base/crc.h"
#include "blocks/block.h"
#include "blocks/segment.h"
#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/repair/salvage_priv.h"

enum { LOOK_PAGES = 4096 }; /* 16 MB: a store of ours has a row of ours in them */

/* --- tables ------------------------------------------------------------------------------- */

/* What a check makes of a row. */
typedef enum verdict {
    DROP,
    KEEP,
    HOMELESS, /* a block whose number cannot be told */
} verdict;

typedef verdict (*check)(const weir_salvage *s, weir_cell *cell);

/*
 * columns: one letter each. k the key (null in the record), i integer, r real (stored as an integer
 * when it is whole), t text, b blob; in capitals when it may be null, * anything. The last ones may
 * be missing in older stores: those behind `least`.
 */
struct table {
    const char *name;
    const char *columns;
    unsigned least;
    bool sweeps; /* has checksums: believed wherever it is found */
    check check;
};

static bool text_good(const weir_field *f)
{
    return f->n == 0 || weir_utf8_valid((const char *)f->bytes, f->n);
}

static bool texts_good(const weir_cell *cell)
{
    bool good = true;
    for (unsigned i = 0; i < cell->n_fields; i++)
        good &= cell->fields[i].kind != WEIR_FIELD_TEXT || text_good(&cell->fields[i]);
    return good;
}

static bool seq_good(int64_t seq)
{
    return seq > 0 && seq < SALVAGE_SEQ_MAX;
}

static verdict check_texts(const weir_salvage *s, weir_cell *cell)
{
    (void)s;
    return texts_good(cell) && !cell->out_of_order ? KEEP : DROP;
}

/* A key of ours: "merged_seq". Names of tags, in their index, have a slash. */
static verdict check_meta(const weir_salvage *s, weir_cell *cell)
{
    const weir_field *key = &cell->fields[0], *value = &cell->fields[1];
    (void)s;
    if (key->n == 0 || key->n > 64 || !texts_good(cell))
        return DROP;
    for (uint32_t i = 0; i < key->n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_:.-", key->bytes[i]))
            return DROP;
    const char *name = (const char *)key->bytes;
    const bool seq = key->n > 4 && memcmp(name + key->n - 4, "_seq", 4) == 0;
    if (seq && (value->kind != WEIR_FIELD_INTEGER || value->integer < 0 ||
                value->integer >= SALVAGE_SEQ_MAX))
        return DROP;
    if (key->n == 4 && memcmp(name, "uuid", 4) == 0)
        return value->kind == WEIR_FIELD_TEXT && value->n == 36 ? KEEP : DROP;
    return KEEP;
}

static verdict check_tag(const weir_salvage *s, weir_cell *cell)
{
    if (cell->rowid <= 0 || cell->rowid >= UINT32_MAX || cell->fields[1].n == 0)
        return DROP;
    return check_texts(s, cell);
}

static verdict check_tag_version(const weir_salvage *s, weir_cell *cell)
{
    const int64_t uid = cell->fields[0].integer, seq = cell->fields[1].integer;
    if (uid <= 0 || uid >= UINT32_MAX || seq < 0 || seq >= SALVAGE_SEQ_MAX)
        return DROP;
    return check_texts(s, cell);
}

static verdict check_cursor(const weir_salvage *s, weir_cell *cell)
{
    const int64_t seq = cell->fields[1].integer;
    return seq >= 0 && seq < SALVAGE_SEQ_MAX ? check_texts(s, cell) : DROP;
}

static verdict check_event(const weir_salvage *s, weir_cell *cell)
{
    const int64_t kind = cell->fields[2].integer;
    if (!seq_good(cell->rowid) || kind < WEIR_EVENT_GAP || kind > 255)
        return DROP;
    return check_texts(s, cell);
}

/* Of the others the source is still there: parts that live, or the log. */
static verdict check_part(const weir_salvage *s, weir_cell *cell)
{
    const weir_field *f = cell->fields;
    (void)s;
    const bool good = cell->rowid > 0 && cell->rowid < 1 << 23 && f[1].integer >= 0 &&
                      f[1].integer < 2 * PART_STAYS && f[2].integer >= 0 &&
                      f[2].integer <= UINT32_MAX && f[3].integer == PART_LIVE &&
                      f[4].integer <= f[5].integer && f[6].integer >= 0 &&
                      f[6].integer <= f[7].integer && f[7].integer < SALVAGE_SEQ_MAX;
    return good && !cell->out_of_order ? KEEP : DROP;
}

static verdict check_segment(const weir_salvage *s, weir_cell *cell)
{
    weir_segment_head head;
    const weir_field *h = &cell->fields[1], *marks = &cell->fields[2], *body = &cell->fields[3];
    (void)s;
    if (cell->rowid >> 40 <= 0 || cell->out_of_order ||
        weir_segment_head_parse(h->bytes, h->n, &head, NULL) != WEIR_OK)
        return DROP;
    return marks->n == head.marks_size && body->n == head.body_size &&
                   weir_crc32c(0, marks->bytes, marks->n) == head.marks_crc &&
                   weir_crc32c(0, body->bytes, body->n) == head.body_crc
               ? KEEP
               : DROP;
}

/* --- blocks ------------------------------------------------------------------------------- */

/* Where a row with a block has what; the numbers are in the order of the log's. */
struct block_columns {
    unsigned first_number; /* count, min_ts, max_ts, newest_ts, trusted_ts, epoch, epoch_ts */
    unsigned head, body;
};

/* How many numbers the block's rows take, and what the columns beside it repeat. */
static bool block_check(weir_cell *cell, struct block_columns at, int64_t *ret_span)
{
    weir_block_head head;
    WEIR_CLEANUP(weir_block_free) weir_block *block = NULL;
    const weir_field *h = &cell->fields[at.head];
    weir_field *body = &cell->fields[at.body], *numbers = &cell->fields[at.first_number];
    if (weir_block_head_parse(h->bytes, h->n, &head, NULL) != WEIR_OK || body->n < head.body_size ||
        weir_crc32c(0, body->bytes, head.body_size) != head.body_crc ||
        weir_block_decode(&head, body->bytes, head.body_size, &block, NULL) != WEIR_OK)
        return false;
    body->n = head.body_size; /* zeros behind it */
    *ret_span = head.count;
    if (head.codec != WEIR_BLOCK_CODEC)
        *ret_span = (int64_t)block->offsets[block->n_batches - 1] +
                    block->batches[block->n_batches - 1].n_samples;
    numbers[0].integer = head.count;
    numbers[1].integer = head.min_ts.us;
    numbers[2].integer = head.max_ts.us;
    if (numbers[3].integer < head.max_ts.us)
        numbers[3].integer = head.max_ts.us;
    return true;
}

static verdict check_log(const weir_salvage *s, weir_cell *cell)
{
    int64_t span;
    weir_field *last = &cell->fields[11];
    (void)s;
    if (!block_check(cell, (struct block_columns){1, 9, 10}, &span))
        return DROP;
    cell->n_fields = 12;
    last->kind = WEIR_FIELD_INTEGER;
    last->integer = cell->rowid + span - 1;
    return seq_good(cell->rowid) && seq_good(last->integer) && !cell->out_of_order ? KEEP
                                                                                   : HOMELESS;
}

static verdict check_fresh(const weir_salvage *s, weir_cell *cell)
{
    int64_t span;
    (void)s;
    if (!block_check(cell, (struct block_columns){2, 10, 11}, &span))
        return DROP;
    return seq_good(cell->fields[1].integer) && seq_good(cell->fields[1].integer + span) ? KEEP
                                                                                         : HOMELESS;
}

static verdict check_snapshot(const weir_salvage *s, weir_cell *cell)
{
    weir_block_head head;
    const weir_field *h = &cell->fields[3], *body = &cell->fields[4];
    (void)s;
    return cell->rowid > 0 && weir_block_head_parse(h->bytes, h->n, &head, NULL) == WEIR_OK &&
                   body->n == head.body_size &&
                   weir_crc32c(0, body->bytes, body->n) == head.body_crc
               ? KEEP
               : DROP;
}

enum { TABLE_LOG, TABLE_FRESH, TABLE_TAG_INDEX, TABLE_EVENT, TABLE_TAG, TABLE_SEGMENT };

/* The first that a row's columns fit is its table. The index of tag names is no table: what it
 * repeats makes up for a lost row of `tag`. */
static const struct table tables[] = {
    [TABLE_LOG] = {"log", "kiiiiiiiibbI", 11, true, check_log},
    [TABLE_FRESH] = {"fresh", "kiiiiiiiibbb", 12, true, check_fresh},
    [TABLE_TAG_INDEX] = {"tag", "ti", 2, false, check_texts},
    [TABLE_EVENT] = {"event", "kiitt", 5, false, check_event},
    [TABLE_TAG] = {"tag", "ktii", 3, false, check_tag},
    [TABLE_SEGMENT] = {"segment", "kbbb", 4, true, check_segment},
    {"meta", "t*", 2, false, check_meta},
    {"part", "kiiiiiiiiii", 11, false, check_part},
    {"tag_version", "iittttrrttti", 11, false, check_tag_version},
    {"device", "tttiItiiiRRi", 12, false, check_texts},
    {"cursor", "tiiI", 4, false, check_cursor},
    {"replacement", "iirr", 4, false, check_texts},
    {"epoch", "kii", 3, false, check_texts},
    {"gap", "kitIiiit", 8, false, check_texts},
    {"snapshot", "kiibb", 5, false, check_snapshot},
    {"quarantine", "kitiItBBB", 9, false, check_texts},
};
enum { TABLES = sizeof tables / sizeof *tables };

static bool field_fits(const weir_field *f, char c)
{
    switch (c) {
    case 'k':
        return f->kind == WEIR_FIELD_NULL;
    case 'i':
        return f->kind == WEIR_FIELD_INTEGER;
    case 'r':
        return f->kind == WEIR_FIELD_INTEGER || f->kind == WEIR_FIELD_REAL;
    case 't':
        return f->kind == WEIR_FIELD_TEXT;
    case 'b':
        return f->kind == WEIR_FIELD_BLOB;
    case 'I':
    case 'R':
    case 'B':
        return f->kind == WEIR_FIELD_NULL || field_fits(f, (char)(c - 'A' + 'a'));
    default:
        return true;
    }
}

static bool table_fits(const struct table *t, const weir_cell *cell)
{
    const size_t columns = strlen(t->columns);
    bool fits = (t->columns[0] == 'k') == cell->has_rowid && cell->n_fields >= t->least &&
                cell->n_fields <= columns;
    for (unsigned i = 0; fits && i < cell->n_fields; i++)
        fits = field_fits(&cell->fields[i], t->columns[i]);
    return fits;
}

/* A tag's name has a slash, a key of meta none. */
static bool cell_is_tag_index(const weir_cell *cell)
{
    return memchr(cell->fields[0].bytes ? cell->fields[0].bytes : (const uint8_t *)"", '/',
                  cell->fields[0].n) != NULL;
}

/* --- writing ------------------------------------------------------------------------------ */

static weir_err field_bind(sqlite3_stmt *put, int at, const weir_field *f, weir_error *error)
{
    int rc = SQLITE_OK;
    switch (f->kind) {
    case WEIR_FIELD_NULL:
        rc = sqlite3_bind_null(put, at);
        break;
    case WEIR_FIELD_INTEGER:
        rc = sqlite3_bind_int64(put, at, f->integer);
        break;
    case WEIR_FIELD_REAL:
        rc = sqlite3_bind_double(put, at, f->real);
        break;
    case WEIR_FIELD_TEXT:
        rc = sqlite3_bind_text(put, at, f->n ? (const char *)f->bytes : "", (int)f->n,
                               SQLITE_STATIC);
        break;
    case WEIR_FIELD_BLOB:
        rc = sqlite3_bind_blob(put, at, f->n ? (const void *)f->bytes : "", (int)f->n,
                               SQLITE_STATIC);
        break;
    }
    return rc == SQLITE_OK ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "no memory for a row");
}

/* Statements that write one row: what is there already stays. */
static weir_err put_prepare(weir_salvage *s, unsigned table, weir_error *error)
{
    char sql[160] = "INSERT OR IGNORE INTO ";
    if (table == TABLE_TAG_INDEX) {
        (void)strncat(sql, "tag(name, uid, active) VALUES(?,?,0)", sizeof sql - 40);
    } else {
        (void)strncat(sql, tables[table].name, sizeof sql / 2);
        (void)strncat(sql, " VALUES(?", 10);
        for (size_t i = 1; i < strlen(tables[table].columns); i++)
            (void)strncat(sql, ",?", 3);
        (void)strncat(sql, ")", 2);
    }
    return weir_db_prepare(s->db, sql, &s->put[table], error);
}

static weir_err row_put(weir_salvage *s, unsigned table, const weir_cell *cell, bool *ret_new,
                        weir_error *error)
{
    sqlite3_stmt *put = s->put[table];
    const size_t columns = strlen(tables[table].columns);
    const weir_field zero = {.kind = WEIR_FIELD_INTEGER};
    const weir_field key = {.kind = WEIR_FIELD_INTEGER, .integer = cell->rowid};
    const bool staged = table == TABLE_FRESH; /* under a slot of its own */
    weir_err err = WEIR_OK;
    for (unsigned i = 0; i < columns && err == WEIR_OK; i++) {
        const weir_field *f = i < cell->n_fields ? &cell->fields[i] : &zero;
        if (i == 0 && tables[table].columns[0] == 'k' && !staged)
            f = &key;
        err = field_bind(put, (int)i + 1, f, error);
    }
    if (err == WEIR_OK)
        err = weir_db_run(put, error);
    (void)sqlite3_clear_bindings(put);
    *ret_new = err == WEIR_OK && sqlite3_changes(s->db) > 0;
    return err;
}

/* Copies a row of the log to where rows wait for a number. */
static weir_err row_put_homeless(weir_salvage *s, unsigned table, weir_cell *cell,
                                 weir_error *error)
{
    bool added;
    weir_cell row = *cell;
    if (table == TABLE_LOG) {
        memmove(&row.fields[2], &cell->fields[1], 7 * sizeof row.fields[0]);
        row.fields[9] = (weir_field){.kind = WEIR_FIELD_BLOB};
        row.fields[10] = cell->fields[9];
        row.fields[11] = cell->fields[10];
    }
    row.n_fields = 12;
    row.fields[1] = (weir_field){.kind = WEIR_FIELD_INTEGER, .integer = SALVAGE_HOMELESS};
    s->counts.moved += (uint64_t)row.fields[2].integer;
    return row_put(s, TABLE_FRESH, &row, &added, error);
}

weir_err weir_salvage_overlaps(weir_salvage *s, int64_t first, int64_t last, bool *ret,
                               weir_error *error)
{
    bool row;
    (void)sqlite3_bind_int64(s->overlap, 1, last);
    weir_err err = weir_db_step(s->overlap, &row, error);
    if (err == WEIR_OK)
        *ret = row && sqlite3_column_int64(s->overlap, 0) >= first;
    (void)sqlite3_reset(s->overlap);
    return err;
}

/* The same row may be in the file twice: as it is, and in a page that was free or moved. */
static weir_err log_put(weir_salvage *s, weir_cell *cell, weir_error *error)
{
    bool overlaps, added;
    weir_err err =
        weir_salvage_overlaps(s, cell->rowid, cell->fields[11].integer, &overlaps, error);
    if (err == WEIR_OK && !overlaps)
        err = row_put(s, TABLE_LOG, cell, &added, error);
    return err;
}

/* A segment that may have been deleted counts only if its part has not been. */
static weir_err part_lives(weir_salvage *s, int64_t key, bool *ret, weir_error *error)
{
    (void)sqlite3_bind_int64(s->part, 1, key >> 40);
    weir_err err = weir_db_step(s->part, ret, error);
    (void)sqlite3_reset(s->part);
    return err;
}

static void count_row(weir_salvage *s, unsigned table)
{
    s->counts.events += table == TABLE_EVENT;
    s->counts.segments += table == TABLE_SEGMENT;
}

static weir_err cell_take(weir_salvage *s, unsigned table, weir_cell *cell, weir_error *error)
{
    const struct table *t = &tables[table];
    const bool twice = s->leftovers || s->next > weir_pages_count(s->pages);
    bool added = false, lives = true;
    const verdict v = t->check(s, cell);
    /* A new number is only for what is certainly not there under another one. */
    if (v == DROP || (v == HOMELESS && twice))
        return WEIR_OK;
    if (table == TABLE_SEGMENT && s->leftovers) {
        weir_err err = part_lives(s, cell->rowid, &lives, error);
        if (err != WEIR_OK || !lives)
            return err;
    }
    if (v == HOMELESS)
        return row_put_homeless(s, table, cell, error);
    if (table == TABLE_LOG)
        return log_put(s, cell, error);
    weir_err err = row_put(s, table, cell, &added, error);
    if (added)
        count_row(s, table);
    return err;
}

/* --- pages -------------------------------------------------------------------------------- */

static bool cell_load(weir_salvage *s, weir_cell *cell)
{
    if (weir_cells_load(&s->cells, cell))
        return true;
    s->cells.bad++;
    return false;
}

static weir_err page_cell(weir_salvage *s, weir_cell *cell, weir_error *error)
{
    for (unsigned t = 0; t < TABLES; t++) {
        if (!table_fits(&tables[t], cell) || (s->leftovers && !tables[t].sweeps))
            continue;
        if (!cell_load(s, cell))
            return WEIR_OK;
        if (t == TABLE_TAG_INDEX && !cell_is_tag_index(cell))
            continue;
        return cell_take(s, t, cell, error);
    }
    return WEIR_OK;
}

static weir_err page_cells(weir_salvage *s, weir_error *error)
{
    weir_cell cell;
    weir_err err = WEIR_OK;
    while (err == WEIR_OK && weir_cells_next(&s->cells, &cell))
        err = page_cell(s, &cell, error);
    return err;
}

static weir_err page_look_again(weir_salvage *s, uint32_t page, weir_error *error)
{
    if (s->n_again == s->again_capacity) {
        const uint32_t capacity = s->again_capacity ? s->again_capacity * 2 : 64;
        uint32_t *again = weir_realloc_array(s->again, capacity, sizeof *again);
        if (!again)
            return weir_fail(error, WEIR_ENOMEM, "no memory for the list of damaged pages");
        s->again = again;
        s->again_capacity = capacity;
    }
    s->again[s->n_again++] = page;
    return WEIR_OK;
}

/* Pages that hold rows begin with 2, 5, 10 or 13; what goes on from another page, with a page
 * number: 0, in files below 64 GB. */
static bool page_is_strange(const weir_salvage *s, uint32_t page)
{
    const uint8_t type = s->cells.page[page == 1 ? 100 : 0];
    return type != 0 && type != 2 && type != 5 && type != 10 && type != 13;
}

static weir_err page_first_round(weir_salvage *s, uint32_t page, weir_error *error)
{
    weir_err err = WEIR_OK;
    const bool free = weir_pages_is_free(s->pages, page);
    const uint32_t unreadable = weir_pages_unreadable(s->pages);
    const bool rows = weir_cells_start(&s->cells, s->pages, page);
    if (rows && !free)
        err = page_cells(s, error);
    /* A row in a frame behind the damage may go on in pages before it. */
    if (err == WEIR_OK && s->cells.later && weir_cells_start(&s->cells, s->pages, page)) {
        s->cells.later = false;
        err = page_cells(s, error);
    }
    const bool bad = weir_pages_unreadable(s->pages) > unreadable || s->cells.bad > 0 ||
                     (!free && !weir_pages_is_map(page) && page_is_strange(s, page));
    s->counts.bad_pages += bad && !free;
    if (err == WEIR_OK && (bad || (free && rows)))
        err = page_look_again(s, page, error);
    return err;
}

static weir_err page_second_round(weir_salvage *s, uint32_t page, weir_error *error)
{
    weir_err err = WEIR_OK;
    if (weir_cells_start(&s->cells, s->pages, page))
        err = page_cells(s, error);
    if (err == WEIR_OK && weir_cells_sweep(&s->cells, s->pages, page))
        err = page_cells(s, error);
    return err;
}

weir_err weir_salvage_step(weir_salvage *salvage, uint32_t pages, bool *ret_done, weir_error *error)
{
    weir_salvage *s = salvage;
    const uint32_t n = weir_pages_count(s->pages) + weir_pages_extra(s->pages);
    weir_err err = WEIR_OK;
    for (; err == WEIR_OK && pages > 0; pages--) {
        if (!s->leftovers && s->next == n) {
            s->leftovers = true;
            s->next = 0;
        }
        if (s->leftovers && s->next == s->n_again)
            break;
        const uint32_t i = s->next++;
        err = s->leftovers ? page_second_round(s, s->again[i], error)
                           : page_first_round(s, i + 1, error);
    }
    *ret_done = s->leftovers && s->next == s->n_again;
    return err;
}

/* --- life --------------------------------------------------------------------------------- */

weir_err weir_salvage_new(weir_pages *pages, sqlite3 *db, weir_salvage **ret, weir_error *error)
{
    _Static_assert((int)TABLES <= (int)SALVAGE_TABLES_MAX, "a statement each");
    WEIR_CLEANUP(weir_salvage_free) weir_salvage *s = weir_alloc_zero(1, sizeof *s);
    if (!s)
        return weir_fail(error, WEIR_ENOMEM, "no memory to salvage");
    s->pages = pages;
    s->db = db;
    weir_err err = weir_db_prepare(db,
                                   "SELECT ifnull(last_seq, first_seq+count-1) FROM log"
                                   " WHERE first_seq<=? ORDER BY first_seq DESC LIMIT 1",
                                   &s->overlap, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(db, "SELECT 1 FROM part WHERE id=?", &s->part, error);
    for (unsigned i = 0; i < TABLES && err == WEIR_OK; i++)
        err = put_prepare(s, i, error);
    if (err != WEIR_OK)
        return err;
    *ret = s;
    s = NULL;
    return WEIR_OK;
}

void weir_salvage_free(weir_salvage *salvage)
{
    if (!salvage)
        return;
    for (unsigned i = 0; i < TABLES; i++)
        (void)sqlite3_finalize(salvage->put[i]);
    (void)sqlite3_finalize(salvage->part);
    (void)sqlite3_finalize(salvage->overlap);
    weir_cells_deinit(&salvage->cells);
    weir_free(salvage->again);
    weir_free(salvage);
}

/* One block or segment whose checksums match, or the definition of our first table, says it. */
bool weir_salvage_is_ours(weir_pages *pages)
{
    static const char definition[] = "CREATE TABLE meta(key TEXT PRIMARY KEY, value)";
    weir_cells cells = {0};
    weir_cell cell;
    bool ours = false;
    for (uint32_t page = 1; page <= weir_pages_count(pages) && page <= LOOK_PAGES && !ours;
         page++) {
        const bool rows = weir_cells_start(&cells, pages, page);
        ours = memmem(cells.page, sizeof cells.page, definition, sizeof definition - 1) != NULL;
        while (rows && !ours && weir_cells_next(&cells, &cell))
            for (unsigned t = 0; t < TABLES && !ours; t++)
                ours = tables[t].sweeps && table_fits(&tables[t], &cell) &&
                       weir_cells_load(&cells, &cell) && tables[t].check(NULL, &cell) != DROP;
    }
    weir_cells_deinit(&cells);
    return ours;
}
