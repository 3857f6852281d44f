/* SPDX-License-Identifier: MIT */
/* Any bytes as changes to the tables of a small store, which is then read in every way there is. */

/*
 * The store is made once, by the program's own writing half: commits that are fresh, in the log and
 * in parts of two epochs, some late. Each input works on a copy of it in memory. Tables are without
 * NOT NULL, as a hostile file's may be, and blobs that were changed have right checksums, so that
 * what is in them is believed.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc.h"
#include "blocks/block.h"
#include "blocks/segment.h"
#include "store/history/maintain.h"
#include "store/query/query.h"
#include "store/repair/verify_priv.h"
#include "store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    CHANGES_MAX = 24,
    ROWS_MAX = 20000,             /* of an answer */
    STEPS_MAX = 50 * 1000 * 1000, /* of SQLite's machine: no answer takes so many */
    SAMPLES = 620,
};

#define T0   1700000000000000
#define STEP 850000000LL /* so that a segment of eight days has slices of one */

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* --- the store ---------------------------------------------------------------------------- */

static unsigned char *image;
static sqlite3_int64 image_size;

/* A counter, a float, a text and one that is never read. */
static void catalog_register(weir_store *store)
{
    weir_point points[] = {
        {.name = "n", .unit = "", .description = "", .type = WEIR_TYPE_UINT16, .scale = 1},
        {.name = "f", .unit = "", .description = "", .type = WEIR_TYPE_FLOAT32, .scale = 1},
        {.name = "s", .unit = "", .description = "", .type = WEIR_TYPE_STRING, .scale = 1},
        {.name = "x", .unit = "", .description = "", .type = WEIR_TYPE_UINT16, .scale = 1}};
    uint32_t point_tag[] = {0, 1, 2, 3};
    weir_tag tags[4] = {{.point = 0}, {.point = 1}, {.point = 2}, {.point = 3}};
    weir_connection connection = {.name = "c", .enabled = true};
    points[0].counter = true;
    for (size_t i = 0; i < 4; i++) {
        points[i].bit = -1;
        points[i].count = 1;
    }
    weir_device device = {.name = "d",
                          .unit_id = 1,
                          .enabled = true,
                          .n_points = 4,
                          .points = points,
                          .point_tag = point_tag,
                          .n_tags = 4};
    weir_catalog catalog = {.revision = 1,
                            .n_connections = 1,
                            .connections = &connection,
                            .n_devices = 1,
                            .devices = &device,
                            .n_tags = 4,
                            .tags = tags};
    must(weir_store_register(store, &catalog, (weir_wall){T0}, NULL) == WEIR_OK);
}

static void samples_append(weir_store *store, int64_t ts, uint32_t epoch, uint32_t i)
{
    const weir_sample samples[] = {
        {1, 0, {ts}, weir_value_u64((i * 700) % 60000)},
        {2, 0, {ts}, weir_value_f32((float)(i % 13) / 8)},
        {3, i % 5 ? 0 : weir_bad(WEIR_CAUSE_TIMEOUT, 0), {ts}, weir_value_string("text", i % 5)}};
    const weir_batch batch = {.catalog_revision = 1,
                              .epoch = epoch,
                              .plans = WEIR_PLAN_DEFAULT,
                              .due = {ts},
                              .received = {ts + 1500},
                              .n_samples = i % 10 == 0  ? 3
                                           : i % 3 == 0 ? 2
                                                        : 1,
                              .samples = samples};
    must(weir_store_append(store, &batch, NULL) == WEIR_OK);
}

static void store_fill(weir_store *store)
{
    const weir_event event = {{T0}, WEIR_EVENT_STORE, "", "something"};
    for (uint32_t i = 0; i < SAMPLES; i++) {
        const uint32_t epoch = i > SAMPLES * 3 / 4;
        const int64_t late = i % 100 == 0 ? 3 * STEP : 0;
        bool more = i % 15 == 0;
        samples_append(store, T0 + i * STEP - late - epoch * WEIR_HOUR, epoch, i);
        if (i % 200 == 0)
            must(weir_store_event(store, &event, NULL) == WEIR_OK);
        if (more || i > SAMPLES - 5)
            must(weir_store_commit(store, (weir_wall){T0}, NULL) == WEIR_OK);
        while (more)
            must(weir_store_maintain(store, (weir_wall){T0 + i * STEP}, &more, NULL) == WEIR_OK);
    }
}

