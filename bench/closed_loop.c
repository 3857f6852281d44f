/* SPDX-License-Identifier: MIT */
/* The production path as fast as it goes: every connection is read again as soon as its last read
 * is over. Grouping, protocol, decoding, current values, inbox and log are weir's own; only the
 * schedule is left out.
 *
 * usage: closed_loop PORT CONNECTIONS REGISTERS SECONDS DATA_DIR
 * Prints one line of JSON: requests, and CPU microseconds a request of the loop thread and of the
 * whole process. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <uv.h>

#include "base/alloc.h"
#include "catalog/yaml.h"
#include "engine/engine.h"
#include "runtime/clock.h"
#include "runtime/inbox.h"
#include "runtime/uv_transport.h"
#include "runtime/worker.h"
#include "sources/modbus/modbus.h"
#include "store/store.h"

static const int64_t warm_up_us = WEIR_S;

struct bench;

struct connection {
    struct bench *bench;
    weir_source_host host;
    void *state;
    weir_mono wake;
    bool idle; /* its next read is to be issued */
};

struct bench {
    weir_catalog *catalog;
    weir_platform platform;
    weir_store *store;
    weir_inbox inbox;
    weir_worker *worker;
    weir_engine *engine;
    size_t n;
    struct connection *connections;
    uv_loop_t uv;
    weir_uv_transport_host transport;
    atomic_bool ending;
    uint64_t reads, bad;
};

static weir_mono now_mono(void *data)
{
    (void)data;
    return weir_system_mono();
}

static weir_wall now_wall(void *data)
{
    (void)data;
    return weir_system_wall();
}

