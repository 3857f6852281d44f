/* SPDX-License-Identifier: MIT */
/* Layouts: which rows of a database are connections, devices and points, and how. */

#pragma once
#include "catalog/builder.h"
#include "catalog/rows.h"

enum { WEIR_LAYOUT_QUERIES = 4 };

/* Rows that are wanted. */
typedef struct weir_layout_query {
    const char *table; /* what messages call it: "RequestedData"; NULL: no such query */
    const char *sql;
} weir_layout_query;

/* What a layout makes a document of. */
typedef struct weir_layout_in {
    const char *place;     /* the database in messages: "Logging.db" */
    const weir_rows *rows; /* of each query */
    const weir_layout_query *queries;
    const char *name;     /* of the entry in `catalog` */
    const char *identity; /* what its rows are known by, before table and id; NULL: by nothing */
    const char *scheme;   /* "tcp", "rtu+tcp": where the rows do not say it */
    const char *interval; /* likewise; NULL: none */
    const char *cron;     /* likewise */
    weir_problems *problems;
} weir_layout_in;

typedef struct weir_layout {
    const char *name;
    weir_layout_query queries[WEIR_LAYOUT_QUERIES];
    /* Adds the keys of the top, `connections` and so on. */
    void (*build)(const weir_layout_in *in, weir_builder *b);
} weir_layout;

/* ModbusDataLogger's table of requests. */
extern const weir_layout weir_layout_requested_data;
/* EnergyMonitoringManagement's meters and their registers. */
extern const weir_layout weir_layout_energy_meters;
/* Our own words: tables connection, device, point and plan with columns named like the keys of the
 * file. Also of queries, which give the same columns. */
extern const weir_layout weir_layout_weir;

/* The row that is begun next is known by its id: `key` names database and table. False: key is
 * NULL, or the row has no id. */
bool weir_layout_known_as(weir_builder *b, const char *key, const weir_row *row);

/* "weir:plant.db device", of rows whose ids are all different; NULL: they have no identity, or
 * memory is short (problems->failed). id: the column; -1: there is none. */
const char *weir_layout_key(const weir_layout_in *in, size_t query, int id, weir_arena *arena);

/* The rows as a document. NULL, with problems->failed: memory is short. What is wrong with a cell
 * is a problem, and the document has what is left. */
weir_document *weir_layout_document(const weir_layout *layout, const weir_layout_in *in);
