/* SPDX-License-Identifier: MIT */
/* The pages of a database file as they lie on the disk, without SQLite: for what SQLite refuses. */

/*
 * SQLite reads a WAL up to the first frame whose checksum is wrong: what a power cut tore was never
 * acknowledged. But it does the same when a bit flips in the midst, and the commits behind it are
 * gone without a word. Each frame's checksum starts from the one stored in the frame before, so the
 * frames behind a damaged one can still be checked, and are taken here.
 *
 * Format: https://sqlite.org/fileformat2.html, sections 1.3 (header), 1.8 (pointer map), 4 (WAL).
 */

#include "store/repair/pages.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "base/alloc.h"
#include "base/bytes.h"

enum {
    WAL_HEADER = 32,
    FRAME_HEADER = 24,
    FRAME_SIZE = FRAME_HEADER + WEIR_PAGE_SIZE,
    POINTER_SIZE = 5,
    POINTERS = WEIR_PAGE_SIZE / POINTER_SIZE, /* in a page of the pointer map */
    POINTER_FREE = 2,
    POINTER_KIND_MAX = 5,
    LOCK_PAGE = 0x40000000 / WEIR_PAGE_SIZE + 1, /* never used: SQLite locks bytes in it */
};

/* --- files through the VFS ---------------------------------------------------------------- */

struct file {
    sqlite3_file *handle; /* NULL: not open */
    int64_t size;
    bool failed; /* a read of it */
};

static void file_close(struct file *f)
{
    if (f->handle && f->handle->pMethods)
        (void)f->handle->pMethods->xClose(f->handle);
    weir_free(f->handle);
    *f = (struct file){0};
}

static weir_err file_open(struct file *f, const char *path, int type, const char *vfs,
                          weir_error *error)
{
    sqlite3_vfs *v = sqlite3_vfs_find(vfs);
    int exists = 0, flags = 0;
    sqlite3_int64 size = 0;
    if (!v)
        return weir_fail(error, WEIR_EINVAL, "no SQLite VFS named %s", vfs ? vfs : "(default)");
    if (v->xAccess(v, path, SQLITE_ACCESS_EXISTS, &exists) != SQLITE_OK || !exists)
        return weir_fail(error, WEIR_ENOTFOUND, "%s: there is no such file", path);
    /* A link is followed here; opening follows none. */
    char full[4200] = "";
    if (v->xFullPathname(v, path, sizeof full, full) & ~SQLITE_OK_SYMLINK)
        return weir_fail(error, WEIR_EIO, "cannot read %s", path);
    sqlite3_filename name = sqlite3_create_filename(full, "", "", 0, NULL);
    f->handle = weir_alloc_zero(1, (size_t)v->szOsFile);
    if (!name || !f->handle) {
        sqlite3_free_filename(name);
        file_close(f);
        return weir_fail(error, WEIR_ENOMEM, "no memory to read %s", path);
    }
    int rc = v->xOpen(v, name, f->handle, type | SQLITE_OPEN_READONLY, &flags);
    if (rc == SQLITE_OK)
        rc = f->handle->pMethods->xFileSize(f->handle, &size);
    if (rc != SQLITE_OK)
        file_close(f);
    sqlite3_free_filename(name);
    f->size = size;
    return rc == SQLITE_OK ? WEIR_OK : weir_fail(error, WEIR_EIO, "cannot read %s", path);
}

/* What is behind the end reads as zeros. */
static bool file_read(struct file *f, void *to, size_t n, int64_t at)
{
    int rc = f->handle ? f->handle->pMethods->xRead(f->handle, to, (int)n, at) : SQLITE_IOERR_READ;
    if (rc == SQLITE_OK || rc == SQLITE_IOERR_SHORT_READ)
        return true;
    memset(to, 0, n);
    f->failed = true;
    return false;
}

/* --- the write-ahead log ------------------------------------------------------------------ */

struct sums {
    uint32_t a, b;
};

