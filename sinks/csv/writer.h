/* SPDX-License-Identifier: MIT */
/* The one file that lines are added to: found again, begun, finished, cut, made durable. */

#pragma once
#include "base/zone.h"
#include "model/sink.h"
#include "sinks/csv/csv.h"
#include "sinks/csv/notes.h"

/*
 * What is added is not there before it is committed: after a failure or a crash it is cut off. A
 * false answer has filled ret; what was added since the last commit is then gone.
 */
typedef struct weir_csv_writer {
    const weir_sink_host *host;
    const weir_csv_options *options;
    const weir_zone *zone;
    uint32_t format;    /* of the lines to come, see weir_csv_note */
    const char *header; /* "": none; borrowed */
    weir_csv_notes notes;
    weir_csv_note note; /* the last one, also while the notes are closed */
    bool noted;         /* note is of this store and sink */
    int fd;             /* of note.file; -1 */
    uint64_t size;      /* of the file, with what is not committed */
    uint64_t tail_from;
    uint32_t tail;
    int64_t fit_from_us, fit_until_us; /* a stretch of time known to belong to the file */
} weir_csv_writer;

void weir_csv_writer_init(weir_csv_writer *w, const weir_sink_host *host,
                          const weir_csv_options *options, const weir_zone *zone, uint32_t format,
                          const char *header);
void weir_csv_writer_deinit(weir_csv_writer *w);

/* Takes the lock, finds the file again and cuts what is behind its last commit. Cheap when all of
 * that was done: only looks whether anybody touched the file. */
bool weir_csv_writer_ready(weir_csv_writer *w, weir_send_answer *ret);

/* Whether a line of that time belongs to the file; wall is now. False: there is none, or finish it
 * and begin another. */
bool weir_csv_writer_fits(weir_csv_writer *w, weir_wall time, weir_wall wall);

/* Finishes the file, which has nothing uncommitted. It keeps its name if the file of the next line
 * has another; else, and when next is NULL, it gets one with the time of its first line. */
bool weir_csv_writer_finish(weir_csv_writer *w, const weir_wall *next, weir_send_answer *ret);

/* Begins the file of that time; its header comes with its first line. */
bool weir_csv_writer_begin(weir_csv_writer *w, weir_wall time, weir_send_answer *ret);

bool weir_csv_writer_add(weir_csv_writer *w, const char *bytes, size_t n, weir_send_answer *ret);
/* Back to the last commit. If even that fails, the next send does it from the notes. */
void weir_csv_writer_abandon(weir_csv_writer *w);
bool weir_csv_writer_commit(weir_csv_writer *w, uint64_t seq, weir_send_answer *ret);
