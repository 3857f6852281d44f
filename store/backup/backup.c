/* SPDX-License-Identifier: MIT */
/* A backup: all of a store and what belongs to it in one file, made while the daemon works. */

/*
 * The happy path: a read transaction holds one moment of data.db; all sizes are known from then on,
 * so the archive is laid out; files are written; SQLite copies the database page by page into its
 * place in the archive (member.c); the transaction ends; what was written is read back, checked by
 * SQLite and summed up; the list of contents goes to the front; fsync; rename.
 *
 * The transaction keeps the daemon from reusing its WAL, nothing else: commits go on. Without it
 * every commit would start the copy anew. Should the target be so slow that the WAL grows to
 * WAL_GROWTH_MAX, the backup is given up, because polling matters more.
 *
 * What can go wrong leaves no file, or with a kill one called .part, which the next backup takes
 * over (target.c).
 */

#include "store/backup/backup.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc.h"
#include "store/backup/manifest.h"
#include "store/backup/member.h"
#include "store/backup/tar.h"
#include "store/backup/target.h"
#include "store/backup/transfer.h"
#include "store/file/database.h"
#include "store/query/query.h"

enum {
    STEP_PAGES = 256,                   /* 1 MB: then others get their turn */
    WAL_GROWTH_MAX = 256 * 1000 * 1000, /* hours of an ordinary plant */
    BUSY_MS = 2000,                     /* for somebody who edits config.db */
    CHECK_SIZE = 9,                     /* of WEIR_MANIFEST_CHECK */
    END_SIZE = 2 * WEIR_TAR_BLOCK,
};

struct backup {
    const weir_backup_options *options;
    weir_backup_report report;
    weir_manifest manifest;
    weir_arena *arena;
    weir_transfer transfer;

    weir_query *query; /* holds data.db */
    sqlite3 *edits;    /* config.db; NULL: there is none */
    char wal[PATH_MAX];
    uint64_t wal_limit;

    weir_target target;
    uint64_t list_size; /* of the manifest's text */
    uint64_t size;      /* of the whole archive */
};

/* --- the sources -------------------------------------------------------------------------- */

static weir_err source_size(sqlite3 *db, uint64_t *ret, weir_error *error)
{
    int64_t page, pages;
    weir_err err = weir_db_int(db, "PRAGMA page_size", 0, &page, error);
    if (!err)
        err = weir_db_int(db, "PRAGMA page_count", 0, &pages, error);
    if (!err)
        *ret = (uint64_t)page * (uint64_t)pages;
    return err;
}

/* The first read fixes the moment. */
static weir_err data_open(struct backup *b, weir_error *error)
{
    struct stat st;
    weir_err err = weir_query_open(b->options->data_dir, NULL, &b->query, error);
    if (err)
        return err;
    sqlite3 *db = weir_query_db(b->query);
    err = weir_db_exec(db, "BEGIN", error);
    if (!err)
        err = weir_identity_read(db, &b->manifest.identity, error);
    if (!err)
        err = weir_identity_last_seq(db, &b->manifest.seq, error);
    if (!err)
        err = weir_db_int(db, "PRAGMA user_version", 0, &b->manifest.schema, error);
    (void)snprintf(b->wal, sizeof b->wal, "%s/data.db-wal", b->options->data_dir);
    b->wal_limit = WAL_GROWTH_MAX + (stat(b->wal, &st) == 0 ? (uint64_t)st.st_size : 0);
    return err;
}

static weir_err edits_open(struct backup *b, weir_error *error)
{
    char path[PATH_MAX];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/" WEIR_MANIFEST_EDITS, b->options->data_dir);
    if (stat(path, &st) != 0)
        return WEIR_OK;
    weir_err err = weir_db_open(path, SQLITE_OPEN_READONLY, NULL, &b->edits, error);
    if (err)
        return err;
    (void)sqlite3_busy_timeout(b->edits, BUSY_MS);
    err = weir_db_exec(b->edits, "BEGIN; SELECT count(*) FROM sqlite_schema", error);
    if (err)
        (void)weir_fail_prefix(error, "%s: ", path);
    return err;
}

static weir_err sources_open(struct backup *b, weir_error *error)
{
    if (!strcmp(b->options->data_dir, "memory"))
        return weir_fail(error, WEIR_EUNSUPPORTED,
                         "data_dir is memory: nothing is on disk that could be backed up. Set "
                         "data_dir to a folder, or export what you need");
    weir_err err = data_open(b, error);
    return err ? err : edits_open(b, error);
}

static void sources_close(struct backup *b)
{
    weir_query_close(b->query);
    (void)sqlite3_close(b->edits);
    b->query = NULL;
    b->edits = NULL;
}

/* --- the layout --------------------------------------------------------------------------- */

static void member_add(struct backup *b, const char *name, const char *path, uint64_t size)
{
    b->manifest.members[b->manifest.n_members++] =
        (weir_manifest_member){.name = name, .path = path, .size = size};
}

