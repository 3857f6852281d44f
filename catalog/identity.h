/* SPDX-License-Identifier: MIT */
/* What the rows of a database are known by, wherever it lies. */

#pragma once
#include "base/alloc.h"
#include "catalog/document.h"

/* config.db, of which there is one in each data directory. */
#define WEIR_CONFIG_DB_IDENTITY "config.db"

/*
 * Of an entry of the list `catalog`: "weir:plant.db", its layout and its `name`, or without one
 * what the database is called. Not its folder or server: it may move. *ret is NULL where two
 * entries come to the same, for then ids would not tell whose they are. False: memory is short.
 */
bool weir_database_identity(weir_node list, weir_node entry, weir_arena *arena, const char **ret);
