/* SPDX-License-Identifier: MIT */
/* What is in the way of a file, from errno: state, cause and remedy. */

#pragma once
#include <sys/types.h>

#include "model/sink.h"

/* LATER, with "cannot write to /data/x.csv: No space left on device" and what to do. */
void weir_trouble_answer(weir_send_answer *ret, int code, const char *what, const char *path);

/* The same for what has the name of a file but is none: a folder, a FIFO, a device. */
void weir_trouble_not_a_file(weir_send_answer *ret, mode_t mode, const char *path);