static struct sums sums_add(struct sums s, const uint8_t *bytes, size_t n, bool big)
{
    for (size_t i = 0; i < n; i += 8) {
        uint32_t x, y;
        memcpy(&x, bytes + i, 4);
        memcpy(&y, bytes + i + 4, 4);
        if (big != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)) {
            x = __builtin_bswap32(x);
            y = __builtin_bswap32(y);
        }
        s.a += x + s.b;
        s.b += y + s.a;
    }
    return s;
}

struct frame {
    uint32_t page, commit; /* commit: pages of the database then; 0: not the last of its commit */
    uint32_t salts[2];
    struct sums sums;
};

/* Where reading a WAL is. */
struct wal {
    struct file *file;
    bool big;
    uint32_t salts[2];
    struct sums before; /* as stored in the header or frame before */
    uint32_t n;         /* frames the file has room for */
    uint8_t bytes[FRAME_SIZE];
};

static struct frame frame_of(const uint8_t *bytes)
{
    weir_reader r = weir_reader_of(bytes, FRAME_HEADER);
    struct frame f;
    f.page = weir_read_u32(&r);
    f.commit = weir_read_u32(&r);
    f.salts[0] = weir_read_u32(&r);
    f.salts[1] = weir_read_u32(&r);
    f.sums.a = weir_read_u32(&r);
    f.sums.b = weir_read_u32(&r);
    return f;
}

/* False: there is nothing in it. A header that is damaged is taken as far as it goes: the frames'
 * own salts then tell which belong together. */
static bool wal_start(struct wal *w, struct file *file)
{
    uint8_t header[WAL_HEADER];
    *w = (struct wal){.file = file};
    if (file->size < WAL_HEADER + FRAME_SIZE || !file_read(file, header, sizeof header, 0))
        return false;
    weir_reader r = weir_reader_of(header, sizeof header);
    w->big = weir_read_u32(&r) & 1;
    (void)weir_read_bytes(&r, 12);
    w->salts[0] = weir_read_u32(&r);
    w->salts[1] = weir_read_u32(&r);
    w->before.a = weir_read_u32(&r);
    w->before.b = weir_read_u32(&r);
    w->n = (uint32_t)((file->size - WAL_HEADER) / FRAME_SIZE);
    const struct sums own = sums_add((struct sums){0, 0}, header, 24, w->big);
    if ((own.a != w->before.a || own.b != w->before.b) &&
        file_read(file, w->bytes, FRAME_HEADER, WAL_HEADER)) {
        const struct frame first = frame_of(w->bytes);
        memcpy(w->salts, first.salts, sizeof w->salts);
    }
    return true;
}

/* Reads frame i, from 0. *ret_own: of this generation. *ret_good: as it was written. */
static struct frame wal_frame(struct wal *w, uint32_t i, bool *ret_own, bool *ret_good)
{
    const bool read =
        file_read(w->file, w->bytes, FRAME_SIZE, WAL_HEADER + (int64_t)i * FRAME_SIZE);
    const struct frame f = frame_of(w->bytes);
    struct sums s = sums_add(w->before, w->bytes, 8, w->big);
    s = sums_add(s, w->bytes + FRAME_HEADER, WEIR_PAGE_SIZE, w->big);
    *ret_own = read && f.salts[0] == w->salts[0] && f.salts[1] == w->salts[1];
    *ret_good = *ret_own && s.a == f.sums.a && s.b == f.sums.b && f.page > 0;
    w->before = f.sums;
    return f;
}

/* A header that is wrong by itself makes SQLite drop all. */
static bool wal_header_good(struct file *file)
{
    uint8_t header[WAL_HEADER];
    if (!file_read(file, header, sizeof header, 0))
        return false;
    weir_reader r = weir_reader_of(header, sizeof header);
    const uint32_t magic = weir_read_u32(&r), version = weir_read_u32(&r);
    const uint32_t page_size = weir_read_u32(&r);
    const struct sums s = sums_add((struct sums){0, 0}, header, 24, magic & 1);
    r = weir_reader_of(header + 24, 8);
    return (magic & ~1u) == 0x377f0682 && version == 3007000 && page_size == WEIR_PAGE_SIZE &&
           s.a == weir_read_u32(&r) && s.b == weir_read_u32(&r);
}

