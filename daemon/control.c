/* SPDX-License-Identifier: MIT */
/* The control socket: what a running weir tells about itself, as JSON lines.
 *
 * The happy path: one thread polls the listening socket and up to CLIENTS_MAX clients, answers each
 * line with a line, one line a turn. Nothing here waits for a client: what it does not read yet
 * stays here, and no more is read from it until then.
 *
 * What can go wrong: a client sends garbage and gets an error line; sends an endless line and is
 * dropped; does nothing for IDLE_US and loses its place when another wants one. Without a place or
 * a descriptor for it a new client waits in the listening socket. */

#include "daemon/control.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "daemon/control_historian.h"
#include "daemon/control_plan.h"
#include "daemon/edit_json.h"
#include "daemon/problems.h"
#include "daemon/reload.h"
#include "runtime/clock.h"
#include "store/file/identity.h"

enum {
    CLIENTS_MAX = 16,
    LINE_MAX_BYTES = 64 * 1024,
    ASK_TIMEOUT_S = 5,
    WAIT_MS = 200, /* until the next look for a place or a descriptor */
};

/* A client may keep its place for so long without a word. */
static const int64_t idle_us = WEIR_S;

struct client {
    int fd; /* -1: free */
    weir_text input;
    weir_text output;
    size_t sent;       /* of the output */
    bool ended;        /* it sends no more: dropped after its answers */
    int64_t active_us; /* when it last sent or took something */
};

struct weir_control {
    weir_runtime *collector;
    weir_deliveries *deliveries; /* NULL: none */
    weir_reload *reload;         /* NULL: none */
    struct sockaddr_un address;
    int listener;
    int stop_pipe[2];
    weir_historians *historians;
    pthread_t thread;
    bool bound; /* the socket's file is ours */
    bool started;
    struct client clients[CLIENTS_MAX];
};