static const char extra_sql[] =
    "PRAGMA journal_mode=DELETE;"
    "INSERT INTO gap VALUES(1,1700000000000000,'mqtt',1,1700000000000000,1700000100000000,7,'x'),"
    "(2,1700000000000000,'mqtt',NULL,1700000000000000,1700000100000000,7,'x');"
    "INSERT INTO replacement VALUES(1,1700010000000000,50000,10);"
    "INSERT OR REPLACE INTO epoch VALUES(0,5000000,1700000000000000);"
    "INSERT INTO quarantine SELECT 1,min_ts,'log',first_seq,count,'x',head,NULL,body FROM log;"
    "UPDATE tag SET purged_seq=200 WHERE uid=2;"
    "PRAGMA writable_schema=1; UPDATE sqlite_schema SET sql=replace(sql,' NOT NULL','');"
    "PRAGMA writable_schema=0; VACUUM";

static void image_make(void)
{
    char dir[] = "/dev/shm/weir-fuzz-XXXXXX", path[64];
    weir_store *store = NULL;
    sqlite3 *db = NULL;
    must(mkdtemp(dir) != NULL);
    must(weir_store_open(&(weir_store_options){dir, NULL, {T0}}, &store, NULL) == WEIR_OK);
    catalog_register(store);
    store_fill(store);
    weir_store_close(store);
    (void)snprintf(path, sizeof path, "%s/data.db", dir);
    must(sqlite3_open(path, &db) == SQLITE_OK);
    must(sqlite3_exec(db, extra_sql, NULL, NULL, NULL) == SQLITE_OK);
    image = sqlite3_serialize(db, "main", &image_size, 0);
    must(image != NULL);
    (void)sqlite3_close(db);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/weir.lock", dir);
    (void)unlink(path);
    (void)rmdir(dir);
}

/* --- changes ------------------------------------------------------------------------------ */

/* Tables, and the columns of each. */
static const struct {
    const char *name;
    uint8_t n;
    const char *columns[13];
} tables[] = {
    {"meta", 2, {"key", "value"}},
    {"fresh",
     12,
     {"slot", "first_seq", "count", "min_ts", "max_ts", "newest_ts", "trusted_ts", "epoch",
      "epoch_ts", "state", "head", "body"}},
    {"log",
     12,
     {"first_seq", "count", "min_ts", "max_ts", "newest_ts", "trusted_ts", "epoch", "epoch_ts",
      "late", "head", "body", "last_seq"}},
    {"part",
     11,
     {"id", "tier", "epoch", "state", "min_ts", "max_ts", "first_seq", "last_seq", "segments",
      "samples", "bytes"}},
    {"segment", 4, {"key", "head", "marks", "body"}},
    {"snapshot", 5, {"id", "seq", "first_seq", "head", "body"}},
    {"gap", 8, {"id", "ts", "sink", "uid", "from_ts", "to_ts", "count", "cause"}},
    {"epoch", 3, {"epoch", "offset", "ts"}},
    {"replacement", 4, {"uid", "ts", "final", "first"}},
    {"tag", 4, {"uid", "name", "active", "purged_seq"}},
    {"tag_version",
     12,
     {"uid", "seq", "name", "device", "unit", "type", "scale", "offset", "description", "labels",
      "address", "counter"}},
    {"tag_key", 4, {"device", "point", "element", "uid"}},
    {"event", 5, {"seq", "ts", "kind", "subject", "text"}},
    {"quarantine", 9, {"id", "ts", "origin", "key", "count", "error", "head", "marks", "body"}},
};

enum { N_TABLES = sizeof tables / sizeof *tables };

