/* SPDX-License-Identifier: MIT */
/* The source for Modbus TCP and RTU over TCP: a master on a transport that comes and goes.
 *
 * The happy path: connect at start -> on_connected -> reads go to the master, its bytes to the
 * transport, replies back. The connection stays open, or with close_after_poll is closed when no
 * read is under way and made again for the next.
 *
 * The ways it fails:
 * - The connection cannot be made: reads end bad(connect) at once, the next attempt comes after a
 *   back-off that doubles, with jitter, up to reconnect_max. It starts afresh only after a good
 *   reply, so that a peer that accepts and drops is not dialled in a storm.
 * - It is lost: requests on the wire end bad(disconnected), then as above. The other side closing
 *   it in order while nothing is under way is no failure: it is made again for the next read.
 * - The bytes cannot be trusted (modbus/link.h "broken"), or nobody answers any more (there,
 *   silence of all): it is closed and made again. */

#include "sources/modbus/modbus.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "modbus/master.h"
#include "runtime/transport.h"

/* The first back-off. Half a second: a gateway that restarts takes some seconds. */
static const int64_t backoff_first_us = 500 * WEIR_MS;

enum state {
    STATE_IDLE,       /* closed, to be made for the next read */
    STATE_CONNECTING, /* reads wait */
    STATE_UP,
    STATE_BACKOFF, /* closed until retry_at; reads fail at once */
};

struct modbus {
    weir_source_host host;
    weir_source_host inner; /* what the master sees: data is this struct */
    const weir_connection *connection;
    weir_master *master;
    weir_random random;
    enum state state;
    weir_transport *transport;
    weir_mono retry_at;
    int64_t backoff_us; /* the last one; 0: none since the last good reply */
    bool reported_down; /* on_link(false) was said and not yet taken back */
    bool said_up;       /* on_link(true) was said */
    weir_read *waiting; /* reads that came while connecting */
    size_t n_waiting, waiting_capacity;
    weir_mono master_next;
};

static bool modbus_serves(weir_scheme scheme)
{
    return scheme == WEIR_SCHEME_TCP || scheme == WEIR_SCHEME_RTU_TCP;
}

static weir_mono modbus_now(const struct modbus *m)
{
    return m->host.now(m->host.data);
}

static void modbus_arrange_wake(struct modbus *m)
{
    weir_mono t = m->master_next;
    if (m->state == STATE_BACKOFF)
        t = weir_mono_min(t, m->retry_at);
    m->host.wake_at(m->host.data, t);
}

static void modbus_report_down(struct modbus *m, const char *why)
{
    if (m->reported_down)
        return;
    m->reported_down = true;
    m->said_up = false;
    m->host.on_link(m->host.data, false, why);
}

/* Puts the connection down for a time: twice the last one, less up to a third, so that those that
 * went together do not come back together. */
static void modbus_back_off(struct modbus *m, weir_mono now)
{
    const int64_t longest = m->connection->reconnect_max_us;
    int64_t us = m->backoff_us ? m->backoff_us * 2 : backoff_first_us;
    if (us > longest)
        us = longest;
    m->backoff_us = us;
    us -= (int64_t)weir_random_below(&m->random, (uint64_t)(us / 3 + 1));
    m->state = STATE_BACKOFF;
    m->retry_at = weir_mono_add(now, us);
}

/* Hands the reads that waited for the connection to the master, which is up or down by now. */
static void modbus_release_waiting(struct modbus *m, weir_mono now)
{
    const size_t n = m->n_waiting;
    m->n_waiting = 0;
    for (size_t i = 0; i < n; i++)
        weir_master_read(m->master, &m->waiting[i], now);
}

static void modbus_close(struct modbus *m)
{
    if (m->transport)
        m->host.transport->close(m->transport);
    m->transport = NULL;
}

/* The transport is gone, or is to go: fail what is under way. */
static void modbus_down(struct modbus *m, weir_mono now, weir_cause cause, const char *why)
{
    modbus_close(m);
    modbus_back_off(m, now);
    modbus_report_down(m, why);
    weir_master_disconnected(m->master, now, cause);
    modbus_release_waiting(m, now);
    m->master_next = now; /* its pending ends are reported from its step */
    modbus_arrange_wake(m);
}

