/* SPDX-License-Identifier: MIT */
/* The master: all devices of one connection; reads what is due and yields samples. No I/O. */

/*
 * Here are its life, its counters and the owner's calls. What happens to a read is told in job.c,
 * to a reply in deliver.c, to a refusal in refuse.c.
 */

#include "modbus/master.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "modbus/master_priv.h"

void weir_master_log(weir_master *m, weir_log_level level, const char *event, const char *format,
                     ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    m->host->log(m->host->data, level, event, text);
}

/* Counting. */

/* Of the devices with this unit id the one that has had a request on the link for longest, else
 * the one whose request ended last: exact while one request is on the wire at a time. */
static master_device *device_of_unit(weir_master *m, uint8_t unit)
{
    if (m->unit[unit] == 0)
        return NULL;
    master_device *first = &m->devices[m->unit[unit] - 1], *last = first;
    if (first->same_unit == 0)
        return first;
    job *oldest = NULL;
    for (job *j = m->running; j; j = j->next) {
        if (j->n_on_link > 0 && j->device->device->unit_id == unit &&
            (!oldest || j->oldest < oldest->oldest))
            oldest = j;
    }
    if (oldest)
        return oldest->device;
    for (master_device *d = first; d->same_unit; d = &m->devices[d->same_unit - 1]) {
        master_device *next = &m->devices[d->same_unit - 1];
        last = next->last_ended > last->last_ended ? next : last;
    }
    return last;
}

static void master_on_count(void *data, uint8_t unit, const char *what, int64_t rtt_us)
{
    master_device *d = device_of_unit(data, unit);
    if (d)
        weir_tally_count(&d->tally, what, rtt_us);
}

static void master_on_notice(void *data, const char *text)
{
    weir_master *m = data;
    weir_master_log(m, WEIR_LOG_NOTICE, "link", "%s: %s", m->connection->name, text);
}

bool weir_master_counters(const weir_master *m, uint32_t device, weir_device_counters *ret)
{
    for (size_t i = 0; i < m->n_devices; i++) {
        if (m->devices[i].index == device) {
            *ret = weir_tally_get(&m->devices[i].tally);
            return true;
        }
    }
    return false;
}

/* Life. */

/* Replies are told apart by time alone: after a bad one the link waits. As link.c has it. */
static bool connection_is_serial(const weir_connection *c)
{
    return c->uri.scheme == WEIR_SCHEME_RTU_TCP || c->tid_check == WEIR_TID_LENIENT;
}

static weir_link_config master_link_config(const weir_master *m)
{
    const weir_connection *c = m->connection;
    return (weir_link_config){
        .framing = c->uri.scheme == WEIR_SCHEME_RTU_TCP ? WEIR_FRAMING_RTU : WEIR_FRAMING_TCP,
        .tid_check = c->tid_check,
        .max_in_flight = (uint16_t)m->window,
        .retries = c->retries,
        .busy_retries = c->busy_retries,
        .timeout_us = c->timeout_us,
        .busy_retries_wait_us = c->busy_retries_wait_us,
        .pause_after_connect_us = c->pause_after_connect_us,
        .pause_between_requests_us = c->pause_between_requests_us,
        .pause_on_unit_switch_us = c->pause_on_unit_switch_us,
        .pause_after_write_us = c->pause_after_write_us,
        .seed = m->host->seed,
    };
}

/* As the catalog's connection has it. */
static void master_set_window(weir_master *m)
{
    m->window = m->serial || m->connection->max_in_flight < 1 ? 1 : m->connection->max_in_flight;
}

void weir_master_set_connection(weir_master *m, const weir_connection *connection)
{
    m->connection = connection;
    master_set_window(m);
    const weir_link_config config = master_link_config(m);
    weir_link_set_timing(m->link, &config);
}

static weir_link *master_link_new(weir_master *m)
{
    const weir_link_config config = master_link_config(m);
    weir_link_host host = {m, master_on_count, master_on_notice};
    return weir_link_new(&config, &host);
}

bool weir_master_device_init(master_device *d, const weir_device *device, uint32_t index,
                             job **jobs)
{
    *d = (master_device){.device = device, .index = index};
    weir_learnt_init(&d->learnt, device);
    /* One for each read that can be under way, and the first of all points: a read that is lost for
     * want of memory never ends. */
    for (uint32_t i = 0; i <= device->n_intervals; i++) {
        job *j = weir_alloc(sizeof *j);
        if (!j)
            return false;
        j->next = *jobs;
        *jobs = j;
    }
    return true;
}

void weir_master_unit_add(uint32_t unit[256], master_device *devices, size_t position)
{
    uint32_t *first = &unit[devices[position].device->unit_id];
    devices[position].same_unit = *first;
    *first = (uint32_t)position + 1;
}

weir_err weir_master_device_check(const weir_catalog *catalog, const master_device *d,
                                  weir_error *error)
{
    const weir_read all = {.device = d->index, .intervals = UINT32_MAX};
    weir_poll *poll;
    weir_err err = weir_poll_new(catalog, &all, &d->learnt, &poll, error);
    if (err) {
        (void)weir_fail_prefix(error, "device '%s': ", d->device->name);
        return err;
    }
    weir_poll_unref(poll);
    return WEIR_OK;
}

