/* SPDX-License-Identifier: MIT */
/* When: cron expressions and time zones as a configuration has them. */

#pragma once
#include "base/cron.h"
#include "catalog/loader.h"

/*
 * Reads a cron expression, or a mapping of hour, minute and second. ret_text: the expression, in
 * the catalog's memory. False, and said so with `key`, when it is none.
 */
bool weir_times_cron(weir_loader *l, weir_node node, const char *key, weir_cron *ret,
                     const char **ret_text);

/*
 * The time zone of that name; "local" is what TZ of an environment file says, where the
 * environment itself has no TZ. *ret_name: the name it then has. NULL, and said so at the node:
 * there is none. It lives as long as the catalog.
 */
const weir_zone *weir_times_zone(weir_loader *l, weir_node at, const char *name,
                                 const char **ret_name);

/* Gives the catalog the zones that were opened; NULL: drops them. */
void weir_times_finish(weir_loader *l, weir_catalog *catalog);
