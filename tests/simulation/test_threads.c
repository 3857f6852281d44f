/* SPDX-License-Identifier: MIT */
/* The collector as it runs: its threads, libuv and sockets, against a slave in another thread. */

#include "runtime/collector.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "catalog/yaml.h"
#include "modbus/slave.h"
#include "sources/modbus/modbus.h"
#include "sources/simulated/simulated.h"
#include "store/query/query.h"

enum { SLAVE_CLIENTS = 16, LOOKERS = 3, UNITS = 8 };

static const weir_source_type *const sources[] = {&weir_source_modbus, &weir_source_simulated,
                                                  NULL};

/* --- a slave on a port of its own --- */

struct slave {
    int listener, stop[2];
    uint16_t port;
    pthread_t thread;
    struct {
        int fd;
        weir_slave slave;
    } clients[SLAVE_CLIENTS];
};

static int slave_read(void *data, uint8_t unit, weir_register table, uint16_t address, uint16_t n,
                      uint16_t *ret)
{
    (void)data, (void)table;
    for (uint16_t i = 0; i < n; i++)
        ret[i] = (uint16_t)(unit * 100 + address + i);
    return 0;
}

static const weir_slave_host slave_host = {NULL, slave_read};

static bool client_serve(weir_slave *slave, int fd)
{
    uint8_t bytes[512], reply[2048];
    size_t n_reply = 0;
    bool broken = false;
    ssize_t n = read(fd, bytes, sizeof bytes);
    for (size_t at = 0; n > 0 && at < (size_t)n && !broken;) {
        at += weir_slave_input(slave, bytes + at, (size_t)n - at, reply, sizeof reply, &n_reply,
                               &broken);
        if (n_reply && send(fd, reply, n_reply, MSG_NOSIGNAL) != (ssize_t)n_reply)
            return false;
    }
    return n > 0 && !broken;
}

static void *slave_main(void *data)
{
    struct slave *s = data;
    for (;;) {
        struct pollfd fds[2 + SLAVE_CLIENTS] = {{s->stop[0], POLLIN, 0}, {s->listener, POLLIN, 0}};
        for (size_t i = 0; i < SLAVE_CLIENTS; i++)
            fds[2 + i] = (struct pollfd){s->clients[i].fd, POLLIN, 0};
        (void)poll(fds, 2 + SLAVE_CLIENTS, -1);
        if (fds[0].revents)
            return NULL;
        for (size_t i = 0; i < SLAVE_CLIENTS; i++) {
            if (fds[2 + i].revents && !client_serve(&s->clients[i].slave, s->clients[i].fd)) {
                (void)close(s->clients[i].fd);
                s->clients[i].fd = -1;
            }
        }
        for (size_t i = 0; fds[1].revents && i < SLAVE_CLIENTS; i++) {
            if (s->clients[i].fd >= 0)
                continue;
            s->clients[i].fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
            weir_slave_init(&s->clients[i].slave, WEIR_FRAMING_TCP, &slave_host);
            break;
        }
    }
}

static void slave_start(struct slave *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    socklen_t size = sizeof address;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->listener >= 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(s->listener, SLAVE_CLIENTS), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &size), 0);
    s->port = ntohs(address.sin_port);
    assert_int_equal(pipe2(s->stop, O_CLOEXEC), 0);
    for (size_t i = 0; i < SLAVE_CLIENTS; i++)
        s->clients[i].fd = -1;
    assert_int_equal(pthread_create(&s->thread, NULL, slave_main, s), 0);
}

static void slave_stop(struct slave *s)
{
    (void)close(s->stop[1]);
    (void)pthread_join(s->thread, NULL);
    (void)close(s->stop[0]);
    (void)close(s->listener);
    for (size_t i = 0; i < SLAVE_CLIENTS; i++)
        if (s->clients[i].fd >= 0)
            (void)close(s->clients[i].fd);
}

/* --- a collector for it --- */

struct plant {
    char dir[64];
    weir_catalog *catalog;
    weir_runtime *collector;
    _Atomic uint64_t n_good, n_bad;
    _Atomic uint32_t n_logged;
};

static void on_batch(void *data, const weir_batch *batch)
{
    struct plant *p = data;
    for (size_t i = 0; i < batch->n_samples; i++)
        *(batch->samples[i].quality == 0 ? &p->n_good : &p->n_bad) += 1;
}

static void on_log(void *data, weir_log_level level, const char *event, const char *subject,
                   const char *text)
{
    struct plant *p = data;
    (void)level, (void)event, (void)subject;
    p->n_logged += strlen(text) > 0;
}

