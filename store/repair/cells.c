/* SPDX-License-Identifier: MIT */
/* The rows in one page of a database, one by one, each believed only as far as it can be read. */

/*
 * Every number read here comes from a damaged file. Offsets are checked against the page, sizes
 * against the largest row there can be, and the pages that rows go on in are counted over the whole
 * file: a chain that leads in circles, or many rows that claim the same long chain, cost no more
 * than reading the file some times.
 *
 * Format: https://sqlite.org/fileformat2.html, sections 1.6 (b-tree pages), 2.1 (records).
 */

#include "store/repair/cells.h"

#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"

enum {
    PAGE_INDEX_INTERIOR = 2,
    PAGE_INDEX_LEAF = 10,
    PAGE_TABLE_LEAF = 13,
    FILE_HEADER = 100, /* in page 1, before its b-tree */
    LOCAL_MIN = (WEIR_PAGE_SIZE - 12) * 32 / 255 - 23,
    LOCAL_MAX_TABLE = WEIR_PAGE_SIZE - 35,
    LOCAL_MAX_INDEX = (WEIR_PAGE_SIZE - 12) * 64 / 255 - 23,
    FOLLOWED_TIMES = 8, /* the file's pages */
    FOLLOWED_SPARE = 1024,
};

void weir_cells_deinit(weir_cells *cells)
{
    weir_free(cells->bytes);
    *cells = (weir_cells){0};
}

/* SQLite's varint: big-endian, the ninth byte whole. */
static bool varint_read(weir_reader *r, uint64_t *ret)
{
    uint64_t v = 0;
    for (int i = 0; i < 9; i++) {
        const uint8_t b = weir_read_u8(r);
        if (i == 8) {
            v = v << 8 | b;
            break;
        }
        v = v << 7 | (b & 0x7f);
        if (!(b & 0x80))
            break;
    }
    *ret = v;
    return !r->failed;
}

/* --- the page ----------------------------------------------------------------------------- */

static uint64_t rowid_at(const weir_cells *c, unsigned offset)
{
    weir_reader r = weir_reader_of(c->page + offset, WEIR_PAGE_SIZE - offset);
    uint64_t size, rowid = 0;
    return varint_read(&r, &size) && varint_read(&r, &rowid) ? rowid : 0;
}

static void page_read_pointers(weir_cells *c, unsigned header)
{
    weir_reader r = weir_reader_of(c->page + header + 3, 2);
    unsigned n = weir_read_u16(&r);
    const unsigned first = header + (c->type == PAGE_INDEX_INTERIOR ? 12 : 8);
    if (n > (WEIR_PAGE_SIZE - first) / 2) {
        c->bad++;
        n = 0;
    }
    r = weir_reader_of(c->page + first, (size_t)n * 2);
    c->n = 0;
    for (unsigned i = 0; i < n; i++) {
        const uint16_t offset = weir_read_u16(&r);
        if (offset < first + 2 * n || offset >= WEIR_PAGE_SIZE)
            c->bad++;
        else
            c->offsets[c->n++] = offset;
    }
}

static bool cells_begin(weir_cells *c, weir_pages *pages, uint32_t number)
{
    c->pages = pages;
    c->n = c->at = c->bad = 0;
    c->sweeping = false;
    c->later = number > weir_pages_count(pages);
    return weir_pages_read(pages, number, false, c->page);
}

bool weir_cells_start(weir_cells *cells, weir_pages *pages, uint32_t number)
{
    if (!cells_begin(cells, pages, number))
        return false;
    /* A frame behind the damage may be page 1: it begins as the file does. */
    const bool first =
        number == 1 || (cells->later && memcmp(cells->page, "SQLite format 3", 16) == 0);
    const unsigned header = first ? FILE_HEADER : 0;
    cells->type = cells->page[header];
    if (cells->type != PAGE_TABLE_LEAF && cells->type != PAGE_INDEX_LEAF &&
        cells->type != PAGE_INDEX_INTERIOR)
        return false;
    page_read_pointers(cells, header);
    return true;
}

bool weir_cells_sweep(weir_cells *cells, weir_pages *pages, uint32_t number)
{
    if (!cells_begin(cells, pages, number))
        return false;
    cells->type = PAGE_TABLE_LEAF;
    cells->sweeping = true;
    return true;
}

/* --- a cell ------------------------------------------------------------------------------- */

static bool record_read_header(const weir_cells *c, weir_cell *cell)
{
    weir_reader r = weir_reader_of(c->page + cell->at, cell->local);
    uint64_t header, type, bytes = 0;
    static const uint8_t widths[10] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
    if (!varint_read(&r, &header) || header < 2 || header > cell->local)
        return false;
    cell->header = (uint32_t)header;
    r.end = c->page + cell->at + header;
    for (cell->n_fields = 0; weir_reader_left(&r) > 0; cell->n_fields++) {
        if (cell->n_fields == WEIR_CELL_FIELDS_MAX || !varint_read(&r, &type) || type == 10 ||
            type == 11 || type > 13 + 2 * (uint64_t)WEIR_CELL_BYTES_MAX)
            return false;
        weir_field *f = &cell->fields[cell->n_fields];
        *f = (weir_field){.kind = WEIR_FIELD_NULL};
        cell->types[cell->n_fields] = type < 10 ? (uint8_t)type : 0;
        if (type >= 12) {
            f->kind = type % 2 ? WEIR_FIELD_TEXT : WEIR_FIELD_BLOB;
            f->n = (uint32_t)((type - 12) / 2);
        } else if (type > 0) {
            f->kind = type == 7 ? WEIR_FIELD_REAL : WEIR_FIELD_INTEGER;
        }
        bytes += type < 10 ? widths[type] : f->n;
    }
    return bytes + header == cell->size;
}

