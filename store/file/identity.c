/* SPDX-License-Identifier: MIT */
/* Which store this is, which running copy of it, and whether it was copied behind our back. */

/*
 * Sinks and pulling historians remember (uuid, seq). Two stores that grow under one uuid give the
 * same number to different samples: what the one sent is never asked of the other. So a restore
 * asks which of the two it shall be, and here is written what the answer was.
 *
 * Who copies a data directory with other tools asks nobody. The store therefore remembers where it
 * ran. Containers, a replaced board and a larger disk change that as well: it is a warning with
 * two ways out, never a refusal.
 */

#include "store/file/identity.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/number.h"
#include "base/text.h"
#include "store/file/database.h"

void weir_uuid_make(char ret[WEIR_UUID_SIZE])
{
    uint8_t b[16];
    sqlite3_randomness(sizeof b, b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    (void)snprintf(ret, WEIR_UUID_SIZE,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                   b[14], b[15]);
}

bool weir_identity_name_valid(const char *name)
{
    const size_t n = strlen(name);
    if (n == 0 || n >= WEIR_IDENTITY_NAME_SIZE || !weir_utf8_valid(name, n))
        return false;
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    return true;
}

/* --- the place ---------------------------------------------------------------------------- */

/* "" when the file cannot be read or is too short to tell two machines apart. */
static void fact_of_file(const char *path, char ret[9])
{
    enum { SERIAL_MIN = 6 };
    char text[128];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        (void)close(fd);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\0' || text[n - 1] == ' '))
        n--;
    if (n >= SERIAL_MIN)
        (void)snprintf(ret, 9, "%08x", weir_crc32c(0, text, (size_t)n));
}

weir_host weir_host_read(const char *data_dir)
{
    weir_host host = {0};
    struct stat st;
    char *path = realpath(data_dir, NULL);
    fact_of_file("/etc/machine-id", host.machine);
    /* A cloned card has the machine-id of the first; a small computer's board has its own. */
    fact_of_file("/proc/device-tree/serial-number", host.board);
    if (!*host.board)
        fact_of_file("/sys/class/dmi/id/product_uuid", host.board); /* root only */
    if (stat(data_dir, &st) == 0)
        host.inode = (uint64_t)st.st_ino;
    if (path)
        (void)snprintf(host.path, sizeof host.path, "%s", path);
    free(path);
    return host;
}

static bool facts_differ(const char *a, const char *b)
{
    return *a && *b && strcmp(a, b) != 0;
}

bool weir_host_is_other(const weir_host *before, const weir_host *now)
{
    const bool other_folder = before->inode && now->inode && before->inode != now->inode;
    if (facts_differ(before->board, now->board))
        return true;
    /* A container made anew is another machine with the same folder. */
    if (facts_differ(before->machine, now->machine))
        return other_folder;
    /* On one machine: renamed keeps the inode, moved to a larger disk keeps the path. */
    return other_folder && facts_differ(before->path, now->path);
}

/* --- meta --------------------------------------------------------------------------------- */

static weir_err meta_put(sqlite3 *db, const char *key, const char *value, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    weir_err err = weir_db_prepare(db, "INSERT OR REPLACE INTO meta VALUES(?,?)", &stmt, error);
    if (err)
        return err;
    (void)sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(stmt, 2, value, -1, SQLITE_STATIC);
    return weir_db_run(stmt, error);
}

/* "" when there is no such key. A longer value is cut. */
static weir_err meta_get(sqlite3 *db, const char *key, char *ret, size_t size, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row = false;
    weir_err err = weir_db_prepare(db, "SELECT value FROM meta WHERE key=?", &stmt, error);
    if (err)
        return err;
    (void)sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    err = weir_db_step(stmt, &row, error);
    if (err)
        return err;
    const char *text = row ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    (void)snprintf(ret, size, "%s", text ? text : "");
    return WEIR_OK;
}

static weir_err host_get(sqlite3 *db, weir_host *ret, weir_error *error)
{
    char inode[24];
    *ret = (weir_host){0};
    weir_err err = meta_get(db, "host_machine", ret->machine, sizeof ret->machine, error);
    if (!err)
        err = meta_get(db, "host_board", ret->board, sizeof ret->board, error);
    if (!err)
        err = meta_get(db, "host_inode", inode, sizeof inode, error);
    if (!err)
        err = meta_get(db, "host_path", ret->path, sizeof ret->path, error);
    if (!err && !weir_parse_u64(inode, &ret->inode))
        ret->inode = 0;
    return err;
}

/* What is not known now stays as it was. */
static weir_err host_put(sqlite3 *db, const weir_host *before, const weir_host *now,
                         weir_error *error)
{
    char inode[24];
    (void)snprintf(inode, sizeof inode, "%llu", (unsigned long long)now->inode);
    const struct {
        const char *key, *value;
        bool is_new;
    } facts[] = {
        {"host_machine", now->machine, *now->machine && strcmp(now->machine, before->machine)},
        {"host_board", now->board, *now->board && strcmp(now->board, before->board)},
        {"host_inode", inode, now->inode && now->inode != before->inode},
        {"host_path", now->path, *now->path && strcmp(now->path, before->path)},
    };
    weir_err err = WEIR_OK;
    for (size_t i = 0; !err && i < sizeof facts / sizeof *facts; i++)
        if (facts[i].is_new)
            err = meta_put(db, facts[i].key, facts[i].value, error);
    return err;
}

/* --- the identity ------------------------------------------------------------------------- */

weir_err weir_identity_create(sqlite3 *db, weir_error *error)
{
    char uuid[WEIR_UUID_SIZE], instance[WEIR_UUID_SIZE];
    weir_uuid_make(uuid);
    weir_uuid_make(instance);
    weir_err err = meta_put(db, "uuid", uuid, error);
    return err ? err : meta_put(db, "instance", instance, error);
}

weir_err weir_identity_read(sqlite3 *db, weir_identity *ret, weir_error *error)
{
    weir_identity id = {0};
    weir_err err = meta_get(db, "uuid", id.uuid, sizeof id.uuid, error);
    if (!err)
        err = meta_get(db, "instance", id.instance, sizeof id.instance, error);
    if (!err)
        err = meta_get(db, "name", id.name, sizeof id.name, error);
    if (err)
        return err;
    if (strlen(id.uuid) != sizeof id.uuid - 1)
        return weir_fail(error, WEIR_EDAMAGED, "the store has no uuid: restore it from a backup");
    *ret = id;
    return WEIR_OK;
}

static void identity_note_copied(weir_identity *id, const weir_host *before, const char *data_dir)
{
    id->copied = true;
    (void)snprintf(id->notice, sizeof id->notice,
                   "this store ran elsewhere before (%.60s): is it a copy? Two of one identity "
                   "lose or repeat data in sinks. Stop weir, then `weir restore --takeover "
                   "--data-dir %.60s` if it goes on here and nowhere else, or `weir restore --as "
                   "NAME --data-dir %.60s` if it is a copy",
                   *before->path ? before->path : "another machine", data_dir, data_dir);
}

/* Compares the places, and writes what has to be known at the next start. */
static weir_err identity_settle(sqlite3 *db, const weir_host *host, const char *data_dir,
                                weir_identity *id, weir_error *error)
{
    weir_host before = {0};
    weir_err err = WEIR_OK;
    if (!*id->instance) {
        weir_uuid_make(id->instance);
        err = meta_put(db, "instance", id->instance, error);
    }
    if (!err)
        err = host_get(db, &before, error);
    if (err || !host)
        return err;
    if (weir_host_is_other(&before, host)) {
        identity_note_copied(id, &before, data_dir);
        return WEIR_OK; /* not written: it is said at every start until somebody decides */
    }
    if (!*before.path) /* the first start after a restore */
        err = meta_get(db, "restored_from", id->notice, sizeof id->notice, error);
    return err ? err : host_put(db, &before, host, error);
}

weir_err weir_identity_open(sqlite3 *db, const weir_host *host, const char *data_dir,
                            weir_identity *ret, weir_error *error)
{
    weir_identity id;
    weir_err err = weir_identity_read(db, &id, error);
    if (!err)
        err = weir_db_exec(db, "BEGIN", error);
    if (err)
        return err;
    err = identity_settle(db, host, data_dir, &id, error);
    if (!err)
        err = weir_db_exec(db, "COMMIT", error);
    if (err)
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    else
        *ret = id;
    return err;
}

weir_err weir_identity_last_seq(sqlite3 *db, uint64_t *ret, weir_error *error)
{
    int64_t has_fresh, last;
    /* Version 1 of the schema had one table of rows. */
    weir_err err = weir_db_int(db, "SELECT count(*) FROM sqlite_schema WHERE name='fresh'", 0,
                               &has_fresh, error);
    if (!err)
        err = weir_db_int(
            db,
            has_fresh ? "SELECT max(coalesce((SELECT max(first_seq+count-1) FROM fresh),0),"
                        " coalesce((SELECT max(coalesce(last_seq,first_seq+count-1)) FROM log),0),"
                        " coalesce((SELECT max(last_seq) FROM part),0),"
                        " coalesce((SELECT max(seq) FROM event),0))"
                      : "SELECT max(coalesce((SELECT max(first_seq+count-1) FROM log),0),"
                        " coalesce((SELECT max(seq) FROM event),0))",
            0, &last, error);
    if (!err)
        *ret = (uint64_t)last;
    return err;
}

/* --- declaring a copy --------------------------------------------------------------------- */

/* What sinks were told, and have set aside, is the original's business. Version 2 has no such
 * tables. */
static weir_err sinks_drop(sqlite3 *db, weir_error *error)
{
    int64_t tables;
    weir_err err = weir_db_int(db, "SELECT count(*) FROM sqlite_schema WHERE name='set_aside'", 0,
                               &tables, error);
    if (err || tables == 0)
        return err;
    return weir_db_exec(db,
                        "DELETE FROM sink; DELETE FROM sink_order; DELETE FROM set_aside;"
                        "DELETE FROM set_aside_retry",
                        error);
}

/* The cursors lie in a table and, newer, beside the rows of the last commits. */
static weir_err cursors_drop(sqlite3 *db, weir_error *error)
{
    int64_t tables;
    weir_err err =
        weir_db_int(db, "SELECT count(*) FROM sqlite_schema WHERE name IN ('cursor','fresh')", 0,
                    &tables, error);
    if (err || tables < 2)
        return err;
    err = weir_db_exec(db, "DELETE FROM cursor; UPDATE fresh SET state=x''", error);
    return err ? err : sinks_drop(db, error);
}

static weir_err identity_write(sqlite3 *db, const weir_identity *before, const char *name,
                               weir_wall now, weir_error *error)
{
    char uuid[WEIR_UUID_SIZE], instance[WEIR_UUID_SIZE], at[28], from[400];
    uint64_t seq;
    weir_uuid_make(uuid);
    weir_uuid_make(instance);
    weir_wall_format(now, at);
    weir_err err = weir_identity_last_seq(db, &seq, error);
    if (err)
        return err;
    (void)snprintf(from, sizeof from, "%s store %s, instance %s, as of seq %llu, at %s",
                   name ? "a copy of" : "goes on in place of", before->uuid,
                   *before->instance ? before->instance : "unknown", (unsigned long long)seq, at);
    err = meta_put(db, "instance", instance, error);
    if (!err)
        err = meta_put(db, "restored_from", from, error);
    if (!err)
        err = weir_db_exec(db, "DELETE FROM meta WHERE key GLOB 'host_*'", error);
    if (err || !name)
        return err;
    err = meta_put(db, "uuid", uuid, error);
    if (!err)
        err = meta_put(db, "name", name, error);
    return err ? err : cursors_drop(db, error);
}

weir_err weir_identity_renew(sqlite3 *db, const char *name, weir_wall now, weir_identity *ret,
                             weir_error *error)
{
    weir_identity before;
    weir_err err = weir_identity_read(db, &before, error);
    if (!err)
        err = weir_db_exec(db, "BEGIN IMMEDIATE", error);
    if (err)
        return err;
    err = identity_write(db, &before, name, now, error);
    if (!err)
        err = weir_db_exec(db, "COMMIT", error);
    if (err)
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return err ? err : weir_identity_read(db, ret, error);
}