static double cpu_us(int who)
{
    struct rusage u;
    (void)getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* engine and source hosts */

static void engine_read(void *data, const weir_read *read)
{
    (void)data;
    (void)read;
}

static void engine_batch(void *data, const weir_batch *batch)
{
    struct bench *b = data;
    if (!weir_inbox_put_batch(&b->inbox, batch))
        b->bad++;
}

static void engine_event(void *data, const weir_event *event)
{
    (void)data;
    (void)event;
}

static void engine_correction(void *data, const weir_correction *correction)
{
    engine_event(data, &correction->event);
}

static weir_mono host_now(void *data)
{
    (void)data;
    return now_mono(NULL);
}

static weir_wall host_wall(void *data)
{
    (void)data;
    return now_wall(NULL);
}

static void host_batch(void *data, const weir_batch *batch)
{
    struct connection *c = data;
    weir_engine_deliver(c->bench->engine, batch, now_mono(NULL));
}

static void host_read_done(void *data, const weir_read *read, weir_read_result result,
                           weir_quality worst)
{
    struct connection *c = data;
    (void)read;
    c->bench->reads++;
    c->bench->bad += result != WEIR_READ_GOOD || worst != 0;
    c->idle = true;
}

static void host_link(void *data, bool up, const char *why)
{
    (void)data;
    (void)up;
    (void)why;
}

static void host_wake_at(void *data, weir_mono t)
{
    ((struct connection *)data)->wake = t;
}

static void host_log(void *data, weir_log_level level, const char *event, const char *text)
{
    (void)data;
    (void)level;
    fprintf(stderr, "%s: %s\n", event, text);
}

/* set-up */

static void die(const char *what)
{
    fprintf(stderr, "closed_loop: %s\n", what);
    exit(1);
}

static weir_catalog *make_catalog(int port, int n, int registers, const char *data_dir)
{
    WEIR_TEXT_AUTO yaml = WEIR_TEXT_INIT;
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *catalog = NULL;
    weir_text_format(&yaml, "data_dir: %s\nconnections:\n", data_dir);
    for (int i = 0; i < n; i++)
        weir_text_format(&yaml, "  - {name: c%d, uri: \"tcp://127.0.0.1:%d\"}\n", i, port);
    weir_text_add(&yaml, "devices:\n");
    for (int i = 0; i < n; i++) {
        weir_text_format(
            &yaml, "  - {name: d%d, connection: c%d, unit_id: 1, interval: 1s, points: ", i, i);
        weir_text_add(&yaml, i == 0 ? "&points [" : "*points }\n");
        for (int r = 0; i == 0 && r < registers; r++)
            weir_text_format(&yaml, "%s{name: r%d, register: holding, address: %d, type: uint16}",
                             r ? ", " : "", r, r);
        weir_text_add(&yaml, i == 0 ? "]}\n" : "");
    }
    if (weir_yaml_load_text(yaml.text, yaml.length, "bench.yaml", NULL, &catalog, &problems)) {
        for (size_t i = 0; i < problems.n; i++)
            fprintf(stderr, "%u: %s\n", problems.items[i].where.line, problems.items[i].text);
        die("the catalog");
    }
    weir_problems_deinit(&problems);
    return catalog;
}

static void open_connections(struct bench *b)
{
    weir_error error = WEIR_ERROR_INIT;
    b->n = b->catalog->n_connections;
    b->connections = weir_alloc_zero(b->n, sizeof *b->connections);
    for (uint32_t i = 0; i < b->n; i++) {
        struct connection *c = &b->connections[i];
        c->bench = b;
        c->idle = true;
        c->wake = WEIR_MONO_NEVER;
        c->host = (weir_source_host){
            .data = c,
            .catalog = b->catalog,
            .connection = i,
            .transport = &b->transport.host,
            .seed = i + 1,
            .now = host_now,
            .wall = host_wall,
            .on_batch = host_batch,
            .on_read_done = host_read_done,
            .on_link = host_link,
            .wake_at = host_wake_at,
            .log = host_log,
        };
        c->state = weir_alloc_zero(1, weir_source_modbus.state_size);
        if (!c->state || weir_source_modbus.init(c->state, &c->host, &error))
            die(error.text);
    }
}

static void open_store(struct bench *b, const char *data_dir)
{
    weir_error error = WEIR_ERROR_INIT;
    const weir_store_options options = {data_dir, NULL, now_wall(NULL)};
    b->platform = (weir_platform){.now = now_mono, .wall = now_wall, .seed = 1};
    if (weir_store_open(&options, &b->store, &error) ||
        weir_store_register(b->store, b->catalog, options.now, &error) ||
        weir_inbox_init(&b->inbox, 256u << 20, NULL, NULL) ||
        weir_worker_new(b->store, &b->inbox, &b->platform, WEIR_S, &b->worker, &error))
        die(error.text);
    const weir_engine_config engine = {
        .catalog = b->catalog,
        .host = {b, engine_read, engine_batch, engine_event, engine_correction, NULL},
        .seed = 1,
        .timer_slack_us = 10 * WEIR_MS,
    };
    if (weir_engine_new(&engine, now_mono(NULL), now_wall(NULL), &b->engine, &error))
        die(error.text);
}

/* work */

static void *store_main(void *data)
{
    struct bench *b = data;
    while (!b->ending) {
        /* In place of the inbox's wake: look ten times a second. */
        const struct timespec pause = {0, 100 * 1000 * 1000};
        (void)weir_worker_step(b->worker);
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    (void)weir_worker_flush(b->worker);
    return NULL;
}

static void issue(struct connection *c, weir_mono now)
{
    const weir_read read = {
        .id = c->bench->reads + 1,
        .device = c->host.connection, /* one device a connection, in the same order */
        .intervals = 1,
        .plans = WEIR_PLAN_DEFAULT,
        .due = now_wall(NULL),
        .due_mono = now,
        .next_due_us = 10 * WEIR_S,
    };
    c->idle = false;
    weir_source_modbus.read(c->state, &read);
}

static void on_idle(uv_prepare_t *prepare)
{
    struct bench *b = prepare->data;
    const weir_mono now = now_mono(NULL);
    for (size_t i = 0; i < b->n; i++) {
        struct connection *c = &b->connections[i];
        if (c->idle)
            issue(c, now);
        if (weir_mono_reached(now, c->wake)) {
            c->wake = WEIR_MONO_NEVER;
            weir_source_modbus.step(c->state, now);
        }
    }
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer; /* keeps the loop turning when nothing else does */
}

static void run_for(struct bench *b, int64_t us)
{
    const int64_t ends = now_mono(NULL).us + us;
    while (now_mono(NULL).us < ends)
        (void)uv_run(&b->uv, UV_RUN_ONCE);
}

int main(int argc, char **argv)
{
    static struct bench b;
    uv_prepare_t prepare;
    uv_timer_t timer;
    pthread_t store;
    if (argc != 6)
        die("usage: closed_loop PORT CONNECTIONS REGISTERS SECONDS DATA_DIR");
    b.catalog = make_catalog(atoi(argv[1]), atoi(argv[2]), atoi(argv[3]), argv[5]);
    open_store(&b, argv[5]);
    (void)uv_loop_init(&b.uv);
    weir_uv_transport_host_init(&b.transport, &b.uv);
    open_connections(&b);
    (void)uv_prepare_init(&b.uv, &prepare);
    (void)uv_timer_init(&b.uv, &timer);
    prepare.data = &b;
    (void)uv_prepare_start(&prepare, on_idle);
    (void)uv_timer_start(&timer, on_tick, 10, 10);
    if (pthread_create(&store, NULL, store_main, &b))
        die("thread");

    run_for(&b, warm_up_us);
    const uint64_t reads = b.reads, bad = b.bad;
    const double loop = cpu_us(RUSAGE_THREAD), process = cpu_us(RUSAGE_SELF);
    run_for(&b, atoll(argv[4]) * WEIR_S);
    const double n = (double)(b.reads - reads);
    printf("{\"requests\": %.0f, \"bad\": %llu, \"loop_us\": %.3f, \"process_us\": %.3f}\n", n,
           (unsigned long long)(b.bad - bad), (cpu_us(RUSAGE_THREAD) - loop) / n,
           (cpu_us(RUSAGE_SELF) - process) / n);
    b.ending = true;
    (void)pthread_join(store, NULL);
    (void)fflush(stdout);
    _Exit(0); /* the memory is the kernel's to take */
}