weir_err weir_control_path(const char *data_dir, int pid, weir_text *ret, weir_error *error)
{
    if (strcmp(data_dir, "memory") == 0) {
        const char *dir = getenv("XDG_RUNTIME_DIR");
        weir_text_format(ret, "%s/weir-%d.sock", dir && *dir ? dir : "/tmp", pid);
    } else {
        weir_text_format(ret, "%s/weir.sock", data_dir);
    }
    if (ret->failed)
        return weir_fail(error, WEIR_ENOMEM, "the control socket's name");
    if (ret->length >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return weir_fail(error, WEIR_ELIMIT,
                         "the control socket's name '%s' is longer than %zu bytes: choose a data "
                         "directory with a shorter name",
                         weir_text_get(ret), sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
    return WEIR_OK;
}

/* status */

static json_t *json_time(weir_wall t)
{
    return t.us ? json_integer(t.us) : json_null();
}

/* jansson refuses text that is not UTF-8 by NULL; our names are checked when they are read. */
static json_t *json_text(const char *text)
{
    json_t *value = json_string(text);
    return value ? value : json_string("?");
}

static json_t *json_device(const weir_snapshot *s, size_t i)
{
    const weir_device *device = &s->catalog->devices[i];
    const weir_device_status *status = &s->status[i];
    const weir_device_counters *counters = &s->counters[i];
    WEIR_TEXT_AUTO error = WEIR_TEXT_INIT;
    json_t *o = json_object();
    if (status->error)
        weir_quality_format(status->error, &error);
    (void)json_object_set_new(o, "name", json_text(device->name));
    (void)json_object_set_new(o, "connection",
                              json_text(s->catalog->connections[device->connection].name));
    (void)json_object_set_new(o, "unit_id", json_integer(device->unit_id));
    (void)json_object_set_new(o, "state", json_text(weir_device_state_text(status->state)));
    (void)json_object_set_new(o, "since", json_time(status->since));
    (void)json_object_set_new(o, "last_good", json_time(status->last_good));
    (void)json_object_set_new(o, "error", json_text(weir_text_get(&error)));
    (void)json_object_set_new(o, "requests", json_integer((json_int_t)counters->requests));
    (void)json_object_set_new(o, "timeouts", json_integer((json_int_t)counters->timeouts));
    (void)json_object_set_new(o, "late", json_integer((json_int_t)counters->late));
    (void)json_object_set_new(o, "exceptions", json_integer((json_int_t)counters->exceptions));
    (void)json_object_set_new(o, "malformed", json_integer((json_int_t)counters->malformed));
    (void)json_object_set_new(o, "overruns", json_integer((json_int_t)status->overruns));
    (void)json_object_set_new(o, "skipped", json_integer((json_int_t)status->skipped));
    (void)json_object_set_new(o, "rtt_p50", json_real((double)counters->rtt_us_p50 / 1000));
    (void)json_object_set_new(o, "rtt_p99", json_real((double)counters->rtt_us_p99 / 1000));
    return o;
}

static void json_identity(const weir_control *c, json_t *o)
{
    const weir_identity *id = weir_runtime_identity(c->collector);
    (void)json_object_set_new(o, "uuid", id ? json_text(id->uuid) : json_null());
    (void)json_object_set_new(o, "instance", id ? json_text(id->instance) : json_null());
    (void)json_object_set_new(o, "name", id ? json_text(id->name) : json_null());
    (void)json_object_set_new(o, "copied", json_boolean(id && id->copied));
}

/* offset: what was last added to the times of an untrusted epoch, in this run. */
static json_t *json_clock(const weir_catalog *catalog, const weir_clock_state *clock)
{
    const bool trusted = clock->doubt == WEIR_CLOCK_TRUSTED;
    json_t *o = json_object();
    (void)json_object_set_new(o, "trust", json_text(weir_clock_rule_text(catalog->clock_rule)));
    (void)json_object_set_new(o, "trusted", json_boolean(trusted));
    (void)json_object_set_new(
        o, "problem", trusted ? json_null() : json_text(weir_clock_doubt_text(clock->doubt)));
    (void)json_object_set_new(o, "since", json_time(clock->since));
    (void)json_object_set_new(o, "epoch", json_integer(clock->epoch));
    (void)json_object_set_new(o, "offset",
                              clock->corrected ? json_integer(clock->offset_us) : json_null());
    return o;
}

/* state: of the commits; while these succeed, of the limits. */
static json_t *json_store(const weir_worker_view *v)
{
    json_t *o = json_object();
    const weir_store_usage *usage = &v->usage;
    const bool fails = v->state != WEIR_COMMIT_OK;
    (void)json_object_set_new(
        o, "state",
        json_text(fails ? weir_commit_state_text(v->state) : weir_store_state_text(usage->state)));
    (void)json_object_set_new(o, "bytes", json_integer((json_int_t)usage->bytes));
    (void)json_object_set_new(o, "max_bytes",
                              usage->max_bytes ? json_integer((json_int_t)usage->max_bytes)
                                               : json_null());
    (void)json_object_set_new(o, "checked", json_time(usage->checked));
    (void)json_object_set_new(o, "since", json_time(v->since));
    (void)json_object_set_new(o, "error", json_text(v->error));
    (void)json_object_set_new(o, "commit_ms", json_real((double)v->commit_us / 1000));
    (void)json_object_set_new(o, "commit_ms_max", json_real((double)v->commit_us_max / 1000));
    (void)json_object_set_new(o, "waiting_bytes", json_integer((json_int_t)v->waiting_bytes));
    (void)json_object_set_new(o, "wal_bytes", json_integer((json_int_t)v->wal_bytes));
    (void)json_object_set_new(o, "failures", json_integer((json_int_t)v->failures));
    (void)json_object_set_new(o, "recoveries", json_integer((json_int_t)v->recoveries));
    return o;
}

static json_t *json_sink(const weir_sink_view *view)
{
    const weir_sink_record *r = &view->record;
    const int64_t age_us = weir_system_wall().us - r->oldest_unsent.us;
    const bool unsent = r->oldest_unsent.us != 0;
    json_t *o = json_object();
    (void)json_object_set_new(o, "name", json_text(r->name));
    (void)json_object_set_new(o, "type", json_text(r->type));
    (void)json_object_set_new(o, "state", json_text(r->state));
    (void)json_object_set_new(o, "error", json_text(r->error));
    (void)json_object_set_new(o, "remedy", json_text(r->remedy));
    (void)json_object_set_new(o, "since", json_time(r->since));
    (void)json_object_set_new(o, "delivered", json_time(r->delivered));
    (void)json_object_set_new(
        o, "oldest_unsent_s",
        json_real(unsent && age_us > 0 ? (double)age_us / (double)WEIR_S : 0));
    (void)json_object_set_new(
        o, "backlog",
        r->backlog == WEIR_BACKLOG_UNKNOWN ? json_null() : json_integer((json_int_t)r->backlog));
    (void)json_object_set_new(o, "done_in_s",
                              r->done_in_s > 0 ? json_real(r->done_in_s) : json_null());
    (void)json_object_set_new(o, "replayed_to", json_time(r->replayed_to));
    (void)json_object_set_new(o, "quarantined", json_integer((json_int_t)r->set_aside));
    (void)json_object_set_new(o, "sent", json_integer((json_int_t)r->sent));
    (void)json_object_set_new(o, "rate", json_real(r->rows_per_s));
    (void)json_object_set_new(o, "rtt_ms", json_real(r->rtt_ms));
    return o;
}

static json_t *json_sinks(const weir_control *c)
{
    json_t *sinks = json_array();
    weir_sink_view view;
    for (size_t i = 0; c->deliveries && weir_deliveries_get(c->deliveries, i, &view); i++)
        (void)json_array_append_new(sinks, json_sink(&view));
    return sinks;
}

static json_t *control_status(weir_control *c)
{
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = weir_runtime_catalog(c->collector);
    const weir_worker_view store = weir_runtime_store(c->collector);
    weir_snapshot *s = weir_runtime_snapshot(c->collector);
    json_t *o = json_object();
    json_t *devices = json_array();
    (void)json_object_set_new(o, "version", json_text(WEIR_VERSION));
    (void)json_object_set_new(o, "pid", json_integer(getpid()));
    (void)json_object_set_new(o, "data_dir", json_text(catalog->store.data_dir));
    json_identity(c, o);
    (void)json_object_set_new(o, "committed_seq",
                              json_integer((json_int_t)store.position.committed_seq));
    (void)json_object_set_new(o, "committed_ts", json_time(store.position.committed_ts));
    (void)json_object_set_new(o, "commits", json_integer((json_int_t)store.commits));
    (void)json_object_set_new(o, "store", json_store(&store));
    (void)json_object_set_new(o, "refused", json_integer((json_int_t)store.refused));
    (void)json_object_set_new(o, "overruns", json_integer(s ? (json_int_t)s->overruns : 0));
    (void)json_object_set_new(o, "filtered", json_integer(s ? (json_int_t)s->filtered : 0));
    (void)json_object_set_new(o, "clock", s ? json_clock(s->catalog, &s->clock) : json_null());
    (void)json_object_set_new(o, "tags", json_integer((json_int_t)catalog->n_tags));
    for (size_t i = 0; s && i < s->n_devices; i++)
        (void)json_array_append_new(devices, json_device(s, i));
    (void)json_object_set_new(o, "devices", devices);
    (void)json_object_set_new(o, "sinks", json_sinks(c));
    weir_snapshot_unref(s);
    return o;
}

/* edits */

/* An error says its number too, so that the command's exit code is the same without a daemon. */
static void control_edit(weir_control *c, const weir_edit *edit, json_t *answer)
{
    weir_error error = WEIR_ERROR_INIT;
    uint64_t n = 0;
    const weir_err err = weir_runtime_edit(c->collector, edit, &n, &error);
    if (err) {
        (void)json_object_set_new(answer, "error", json_text(error.text));
        (void)json_object_set_new(answer, "code", json_integer(err));
        return;
    }
    (void)json_object_set_new(answer, "result",
                              json_pack("{sI}", weir_edit_counts(edit->kind), (json_int_t)n));
}

/* reload */

static void add_change(void *data, const weir_diff_item *item)
{
    (void)json_array_append_new(data,
                                json_pack("{ss*ss*ss*ss*}", "kind", item->kind, "name", item->name,
                                          "change", item->change, "detail", item->detail));
}

static json_t *json_problems(const weir_problems *problems)
{
    json_t *list = json_array();
    for (size_t i = 0; i < problems->n && i < WEIR_PROBLEMS_SHOWN; i++) {
        WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
        weir_problem_format(&problems->items[i], &line);
        (void)json_array_append_new(list, json_text(weir_text_get(&line)));
    }
    return list;
}

static json_t *json_reloaded(const weir_reloaded *reloaded)
{
    const weir_diff *diff = reloaded->applied.diff;
    WEIR_TEXT_AUTO summary = WEIR_TEXT_INIT;
    json_t *o = json_object(), *changes = json_array(), *hints = json_array();
    weir_diff_count(diff, &summary);
    weir_diff_each(diff, add_change, changes);
    for (size_t i = 0; i < diff->n_hints; i++) {
        WEIR_TEXT_AUTO hint = WEIR_TEXT_INIT;
        weir_diff_describe_hint(diff, &diff->hints[i], &hint);
        (void)json_array_append_new(hints, json_text(weir_text_get(&hint)));
    }
    (void)json_object_set_new(o, "summary", json_text(weir_text_get(&summary)));
    (void)json_object_set_new(o, "changes", changes);
    (void)json_object_set_new(o, "hints", hints);
    (void)json_object_set_new(o, "restart", json_text(reloaded->restart));
    return o;
}

static void control_reload(weir_control *c, json_t *answer)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_reloaded reloaded = {0};
    if (!c->reload) {
        (void)json_object_set_new(answer, "error",
                                  json_string("this weir has no configuration to read again"));
        return;
    }
    const weir_err err = weir_reload_now(c->reload, "weir reload", &reloaded, &error);
    if (err) {
        const weir_problems *problems = &reloaded.problems;
        (void)json_object_set_new(answer, "error", json_text(error.text));
        (void)json_object_set_new(answer, "code", json_integer(err));
        (void)json_object_set_new(answer, "problems", json_problems(problems));
        (void)json_object_set_new(answer, "problem_count",
                                  json_integer((json_int_t)(problems->n + problems->n_more)));
    } else {
        (void)json_object_set_new(answer, "result", json_reloaded(&reloaded));
    }
    weir_reloaded_deinit(&reloaded);
}

static json_t *unknown_method(void)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_text_add(
        &text,
        "unknown method; this version has: status, reload, historian.read, historian.acknowledge, "
        "historian.remove, plan.list, plan.start, plan.pause, plan.resume, plan.stop, "
        "plan.collect, ");
    weir_edit_methods(&text);
    return json_text(weir_text_get(&text));
}