/* Small ones first, so that they are soon found; the data last. */
static weir_err members_list(struct backup *b, weir_error *error)
{
    const weir_backup_options *o = b->options;
    uint64_t size;
    b->manifest.members = weir_arena_alloc(b->arena, o->n_files + 2, sizeof *b->manifest.members);
    if (!b->manifest.members)
        return weir_fail(error, WEIR_ENOMEM, "no memory for the backup");
    for (size_t i = 0; i < o->n_files; i++)
        member_add(b, o->files[i].name, o->files[i].path, o->files[i].n);
    if (b->edits) {
        weir_err err = source_size(b->edits, &size, error);
        if (err)
            return err;
        member_add(b, WEIR_MANIFEST_EDITS, NULL, size);
    }
    weir_err err = source_size(weir_query_db(b->query), &size, error);
    if (!err)
        member_add(b, WEIR_MANIFEST_DATA, NULL, size);
    return err;
}

static weir_err layout_make(struct backup *b, weir_error *error)
{
    static char host[256];
    WEIR_TEXT_AUTO list = WEIR_TEXT_INIT;
    char *data_dir = realpath(b->options->data_dir, NULL);
    weir_manifest *m = &b->manifest;
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    m->version = WEIR_VERSION;
    m->created = b->options->now;
    m->host = host;
    m->data_dir = weir_arena_text(b->arena, data_dir ? data_dir : b->options->data_dir);
    free(data_dir);
    m->n_omitted = b->options->n_omitted;
    m->omitted = b->options->omitted;
    weir_err err = members_list(b, error);
    if (!err)
        err = weir_manifest_format(m, &list, error);
    if (err)
        return err;
    b->list_size = list.length;
    b->size =
        2 * WEIR_TAR_BLOCK + weir_tar_padded(list.length) + weir_tar_padded(CHECK_SIZE) + END_SIZE;
    for (size_t i = 0; i < m->n_members; i++) {
        b->size += WEIR_TAR_BLOCK + weir_tar_padded(m->members[i].size);
        b->transfer.total += 2 * m->members[i].size; /* written, and read again */
    }
    return WEIR_OK;
}

/* --- writing ------------------------------------------------------------------------------ */

/* Returns where the content belongs, and moves at behind it. */
static weir_err member_begin(struct backup *b, const char *name, uint64_t size, int64_t *at,
                             int64_t *ret_content, weir_error *error)
{
    uint8_t block[WEIR_TAR_BLOCK];
    weir_tar_write(name, size, b->options->now.us / WEIR_S, block);
    weir_err err =
        weir_transfer_write(b->target.fd, b->target.part, block, sizeof block, *at, error);
    *ret_content = *at + WEIR_TAR_BLOCK;
    *at = *ret_content + (int64_t)weir_tar_padded(size);
    return err;
}

static weir_err wal_watch(struct backup *b, weir_error *error)
{
    struct stat st;
    if (stat(b->wal, &st) != 0)
        return WEIR_OK;
    if ((uint64_t)st.st_size > b->report.wal_bytes)
        b->report.wal_bytes = (uint64_t)st.st_size;
    if ((uint64_t)st.st_size <= b->wal_limit)
        return WEIR_OK;
    return weir_fail(error, WEIR_ELIMIT,
                     "given up: while this was copied, the running weir wrote %d MB that it cannot "
                     "clear away. Back up to a faster disk, or stop weir for it",
                     WAL_GROWTH_MAX / 1000000);
}

static weir_err copy_fail(sqlite3 *to, const struct backup *b, const weir_member *member,
                          weir_error *error)
{
    if (member->error == 0)
        return weir_db_fail(to, error, "copy the database");
    errno = member->error;
    return weir_transfer_fail(error, "write", b->target.part);
}

static weir_err copy_pages(struct backup *b, sqlite3 *from, sqlite3 *to, const weir_member *member,
                           weir_error *error)
{
    sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");
    weir_err err = WEIR_OK;
    int rc = SQLITE_OK, left = 0;
    if (!copy)
        return weir_db_fail(to, error, "copy the database");
    while (!err && rc == SQLITE_OK) {
        rc = sqlite3_backup_step(copy, STEP_PAGES);
        const int pages = sqlite3_backup_pagecount(copy), now = sqlite3_backup_remaining(copy);
        const int done = left ? left - now : pages - now;
        left = now;
        err = weir_transfer_advance(&b->transfer, (uint64_t)done * 4096, error);
        if (!err && rc == SQLITE_OK)
            err = wal_watch(b, error);
    }
    const int end = sqlite3_backup_finish(copy);
    /* Busy is no failure to sqlite3_backup_finish. */
    return err || (rc == SQLITE_DONE && end == SQLITE_OK) ? err : copy_fail(to, b, member, error);
}

/* What was written, as a reader of the backup will find it. */
static weir_err copy_check(struct backup *b, weir_member *member, weir_error *error)
{
    WEIR_CLEANUP(weir_db_close) sqlite3 *db = NULL;
    weir_err err = weir_member_open(member, false, &db, error);
    return err ? err : weir_transfer_check(&b->transfer, db, error);
}

