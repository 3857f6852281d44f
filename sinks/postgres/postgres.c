/* SPDX-License-Identifier: MIT */
/* The sink that writes to PostgreSQL: plain rows, each under its key, by binary COPY. */

#include <stdio.h>
#include <string.h>

#include "sinks/postgres/schema.h"
#include "sinks/postgres/transfer.h"
#include "sinks/text/trial.h"

typedef struct postgres {
    const weir_sink_host *host;
    weir_pg_tables tables;
    weir_pg_connection connection;
    weir_pg_transfer transfer;
} postgres;

static weir_err postgres_init(void *state, const weir_sink_host *host, const void *options,
                              weir_error *error)
{
    postgres *p = state;
    (void)error;
    *p = (postgres){.host = host};
    weir_pg_tables_init(&p->tables, options);
    weir_pg_connection_init(&p->connection, host, options, &p->tables);
    p->transfer.connection = &p->connection;
    return WEIR_OK;
}

static void postgres_deinit(void *state)
{
    postgres *p = state;
    weir_pg_close(&p->connection);
    weir_pg_transfer_deinit(&p->transfer);
}

/* --- send --------------------------------------------------------------------------------- */

/* Connected, with tables that fit. */
static bool is_ready(postgres *p, weir_send_answer *ret)
{
    weir_pg_connection *c = &p->connection;
    if (c->pg)
        return true;
    weir_pg_tags_forget(&p->transfer.tags);
    if (!weir_pg_open(c, ret))
        return false;
    if (weir_pg_transaction_begin(c, ret) && weir_pg_schema_fit(c, &p->tables, ret) &&
        weir_pg_run(c, "COMMIT", NULL, 0, NULL, ret))
        return true;
    weir_pg_close(c);
    return false;
}

/* A row that can be in no table of PostgreSQL; n: there is none. */
static size_t refused_find(const weir_sink_row *rows, size_t n, weir_send_answer *ret)
{
    for (size_t i = 0; i < n; i++) {
        const char *why = weir_pg_row_refused(&rows[i]);
        if (!why)
            continue;
        *ret = (weir_send_answer){.result = WEIR_SEND_REJECTED, .first_bad = i};
        (void)snprintf(ret->why, sizeof ret->why, "%s", why);
        return i;
    }
    return n;
}

static void postgres_send(void *state, const weir_sink_row *rows, size_t n, weir_mono deadline,
                          weir_send_answer *ret)
{
    postgres *p = state;
    *ret = (weir_send_answer){.result = WEIR_SEND_DELIVERED};
    p->connection.deadline = deadline;
    if (n == 0 || refused_find(rows, n, ret) < n || !is_ready(p, ret))
        return;
    weir_pg_transfer_send(&p->transfer, rows, n, ret);
    /* The tables are looked at again by then, and made again if they may be. */
    if (ret->result == WEIR_SEND_LATER && ret->trouble == WEIR_TROUBLE_MISCONFIGURED)
        weir_pg_close(&p->connection);
}

static void postgres_idle(void *state, weir_mono now)
{
    postgres *p = state;
    (void)now;
    weir_pg_look(&p->connection);
}

/* --- test --------------------------------------------------------------------------------- */

static bool latency_measure(weir_pg_connection *c, int64_t *ret_us, weir_send_answer *ret)
{
    const weir_mono began = c->host->now(c->host->data);
    if (!weir_pg_run(c, "SELECT 1", NULL, 0, NULL, ret))
        return false;
    *ret_us = c->host->now(c->host->data).us - began.us;
    return true;
}

/* All of it is taken back. */
static bool row_try(postgres *p, weir_pg_transfer *transfer, weir_send_answer *ret)
{
    const weir_sink_row row = weir_trial_row(p->host->wall(p->host->data));
    return weir_pg_transfer_try(transfer, &row, ret);
}

static void postgres_test(void *state, weir_mono deadline, weir_sink_test *ret)
{
    postgres *p = state;
    weir_pg_connection c;
    weir_pg_tables tables = p->tables;
    weir_pg_transfer transfer = {.connection = &c};
    *ret = (weir_sink_test){.answer.result = WEIR_SEND_DELIVERED};
    weir_pg_connection_init(&c, p->host, p->connection.options, &tables);
    c.deadline = deadline;
    if (weir_pg_open(&c, &ret->answer)) {
        weir_pg_peer(&c, ret->peer, sizeof ret->peer);
        /* An answer on the way there, that a table was missing, is over by the end. */
        if (latency_measure(&c, &ret->latency_us, &ret->answer) &&
            weir_pg_transaction_begin(&c, &ret->answer) &&
            weir_pg_schema_fit(&c, &tables, &ret->answer) && row_try(p, &transfer, &ret->answer))
            ret->answer = (weir_send_answer){.result = WEIR_SEND_DELIVERED};
        weir_pg_settle(&c);
    }
    weir_pg_close(&c);
    weir_pg_transfer_deinit(&transfer);
}

/* --- the type ----------------------------------------------------------------------------- */

static weir_err postgres_schema(const void *options, weir_text *ret, weir_error *error)
{
    weir_pg_tables tables;
    weir_pg_tables_init(&tables, options);
    weir_pg_tables_ddl(&tables, ret);
    return ret->failed ? weir_fail(error, WEIR_ENOMEM, "the DDL") : WEIR_OK;
}

static const weir_sink_type weir_sink_postgres = {
    .abi = WEIR_SINK_ABI,
    .name = "postgres",
    .summary = "rows in PostgreSQL or Timescale",
    .text =
        "Layout weir: a row of weir_tags for each tag of each store, a row of weir_samples for "
        "each "
        "sample. Every number is in num (the nearest double; bool as 0 and 1; float32 exactly; NaN "
        "and infinities as such); decimals and integers beyond 2^53 are exact in exact; strings in "
        "txt, bytes in raw. What is no UTF-8, or is NUL, becomes U+FFFD in txt, and raw has the "
        "bytes as they were. A bad sample has none of these, but quality and cause. The key "
        "(tag_id, ts, epoch) absorbs a repetition: the highest seq stays.\n"
        "Layout emdc: topics and data as an Energy Meter Data Collector has them; values are text "
        "as short as they read back the same, bad samples have no row, a renamed tag is another "
        "topic. The key (ts, topic_id) absorbs a repetition: the last one stays.",
    .options = weir_pg_option_table,
    .options_size = sizeof(weir_pg_options),
    .state_size = sizeof(postgres),
    .rows_max = 10000,
    .check = weir_pg_options_check,
    .init = postgres_init,
    .deinit = postgres_deinit,
    .send = postgres_send,
    .test = postgres_test,
    .idle = postgres_idle,
    .schema = postgres_schema,
};

/* What sinks/module.c looks for. */
__attribute__((visibility("default"))) const weir_sink_type *weir_sink_module_get(uint32_t abi);

const weir_sink_type *weir_sink_module_get(uint32_t abi)
{
    return abi == WEIR_SINK_ABI ? &weir_sink_postgres : NULL;
}
