/* SPDX-License-Identifier: MIT */
/* The control socket: what a running weir tells about itself, as JSON lines.
 *
 * The happy path: one thread polls the listening socket and up to CLIENTS_MAX clients, answers each
 * line with a line. A client that sends garbage gets an error line; one that sends an endless line,
 * or does not read its answers, is dropped. */

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

enum {
    CLIENTS_MAX = 16,
    LINE_MAX_BYTES = 64 * 1024,
    ASK_TIMEOUT_S = 5,
};

struct client {
    int fd; /* -1: free */
    weir_text input;
};

struct weir_control {
    weir_collector *collector;
    const weir_catalog *catalog;
    struct sockaddr_un address;
    int listener;
    int stop_pipe[2];
    pthread_t thread;
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
    if (ret->length >= sizeof ((struct sockaddr_un *)NULL)->sun_path)
        return weir_fail(error, WEIR_ELIMIT,
                         "the control socket's name '%s' is longer than %zu bytes: choose a data "
                         "directory with a shorter name",
                         weir_text_get(ret), sizeof ((struct sockaddr_un *)NULL)->sun_path - 1);
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

static json_t *json_device(const weir_control *c, const weir_snapshot *s, size_t i)
{
    const weir_device *device = &c->catalog->devices[i];
    const weir_device_status *status = &s->status[i];
    const weir_device_counters *counters = &s->counters[i];
    WEIR_TEXT_AUTO error = WEIR_TEXT_INIT;
    json_t *o = json_object();
    if (status->error)
        weir_quality_format(status->error, &error);
    (void)json_object_set_new(o, "name", json_text(device->name));
    (void)json_object_set_new(o, "connection",
                              json_text(c->catalog->connections[device->connection].name));
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

static json_t *control_status(weir_control *c)
{
    const weir_worker_view store = weir_collector_store(c->collector);
    weir_snapshot *s = weir_collector_snapshot(c->collector);
    json_t *o = json_object();
    json_t *devices = json_array();
    (void)json_object_set_new(o, "version", json_text(WEIR_VERSION));
    (void)json_object_set_new(o, "pid", json_integer(getpid()));
    (void)json_object_set_new(o, "data_dir", json_text(c->catalog->store.data_dir));
    (void)json_object_set_new(o, "committed_seq",
                              json_integer((json_int_t)store.position.committed_seq));
    (void)json_object_set_new(o, "committed_ts", json_time(store.position.committed_ts));
    (void)json_object_set_new(o, "commits", json_integer((json_int_t)store.commits));
    (void)json_object_set_new(o, "store", json_text(store.failing ? store.error : "ok"));
    (void)json_object_set_new(o, "refused", json_integer((json_int_t)store.refused));
    (void)json_object_set_new(o, "overruns", json_integer(s ? (json_int_t)s->overruns : 0));
    (void)json_object_set_new(o, "tags", json_integer((json_int_t)c->catalog->n_tags));
    for (size_t i = 0; s && i < s->n_devices; i++)
        (void)json_array_append_new(devices, json_device(c, s, i));
    (void)json_object_set_new(o, "devices", devices);
    weir_snapshot_unref(s);
    return o;
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
    else
        (void)json_object_set_new(answer, "error",
                                  json_string("unknown method; this version has: status"));
    json_decref(request);
    return answer;
}

/* clients */

static void client_drop(struct client *client)
{
    (void)close(client->fd);
    client->fd = -1;
    weir_text_deinit(&client->input);
}

static bool client_send(const struct client *client, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(client->fd, text, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        text += sent;
        n -= (size_t)sent;
    }
    return true;
}

static bool client_answer_lines(weir_control *c, struct client *client)
{
    char *start = client->input.text;
    for (char *end; start && (end = strchr(start, '\n')); start = end + 1) {
        json_t *answer = control_answer(c, start, (size_t)(end - start));
        char *text = json_dumps(answer, JSON_COMPACT);
        json_decref(answer);
        const bool sent = text && client_send(client, text, strlen(text)) &&
                          client_send(client, "\n", 1);
        free(text);
        if (!sent)
            return false;
    }
    /* Keep the beginning of the next line. */
    const size_t used = start ? (size_t)(start - client->input.text) : 0;
    if (used) {
        client->input.length -= used;
        memmove(client->input.text, client->input.text + used, client->input.length + 1);
    }
    return true;
}

static void client_serve(weir_control *c, struct client *client)
{
    char bytes[4096];
    ssize_t n = read(client->fd, bytes, sizeof bytes);
    if (n > 0) {
        weir_text_add_n(&client->input, bytes, (size_t)n);
        if (!client->input.failed && !memchr(bytes, '\0', (size_t)n) &&
            client_answer_lines(c, client))
            return;
    }
    client_drop(client);
}

static void control_accept(weir_control *c)
{
    /* A client that does not read must not hold the others for long. */
    const struct timeval patience = {.tv_sec = 1};
    int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (c->clients[i].fd < 0) {
            (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
            c->clients[i] = (struct client){fd, {.limit = LINE_MAX_BYTES}};
            return;
        }
    (void)close(fd);
}

static void *control_main(void *data)
{
    weir_control *c = data;
    for (;;) {
        struct pollfd fds[2 + CLIENTS_MAX] = {{c->stop_pipe[0], POLLIN, 0},
                                              {c->listener, POLLIN, 0}};
        for (size_t i = 0; i < CLIENTS_MAX; i++)
            fds[2 + i] = (struct pollfd){c->clients[i].fd, POLLIN, 0};
        if (poll(fds, 2 + CLIENTS_MAX, -1) < 0 && errno != EINTR)
            break;
        if (fds[0].revents)
            break;
        for (size_t i = 0; i < CLIENTS_MAX; i++)
            if (c->clients[i].fd >= 0 && fds[2 + i].revents)
                client_serve(c, &c->clients[i]);
        if (fds[1].revents)
            control_accept(c);
    }
    return NULL;
}

/* life */

static weir_err control_listen(weir_control *c, weir_error *error)
{
    c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->listener < 0 || pipe2(c->stop_pipe, O_CLOEXEC) != 0)
        return weir_fail(error, WEIR_EIO, "control socket: %s", strerror(errno));
    (void)unlink(c->address.sun_path);
    const mode_t old = umask(0177); /* the socket is born with mode 0600 */
    int status = bind(c->listener, (const struct sockaddr *)&c->address, sizeof c->address);
    const int bind_errno = errno;
    (void)umask(old);
    if (status != 0 || listen(c->listener, CLIENTS_MAX) != 0)
        return weir_fail(error, WEIR_EIO, "control socket %s: %s", c->address.sun_path,
                         strerror(status ? bind_errno : errno));
    return WEIR_OK;
}

static weir_err control_start(weir_control *c, weir_error *error)
{
    WEIR_TEXT_AUTO path = WEIR_TEXT_INIT;
    sigset_t all, old;
    c->listener = c->stop_pipe[0] = c->stop_pipe[1] = -1;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        c->clients[i].fd = -1;
    weir_err err = weir_control_path(c->catalog->store.data_dir, getpid(), &path, error);
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

weir_err weir_control_start(weir_collector *collector, const weir_catalog *catalog,
                            weir_control **ret, weir_error *error)
{
    weir_control *c = weir_alloc_zero(1, sizeof *c);
    if (!c)
        return weir_fail(error, WEIR_ENOMEM, "the control socket");
    c->collector = collector;
    c->catalog = catalog;
    weir_err err = control_start(c, error);
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
        (void)unlink(c->address.sun_path);
    }
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (c->clients[i].fd >= 0)
            client_drop(&c->clients[i]);
    for (size_t i = 0; i < 2; i++)
        if (c->stop_pipe[i] >= 0)
            (void)close(c->stop_pipe[i]);
    if (c->listener >= 0)
        (void)close(c->listener);
    weir_free(c);
}

const char *weir_control_socket(const weir_control *control)
{
    return control->address.sun_path;
}

/* the other side */

static weir_err ask_receive(int fd, weir_text *ret_reply, weir_error *error)
{
    char bytes[16384];
    for (;;) {
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return weir_fail(error, WEIR_ETIMEOUT, "weir does not answer within %d s",
                             ASK_TIMEOUT_S);
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
    const struct timeval patience = {.tv_sec = ASK_TIMEOUT_S};
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
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        err = weir_fail(error, errno == EACCES ? WEIR_EPERM : WEIR_ECONNECT,
                        "no weir is running here (%s: %s). Start one with 'weir run', or name its "
                        "data directory with --data-dir",
                        path, strerror(errno));
    else if (send(fd, line.text, line.length, MSG_NOSIGNAL) != (ssize_t)line.length)
        err = weir_fail(error, WEIR_EIO, "control socket: %s", strerror(errno));
    else
        err = ask_receive(fd, ret_reply, error);
    (void)close(fd);
    return err;
}
