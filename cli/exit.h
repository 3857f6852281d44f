/* SPDX-License-Identifier: MIT */
/* Exit codes: what a script may rely on. */

#pragma once
#include "base/error.h"

/* Stable; the manual's EXIT STATUS is printed from this list. */
#define WEIR_EXIT_LIST(X)                                                              \
    X(WEIR_EXIT_OK, 0, "Done.")                                                        \
    X(WEIR_EXIT_FAILURE, 1, "Failed for a reason that has no number of its own.")      \
    X(WEIR_EXIT_USAGE, 2, "The command line is not understood.")                       \
    X(WEIR_EXIT_CONFIG, 3,                                                             \
      "The configuration is invalid or asks for what this version lacks, or the data " \
      "directory is in use.")                                                          \
    X(WEIR_EXIT_CONNECT, 4, "Cannot connect.")                                         \
    X(WEIR_EXIT_REFUSED, 5,                                                            \
      "The device answered with an exception; a sink was reached and took nothing.")   \
    X(WEIR_EXIT_TIMEOUT, 6, "No answer in time.")                                      \
    X(WEIR_EXIT_NOT_ALLOWED, 7, "Not allowed.")                                        \
    X(WEIR_EXIT_PARTLY, 8, "Partly failed: some devices, sinks or values are bad.")    \
    X(WEIR_EXIT_DAMAGED, 9, "The store is damaged.")

typedef enum weir_exit {
#define X(name, number, text) name = number,
    WEIR_EXIT_LIST(X)
#undef X
} weir_exit;

/* The exit code a fault leads to when a command knows nothing better. */
weir_exit weir_exit_of(weir_err code);
