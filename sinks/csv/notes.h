/* SPDX-License-Identifier: MIT */
/* The notes beside a file of lines: how far it is complete, and up to which sample. */

#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Two slots of one small file, written in turn and in place, each with a number and a checksum: a
 * write that is cut short leaves the other one, and needs no room on the disk. Whoever has them
 * open holds the lock.
 */
typedef struct weir_csv_note {
    char store[64];  /* uuid; "": none yet */
    char sink[256];  /* its name */
    uint64_t seq;    /* all of the store's samples up to here that the sink gets are in the file */
    uint64_t offset; /* the file is complete up to here, on disk */
    uint64_t tail_from;     /* the bytes from here to the offset ... */
    uint32_t tail;          /* ... have this CRC32C: so a file is known again */
    uint32_t format;        /* CRC32C of its header line */
    uint64_t device, inode; /* know it again while it has no lines */
    int64_t begun_us;       /* the time of its first line */
    char file[PATH_MAX];    /* "": none, the next line begins one */
} weir_csv_note;

typedef struct weir_csv_notes {
    int fd;              /* -1: closed */
    uint64_t generation; /* of the newest slot */
    char path[PATH_MAX];
} weir_csv_notes;

#define WEIR_CSV_NOTES_INIT \
    {                       \
        .fd = -1            \
    }

/* How opening ended; errno says more about FAILED. */
typedef enum weir_csv_opened {
    WEIR_CSV_OPENED_NEW,     /* nothing was noted */
    WEIR_CSV_OPENED,         /* *ret is what was noted last */
    WEIR_CSV_OPENED_DAMAGED, /* notes were there but cannot be read: begun anew */
    WEIR_CSV_LOCKED,         /* another program, or sink, has them */
    WEIR_CSV_FOREIGN,        /* what has the name is no file with notes */
    WEIR_CSV_FAILED,
} weir_csv_opened;

weir_csv_opened weir_csv_notes_open(weir_csv_notes *notes, const char *path, weir_csv_note *ret);
void weir_csv_notes_close(weir_csv_notes *notes);

/* Whether the file is still the one with its name: else its lock protects nothing. */
bool weir_csv_notes_hold(const weir_csv_notes *notes);

/* Durable when it returns true; else errno. */
bool weir_csv_notes_save(weir_csv_notes *notes, const weir_csv_note *note);