static void control_do(weir_control *c, const char *method, const json_t *params, json_t *answer)
{
    weir_edit edit;
    bool good = false;
    if (weir_control_historian(c->historians, method, params, answer) ||
        weir_control_plan(c->collector, method, params, answer))
        return;
    if (!weir_edit_parse(method, params, &edit, &good))
        (void)json_object_set_new(answer, "error", unknown_method());
    else if (!good)
        (void)json_object_set_new(answer, "error", json_string("\"params\" are missing or wrong"));
    else
        control_edit(c, &edit, answer);
}

static json_t *control_answer(weir_control *c, const char *line, size_t n)
{
    json_error_t error;
    json_t *request = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);
    const char *method = json_string_value(json_object_get(request, "method"));
    json_t *answer = json_object();
    if (!request)
        (void)json_object_set_new(answer, "error", json_text(error.text));
    else if (!method)
        (void)json_object_set_new(answer, "error", json_string("\"method\" is missing"));
    else if (strcmp(method, "status") == 0)
        (void)json_object_set_new(answer, "result", control_status(c));
    else if (strcmp(method, "reload") == 0)
        control_reload(c, answer);
    else
        control_do(c, method, json_object_get(request, "params"), answer);
    json_decref(request);
    return answer;
}

/* clients */

static void client_drop(struct client *client)
{
    (void)close(client->fd);
    weir_text_deinit(&client->input);
    weir_text_deinit(&client->output);
    *client = (struct client){.fd = -1};
}