static bool cell_read(const weir_cells *c, unsigned offset, weir_cell *cell)
{
    weir_reader r = weir_reader_of(c->page + offset, WEIR_PAGE_SIZE - offset);
    uint64_t size, rowid = 0;
    const bool table = c->type == PAGE_TABLE_LEAF;
    if (c->type == PAGE_INDEX_INTERIOR)
        (void)weir_read_u32(&r);
    if (!varint_read(&r, &size) || (table && !varint_read(&r, &rowid)) || size < 2 ||
        size > WEIR_CELL_BYTES_MAX)
        return false;
    *cell = (weir_cell){.has_rowid = table,
                        .rowid = (int64_t)rowid,
                        .swept = c->sweeping,
                        .at = (uint32_t)(r.at - c->page),
                        .size = (uint32_t)size,
                        .local = (uint32_t)size};
    const uint32_t most = table ? LOCAL_MAX_TABLE : LOCAL_MAX_INDEX;
    if (size > most) {
        const uint32_t k = LOCAL_MIN + (cell->size - LOCAL_MIN) % (WEIR_PAGE_SIZE - 4);
        cell->local = k <= most ? k : LOCAL_MIN;
    }
    if (!weir_read_bytes(&r, cell->local))
        return false;
    if (size > most)
        cell->overflow = weir_read_u32(&r);
    return !r.failed && record_read_header(c, cell);
}

/* One of three neighbours that does not fit between the other two, while these are in order, is the
 * one that is wrong. */
static bool cell_out_of_order(const weir_cells *c, unsigned i)
{
    if (c->type != PAGE_TABLE_LEAF)
        return false;
    const int64_t self = (int64_t)rowid_at(c, c->offsets[i]);
    const int64_t before = i > 0 ? (int64_t)rowid_at(c, c->offsets[i - 1]) : INT64_MIN;
    const int64_t after = i + 1 < c->n ? (int64_t)rowid_at(c, c->offsets[i + 1]) : INT64_MAX;
    return before < after && !(before < self && self < after);
}

bool weir_cells_next(weir_cells *cells, weir_cell *ret)
{
    weir_cells *c = cells;
    while (c->sweeping && c->at < WEIR_PAGE_SIZE)
        if (cell_read(c, c->at++, ret) && ret->n_fields > 1)
            return true;
    while (!c->sweeping && c->at < c->n) {
        const unsigned i = c->at++;
        if (cell_read(c, c->offsets[i], ret)) {
            ret->out_of_order = cell_out_of_order(c, i);
            return true;
        }
        c->bad++;
    }
    return false;
}

/* --- its values --------------------------------------------------------------------------- */

static bool cell_follow(weir_cells *c, const weir_cell *cell)
{
    const uint64_t limit = (uint64_t)weir_pages_count(c->pages) * FOLLOWED_TIMES + FOLLOWED_SPARE;
    size_t have = cell->local;
    uint32_t page = cell->overflow;
    while (have < cell->size) {
        if (page == 0 || page > weir_pages_count(c->pages) || ++c->followed > limit ||
            !weir_pages_read(c->pages, page, c->later, c->next_page))
            return false;
        const size_t left = cell->size - have;
        const size_t n = left < WEIR_PAGE_SIZE - 4 ? left : WEIR_PAGE_SIZE - 4;
        weir_reader r = weir_reader_of(c->next_page, 4);
        page = weir_read_u32(&r);
        memcpy(c->bytes + have, c->next_page + 4, n);
        have += n;
    }
    return true;
}

/* Two's complement, big-endian, 1 to 8 bytes. */
static int64_t integer_read(weir_reader *r, size_t width)
{
    const uint64_t v = weir_read_be(r, width);
    return (int64_t)(v << (64 - 8 * width)) >> (64 - 8 * width);
}

static void field_read(weir_reader *r, weir_field *f, uint8_t type)
{
    static const uint8_t widths[] = {0, 1, 2, 3, 4, 6, 8};
    if (f->kind == WEIR_FIELD_TEXT || f->kind == WEIR_FIELD_BLOB) {
        f->bytes = weir_read_bytes(r, f->n);
    } else if (f->kind == WEIR_FIELD_REAL) {
        const uint64_t bits = weir_read_u64(r);
        memcpy(&f->real, &bits, sizeof f->real);
    } else if (f->kind == WEIR_FIELD_INTEGER) {
        f->integer = type >= 8 ? type - 8 : integer_read(r, widths[type]);
    }
}

bool weir_cells_load(weir_cells *cells, weir_cell *cell)
{
    weir_cells *c = cells;
    if (cell->size > c->capacity) {
        /* A row can hold no more than the file. */
        if (cell->size / WEIR_PAGE_SIZE > weir_pages_count(c->pages) + weir_pages_extra(c->pages))
            return false;
        uint8_t *bytes = weir_realloc_array(c->bytes, cell->size, 1);
        if (!bytes)
            return false;
        c->bytes = bytes;
        c->capacity = cell->size;
    }
    memcpy(c->bytes, c->page + cell->at, cell->local);
    if (cell->local < cell->size && !cell_follow(c, cell))
        return false;
    weir_reader r = weir_reader_of(c->bytes + cell->header, cell->size - cell->header);
    for (unsigned i = 0; i < cell->n_fields; i++)
        field_read(&r, &cell->fields[i], cell->types[i]);
    return !r.failed;
}
