/* SPDX-License-Identifier: MIT */
/* The writer's inside, shared with what finishes one file and begins another. */

#pragma once
#include "sinks/csv/writer.h"

/* Fills the answer; false. */
bool weir_csv_failed(weir_send_answer *ret, int code, const char *what, const char *path);

/* A line about a file. */
void weir_csv_log(const weir_csv_writer *w, weir_log_level level, const char *file,
                  const char *text);

/* The note is on the disk, and then the writer's. */
bool weir_csv_note_save(weir_csv_writer *w, const weir_csv_note *note, weir_send_answer *ret);

void weir_csv_file_close(weir_csv_writer *w); /* also when none is open */