/* The end of the first whole line, or NULL. */
static char *client_line_end(const struct client *client)
{
    return client->input.length ? memchr(client->input.text, '\n', client->input.length) : NULL;
}

static bool client_wants_to_send(const struct client *client)
{
    return client->output.length > 0 || client_line_end(client);
}

/* Answers the first line. False: no memory. */
static bool client_answer(weir_control *c, struct client *client)
{
    char *end = client_line_end(client);
    const size_t n = (size_t)(end - client->input.text);
    json_t *answer = control_answer(c, client->input.text, n);
    char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    if (text)
        weir_text_format(&client->output, "%s\n", text);
    const bool ok = text && !client->output.failed;
    free(text);
    client->input.length -= n + 1;
    memmove(client->input.text, end + 1, client->input.length + 1);
    return ok;
}

/* Sends what the socket takes. False: it is broken. */
static bool client_send(struct client *client)
{
    ssize_t n = send(client->fd, client->output.text + client->sent,
                     client->output.length - client->sent, MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    client->active_us = weir_system_mono().us;
    client->sent += (size_t)n;
    if (client->sent == client->output.length) {
        weir_text_deinit(&client->output); /* an answer may be large, and the next one far away */
        client->sent = 0;
    }
    return true;
}

/* False: it is broken, or its line is too long. */
static bool client_receive(struct client *client)
{
    char bytes[4096];
    ssize_t n = read(client->fd, bytes, sizeof bytes);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    client->ended = n == 0;
    client->active_us = weir_system_mono().us;
    weir_text_add_n(&client->input, bytes, (size_t)n);
    return !client->input.failed;
}

static void client_serve(weir_control *c, struct client *client)
{
    bool ok = true;
    if (!client_wants_to_send(client))
        ok = client_receive(client);
    if (ok && client->output.length == 0 && client_line_end(client))
        ok = client_answer(c, client);
    if (ok && client->output.length > 0)
        ok = client_send(client);
    if (!ok || (client->ended && !client_wants_to_send(client)))
        client_drop(client);
}

/* A free place, or that of the client idle for longest; NULL: all are busy. */
static struct client *control_place(weir_control *c)
{
    struct client *oldest = &c->clients[0];
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &c->clients[i];
        if (client->fd < 0)
            return client;
        if (client->active_us < oldest->active_us)
            oldest = client;
    }
    return weir_system_mono().us - oldest->active_us >= idle_us ? oldest : NULL;
}

