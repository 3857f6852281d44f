/* SPDX-License-Identifier: MIT */
/* What is in the way of a file, from errno: state, cause and remedy. */

#pragma once
#include "model/sink.h"

/* LATER, with "cannot write to /data/x.csv: No space left on device" and what to do. */
void weir_trouble_answer(weir_send_answer *ret, int code, const char *what, const char *path);
