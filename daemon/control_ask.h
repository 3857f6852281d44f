/* SPDX-License-Identifier: MIT */
/* Asks a running weir on its control socket. */

#pragma once
#include "base/error.h"
#include "base/text.h"

/*
 * Path of the socket: DATA_DIR/weir.sock; for "memory" $XDG_RUNTIME_DIR/weir-PID.sock, else
 * /tmp/weir-PID.sock. WEIR_ELIMIT: longer than a socket's name can be.
 */
weir_err weir_control_path(const char *data_dir, int pid, weir_text *ret,
                           weir_error *error) WEIR_MUST_CHECK;

/*
 * Asks the weir that listens on this socket. ret_reply gets the line. WEIR_ECONNECT: none is
 * running; WEIR_EPERM; WEIR_ETIMEOUT: no answer in 5 s.
 */
weir_err weir_control_ask(const char *path, const char *request, weir_text *ret_reply,
                          weir_error *error) WEIR_MUST_CHECK;

/* With a patience of one's own, for what takes longer. */
weir_err weir_control_ask_for(const char *path, const char *request, int patience_s,
                              weir_text *ret_reply, weir_error *error) WEIR_MUST_CHECK;