static weir_catalog *catalog_load(const char *uri, const char *data_dir, int units)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    WEIR_TEXT_AUTO yaml = WEIR_TEXT_INIT;
    weir_catalog *catalog = NULL;
    weir_text_format(&yaml,
                     "data_dir: %s\nstore: {max_loss: 100ms}\nconnections: [{name: bus, uri: "
                     "\"%s\", timeout: 500ms}]\ndevices:\n"
                     "  - {name: \"m{unit_id}\", unit_id: 1-%d, connection: bus, interval: 20ms,"
                     " points: [{name: a, register: holding, address: 3, type: uint16},"
                     " {name: s, register: holding, address: 40, type: string, length: 80}]}\n",
                     data_dir, uri, units);
    assert_int_equal(
        weir_yaml_load_text(yaml.text, yaml.length, "t.yaml", NULL, &catalog, &problems), WEIR_OK);
    weir_problems_deinit(&problems);
    return catalog;
}

static void plant_open(struct plant *p, const char *uri, const char *data_dir)
{
    *p = (struct plant){.dir = "/tmp/weir-threads-XXXXXX"};
    assert_non_null(mkdtemp(p->dir));
    p->catalog = catalog_load(uri, data_dir ? data_dir : p->dir, UNITS);
}

/* The machine's clock is trusted, whatever it shows. */
static weir_wall built_just_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (weir_wall){t.tv_sec * WEIR_S - WEIR_DAY};
}

static weir_err plant_start(struct plant *p, bool once, weir_error *error)
{
    const weir_runtime_config config = {.catalog = p->catalog,
                                        .sources = sources,
                                        .built = built_just_now(),
                                        .once = once,
                                        .log = on_log,
                                        .on_batch = on_batch,
                                        .data = p};
    for (uint32_t i = 0; once && i < p->catalog->n_tags; i++)
        p->catalog->tags[i].uid = i + 1;
    return weir_runtime_start(&config, &p->collector, error);
}

static void plant_must_start(struct plant *p, bool once)
{
    weir_error error = WEIR_ERROR_INIT;
    if (plant_start(p, once, &error))
        fail_msg("%s", error.text);
}