/*
 * Of a power cut's torn tail nothing was acknowledged, and the next transaction begins only after
 * the fsync of the one before. So a commit with another frame of its generation behind it was
 * acknowledged; when a frame before it is bad, that is damage.
 */
static void wal_judge(struct file *file, weir_wal_state *ret)
{
    struct wal w;
    weir_wal_state s = {0};
    bool broken = !wal_header_good(file), own, good;
    bool lost = false; /* a whole commit behind the break */
    *ret = s;
    if (!wal_start(&w, file))
        return;
    for (uint32_t i = 0; i < w.n; i++) {
        const struct frame f = wal_frame(&w, i, &own, &good);
        if (own) {
            s.damaged |= lost;
            s.frames = i + 1;
        }
        broken |= !good;
        if (good && f.commit > 0) {
            lost |= broken;
            s.committed = i + 1;
            s.readable = broken ? s.readable : i + 1;
        }
    }
    *ret = s;
}

weir_err weir_wal_look(const char *path, const char *vfs, weir_wal_state *ret, weir_error *error)
{
    struct file file = {0};
    *ret = (weir_wal_state){0};
    weir_err err = file_open(&file, path, SQLITE_OPEN_WAL, vfs, error);
    if (err == WEIR_ENOTFOUND)
        return WEIR_OK;
    if (err == WEIR_OK)
        wal_judge(&file, ret);
    /* What cannot be read today is not damaged. */
    if (err == WEIR_OK && file.failed) {
        *ret = (weir_wal_state){0};
        err = weir_fail(error, WEIR_EIO, "cannot read %s", path);
    }
    file_close(&file);
    return err;
}

/* --- pages -------------------------------------------------------------------------------- */

struct weir_pages {
    struct file db, wal;
    weir_wal_state state;
    uint32_t n;
    uint32_t *frames; /* [n + 1]: the frame with a page's version, from 1; 0: none */
    uint32_t *later;  /* likewise, of frames behind the damage; NULL: there are none */
    uint32_t unreadable;
    uint32_t map_number; /* the page of the pointer map that is in `map`; 0: none */
    bool map_usable;
    uint8_t map[WEIR_PAGE_SIZE];
};

/* Notes where the versions of each page are. Whole commits only. */
static weir_err pages_overlay(weir_pages *p, weir_error *error)
{
    struct wal w;
    bool own, good;
    wal_judge(&p->wal, &p->state);
    if (!wal_start(&w, &p->wal))
        return WEIR_OK;
    if (p->state.committed > p->state.readable) {
        p->later = weir_alloc_zero((size_t)p->n + 1, sizeof *p->later);
        if (!p->later)
            return weir_fail(error, WEIR_ENOMEM, "no memory to read the write-ahead log");
    }
    for (uint32_t i = 0; i < p->state.committed; i++) {
        const struct frame f = wal_frame(&w, i, &own, &good);
        if (good && f.page <= p->n)
            (i < p->state.readable ? p->frames : p->later)[f.page] = i + 1;
    }
    return WEIR_OK;
}

static weir_err pages_open(weir_pages *p, const char *path, const char *wal, const char *vfs,
                           weir_error *error)
{
    weir_err err = file_open(&p->db, path, SQLITE_OPEN_MAIN_DB, vfs, error);
    weir_err wal_err = err;
    if (wal && (err == WEIR_OK || err == WEIR_ENOTFOUND))
        wal_err = file_open(&p->wal, wal, SQLITE_OPEN_WAL, vfs, error);
    if ((err != WEIR_OK && err != WEIR_ENOTFOUND) ||
        (wal_err != WEIR_OK && wal_err != WEIR_ENOTFOUND))
        return err != WEIR_OK ? err : wal_err;
    if (!p->db.handle && !p->wal.handle)
        return WEIR_ENOTFOUND;
    /* A WAL adds at most a page a frame: no number in it makes the file larger than that. */
    const int64_t n = (p->db.size + WEIR_PAGE_SIZE - 1) / WEIR_PAGE_SIZE +
                      (p->wal.handle ? p->wal.size / FRAME_SIZE : 0);
    if (n >= UINT32_MAX)
        return weir_fail(error, WEIR_ELIMIT, "%s is too large for a database", path);
    p->n = (uint32_t)n;
    p->frames = weir_alloc_zero((size_t)n + 1, sizeof *p->frames);
    if (!p->frames)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read %s", path);
    return p->wal.handle ? pages_overlay(p, error) : WEIR_OK;
}