static weir_err database_write(struct backup *b, sqlite3 *from, int64_t at, uint64_t size,
                               weir_error *error)
{
    WEIR_CLEANUP(weir_db_close) sqlite3 *to = NULL;
    weir_member member;
    weir_err err = weir_member_init(&member, b->target.fd, at, 0, error);
    if (!err)
        err = weir_member_open(&member, true, &to, error);
    if (!err)
        err = copy_pages(b, from, to, &member, error);
    (void)sqlite3_close(to);
    to = NULL;
    if (!err)
        err = weir_db_exec(from, "COMMIT", error); /* the WAL is free again */
    if (!err && (uint64_t)member.size != size)
        err = weir_fail(error, WEIR_EIO, "the copy has %lld bytes instead of %llu",
                        (long long)member.size, (unsigned long long)size);
    if (!err)
        err = copy_check(b, &member, error);
    weir_member_deinit(&member);
    return err;
}

static weir_err member_write(struct backup *b, size_t i, int64_t at, weir_error *error)
{
    weir_manifest_member *m = &b->manifest.members[i];
    weir_err err = WEIR_OK;
    if (i < b->options->n_files) {
        const weir_backup_file *file = &b->options->files[i];
        err = weir_transfer_write(b->target.fd, b->target.part, file->bytes, file->n, at, error);
        if (!err)
            err = weir_transfer_advance(&b->transfer, file->n, error);
    } else {
        sqlite3 *from = strcmp(m->name, WEIR_MANIFEST_DATA) ? b->edits : weir_query_db(b->query);
        err = database_write(b, from, at, m->size, error);
    }
    return err ? err
               : weir_transfer_crc(&b->transfer, b->target.fd, b->target.part, at, m->size, -1,
                                   NULL, &m->crc, error);
}

/* The list was laid out before its sums were known; it has its place at the front. */
static weir_err list_write(struct backup *b, weir_error *error)
{
    char check[CHECK_SIZE + 1];
    int64_t at = 0, content;
    WEIR_TEXT_AUTO list = WEIR_TEXT_INIT;
    weir_err err = weir_manifest_format(&b->manifest, &list, error);
    if (err)
        return err;
    if (list.length != b->list_size)
        return weir_fail(error, WEIR_EIO, "the list of contents changed its size");
    (void)snprintf(check, sizeof check, "%08x\n", weir_crc32c(0, list.text, list.length));
    err = member_begin(b, WEIR_MANIFEST_NAME, list.length, &at, &content, error);
    if (!err)
        err = weir_transfer_write(b->target.fd, b->target.part, list.text, list.length, content,
                                  error);
    if (!err)
        err = member_begin(b, WEIR_MANIFEST_CHECK, CHECK_SIZE, &at, &content, error);
    return err ? err
               : weir_transfer_write(b->target.fd, b->target.part, check, CHECK_SIZE, content,
                                     error);
}

static weir_err archive_write(struct backup *b, weir_error *error)
{
    int64_t at = 2 * WEIR_TAR_BLOCK + (int64_t)weir_tar_padded(b->list_size) +
                 (int64_t)weir_tar_padded(CHECK_SIZE);
    weir_err err = WEIR_OK;
    if (ftruncate(b->target.fd, (off_t)b->size) != 0) /* padding and end are zeros */
        return weir_transfer_fail(error, "write", b->target.part);
    for (size_t i = 0; !err && i < b->manifest.n_members; i++) {
        int64_t content;
        err = member_begin(b, b->manifest.members[i].name, b->manifest.members[i].size, &at,
                           &content, error);
        if (!err)
            err = member_write(b, i, content, error);
    }
    if (!err)
        err = list_write(b, error);
    if (!err && fsync(b->target.fd) != 0)
        err = weir_transfer_fail(error, "write", b->target.part);
    return err;
}

/* --- all of it ---------------------------------------------------------------------------- */

static weir_err backup_run(struct backup *b, weir_error *error)
{
    weir_err err = sources_open(b, error);
    if (!err)
        err = layout_make(b, error);
    if (!err)
        err = weir_target_open(&b->target, b->size, b->options->data_dir, error);
    if (!err)
        err = archive_write(b, error);
    return err ? err : weir_target_hand_over(&b->target, b->size, error);
}

weir_err weir_backup_make(const weir_backup_options *options, weir_backup_report *ret,
                          weir_error *error)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    struct backup b = {.options = options,
                       .arena = arena,
                       .target = WEIR_TARGET_INIT,
                       .transfer = {options->progress, options->data, 0, 0}};
    weir_err err = arena ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "no memory for the backup");
    if (!err)
        err = weir_target_init(&b.target, options->target, error);
    if (!err)
        err = backup_run(&b, error);
    sources_close(&b);
    weir_target_close(&b.target);
    if (err)
        return err;
    b.report.identity = b.manifest.identity;
    b.report.seq = b.manifest.seq;
    b.report.bytes = b.size;
    *ret = b.report;
    return WEIR_OK;
}
