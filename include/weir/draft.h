/* SPDX-License-Identifier: MIT */
/* A configuration built by code instead of written as a file. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/api.h"

WEIR_C_BEGIN

/*
 * A tree of mappings with the keys of weir.yaml(5): all of them, and no others. What is wrong with
 * it is said when it is loaded (weir_collector_load_draft), as for a file and all at once.
 *
 *     weir_draft *b = weir_draft_new();
 *     weir_entry *line = weir_entry_add(weir_draft_top(b), "connections");
 *     weir_entry_set(line, "name", "boiler-room");
 *     weir_entry_set(line, "uri", "tcp://192.168.1.113:502");
 *
 * Texts are copied. Entries live as long as their draft. Where memory is short the functions give
 * NULL and accept NULL, and loading says so: nothing needs to be checked before. One thread at a
 * time.
 */
typedef struct weir_draft weir_draft;
typedef struct weir_entry weir_entry;

WEIR_API weir_draft *weir_draft_new(void);
WEIR_API void weir_draft_free(weir_draft *draft); /* accepts NULL */

/* The mapping that a file's first level is: data_dir, connections, devices, sinks ... */
WEIR_API weir_entry *weir_draft_top(weir_draft *draft);

/* A new mapping at the end of the list `key`, which it begins when there is none. */
WEIR_API weir_entry *weir_entry_add(weir_entry *entry, const char *key);

/* The mapping at `key`: {max_loss: 10s}; made when there is none. */
WEIR_API weir_entry *weir_entry_map(weir_entry *entry, const char *key);

/* One value; the last one said counts. Text is text: an address "40001" is Modicon's, 40001 is the
 * wire's. */
WEIR_API void weir_entry_set(weir_entry *entry, const char *key, const char *text);
WEIR_API void weir_entry_set_int(weir_entry *entry, const char *key, int64_t number);
WEIR_API void weir_entry_set_number(weir_entry *entry, const char *key, double number);
WEIR_API void weir_entry_set_bool(weir_entry *entry, const char *key, bool truth);

/* One more text at the end of the list `key`: patterns of tags, say. */
WEIR_API void weir_entry_append(weir_entry *entry, const char *key, const char *text);

/* The tree as a file, which is what lines and columns of messages count in. NULL: memory is short.
 * Lives until the next call for this draft. */
WEIR_API const char *weir_draft_text(weir_draft *draft);

WEIR_C_END