static weir_err master_add_devices(weir_master *m, weir_error *error)
{
    size_t n = 0;
    for (size_t i = 0; i < m->catalog->n_devices; i++)
        n += m->catalog->devices[i].connection == m->host->connection;
    m->devices = weir_alloc_zero(n + 1, sizeof *m->devices);
    if (!m->devices)
        return weir_fail(error, WEIR_ENOMEM, "devices of connection '%s'", m->connection->name);
    for (uint32_t i = 0; i < m->catalog->n_devices; i++) {
        const weir_device *device = &m->catalog->devices[i];
        if (device->connection != m->host->connection)
            continue;
        master_device *d = &m->devices[m->n_devices++];
        if (!weir_master_device_init(d, device, i, &m->free_jobs))
            return weir_fail(error, WEIR_ENOMEM, "devices of connection '%s'", m->connection->name);
        weir_master_unit_add(m->unit, m->devices, m->n_devices - 1);
        weir_err err = weir_master_device_check(m->catalog, d, error);
        if (err)
            return err;
    }
    return WEIR_OK;
}

weir_err weir_master_new(const weir_source_host *host, weir_master **ret, weir_error *error)
{
    weir_master *m = weir_alloc_zero(1, sizeof *m);
    if (!m)
        return weir_fail(error, WEIR_ENOMEM, "master");
    m->host = host;
    m->catalog = host->catalog;
    m->connection = &host->catalog->connections[host->connection];
    m->down = WEIR_CAUSE_CONNECT;
    m->serial = connection_is_serial(m->connection);
    master_set_window(m);
    weir_err err = master_add_devices(m, error);
    if (!err && !(m->link = master_link_new(m)))
        err = weir_fail(error, WEIR_ENOMEM, "link of connection '%s'", m->connection->name);
    if (err) {
        weir_master_free(m);
        return err;
    }
    *ret = m;
    return WEIR_OK;
}

static void master_free_jobs(job *first)
{
    for (job *j = first, *next; j; j = next) {
        next = j->next;
        weir_master_job_free(j);
    }
}

static void master_free_lists(weir_master *m)
{
    for (job *j = m->free_jobs, *next; j; j = next) {
        next = j->next;
        weir_free(j);
    }
    for (block *b = m->free_blocks, *next; b; b = next) {
        next = b->next;
        weir_free(b);
    }
    for (split *s = m->free_splits, *next; s; s = next) {
        next = s->next_free;
        weir_free(s);
    }
}

void weir_master_device_deinit(master_device *d)
{
    for (weir_poll *poll = d->polls, *next; poll; poll = next) {
        next = poll->next;
        weir_poll_unref(poll);
    }
    weir_learnt_deinit(&d->learnt);
}

static void master_free_devices(weir_master *m)
{
    for (size_t i = 0; i < m->n_devices; i++)
        weir_master_device_deinit(&m->devices[i]);
    weir_free(m->devices);
}

void weir_master_free(weir_master *m)
{
    if (!m)
        return;
    m->freeing = true;
    weir_link_free(m->link);
    master_free_jobs(m->fresh);
    master_free_jobs(m->running);
    master_free_devices(m);
    master_free_lists(m);
    weir_free(m->samples);
    weir_free(m->room);
    weir_free(m);
}

/* The owner's calls. */

static master_device *master_device_of(weir_master *m, uint32_t index)
{
    size_t low = 0, high = m->n_devices;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (m->devices[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->n_devices && m->devices[low].index == index ? &m->devices[low] : NULL;
}

void weir_master_read(weir_master *m, const weir_read *read, weir_mono now)
{
    master_device *d = master_device_of(m, read->device);
    assert(d);
    m->now = now;
    job *j = weir_master_job_new(m);
    if (!j) {
        weir_master_log(m, WEIR_LOG_ERROR, "poll", "%s: a read is lost: out of memory",
                        d->device->name);
        return;
    }
    j->device = d;
    j->read = *read;
    if (m->fresh)
        m->fresh_last->next = j;
    else
        m->fresh = j;
    m->fresh_last = j;
}

void weir_master_connected(weir_master *m, weir_mono now)
{
    m->now = now;
    m->connected = true;
    /* A connection closed after every poll says nothing new about the device. */
    if (!m->connection->close_after_poll) {
        for (size_t i = 0; i < m->n_devices; i++)
            weir_learnt_doubt(&m->devices[i].learnt);
    }
    weir_link_connected(m->link, now);
}

void weir_master_disconnected(weir_master *m, weir_mono now, weir_cause cause)
{
    m->now = now;
    m->connected = false;
    m->down = cause;
    weir_link_disconnected(m->link, now);
}

void weir_master_input(weir_master *m, const uint8_t *bytes, size_t n, weir_mono now)
{
    m->now = now;
    weir_link_input(m->link, bytes, n, now);
}

size_t weir_master_output(weir_master *m, weir_mono now, const uint8_t **ret_bytes)
{
    m->now = now;
    return weir_link_output(m->link, now, ret_bytes);
}

/* Reads that come while these start wait for the next step: a host that reads again at once must
 * not keep us here. */
static void master_start_fresh(weir_master *m)
{
    job *first = m->fresh;
    m->fresh = NULL;
    for (job *j = first, *next; j; j = next) {
        next = j->next;
        j->next = NULL;
        weir_master_job_start(j);
    }
}

weir_mono weir_master_step(weir_master *m, weir_mono now)
{
    m->now = now;
    master_start_fresh(m);
    weir_mono next = weir_link_step(m->link, now);
    return m->fresh ? now : next;
}

const char *weir_master_broken(const weir_master *m)
{
    return weir_link_broken(m->link);
}

bool weir_master_idle(const weir_master *m)
{
    return !m->fresh && !m->running;
}
