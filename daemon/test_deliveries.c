/* SPDX-License-Identifier: MIT */
/* Tests of the sinks' threads, against a collector that runs. */

#include "daemon/deliveries.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "catalog/yaml.h"
#include "daemon/assemble.h"
#include "runtime/clock.h"
#include "store/query/query.h"

/* --- a sink that is told from another thread what to do ----------------------------------- */

struct told {
    atomic_bool hangs, refuses;
    atomic_ullong rows, sends;
};

struct told_options {
    struct told *told;
};

struct told_state {
    const weir_sink_host *host;
    struct told *told;
};

static weir_err told_init(void *state, const weir_sink_host *host, const void *options,
                          weir_error *error)
{
    struct told_state *s = state;
    s->host = host;
    s->told = ((const struct told_options *)options)->told;
    if (!s->told)
        return weir_fail(error, WEIR_EINVAL, "it has no other side");
    return WEIR_OK;
}

static void told_deinit(void *state)
{
    (void)state;
}

static void told_send(void *state, const weir_sink_row *rows, size_t n, weir_mono deadline,
                      weir_send_answer *ret)
{
    const struct told_state *s = state;
    (void)rows;
    s->told->sends++;
    while (s->told->hangs && !s->host->is_ending(s->host->data) &&
           s->host->now(s->host->data).us < deadline.us)
        (void)usleep(20000); /* as a client that polls its socket */
    if (s->told->hangs || s->told->refuses) {
        ret->result = WEIR_SEND_LATER;
        ret->trouble = WEIR_TROUBLE_REFUSED;
        (void)snprintf(ret->why, sizeof ret->why, "wrong password");
        return;
    }
    s->told->rows += n;
    ret->result = WEIR_SEND_DELIVERED;
}

static const weir_option told_option_table[] = {{.name = NULL}};

static const weir_sink_type told_type = {.abi = WEIR_SINK_ABI,
                                         .name = "told",
                                         .summary = "",
                                         .text = "",
                                         .options = told_option_table,
                                         .options_size = sizeof(struct told_options),
                                         .state_size = sizeof(struct told_state),
                                         .rows_max = 1000,
                                         .init = told_init,
                                         .deinit = told_deinit,
                                         .send = told_send};

/* --- a daemon ----------------------------------------------------------------------------- */

enum { N_SINKS = 4 };

struct daemon {
    char dir[64];
    weir_catalog *catalog;
    weir_runtime *collector;
    weir_deliveries *deliveries;
    struct told told[N_SINKS];
    struct told_options options[N_SINKS];
    weir_sink_config sinks[N_SINKS];
};

static void on_committed(void *data, uint64_t seq)
{
    (void)seq;
    weir_deliveries_wake(((struct daemon *)data)->deliveries);
}

/* Three sinks that work, and "disabled". */
static void daemon_open(struct daemon *d)
{
    static const char *const names[N_SINKS] = {"first", "second", "a-name-that-is-long",
                                               "disabled"};
    weir_problems problems = WEIR_PROBLEMS_INIT;
    WEIR_TEXT_AUTO yaml = WEIR_TEXT_INIT;
    memset(d, 0, sizeof *d);
    (void)snprintf(d->dir, sizeof d->dir, "/tmp/weir-deliveries-XXXXXX");
    assert_non_null(mkdtemp(d->dir));
    weir_text_format(
        &yaml,
        "data_dir: %s\nstore: {max_loss: 100ms}\nconnections: [{name: sim, uri: "
        "\"simulated:\"}]\ndevices: [{name: \"d{unit_id}\", unit_id: 1-20, connection: "
        "sim, interval: 50ms, points: [{name: a, register: holding, address: 0, type: "
        "uint16}]}]\n",
        d->dir);
    assert_int_equal(
        weir_yaml_load_text(yaml.text, yaml.length, "t.yaml", NULL, &d->catalog, &problems),
        WEIR_OK);
    weir_problems_deinit(&problems);
    for (int i = 0; i < N_SINKS; i++) {
        d->options[i].told = &d->told[i];
        d->sinks[i] = (weir_sink_config){.name = names[i],
                                         .type = &told_type,
                                         .options = &d->options[i],
                                         .enabled = i < N_SINKS - 1};
    }
    d->catalog->sinks = d->sinks;
    d->catalog->n_sinks = N_SINKS;
}

static void daemon_start(struct daemon *d)
{
    weir_error error = WEIR_ERROR_INIT;
    if (weir_deliveries_new(d->catalog, 1, &d->deliveries, &error))
        fail_msg("%s", error.text);
    const weir_runtime_config config = {.catalog = d->catalog,
                                        .sources = weir_assemble_sources,
                                        /* The clock is trusted, whatever it shows. */
                                        .built = {weir_system_wall().us - WEIR_DAY},
                                        .on_committed = on_committed,
                                        .data = d};
    if (weir_runtime_start(&config, &d->collector, &error) ||
        weir_deliveries_start(d->deliveries, d->collector, &error))
        fail_msg("%s", error.text);
}

