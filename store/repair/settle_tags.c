/* SPDX-License-Identifier: MIT */
/* The end of a salvage: every tag in use has a row and a name, if need be from beside the file. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/number.h"
#include "base/text.h"
#include "blocks/block.h"
#include "blocks/segment.h"
#include "store/file/database.h"
#include "store/file/identity.h"
#include "store/file/names.h"
#include "store/repair/salvage_priv.h"

/* The last uid of the ranges in a head. */
static int64_t head_uid_highest(const weir_block_head *head)
{
    weir_reader r = weir_reader_of(head->ranges, head->ranges_length);
    uint64_t uid = 0;
    for (uint32_t i = 0; i < head->n_ranges; i++) {
        uid += weir_read_varint(&r);
        uid += weir_read_varint(&r);
    }
    return r.failed || uid >= UINT32_MAX ? 0 : (int64_t)uid;
}

/* The highest uid in use: of tags, segments, and the heads of blocks. */
static weir_err uid_highest(weir_salvage *s, int64_t *ret, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err = weir_db_int(
        s->db,
        "SELECT max(u) FROM (SELECT max(uid) AS u FROM tag UNION ALL SELECT max(uid) FROM"
        " tag_version UNION ALL SELECT max(key>>8&0x7fffffff) FROM segment)",
        0, ret, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(s->db, "SELECT head FROM log", &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        weir_block_head head;
        if (weir_block_head_parse(sqlite3_column_blob(rows, 0),
                                  (size_t)sqlite3_column_bytes(rows, 0), &head, NULL) == WEIR_OK)
            *ret = head_uid_highest(&head) > *ret ? head_uid_highest(&head) : *ret;
    }
    return err;
}

/* A uid is never given to another tag: each up to the highest in use has a row, and a name. */
weir_err weir_salvage_settle_tags(weir_salvage *s, weir_error *error)
{
    char sql[900];
    int64_t highest;
    weir_err err = uid_highest(s, &highest, error);
    if (err != WEIR_OK)
        return err;
    (void)snprintf(
        sql, sizeof sql,
        "INSERT OR IGNORE INTO tag(uid,name,active) SELECT uid, name, 0 FROM tag_version v"
        " WHERE seq=(SELECT max(seq) FROM tag_version w WHERE w.uid=v.uid);"
        "WITH RECURSIVE u(uid) AS (SELECT 1 UNION ALL SELECT uid+1 FROM u WHERE uid<%" PRId64 ")"
        " INSERT OR IGNORE INTO tag(uid,name,active) SELECT uid, 'salvaged/'||uid, 0 FROM u"
        " WHERE uid<=%" PRId64 " AND uid NOT IN (SELECT uid FROM tag);",
        highest, highest);
    err = weir_db_exec(s->db, sql, error);
    return err == WEIR_OK ? weir_names_complete(s->db, error) : err;
}

static weir_err name_help(sqlite3_stmt *put, const char *line, weir_error *error)
{
    char text[1024]; /* names are shorter */
    const size_t n = strcspn(line, "\n");
    const size_t digits = strspn(line, "0123456789");
    int64_t uid;
    if (digits == 0 || digits > 10 || line[digits] != ' ' || n <= digits + 1 || n >= sizeof text)
        return WEIR_OK;
    memcpy(text, line, n);
    text[n] = text[digits] = '\0';
    if (!weir_parse_i64(text, &uid) || uid <= 0 || uid >= UINT32_MAX ||
        !weir_utf8_valid(text + digits + 1, n - digits - 1))
        return WEIR_OK;
    (void)sqlite3_bind_int64(put, 1, uid);
    (void)sqlite3_bind_text(put, 2, text + digits + 1, -1, SQLITE_TRANSIENT);
    return weir_db_run(put, error);
}

weir_err weir_salvage_help(weir_salvage *salvage, const char *uuid, const char *tags,
                           bool *ret_same, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *put = NULL;
    char sql[200];
    int64_t same;
    *ret_same = false;
    if (strlen(uuid) != WEIR_UUID_SIZE - 1 || strspn(uuid, "0123456789abcdef-") != strlen(uuid))
        return WEIR_OK;
    (void)snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO meta VALUES('uuid','%s');", uuid);
    weir_err err = weir_db_exec(salvage->db, sql, error);
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM meta WHERE key='uuid' AND value='%s'",
                   uuid);
    if (err == WEIR_OK)
        err = weir_db_int(salvage->db, sql, 0, &same, error);
    if (err == WEIR_OK && same)
        err = weir_db_prepare(
            salvage->db, "INSERT OR IGNORE INTO tag(uid,name,active) VALUES(?,?,0)", &put, error);
    *ret_same = err == WEIR_OK && same;
    while (err == WEIR_OK && same && *tags) {
        err = name_help(put, tags, error);
        tags += strcspn(tags, "\n");
        tags += *tags == '\n';
    }
    return err;
}
