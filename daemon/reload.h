/* SPDX-License-Identifier: MIT */
/* Reading the configuration again while weir runs, when asked and when it has changed. */

#pragma once
#include <stdbool.h>

#include "daemon/assemble.h"
#include "daemon/deliveries.h"

/*
 * What is read anew is applied as a diff (weir_runtime_apply, weir_deliveries_apply). What does not
 * validate changes nothing; each problem is a line of the log, and an event says that it was
 * refused. A thread asks the databases each reload_interval whether they have changed, and with
 * `watch` the files too: the configuration, what it includes, and its profiles. It waits until the
 * files are left alone, and reads again what was written while it read.
 */
typedef struct weir_reload weir_reload;

typedef struct weir_reload_config {
    weir_assemble_options assemble; /* with the providers of the first load; texts borrowed */
    weir_runtime *runtime;
    weir_deliveries *deliveries; /* may be NULL */
    bool watch;                  /* the files */
} weir_reload_config;

/* Starts the thread. */
weir_err weir_reload_new(const weir_reload_config *config, weir_reload **ret,
                         weir_error *error) WEIR_MUST_CHECK;
void weir_reload_free(weir_reload *reload); /* ends the thread; accepts NULL */

typedef struct weir_reloaded {
    weir_problems problems; /* why it was refused */
    weir_applied applied;   /* what was different; diff NULL: nothing was applied */
    char restart[64];       /* what takes effect with the next start only; "": nothing */
} weir_reloaded;

/*
 * Reads and applies; who: for log and event. Any thread; one waits for the other. ret may be NULL;
 * it is to be deinitialized in any case. WEIR_ECONFIG and others of weir_assemble_read,
 * weir_runtime_apply and weir_deliveries_apply.
 */
weir_err weir_reload_now(weir_reload *reload, const char *who, weir_reloaded *ret,
                         weir_error *error) WEIR_MUST_CHECK;
void weir_reloaded_deinit(weir_reloaded *reloaded);