weir_err weir_pages_open(const char *path, const char *wal, const char *vfs, weir_pages **ret,
                         weir_error *error)
{
    WEIR_CLEANUP(weir_pages_close) weir_pages *p = weir_alloc_zero(1, sizeof *p);
    if (!p)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read %s", path);
    weir_err err = pages_open(p, path, wal, vfs, error);
    if (err != WEIR_OK)
        return err;
    *ret = p;
    p = NULL;
    return WEIR_OK;
}

void weir_pages_close(weir_pages *pages)
{
    if (!pages)
        return;
    file_close(&pages->db);
    file_close(&pages->wal);
    weir_free(pages->frames);
    weir_free(pages->later);
    weir_free(pages);
}

uint32_t weir_pages_count(const weir_pages *pages)
{
    return pages->n;
}

uint32_t weir_pages_extra(const weir_pages *pages)
{
    return pages->state.committed - pages->state.readable;
}

uint32_t weir_pages_unreadable(const weir_pages *pages)
{
    return pages->unreadable;
}

bool weir_pages_read(weir_pages *pages, uint32_t number, bool later, uint8_t to[WEIR_PAGE_SIZE])
{
    weir_pages *p = pages;
    const bool has = number > 0 && number <= p->n;
    uint32_t frame = 0; /* from 1 */
    bool ok = false;
    if (number > p->n && number - p->n <= weir_pages_extra(p))
        frame = p->state.readable + (number - p->n);
    else if (has)
        frame = later && p->later && p->later[number] ? p->later[number] : p->frames[number];
    if (frame > 0)
        ok = file_read(&p->wal, to, WEIR_PAGE_SIZE,
                       WAL_HEADER + (int64_t)(frame - 1) * FRAME_SIZE + FRAME_HEADER);
    else if (has)
        ok = file_read(&p->db, to, WEIR_PAGE_SIZE, (int64_t)(number - 1) * WEIR_PAGE_SIZE);
    else
        memset(to, 0, WEIR_PAGE_SIZE);
    p->unreadable += !ok && (has || frame > 0);
    return ok;
}

/* Each page of the map has the kinds and parents of the pages behind it. One with an entry that
 * cannot be is not believed. */
static void map_load(weir_pages *p, uint32_t number)
{
    if (p->map_number == number)
        return;
    p->map_number = number;
    p->map_usable = weir_pages_read(p, number, false, p->map);
    for (uint32_t i = 0; i < POINTERS && p->map_usable; i++) {
        const uint8_t *entry = p->map + (size_t)i * POINTER_SIZE;
        weir_reader r = weir_reader_of(entry + 1, 4);
        const uint32_t parent = weir_read_u32(&r);
        const bool used = number + 1 + i <= p->n && number + 1 + i != LOCK_PAGE;
        p->map_usable = !used || (entry[0] <= POINTER_KIND_MAX && parent <= p->n);
    }
}

/* The page of the map that a page is in, or is. */
static uint32_t map_of(uint32_t number)
{
    const uint32_t map = (number - 2) / (POINTERS + 1) * (POINTERS + 1) + 2;
    return map + (map == LOCK_PAGE);
}

bool weir_pages_is_map(uint32_t number)
{
    return number >= 2 && map_of(number) == number;
}

bool weir_pages_is_free(weir_pages *pages, uint32_t number)
{
    if (number < 3 || number > pages->n || map_of(number) >= number)
        return false;
    const uint32_t map = map_of(number);
    map_load(pages, map);
    return pages->map_usable &&
           pages->map[(size_t)(number - map - 1) * POINTER_SIZE] == POINTER_FREE;
}
