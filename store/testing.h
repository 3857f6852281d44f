/* SPDX-License-Identifier: MIT */
/* For the store's tests: folders, catalogs, batches, and answers of SQL as text. */

#pragma once
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/alloc.h"
#include "store/history/maintain.h"
#include "store/store.h"

#define T0 1700000000000000 /* 2023-11-14T22:13:20Z, in microseconds */

/* A folder of its own. In memory where possible: a commit is an fsync, and nothing here depends on
 * how long it takes. */
static inline char *testing_dir(void)
{
    const char *base = getenv("TMPDIR");
    char path[256];
    if (!base)
        base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(path, sizeof path, "%s/weir-store-XXXXXX", base);
    assert_non_null(mkdtemp(path));
    char *copy = strdup(path);
    assert_non_null(copy);
    return copy;
}

static inline void testing_remove(char *dir)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        char path[600];
        (void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        (void)unlink(path);
    }
    (void)closedir(d);
    (void)rmdir(dir);
    free(dir);
}

static inline weir_store *testing_open(const char *dir)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_store *store = NULL;
    if (weir_store_open(&(weir_store_options){dir, NULL, {T0}}, &store, &error) != WEIR_OK)
        fail_msg("open: %s", error.text);
    return store;
}

/* n_devices devices "dN" with n_points uint16 points "pN" each, at addresses 0, 1, ... */
static inline weir_catalog *testing_catalog(uint32_t n_devices, uint32_t n_points)
{
    static const weir_label labels[] = {{"building", "A"}, {"floor", "\"2\""}};
    weir_arena *arena = weir_arena_new();
    assert_non_null(arena);
    weir_catalog *c = weir_arena_alloc(arena, 1, sizeof *c);
    weir_connection *connection = weir_arena_alloc(arena, 1, sizeof *connection);
    weir_device *devices = weir_arena_alloc(arena, n_devices, sizeof *devices);
    weir_point *points = weir_arena_alloc(arena, n_points, sizeof *points);
    uint32_t *point_tag = weir_arena_alloc(arena, n_points, sizeof *point_tag);
    weir_tag *tags = weir_arena_alloc(arena, (size_t)n_devices * n_points, sizeof *tags);
    assert_true(c && connection && devices && points && point_tag && tags);
    *connection = (weir_connection){.name = "boiler-room", .enabled = true};
    for (uint32_t i = 0; i < n_points; i++) {
        points[i] = (weir_point){.name = weir_arena_format(arena, "p%u", i),
                                 .unit = "kW",
                                 .description = "",
                                 .table = WEIR_REGISTER_HOLDING,
                                 .address = (uint16_t)i,
                                 .type = WEIR_TYPE_UINT16,
                                 .bit = -1,
                                 .count = 1,
                                 .scale = 1};
        point_tag[i] = i;
    }
    for (uint32_t i = 0; i < n_devices; i++) {
        devices[i] = (weir_device){.name = weir_arena_format(arena, "d%u", i),
                                   .unit_id = (uint8_t)(i + 1),
                                   .enabled = true,
                                   .n_labels = 2,
                                   .labels = labels,
                                   .n_points = n_points,
                                   .points = points,
                                   .point_tag = point_tag,
                                   .n_tags = n_points,
                                   .first_tag = i * n_points};
        for (uint32_t j = 0; j < n_points; j++)
            tags[i * n_points + j] = (weir_tag){.device = i, .point = j};
    }
    *c = (weir_catalog){.arena = arena,
                        .revision = 1,
                        .n_connections = 1,
                        .connections = connection,
                        .n_devices = n_devices,
                        .devices = devices,
                        .n_tags = (size_t)n_devices * n_points,
                        .tags = tags};
    return c;
}

static inline void testing_register(weir_store *store, weir_catalog *catalog)
{
    weir_error error = WEIR_ERROR_INIT;
    if (weir_store_register(store, catalog, (weir_wall){T0}, &error) != WEIR_OK)
        fail_msg("register: %s", error.text);
}

/* One sample of one tag, received 1.5 ms after its slot. */
static inline void testing_append(weir_store *store, weir_tag_uid tag, int64_t ts, uint32_t epoch,
                                  weir_value value)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_sample sample = {tag, 0, {ts}, value};
    weir_batch batch = {.catalog_revision = 1,
                        .epoch = epoch,
                        .plans = WEIR_PLAN_DEFAULT,
                        .due = {ts},
                        .sent = {ts + 500},
                        .received = {ts + 1500},
                        .n_samples = 1,
                        .samples = &sample};
    if (weir_store_append(store, &batch, &error) != WEIR_OK)
        fail_msg("append: %s", error.text);
}

static inline void testing_commit(weir_store *store)
{
    weir_error error = WEIR_ERROR_INIT;
    if (weir_store_commit(store, (weir_wall){T0}, &error) != WEIR_OK)
        fail_msg("commit: %s", error.text);
}

/* Does all of the store's own work that there is. */
static inline void testing_maintain(weir_store *store, int64_t now)
{
    weir_error error = WEIR_ERROR_INIT;
    bool more = true;
    for (int i = 0; more; i++) {
        if (weir_store_maintain(store, (weir_wall){now}, &more, &error) != WEIR_OK)
            fail_msg("maintain: %s", error.text);
        assert_true(i < 100000);
    }
}

/* All rows as text: columns by |, rows by newline, null as "NULL", blobs in hex. Valid until the
 * next call. */
static inline const char *testing_sql(sqlite3 *db, const char *sql)
{
    static char answer[1 << 20];
    size_t n = 0;
    sqlite3_stmt *stmt = NULL;
    answer[0] = '\0';
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const char *text = (const char *)sqlite3_column_text(stmt, i);
            n += (size_t)snprintf(answer + n, sizeof answer - n, "%s%s",
                                  i > 0   ? "|"
                                  : n > 0 ? "\n"
                                          : "",
                                  text ? text : "NULL");
            assert_true(n < sizeof answer);
        }
    }
    if (rc != SQLITE_DONE)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    (void)sqlite3_finalize(stmt);
    return answer;
}

/* As testing_sql, on data.db itself, while no store of this process has it open. */
static inline const char *testing_file_sql(const char *dir, const char *sql)
{
    char path[600];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/data.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    const char *answer = testing_sql(db, sql);
    (void)sqlite3_close(db);
    return answer;
}