static int64_t plant_sql(const struct plant *p, const char *sql)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_query *query = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(weir_query_open(p->dir, NULL, &query, &error), WEIR_OK);
    assert_int_equal(sqlite3_prepare_v2(weir_query_db(query), sql, -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const int64_t n = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    weir_query_close(query);
    return n;
}

static void plant_close(struct plant *p)
{
    static const char *const files[] = {"data.db", "data.db-wal", "data.db-shm", "weir.lock"};
    weir_catalog_free(p->catalog);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", p->dir, files[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(p->dir), 0);
}

/* Waits by looking, which is what a snapshot is for; each look waits for the loop. */
static void plant_wait_good(struct plant *p, uint64_t n)
{
    while (p->n_good < n)
        weir_snapshot_unref(weir_runtime_snapshot(p->collector));
}

static size_t count_entries(const char *path)
{
    size_t n = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    (void)closedir(dir);
    return n;
}

/* --- looking --- */

struct looker {
    struct plant *plant;
    atomic_bool *end;
    uint64_t n_looks, n_seen;
    bool wrong;
};

static void looker_judge(struct looker *l, const weir_snapshot *s)
{
    const weir_catalog *catalog = s->catalog;
    for (size_t i = 0; i < s->n_tags; i++) {
        const weir_value v = weir_snapshot_value(s, i);
        const unsigned unit = catalog->devices[catalog->tags[i].device].unit_id;
        if (!s->current[i].sample.tag || s->current[i].sample.quality)
            continue;
        l->n_seen++;
        if (v.kind == WEIR_KIND_STRING || v.kind == WEIR_KIND_BYTES)
            l->wrong |= v.length > 64 || v.as.text != s->current[i].text;
        else
            l->wrong |= v.as.u != unit * 100 + 3;
    }
}

static void *looker_main(void *data)
{
    struct looker *l = data;
    while (!*l->end) {
        weir_snapshot *s = weir_runtime_snapshot(l->plant->collector);
        const weir_worker_view view = weir_runtime_store(l->plant->collector);
        l->n_looks++;
        l->wrong |= view.failing;
        if (s)
            looker_judge(l, s);
        weir_snapshot_unref(s);
    }
    return NULL;
}

static void many_look_while_it_runs_and_all_that_was_read_is_stored(void **state)
{
    struct slave slave;
    struct plant p;
    struct looker lookers[LOOKERS];
    pthread_t threads[LOOKERS];
    atomic_bool end = false;
    char uri[64];
    (void)state;
    slave_start(&slave);
    (void)snprintf(uri, sizeof uri, "tcp://127.0.0.1:%u", slave.port);
    plant_open(&p, uri, NULL);
    plant_must_start(&p, false);
    for (size_t i = 0; i < LOOKERS; i++) {
        lookers[i] = (struct looker){.plant = &p, .end = &end};
        assert_int_equal(pthread_create(&threads[i], NULL, looker_main, &lookers[i]), 0);
    }
    plant_wait_good(&p, 500);
    end = true;
    for (size_t i = 0; i < LOOKERS; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_true(lookers[i].n_looks > 0);
        assert_false(lookers[i].wrong);
    }
    assert_true(weir_runtime_stop(p.collector));
    assert_int_equal(plant_sql(&p, "select count(*) from samples"), p.n_good + p.n_bad);
    assert_int_equal(plant_sql(&p, "select count(*) from devices"), UNITS);
    assert_true(plant_sql(&p, "select min(requests) from devices") > 0);
    plant_close(&p);
    slave_stop(&slave);
}

/* --- another catalog --- */

static void the_catalog_is_exchanged_while_many_look(void **state)
{
    struct slave slave;
    struct plant p;
    struct looker lookers[LOOKERS];
    pthread_t threads[LOOKERS];
    atomic_bool end = false;
    weir_error error = WEIR_ERROR_INIT;
    char uri[64];
    (void)state;
    slave_start(&slave);
    (void)snprintf(uri, sizeof uri, "tcp://127.0.0.1:%u", slave.port);
    plant_open(&p, uri, NULL);
    plant_must_start(&p, false);
    for (size_t i = 0; i < LOOKERS; i++) {
        lookers[i] = (struct looker){.plant = &p, .end = &end};
        assert_int_equal(pthread_create(&threads[i], NULL, looker_main, &lookers[i]), 0);
    }
    for (int i = 0; i < 60; i++) {
        weir_catalog *catalog = catalog_load(uri, p.dir, i % 3 ? UNITS : UNITS / 2);
        if (weir_runtime_apply(p.collector, catalog, "a test", NULL, &error))
            fail_msg("%s", error.text);
        weir_catalog_free(catalog);
    }
    end = true;
    for (size_t i = 0; i < LOOKERS; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_false(lookers[i].wrong);
    }
    assert_int_equal(p.catalog->references, 0); /* nobody else has the first one any more */
    assert_true(weir_runtime_stop(p.collector));
    assert_int_equal(plant_sql(&p, "select count(*) from samples"), p.n_good + p.n_bad);
    assert_true(plant_sql(&p, "select count(*) from events where kind = 'config'") >= 40);
    plant_close(&p);
    slave_stop(&slave);
}

/* --- the end --- */

static void it_can_be_stopped_at_any_moment_and_loses_nothing(void **state)
{
    struct slave slave;
    struct plant p;
    char uri[64];
    weir_random random = {11};
    uint64_t expected = 0;
    (void)state;
    slave_start(&slave);
    (void)snprintf(uri, sizeof uri, "tcp://127.0.0.1:%u", slave.port);
    plant_open(&p, uri, NULL);
    const size_t descriptors = count_entries("/proc/self/fd");
    for (int i = 0; i < 40; i++) {
        plant_must_start(&p, false);
        /* No wait means anything here: the moment shall be any. */
        const struct timespec moment = {0, (long)weir_random_below(&random, 30000000)};
        (void)nanosleep(&moment, NULL);
        if (i % 2)
            weir_snapshot_unref(weir_runtime_snapshot(p.collector));
        assert_true(weir_runtime_stop(p.collector));
        expected = p.n_good + p.n_bad;
    }
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
    assert_int_equal(plant_sql(&p, "select count(*) from samples"), expected);
    plant_close(&p);
    slave_stop(&slave);
}

static void it_can_be_stopped_while_it_connects(void **state)
{
    /* Port 9 of this machine refuses; the name is one that no resolver knows (RFC 6761, 6.4). */
    static const char *const uris[] = {"tcp://127.0.0.1:9", "tcp://no-such-host.invalid"};
    (void)state;
    for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
        struct plant p;
        plant_open(&p, uris[i], NULL);
        const size_t descriptors = count_entries("/proc/self/fd");
        for (int n = 0; n < 10; n++) {
            plant_must_start(&p, false);
            if (n % 2)
                while (p.n_bad == 0 && i == 0)
                    weir_snapshot_unref(weir_runtime_snapshot(p.collector));
            assert_true(weir_runtime_stop(p.collector));
        }
        assert_true(count_entries("/proc/self/fd") <=
                    descriptors + 1); /* libuv's pool keeps none */
        plant_close(&p);
    }
}

/* --- once --- */

