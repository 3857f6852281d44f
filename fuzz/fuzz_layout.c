/* SPDX-License-Identifier: MIT */
/* Any cells as a database's rows, in each layout: a document whose nodes all have a place, or
 * problems. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const columns[][10] = {
    {"paramID", "required", "host", "port", "period", "address", "function", "register", "count",
     "comment"},
    {"id", "host", "port", "slave_address", "type", "description"},
    {"type", "register_address", "measurement_name", "data_unit", "data_type", "function_code",
     "word_order", "byte_order"},
    {"id", "name", "uri", "enabled", "timeout"},
    {"id", "name", "connection", "unit_id", "labels", "only", "multiply"},
    {"id", "device", "name", "address", "enum", "simulate"},
    {"id", "name", "tags", "cron"},
};

/* Cells of one table up to a byte 0xff; each ends with a NUL, and begins with 1 if it is null. */
static const uint8_t *rows_fill(weir_rows *rows, const char *const *names, const uint8_t *at,
                                const uint8_t *end)
{
    size_t n = 0, cell = 0;
    const char **row = NULL;
    while (n < 10 && names[n])
        n++;
    for (bool good = weir_rows_start(rows, n, names); good && at < end && *at != 0xff; cell++) {
        const uint8_t *stop = memchr(at, 0, (size_t)(end - at));
        stop = stop ? stop : end;
        row = cell % n ? row : weir_rows_add(rows);
        if (row && *at != 1)
            row[cell % n] = weir_rows_text(rows, (const char *)at, (size_t)(stop - at));
        at = stop < end ? stop + 1 : end;
    }
    return at < end ? at + 1 : end;
}

static void layout_try(const weir_layout *layout, size_t table, const uint8_t *data, size_t size)
{
    weir_rows rows[WEIR_LAYOUT_QUERIES] = {0};
    weir_problems problems = WEIR_PROBLEMS_INIT;
    const uint8_t *at = data;
    for (size_t i = 0; i < WEIR_LAYOUT_QUERIES && layout->queries[i].table; i++)
        at = rows_fill(&rows[i], columns[table + i], at, data + size);
    const weir_layout_in in = {.place = "fuzz.db",
                               .identity = "weir:fuzz.db",
                               .rows = rows,
                               .queries = layout->queries,
                               .name = "c",
                               .scheme = "tcp",
                               .cron = "0 * * * * *",
                               .problems = &problems};
    weir_document *document = weir_layout_document(layout, &in);
    if (!document || weir_node_where(weir_document_root(document)).file[0] != 'f')
        abort();
    weir_document_free(document);
    weir_problems_deinit(&problems);
    for (size_t i = 0; i < WEIR_LAYOUT_QUERIES; i++)
        weir_rows_deinit(&rows[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    layout_try(&weir_layout_requested_data, 0, data, size);
    layout_try(&weir_layout_energy_meters, 1, data, size);
    layout_try(&weir_layout_weir, 3, data, size);
    return 0;
}
