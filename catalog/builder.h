/* SPDX-License-Identifier: MIT */
/* A document made by code: what a database's rows become. */

#pragma once
#include <stdint.h>

#include "catalog/document.h"

/*
 * Nodes come in the order in which they would be written; a mapping's children are key, value, key,
 * value. Each is where the last weir_builder_place() said. What fails is remembered and told by
 * weir_builder_finish().
 *
 *     weir_builder *b = weir_builder_new("config.db");
 *     weir_builder_open(b, WEIR_NODE_MAPPING);
 *     weir_builder_text(b, "devices");
 *     weir_builder_open(b, WEIR_NODE_LIST);
 *     weir_builder_place(b, "config.db, table device, row", 7);
 *     ...
 *     weir_builder_close(b);
 *     weir_builder_close(b);
 *     document = weir_builder_finish(b);
 */
typedef struct weir_builder weir_builder;

/* NULL: memory is short; every function below accepts that. name is copied. */
weir_builder *weir_builder_new(const char *name);

/* Where what comes next was written: a text to which the row is added, or, with row 0, the whole
 * place. Copied. At most 65535 different texts: of more, the last stands for all. */
void weir_builder_place(weir_builder *b, const char *text, uint32_t row);

/* Instead, where all of it is from a file: what comes next was written there. Line 0: nowhere. */
void weir_builder_line(weir_builder *b, uint32_t line, uint32_t column);

void weir_builder_open(weir_builder *b, weir_node_kind kind); /* a list or a mapping */
/* The node that ends. */
uint32_t weir_builder_close(weir_builder *b);
/* A scalar, not in quotes, but never "nothing", whatever it is; copied, each text once. */
void weir_builder_text(weir_builder *b, const char *text);
void weir_builder_quoted(weir_builder *b, const char *text); /* one in quotes */
/* A node that is complete, once more: as an alias would do. */
void weir_builder_repeat(weir_builder *b, uint32_t node);

/* Memory was short for what should have been added. */
void weir_builder_fail(weir_builder *b);

/* A key and a scalar. */
void weir_builder_pair(weir_builder *b, const char *key, const char *text);

/* Releases the builder. NULL: memory was short. */
weir_document *weir_builder_finish(weir_builder *b);
