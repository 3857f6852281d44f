/* SPDX-License-Identifier: MIT */
/* The pages of a database file as they lie on the disk, without SQLite: for what SQLite refuses. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { WEIR_PAGE_SIZE = 4096 }; /* of every store, whatever its header says */

/* What the write-ahead log looks like. */
typedef struct weir_wal_state {
    uint32_t frames;    /* of this generation, damaged ones included */
    uint32_t readable;  /* those up to the last commit before the first damage: what SQLite takes */
    uint32_t committed; /* those up to the last commit */
    bool damaged;       /* a commit that was acknowledged lies behind a frame that is not as it was
                           written: SQLite would drop it and not tell */
} weir_wal_state;

/*
 * Reads DATA.db-wal through the VFS, frame by frame. A tail that a power cut tore is not damage: it
 * was never acknowledged. No lock lies on this file, so it may be opened and closed at any time.
 * WEIR_OK also when there is none. WEIR_EIO, WEIR_ENOMEM.
 */
weir_err weir_wal_look(const char *path, const char *vfs, weir_wal_state *ret,
                       weir_error *error) WEIR_MUST_CHECK;

/*
 * A database file and its WAL, read-only. Closing a descriptor of a database file drops all locks
 * that this process has on it: only for a file that nothing in this process has open.
 */
typedef struct weir_pages weir_pages;

/* wal NULL: without. WEIR_ENOTFOUND: neither is there, or they are empty. WEIR_EIO, WEIR_ENOMEM. */
weir_err weir_pages_open(const char *path, const char *wal, const char *vfs, weir_pages **ret,
                         weir_error *error) WEIR_MUST_CHECK;
void weir_pages_close(weir_pages *pages); /* accepts NULL */

/* Pages are numbered from 1. Behind them, from count + 1 on, come the frames of the WAL that lie
 * behind its first damage: later versions of some pages, or remains of commits that failed. */
uint32_t weir_pages_count(const weir_pages *pages);
uint32_t weir_pages_extra(const weir_pages *pages);

/* As SQLite would read it; with `later`, as a frame behind the damage has it, where one does.
 * False: it cannot be read, or there is none; to is zeroed then. */
bool weir_pages_read(weir_pages *pages, uint32_t number, bool later, uint8_t to[WEIR_PAGE_SIZE]);

/* Whether the file says that nothing is kept in this page any more. */
bool weir_pages_is_free(weir_pages *pages, uint32_t number);

/* Whether it holds the kinds of the pages behind it, and nothing else. */
bool weir_pages_is_map(uint32_t number);

/* How many could not be read so far. */
uint32_t weir_pages_unreadable(const weir_pages *pages);

WEIR_DEFINE_CLEANUP(weir_pages, weir_pages_close)