static void once_reads_every_point_and_is_done(void **state)
{
    struct slave slave;
    struct plant p;
    char uri[64];
    (void)state;
    slave_start(&slave);
    (void)snprintf(uri, sizeof uri, "tcp://127.0.0.1:%u", slave.port);
    const char *uris[] = {uri, "simulated:"};
    for (size_t i = 0; i < 2; i++) {
        plant_open(&p, uris[i], NULL);
        plant_must_start(&p, true);
        assert_true(weir_runtime_wait(p.collector, WEIR_MINUTE));
        assert_null(weir_runtime_snapshot(p.collector));
        assert_int_equal(weir_runtime_store(p.collector).commits, 0);
        assert_true(weir_runtime_stop(p.collector));
        assert_int_equal(p.n_good, p.catalog->n_tags);
        assert_int_equal(p.n_bad, 0);
        plant_close(&p); /* nothing was made there */
    }
    slave_stop(&slave);
}

/* --- starts that fail --- */

static void assert_start_fails(struct plant *p, weir_err expected)
{
    weir_error error = WEIR_ERROR_INIT;
    const size_t descriptors = count_entries("/proc/self/fd");
    const size_t threads = count_entries("/proc/self/task");
    assert_int_equal(plant_start(p, false, &error), expected);
    assert_null(p->collector);
    assert_true(strlen(error.text) > 0);
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
    assert_int_equal(count_entries("/proc/self/task"), threads);
}

static void a_start_on_data_in_use_leaves_nothing(void **state)
{
    struct plant first, second;
    (void)state;
    plant_open(&first, "simulated:", NULL);
    plant_must_start(&first, false);
    plant_open(&second, "simulated:", first.dir);
    assert_start_fails(&second, WEIR_EINUSE);
    assert_true(weir_runtime_stop(first.collector));
    plant_close(&second);
    plant_must_start(&first, false); /* and what was in use is free again */
    assert_true(weir_runtime_stop(first.collector));
    plant_close(&first);
}

static void a_start_where_nothing_can_be_leaves_nothing(void **state)
{
    struct plant p;
    (void)state;
    plant_open(&p, "simulated:", "/proc/no-such/place");
    assert_start_fails(&p, WEIR_EIO);
    plant_close(&p);
}

static void a_start_without_a_source_leaves_nothing(void **state)
{
    struct plant p;
    (void)state;
    plant_open(&p, "simulated:", NULL);
    static const weir_source_type *const modbus_only[] = {&weir_source_modbus, NULL};
    const weir_runtime_config config = {.catalog = p.catalog, .sources = modbus_only};
    weir_error error = WEIR_ERROR_INIT;
    const size_t descriptors = count_entries("/proc/self/fd");
    const size_t threads = count_entries("/proc/self/task");
    assert_int_equal(weir_runtime_start(&config, &p.collector, &error), WEIR_EUNSUPPORTED);
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
    assert_int_equal(count_entries("/proc/self/task"), threads);
    plant_must_start(&p, false); /* the folder is not locked */
    assert_true(weir_runtime_stop(p.collector));
    plant_close(&p);
}

static void a_start_with_any_number_of_descriptors_ends_well(void **state)
{
    struct rlimit old;
    struct plant p;
    (void)state;
    plant_open(&p, "simulated:", NULL);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    bool failed = false, started = false;
    for (size_t n = 0; n < 20 && !started; n++) {
        weir_error error = WEIR_ERROR_INIT;
        const size_t open_now = count_entries("/proc/self/fd");
        const struct rlimit limit = {open_now + n, old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        started = plant_start(&p, false, &error) == WEIR_OK;
        if (started)
            assert_true(weir_runtime_stop(p.collector));
        failed |= !started;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
        /* One: uv_loop_init of libuv 1.44 forgets its epoll descriptor when it fails later. */
        assert_true(count_entries("/proc/self/fd") <= open_now + 1);
    }
    assert_true(failed);
    assert_true(started);
    plant_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_look_while_it_runs_and_all_that_was_read_is_stored),
        cmocka_unit_test(the_catalog_is_exchanged_while_many_look),
        cmocka_unit_test(it_can_be_stopped_at_any_moment_and_loses_nothing),
        cmocka_unit_test(it_can_be_stopped_while_it_connects),
        cmocka_unit_test(once_reads_every_point_and_is_done),
        cmocka_unit_test(a_start_on_data_in_use_leaves_nothing),
        cmocka_unit_test(a_start_where_nothing_can_be_leaves_nothing),
        cmocka_unit_test(a_start_without_a_source_leaves_nothing),
        cmocka_unit_test(a_start_with_any_number_of_descriptors_ends_well),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
