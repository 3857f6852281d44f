/* SPDX-License-Identifier: MIT */
/* The control socket: what a running weir tells about itself, as JSON lines. */

#pragma once
#include "base/error.h"
#include "daemon/deliveries.h"
#include "model/catalog.h"
#include "runtime/collector.h"

/*
 * A UNIX stream socket, mode 0600. A client sends {"method": "status"} and a newline, and gets
 * one line back: {"result": {...}} or {"error": "..."}; the same connection may ask again. The
 * other methods are store/edit.h's (daemon/edit_json.h): {"method": "tag.purge", "params": {"tag":
 * PATTERN}}, "device.replace" with device, at (us), final and first; "sink.pause", "sink.resume",
 * "sink.replay" with sink, from and to (us), "sink.replay_stop", "sink.retry" and "sink.drop" with
 * sink and tag (a pattern). They give {"tags": n}, {"sinks": n} or {"rows": n}, or an error with
 * its "code".
 */
/* "reload" reads the configuration again: {"summary": "1 added, 0 changed, 0 removed", "changes":
 * [{"kind", "name", "change", "detail"}, ...], "hints": [...], "restart": "data_dir"}, or an error
 * with its "code" and "problems": ["FILE:LINE:COLUMN: TEXT", ...], the first 50, of
 * "problem_count". */
typedef struct weir_control weir_control;

struct weir_reload;

/* Listens and serves on a thread of its own. The data directory's lock must be held: a socket left
 * behind by a killed process is replaced. Borrows all; deliveries may be NULL: there are no sinks;
 * reload may be: the configuration cannot be read again. */
weir_err weir_control_start(weir_runtime *collector, weir_deliveries *deliveries,
                            struct weir_reload *reload, weir_control **ret,
                            weir_error *error) WEIR_MUST_CHECK;
void weir_control_stop(weir_control *control); /* accepts NULL; removes the socket */

const char *weir_control_socket(const weir_control *control);