/* False: a new client has to wait. */
static bool control_accept(weir_control *c)
{
    struct client *place = control_place(c);
    if (!place)
        return false;
    int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) /* no descriptors: to poll at once would turn in a circle */
        return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
    if (place->fd >= 0)
        client_drop(place);
    *place = (struct client){
        .fd = fd, .input = {.limit = LINE_MAX_BYTES}, .active_us = weir_system_mono().us};
    return true;
}

static void *control_main(void *data)
{
    weir_control *c = data;
    bool accepting = true;
    for (;;) {
        struct pollfd fds[2 + CLIENTS_MAX] = {{c->stop_pipe[0], POLLIN, 0},
                                              {accepting ? c->listener : -1, POLLIN, 0}};
        for (size_t i = 0; i < CLIENTS_MAX; i++)
            fds[2 + i] = (struct pollfd){
                c->clients[i].fd, client_wants_to_send(&c->clients[i]) ? POLLOUT : POLLIN, 0};
        (void)poll(fds, 2 + CLIENTS_MAX, accepting ? -1 : WAIT_MS);
        if (fds[0].revents)
            break;
        for (size_t i = 0; i < CLIENTS_MAX; i++)
            if (c->clients[i].fd >= 0 && fds[2 + i].revents)
                client_serve(c, &c->clients[i]);
        accepting = !accepting || !fds[1].revents || control_accept(c);
    }
    return NULL;
}

/* life */

static weir_err control_listen(weir_control *c, weir_error *error)
{
    c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->listener < 0 || pipe2(c->stop_pipe, O_CLOEXEC) != 0)
        return weir_fail(error, WEIR_EIO, "control socket: %s", strerror(errno));
    (void)unlink(c->address.sun_path);
    /* On Linux the file is born with the socket's mode; umask would concern the other threads. */
    (void)fchmod(c->listener, 0600);
    c->bound = bind(c->listener, (const struct sockaddr *)&c->address, sizeof c->address) == 0;
    if (!c->bound || listen(c->listener, CLIENTS_MAX) != 0)
        return weir_fail(error, WEIR_EIO, "control socket %s: %s", c->address.sun_path,
                         strerror(errno));
    return WEIR_OK;
}