/* After anything that may have given the master work: sends, and sees to the connection. */
static void modbus_drive(struct modbus *m, weir_mono now)
{
    const uint8_t *bytes;
    m->master_next = weir_master_step(m->master, now);
    if (m->state == STATE_UP) {
        const char *broken = weir_master_broken(m->master);
        if (broken) {
            char why[200];
            (void)snprintf(why, sizeof why, "%s", broken);
            modbus_down(m, now, WEIR_CAUSE_DISCONNECTED, why);
            return;
        }
        bool sent = false;
        for (size_t n; (n = weir_master_output(m->master, now, &bytes)) > 0; sent = true)
            m->host.transport->send(m->transport, bytes, n);
        if (m->connection->close_after_poll && weir_master_idle(m->master)) {
            modbus_close(m);
            m->state = STATE_IDLE;
            weir_master_disconnected(m->master, now, WEIR_CAUSE_DISCONNECTED);
        } else if (sent) {
            m->master_next = weir_master_step(m->master, now); /* the new timeouts count */
        }
    }
    modbus_arrange_wake(m);
}

static void modbus_on_connected(void *user)
{
    struct modbus *m = user;
    const weir_mono now = modbus_now(m);
    m->state = STATE_UP;
    weir_master_connected(m->master, now);
    modbus_release_waiting(m, now);
    modbus_drive(m, now);
}

static void modbus_on_bytes(void *user, const uint8_t *bytes, size_t n)
{
    struct modbus *m = user;
    const weir_mono now = modbus_now(m);
    weir_master_input(m->master, bytes, n, now);
    modbus_drive(m, now);
}

static void modbus_on_closed(void *user, weir_transport_end end, const char *why)
{
    struct modbus *m = user;
    const weir_mono now = modbus_now(m);
    const bool was_up = m->state == STATE_UP;
    char text[300];
    m->transport = NULL;
    if (was_up && end == WEIR_TRANSPORT_EOF && weir_master_idle(m->master)) {
        m->state = STATE_IDLE;
        weir_master_disconnected(m->master, now, WEIR_CAUSE_DISCONNECTED);
        modbus_arrange_wake(m);
        return;
    }
    if (was_up)
        (void)snprintf(text, sizeof text, "connection to %s lost: %s", m->connection->uri_text,
                       why);
    else
        (void)snprintf(text, sizeof text,
                       "cannot connect to %s: %s; trying again for ever, at least every %.3gs",
                       m->connection->uri_text, why,
                       (double)m->connection->reconnect_max_us / (double)WEIR_S);
    modbus_down(m, now, was_up ? WEIR_CAUSE_DISCONNECTED : WEIR_CAUSE_CONNECT, text);
}

static const weir_transport_events modbus_events = {
    modbus_on_connected,
    modbus_on_bytes,
    modbus_on_closed,
};

static void modbus_connect(struct modbus *m, weir_mono now)
{
    const weir_connection *c = m->connection;
    /* A name may take time to resolve and a device to accept: at least this long. */
    const int64_t connect_timeout_us = c->timeout_us > 3 * WEIR_S ? c->timeout_us : 3 * WEIR_S;
    m->state = STATE_CONNECTING;
    m->transport = m->host.transport->connect(m->host.transport->data, c->uri.host, c->uri.port,
                                              connect_timeout_us, &modbus_events, m);
    if (!m->transport)
        modbus_down(m, now, WEIR_CAUSE_CONNECT, "cannot open a socket: too many open files?");
}

/* Watches the master's read results on their way to the engine: a good one means the connection
 * works, so the next loss starts with the shortest back-off. */
static void modbus_read_done(void *data, const weir_read *read, weir_read_result result,
                             weir_quality worst)
{
    struct modbus *m = data;
    if (result == WEIR_READ_GOOD) {
        m->backoff_us = 0;
        m->reported_down = false;
        if (!m->said_up) {
            m->said_up = true;
            m->host.on_link(m->host.data, true, m->connection->uri_text);
        }
    }
    m->host.on_read_done(m->host.data, read, result, worst);
}

/* The master sees a host whose data is the source, so that modbus_read_done can look in. */
static weir_mono master_now(void *data)
{
    return modbus_now(data);
}

static weir_wall master_wall(void *data)
{
    struct modbus *m = data;
    return m->host.wall(m->host.data);
}

static void master_on_batch(void *data, const weir_batch *batch)
{
    struct modbus *m = data;
    m->host.on_batch(m->host.data, batch);
}

static void master_log(void *data, weir_log_level level, const char *event, const char *text)
{
    struct modbus *m = data;
    m->host.log(m->host.data, level, event, text);
}

