/* SPDX-License-Identifier: MIT */
/* The lock of a data directory: one writing process at a time, and its pid for the others. */

#pragma once
#include "base/error.h"

/* Takes DIR/weir.lock for as long as the descriptor stays open, at most until the process ends,
 * however it ends. WEIR_EINUSE names the pid that has it; WEIR_EIO, WEIR_EPERM. */
weir_err weir_lock_take(const char *dir, int *ret_fd, weir_error *error) WEIR_MUST_CHECK;

void weir_lock_release(int fd); /* accepts -1 */