static weir_err control_start(weir_control *c, weir_error *error)
{
    WEIR_TEXT_AUTO path = WEIR_TEXT_INIT;
    sigset_t all, old;
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = weir_runtime_catalog(c->collector);
    weir_err err = weir_control_path(catalog->store.data_dir, getpid(), &path, error);
    if (err)
        return err;
    c->address.sun_family = AF_UNIX;
    memcpy(c->address.sun_path, path.text, path.length + 1);
    err = control_listen(c, error);
    if (err)
        return err;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    c->started = pthread_create(&c->thread, NULL, control_main, c) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return c->started ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "the control thread");
}

weir_err weir_control_start(weir_runtime *collector, weir_deliveries *deliveries,
                            weir_reload *reload, weir_control **ret, weir_error *error)
{
    weir_control *c = weir_alloc_zero(1, sizeof *c);
    if (!c)
        return weir_fail(error, WEIR_ENOMEM, "the control socket");
    c->collector = collector;
    c->deliveries = deliveries;
    c->reload = reload;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        c->clients[i].fd = -1;
    c->listener = c->stop_pipe[0] = c->stop_pipe[1] = -1;
    weir_err err = weir_historians_new(weir_runtime_store_dir(collector), NULL,
                                       weir_runtime_postbox(collector), &c->historians, error);
    if (!err)
        err = control_start(c, error);
    if (err) {
        weir_control_stop(c);
        return err;
    }
    *ret = c;
    return WEIR_OK;
}

void weir_control_stop(weir_control *control)
{
    weir_control *c = control;
    if (!c)
        return;
    if (c->started) {
        (void)close(c->stop_pipe[1]); /* the thread sees the other end hang up */
        c->stop_pipe[1] = -1;
        (void)pthread_join(c->thread, NULL);
    }
    if (c->bound)
        (void)unlink(c->address.sun_path);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (c->clients[i].fd >= 0)
            client_drop(&c->clients[i]);
    for (size_t i = 0; i < 2; i++)
        if (c->stop_pipe[i] >= 0)
            (void)close(c->stop_pipe[i]);
    if (c->listener >= 0)
        (void)close(c->listener);
    weir_historians_free(c->historians);
    weir_free(c);
}

const char *weir_control_socket(const weir_control *control)
{
    return control->address.sun_path;
}

/* the other side */

static weir_err ask_receive(int fd, int patience_s, weir_text *ret_reply, weir_error *error)
{
    char bytes[16384];
    for (;;) {
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return weir_fail(error, WEIR_ETIMEOUT, "weir does not answer within %d s", patience_s);
        if (n <= 0)
            return weir_fail(error, WEIR_EIO, "weir closed the control socket");
        weir_text_add_n(ret_reply, bytes, (size_t)n);
        if (ret_reply->failed)
            return weir_fail(error, WEIR_ENOMEM, "the answer");
        if (bytes[n - 1] == '\n')
            return WEIR_OK;
    }
}

weir_err weir_control_ask(const char *path, const char *request, weir_text *ret_reply,
                          weir_error *error)
{
    return weir_control_ask_for(path, request, ASK_TIMEOUT_S, ret_reply, error);
}

weir_err weir_control_ask_for(const char *path, const char *request, int patience_s,
                              weir_text *ret_reply, weir_error *error)
{
    const struct timeval patience = {.tv_sec = patience_s};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
    weir_err err = WEIR_OK;
    if (strlen(path) >= sizeof address.sun_path)
        return weir_fail(error, WEIR_ELIMIT, "socket name '%s' is too long", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    weir_text_format(&line, "%s\n", request);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return weir_fail(error, WEIR_EIO, "socket: %s", strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience); /* of connect too */
    const bool connected = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    if (!connected && errno == EACCES)
        err = weir_fail(error, WEIR_EPERM,
                        "no permission for %s: ask as the user that weir runs as", path);
    else if (!connected)
        err = weir_fail(error, WEIR_ECONNECT,
                        "no weir is running here (%s: %s). Start one with 'weir run', or name its "
                        "data directory with --data-dir",
                        path, strerror(errno));
    else if (send(fd, line.text, line.length, MSG_NOSIGNAL) != (ssize_t)line.length)
        err = weir_fail(error, WEIR_EIO, "control socket: %s", strerror(errno));
    else
        err = ask_receive(fd, patience_s, ret_reply, error);
    (void)close(fd);
    return err;
}
