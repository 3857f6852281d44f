/* SPDX-License-Identifier: MIT */
/* A write-ahead log that lies beside a data.db it does not belong to. */

#include "store/repair/foreign_wal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "store/file/database.h"
#include "store/file/files.h"

/* When the store was made that a connection sees; 0: it does not say. */
static int64_t made_at(const char *path, int flags)
{
    WEIR_CLEANUP(weir_db_close) sqlite3 *db = NULL;
    int64_t made = 0;
    weir_err err = weir_db_open(path, SQLITE_OPEN_READONLY | flags, NULL, &db, NULL);
    if (err == WEIR_OK)
        err = weir_db_int(db, "SELECT value FROM meta WHERE key='created'", 0, &made, NULL);
    return err == WEIR_OK ? made : 0;
}

/* The file alone, without its write-ahead log. */
static int64_t made_at_alone(const char *path)
{
    WEIR_TEXT_AUTO uri = WEIR_TEXT_INIT;
    weir_text_add(&uri, "file:");
    for (const char *c = path; *c; c++)
        if (isalnum((unsigned char)*c) || strchr("/._-", *c))
            weir_text_add_char(&uri, *c);
        else
            weir_text_format(&uri, "%%%02x", (unsigned char)*c);
    weir_text_add(&uri, "?immutable=1");
    return uri.failed ? 0 : made_at(weir_text_get(&uri), SQLITE_OPEN_URI);
}

/* Not by opening: what is no file would keep it waiting, and is refused later. */
static bool has_content(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
}

weir_err weir_foreign_wal_put_aside(const char *data_dir, const char *vfs, weir_wall now,
                                    char ret_place[300], weir_error *error)
{
    char path[4200], wal[4200], shm[4200], place[4200], when[28];
    (void)snprintf(path, sizeof path, "%s/data.db", data_dir);
    (void)snprintf(wal, sizeof wal, "%s/data.db-wal", data_dir);
    (void)snprintf(shm, sizeof shm, "%s/data.db-shm", data_dir);
    (void)snprintf(place, sizeof place, "%s/quarantine", data_dir);
    ret_place[0] = '\0';
    /* A simulated disk has nobody who exchanges files. */
    if (vfs || !has_content(wal) || !has_content(path))
        return WEIR_OK;
    const int64_t alone = made_at_alone(path), both = made_at(path, 0);
    if (alone == 0 || both == 0 || alone == both)
        return WEIR_OK;
    weir_err err = weir_dir_make(place, error);
    weir_file_time(now, when);
    (void)snprintf(place + strlen(place), 60, "/foreign-%s.db-wal", when);
    if (err == WEIR_OK)
        err = weir_file_move(wal, place, NULL, error);
    if (err == WEIR_OK)
        err = weir_file_remove(shm, NULL, error);
    if (err == WEIR_OK)
        err = weir_dir_sync(data_dir, error);
    if (err == WEIR_OK)
        (void)snprintf(ret_place, 300, "%.299s", place);
    return err;
}