static void value_bind(sqlite3_stmt *stmt, int at, weir_reader *r)
{
    static const int64_t edges[] = {0,
                                    1,
                                    2,
                                    -1,
                                    INT64_MIN,
                                    INT64_MAX,
                                    INT32_MAX,
                                    1 << 23,
                                    UINT32_MAX,
                                    INT64_MIN + 1,
                                    INT64_MAX - 1,
                                    T0,
                                    1ll << 62};
    bool text;
    size_t n;
    switch (weir_read_u8(r) % 8) {
    case 0:
        (void)sqlite3_bind_null(stmt, at);
        break;
    case 1:
        (void)sqlite3_bind_int64(stmt, at, edges[weir_read_u8(r) % (sizeof edges / sizeof *edges)]);
        break;
    case 2:
        (void)sqlite3_bind_int64(stmt, at, (int64_t)weir_read_u64(r));
        break;
    case 3:
        (void)sqlite3_bind_double(stmt, at, (double)(int64_t)weir_read_u64(r) * 1e-3);
        break;
    case 4:
        (void)sqlite3_bind_int64(stmt, at, (int64_t)T0 + (int32_t)weir_read_u32(r) * 100000ll);
        break;
    case 5:
        (void)sqlite3_bind_int64(stmt, at, weir_read_u16(r));
        break;
    default:
        text = weir_read_u8(r) % 2;
        n = weir_read_u8(r);
        n %= weir_reader_left(r) + 1;
        if (!text)
            (void)sqlite3_bind_blob(stmt, at, r->at, (int)n, SQLITE_TRANSIENT);
        else
            (void)sqlite3_bind_text(stmt, at, (const char *)r->at, (int)n, SQLITE_TRANSIENT);
        (void)weir_read_bytes(r, n);
        break;
    }
}

/* Gives one cell another value: in its row, or in a copy of it. Names are never from the input. */
static void cell_change(sqlite3 *db, size_t table, weir_reader *r)
{
    char sql[700], list[300] = "";
    sqlite3_stmt *stmt = NULL;
    const size_t column = weir_read_u8(r) % tables[table].n;
    const unsigned row = weir_read_u8(r);
    for (size_t i = 0; i < tables[table].n; i++) {
        size_t length = strlen(list);
        (void)snprintf(list + length, sizeof list - length, "%s%s", i ? "," : "",
                       i == column ? "?1" : tables[table].columns[i]);
    }
    (void)snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO %s SELECT %s FROM %s LIMIT 1 OFFSET %u",
                   tables[table].name, list, tables[table].name, row);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK) {
        value_bind(stmt, 1, r);
        (void)sqlite3_step(stmt);
    }
    (void)sqlite3_finalize(stmt);
}