static int64_t daemon_stop(struct daemon *d)
{
    const int64_t began = weir_system_mono().us;
    weir_deliveries_end(d->deliveries);
    const int64_t took = weir_system_mono().us - began;
    assert_true(weir_runtime_stop(d->collector));
    weir_deliveries_free(d->deliveries);
    return took;
}

static void daemon_close(struct daemon *d)
{
    static const char *const files[] = {"data.db", "data.db-wal", "data.db-shm", "weir.lock"};
    weir_catalog_free(d->catalog);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", d->dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(d->dir);
}

static void wait_state(struct daemon *d, size_t i, const char *state)
{
    weir_sink_view view;
    const int64_t until = weir_system_mono().us + WEIR_MINUTE;
    do {
        (void)usleep(2000);
        assert_true(weir_deliveries_get(d->deliveries, i, &view));
        assert_true(weir_system_mono().us < until);
    } while (strcmp(view.record.state, state) != 0);
}

static void wait_rows(const struct told *told, uint64_t n)
{
    const int64_t until = weir_system_mono().us + WEIR_MINUTE;
    while (told->rows < n) {
        (void)usleep(2000);
        assert_true(weir_system_mono().us < until);
    }
}

static int64_t file_sql(const struct daemon *d, const char *sql)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_query *query = NULL;
    sqlite3_stmt *row = NULL;
    assert_int_equal(weir_query_open(d->dir, NULL, &query, &error), WEIR_OK);
    assert_int_equal(sqlite3_prepare_v2(weir_query_db(query), sql, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    const int64_t n = sqlite3_column_int64(row, 0);
    (void)sqlite3_finalize(row);
    weir_query_close(query);
    return n;
}

/* --- tests -------------------------------------------------------------------------------- */

static void each_sink_gets_what_is_committed_also_beside_one_that_hangs(void **state)
{
    static struct daemon d;
    weir_sink_view view;
    (void)state;
    daemon_open(&d);
    d.told[1].hangs = true;
    daemon_start(&d);
    wait_rows(&d.told[0], 500);
    wait_rows(&d.told[2], 500);
    wait_state(&d, 0, "online");
    wait_state(&d, 3, "disabled");
    assert_int_equal(d.told[1].rows, 0);
    /* It has not ended a send, and what waits for it grows all the same. */
    weir_deliveries_get(d.deliveries, 1, &view);
    assert_in_range(view.record.backlog, 450, WEIR_BACKLOG_UNKNOWN - 1);
    assert_true(view.record.oldest_unsent.us > 0);
    weir_deliveries_get(d.deliveries, 3, &view);
    assert_true(view.record.backlog == WEIR_BACKLOG_UNKNOWN);
    assert_int_equal(d.told[3].sends, 0);
    assert_true(daemon_stop(&d) < WEIR_S); /* the one that hangs is told to end */
    assert_true(file_sql(&d, "SELECT count(*) FROM sinks WHERE state='online'") == 2);
    assert_true(file_sql(&d, "SELECT count(*) FROM events WHERE subject='first'") >= 1);
    daemon_close(&d);
}

static void a_start_goes_on_where_the_end_was(void **state)
{
    static struct daemon d;
    (void)state;
    daemon_open(&d);
    daemon_start(&d);
    wait_rows(&d.told[0], 300);
    (void)daemon_stop(&d);
    daemon_start(&d);
    wait_rows(&d.told[0], 600);
    (void)daemon_stop(&d);
    const int64_t stored = file_sql(&d, "SELECT count(*) FROM samples");
    /* Nothing but what was committed when the threads had ended is missing, and little is twice. */
    assert_true((int64_t)d.told[0].rows <= stored + 100);
    daemon_close(&d);
}

static void a_sink_that_cannot_start_says_so_and_stops_nobody(void **state)
{
    static struct daemon d;
    weir_sink_view view;
    (void)state;
    daemon_open(&d);
    d.options[0].told = NULL;
    d.told[2].refuses = true;
    daemon_start(&d);
    wait_rows(&d.told[1], 100);
    wait_state(&d, 0, "misconfigured");
    wait_state(&d, 2, "refused");
    assert_true(weir_deliveries_get(d.deliveries, 0, &view));
    assert_string_equal(view.record.error, "it has no other side");
    assert_true(view.record.backlog == WEIR_BACKLOG_UNKNOWN);
    assert_true(weir_deliveries_get(d.deliveries, 2, &view));
    assert_string_equal(view.record.error, "wrong password");
    d.told[2].refuses = false;
    wait_rows(&d.told[2], 100);
    assert_true(daemon_stop(&d) < WEIR_S);
    daemon_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sink_gets_what_is_committed_also_beside_one_that_hangs),
        cmocka_unit_test(a_start_goes_on_where_the_end_was),
        cmocka_unit_test(a_sink_that_cannot_start_says_so_and_stops_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