static weir_err modbus_init(void *state, const weir_source_host *host, weir_error *error)
{
    struct modbus *m = state;
    m->host = *host;
    m->connection = &host->catalog->connections[host->connection];
    m->random.state = host->seed;
    m->master_next = WEIR_MONO_NEVER;
    m->inner = (weir_source_host){
        .data = m,
        .catalog = host->catalog,
        .connection = host->connection,
        .seed = host->seed,
        .now = master_now,
        .wall = master_wall,
        .on_batch = master_on_batch,
        .on_read_done = modbus_read_done,
        .log = master_log,
    };
    weir_err err = weir_master_new(&m->inner, &m->master, error);
    if (!err && !m->connection->close_after_poll) {
        m->state = STATE_BACKOFF; /* "retry" at once: the first step connects */
        m->retry_at = modbus_now(m);
        modbus_arrange_wake(m);
    }
    return err;
}

static void modbus_deinit(void *state)
{
    struct modbus *m = state;
    modbus_close(m);
    weir_master_free(m->master);
    weir_free(m->waiting);
}

static bool modbus_keep_waiting(struct modbus *m, const weir_read *read)
{
    weir_read *waiting =
        weir_array_room(m->waiting, m->n_waiting, &m->waiting_capacity, sizeof *waiting);
    if (!waiting)
        return false;
    m->waiting = waiting;
    m->waiting[m->n_waiting++] = *read;
    return true;
}

/* Only takes note: connecting, sending and reporting are left to the step, which follows at once,
 * so that nothing calls back into the engine from here. */
static void modbus_read(void *state, const weir_read *read)
{
    struct modbus *m = state;
    const weir_mono now = modbus_now(m);
    const bool soon = m->state == STATE_IDLE || m->state == STATE_CONNECTING ||
                      (m->state == STATE_BACKOFF && weir_mono_reached(now, m->retry_at));
    if (!soon || !modbus_keep_waiting(m, read))
        weir_master_read(m->master, read, now);
    m->master_next = weir_mono_min(m->master_next, read->due_mono);
    modbus_arrange_wake(m);
}

static void modbus_step(void *state, weir_mono now)
{
    struct modbus *m = state;
    if ((m->state == STATE_IDLE && m->n_waiting) ||
        (m->state == STATE_BACKOFF && weir_mono_reached(now, m->retry_at)))
        modbus_connect(m, now);
    modbus_drive(m, now);
}

static weir_err modbus_prepare(void *state, const weir_source_change *change, void **ret_prepared,
                               weir_error *error)
{
    const struct modbus *m = state;
    weir_master_change *prepared = NULL;
    weir_err err = weir_master_prepare(m->master, change, &prepared, error);
    *ret_prepared = prepared;
    return err;
}

static void modbus_discard(void *state, void *prepared)
{
    (void)state;
    weir_master_discard(prepared);
}

/* The connection stays up or down; its timing is the new one's from here on. */
static void modbus_apply(void *state, const weir_source_change *change, void *prepared)
{
    struct modbus *m = state;
    const weir_mono now = modbus_now(m);
    size_t n = 0;
    m->host.catalog = m->inner.catalog = change->catalog;
    m->host.connection = m->inner.connection = change->connection;
    m->connection = &change->catalog->connections[change->connection];
    if (m->state == STATE_BACKOFF)
        m->retry_at =
            weir_mono_min(m->retry_at, weir_mono_add(now, m->connection->reconnect_max_us));
    for (size_t i = 0; i < m->n_waiting; i++) {
        const uint32_t device = change->stays[m->waiting[i].device];
        if (device == WEIR_DEVICE_NONE)
            continue;
        m->waiting[n] = m->waiting[i];
        m->waiting[n++].device = device;
    }
    m->n_waiting = n;
    weir_master_apply(m->master, change, prepared, now);
    m->master_next = now; /* what was dropped leaves room on the wire */
    modbus_arrange_wake(m);
}

static bool modbus_counters(const void *state, uint32_t device, weir_device_counters *ret)
{
    const struct modbus *m = state;
    return weir_master_counters(m->master, device, ret);
}

const weir_source_type weir_source_modbus = {
    .abi = WEIR_SOURCE_ABI,
    .name = "modbus",
    .summary = "Modbus TCP and RTU over TCP: functions 1 to 4 and raw reads",
    .serves = modbus_serves,
    .state_size = sizeof(struct modbus),
    .init = modbus_init,
    .deinit = modbus_deinit,
    .read = modbus_read,
    .step = modbus_step,
    .prepare = modbus_prepare,
    .apply = modbus_apply,
    .discard = modbus_discard,
    .counters = modbus_counters,
};