static void row_delete(sqlite3 *db, size_t table, unsigned row)
{
    char sql[200];
    const char *key = tables[table].columns[0];
    (void)snprintf(sql, sizeof sql, "DELETE FROM %s WHERE %s=(SELECT %s FROM %s LIMIT 1 OFFSET %u)",
                   tables[table].name, key, key, tables[table].name, row);
    (void)sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* A copy with some bytes changed. */
static uint8_t *bytes_change(const void *from, size_t n, unsigned changes, weir_reader *r)
{
    uint8_t *copy = malloc(n + 1);
    must(copy != NULL);
    if (n > 0)
        memcpy(copy, from, n);
    for (; n > 0 && changes > 0; changes--) {
        const size_t at = weir_read_u16(r) % n;
        copy[at] = weir_read_u8(r);
    }
    return copy;
}

static void crc_write(uint8_t *at, uint32_t crc)
{
    weir_writer w = weir_writer_of(at, 4);
    weir_write_u32(&w, crc);
}

/* Where the four bytes of a checksum are. */
static uint8_t *crc_find(uint8_t *head, size_t n, uint32_t crc)
{
    uint8_t bytes[4];
    crc_write(bytes, crc);
    for (size_t i = 0; i + 4 <= n; i++)
        if (memcmp(head + i, bytes, 4) == 0)
            return head + i;
    return NULL;
}

/* Changes head and blobs of one row, then makes the checksums right. */
static void blobs_change(sqlite3 *db, size_t table, weir_reader *r)
{
    static const uint8_t with_blobs[] = {1, 2, 4, 4, 4, 5};
    char sql[300];
    sqlite3_stmt *read = NULL, *write = NULL;
    table = with_blobs[table % sizeof with_blobs];
    const bool marks = table == 4;
    (void)snprintf(sql, sizeof sql, "SELECT %s, head, %s, body FROM %s LIMIT 1 OFFSET %u",
                   tables[table].columns[0], marks ? "marks" : "NULL", tables[table].name,
                   weir_read_u8(r));
    must(sqlite3_prepare_v2(db, sql, -1, &read, NULL) == SQLITE_OK);
    (void)snprintf(sql, sizeof sql, "UPDATE %s SET head=?2, body=?4%s WHERE %s=?1",
                   tables[table].name, marks ? ", marks=?3" : "", tables[table].columns[0]);
    must(sqlite3_prepare_v2(db, sql, -1, &write, NULL) == SQLITE_OK);
    if (sqlite3_step(read) == SQLITE_ROW && sqlite3_column_bytes(read, 1) > 8) {
        const unsigned how = weir_read_u8(r);
        uint8_t *copies[3];
        size_t n[3];
        for (int i = 0; i < 3; i++) {
            n[i] = (size_t)sqlite3_column_bytes(read, i + 1);
            copies[i] = bytes_change(sqlite3_column_blob(read, i + 1), n[i], how >> (2 * i) & 3, r);
        }
        const uint8_t *head = sqlite3_column_blob(read, 1);
        uint8_t *own = malloc(n[0]);
        must(own != NULL);
        memcpy(own, head, n[0]);
        for (int i = 1; i < 3; i++) {
            weir_block_head block;
            size_t stored = n[i];
            if (!marks && weir_block_head_parse(own, n[0], &block, NULL) == WEIR_OK)
                stored = block.body_size < stored ? block.body_size : stored;
            const uint32_t was = weir_crc32c(0, sqlite3_column_blob(read, i + 1), stored);
            const uint8_t *at = crc_find(own, n[0], was);
            if (at && n[i] > 0)
                crc_write(copies[0] + (at - own), weir_crc32c(0, copies[i], stored));
        }
        crc_write(copies[0] + n[0] - 4, weir_crc32c(0, copies[0], n[0] - 4));
        (void)sqlite3_bind_value(write, 1, sqlite3_column_value(read, 0));
        for (int i = 0; i < 3; i++)
            (void)sqlite3_bind_blob(write, i + 2, copies[i], (int)n[i], SQLITE_STATIC);
        (void)sqlite3_reset(read);
        (void)sqlite3_step(write);
        free(own);
        for (int i = 0; i < 3; i++)
            free(copies[i]);
        (void)sqlite3_finalize(write);
        write = NULL;
    }
    (void)sqlite3_finalize(read);
    (void)sqlite3_finalize(write);
}

static void store_change(sqlite3 *db, weir_reader *r)
{
    for (int i = 0; i < CHANGES_MAX && weir_reader_left(r) > 2; i++) {
        const unsigned what = weir_read_u8(r) % 16;
        const size_t table = weir_read_u8(r) % N_TABLES;
        if (what == 15)
            row_delete(db, table, weir_read_u8(r));
        else if (what >= 8)
            blobs_change(db, table, r);
        else
            cell_change(db, table, r);
    }
}

/* --- reading ------------------------------------------------------------------------------ */

/* The first column must not fall (+), not rise (-), or may do as it likes. */
static const char *const queries[] = {
    " SELECT count(*) FROM samples",
    "+SELECT ts, value, read_ts, seq, plan, plans, bits FROM samples WHERE tag='d/n' ORDER BY ts",
    "-SELECT ts, value, read_ts FROM samples WHERE tag='d/n' ORDER BY ts DESC",
    "-SELECT ts, tag, value FROM samples ORDER BY ts DESC LIMIT 300",
    "+SELECT ts, tag, value, cause FROM samples ORDER BY ts LIMIT 300",
    " SELECT * FROM samples WHERE tag GLOB 'd/[sf]' AND time>='2023-11-15' AND seq>20",
    " SELECT count(*), max(ts) FROM samples WHERE seq BETWEEN 300 AND 500",
    "-SELECT ts FROM samples WHERE tag='d/f' AND ts<1700500000000000 ORDER BY ts DESC LIMIT 50",
    " SELECT *, kind, bits, epoch, seq, plan FROM current",
    " SELECT * FROM current WHERE tag IN ('d/n', 'd/x') AND ts>5",
    "+SELECT * FROM history('d/n', 1700000000000000, '2023-11-18', 100)",
    "+SELECT * FROM history('d/f', -9000000000000000000, 9000000000000000000, 3)",
    " SELECT * FROM history WHERE from_ts=1700000000000000 AND to_ts=1700100000000000 AND n=7",
    "+SELECT * FROM buckets('d/n', '1h')",
    "+SELECT * FROM buckets('d/f', '1h', 'Europe/Berlin') WHERE ts>=1700000000000001",
    "+SELECT * FROM buckets('d/s', '1d', 'America/New_York')",
    "+SELECT * FROM buckets('d/n', '1mo')",
    " SELECT t.tag, b.* FROM tags t, buckets(t.tag, '1d') b",
    " SELECT * FROM gaps",
    " SELECT * FROM events ORDER BY ts",
    " SELECT * FROM tags",
    " SELECT count(*) FROM samples s JOIN tags t USING(tag) WHERE t.id<3",
};

static int progress_over(void *data)
{
    (void)data;
    abort(); /* an answer that does not end */
}

static void query_run(sqlite3 *db, const char *query)
{
    sqlite3_stmt *stmt = NULL;
    int64_t last = query[0] == '-' ? INT64_MAX : INT64_MIN;
    if (sqlite3_prepare_v2(db, query + 1, -1, &stmt, NULL) == SQLITE_OK) {
        for (int n = 0; n < ROWS_MAX && sqlite3_step(stmt) == SQLITE_ROW; n++) {
            const int64_t first = sqlite3_column_int64(stmt, 0);
            must(query[0] == ' ' || (query[0] == '-' ? first <= last : first >= last));
            last = first;
            for (int i = 0; i < sqlite3_column_count(stmt); i++)
                (void)sqlite3_column_text(stmt, i);
        }
    }
    (void)sqlite3_finalize(stmt);
}

static void store_verify(sqlite3 *db)
{
    struct verification v = {.db = db};
    weir_error error = WEIR_ERROR_INIT;
    if (weir_verify_all(&v, &error) == WEIR_OK)
        must(v.counts.rows + v.counts.segments + v.counts.findings > 0);
    weir_verify_end(&v);
}

/* The first byte says what is asked, the rest what is changed before. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sqlite3 *db = NULL;
    weir_reader r = weir_reader_of(data, size);
    const unsigned what = weir_read_u8(&r);
    if (!image)
        image_make();
    unsigned char *copy = sqlite3_malloc64((sqlite3_uint64)image_size);
    must(copy && sqlite3_open(":memory:", &db) == SQLITE_OK);
    memcpy(copy, image, (size_t)image_size);
    must(sqlite3_deserialize(db, "main", copy, image_size, image_size,
                             SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) ==
         SQLITE_OK);
    (void)sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    store_change(db, &r);
    (void)sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_progress_handler(db, STEPS_MAX, progress_over, NULL);
    if (weir_query_attach(db, NULL) == WEIR_OK)
        for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
            if (what == 255 || i % 4 == what % 4)
                query_run(db, queries[i]);
    if (what & 4)
        store_verify(db);
    must(sqlite3_close(db) == SQLITE_OK);
    return 0;
}
