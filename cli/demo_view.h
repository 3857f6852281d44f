/* SPDX-License-Identifier: MIT */
/* What the demo shows: a live table with sparklines, or a line for each change. */

#pragma once
#include <stdbool.h>
#include <stdio.h>

#include "model/catalog.h"
#include "runtime/snapshot.h"
#include "runtime/worker.h"

typedef struct weir_demo_view weir_demo_view;

/* terminal: redraw in place; else lines. Borrows both. NULL: memory is short. */
weir_demo_view *weir_demo_view_new(const weir_catalog *catalog, FILE *file,
                                   bool terminal) WEIR_MUST_CHECK;
void weir_demo_view_free(weir_demo_view *view); /* accepts NULL */

/* Shows the snapshot. False: nobody reads any more. */
bool weir_demo_view_show(weir_demo_view *view, const weir_snapshot *snapshot,
                         const weir_worker_view *store);
