/* SPDX-License-Identifier: MIT */
/* Any bytes as a damaged database file, of which every readable row is brought into a sound one. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/file/tables.h"
#include "store/repair/salvage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A salvage ends, and what it wrote is a database. */
static void salvage(weir_pages *pages, sqlite3 *db)
{
    weir_salvage *s = NULL;
    weir_salvage_counts counts;
    bool done = false;
    if (weir_salvage_new(pages, db, &s, NULL) != WEIR_OK)
        return;
    for (int i = 0; i < 1000 && !done; i++)
        if (weir_salvage_step(s, 100, &done, NULL) != WEIR_OK)
            abort();
    weir_error error = WEIR_ERROR_INIT;
    if (!done || weir_salvage_finish(s, 0, (weir_wall){1}, &counts, &error) != WEIR_OK) {
        (void)fprintf(stderr, "%s\n", error.text);
        abort();
    }
    weir_salvage_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[] = "/dev/shm/weir-fuzz-XXXXXX";
    static int fd = -1;
    sqlite3 *db = NULL;
    weir_pages *pages = NULL;
    if (fd < 0)
        fd = mkstemp(path);
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    if (sqlite3_open(":memory:", &db) == SQLITE_OK && weir_db_tables_make(db, 0, NULL) == WEIR_OK &&
        weir_pages_open(path, NULL, NULL, &pages, NULL) == WEIR_OK)
        salvage(pages, db);
    weir_pages_close(pages);
    (void)sqlite3_close(db);
    return 0;
}
