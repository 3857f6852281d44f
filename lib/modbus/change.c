/* SPDX-License-Identifier: MIT */
/* Another catalog for a master: devices come, go and move while requests are under way. */

/*
 * prepare makes the new table of devices: those that come with all they need, those that stay as
 * empty places. apply drops the jobs of devices that do not stay, moves what is known of the others
 * into the new table, and lets the remaining jobs point there. Between the two reads go on.
 */

#include "modbus/master_priv.h"

#include "base/alloc.h"

struct weir_master_change {
    size_t n_devices;
    master_device *devices; /* ascending by index */
    job *jobs;              /* for reads of devices that come */
};

static bool device_stays(const weir_source_change *change, uint32_t index)
{
    const uint32_t old = change->was[index];
    return old != WEIR_DEVICE_NONE && change->stays[old] == index;
}

static weir_err change_add(weir_master_change *c, const weir_source_change *change, uint32_t index,
                           weir_error *error)
{
    const weir_device *device = &change->catalog->devices[index];
    master_device *d = &c->devices[c->n_devices++];
    if (device_stays(change, index)) {
        *d = (master_device){.device = device, .index = index};
        return WEIR_OK;
    }
    if (!weir_master_device_init(d, device, index, &c->jobs))
        return weir_fail(error, WEIR_ENOMEM, "device '%s'", device->name);
    return weir_master_device_check(change->catalog, d, error);
}

weir_err weir_master_prepare(const weir_master *m, const weir_source_change *change,
                             weir_master_change **ret, weir_error *error)
{
    const weir_catalog *catalog = change->catalog;
    weir_master_change *c = weir_alloc_zero(1, sizeof *c);
    size_t n = 0;
    (void)m;
    for (size_t i = 0; i < catalog->n_devices; i++)
        n += catalog->devices[i].connection == change->connection;
    if (c)
        c->devices = weir_alloc_zero(n + 1, sizeof *c->devices);
    weir_err err = c && c->devices ? WEIR_OK
                                   : weir_fail(error, WEIR_ENOMEM, "devices of connection '%s'",
                                               catalog->connections[change->connection].name);
    for (uint32_t i = 0; !err && i < catalog->n_devices; i++)
        if (catalog->devices[i].connection == change->connection)
            err = change_add(c, change, i, error);
    if (err)
        weir_master_discard(c);
    else
        *ret = c;
    return err;
}

void weir_master_discard(weir_master_change *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_devices; i++)
        weir_master_device_deinit(&c->devices[i]);
    for (job *j = c->jobs, *next; j; j = next) {
        next = j->next;
        weir_free(j);
    }
    weir_free(c->devices);
    weir_free(c);
}

/* ---- jobs ---- */

static void change_drop_fresh(weir_master *m, const weir_source_change *change)
{
    job **at = &m->fresh;
    m->fresh_last = NULL;
    while (*at) {
        job *j = *at;
        if (change->stays[j->device->index] == WEIR_DEVICE_NONE) {
            *at = j->next;
            weir_master_job_free(j);
        } else {
            m->fresh_last = j;
            at = &j->next;
        }
    }
}

static void change_drop_running(weir_master *m, const weir_source_change *change)
{
    for (job *j = m->running, *next; j; j = next) {
        next = j->next;
        if (change->stays[j->device->index] == WEIR_DEVICE_NONE)
            weir_master_job_drop(j);
    }
}

static master_device *change_find(const weir_master_change *c, uint32_t index)
{
    size_t low = 0, high = c->n_devices;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (c->devices[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return &c->devices[low];
}

static void job_move(job *j, const weir_source_change *change, const weir_master_change *c)
{
    j->device = change_find(c, change->stays[j->device->index]);
    j->read.device = j->device->index;
    /* One that is outdated is in no device's list any more. */
    if (j->poll && j->poll->points != j->device->device->points)
        weir_poll_move(j->poll, j->device->device->points);
}

static void change_move_jobs(weir_master *m, const weir_source_change *change,
                             const weir_master_change *c)
{
    for (job *j = m->fresh; j; j = j->next)
        job_move(j, change, c);
    for (job *j = m->running; j; j = j->next)
        job_move(j, change, c);
}

/* ---- devices ---- */

/* What is known of a device goes on. */
static void device_move(master_device *to, master_device *from)
{
    to->last_ended = from->last_ended;
    to->learnt = from->learnt;
    to->tally = from->tally;
    to->polls = from->polls;
    for (weir_poll *poll = to->polls; poll; poll = poll->next)
        weir_poll_move(poll, to->device->points);
    from->learnt = (weir_learnt){0};
    from->polls = NULL;
}

static void change_move_devices(weir_master *m, const weir_source_change *change,
                                weir_master_change *c)
{
    for (size_t i = 0; i < m->n_devices; i++) {
        master_device *old = &m->devices[i];
        if (change->stays[old->index] != WEIR_DEVICE_NONE)
            device_move(change_find(c, change->stays[old->index]), old);
    }
    for (size_t i = 0; i < c->n_devices; i++) {
        const uint32_t was = change->was[c->devices[i].index];
        if (was == WEIR_DEVICE_NONE || change->stays[was] != WEIR_DEVICE_NONE)
            continue;
        for (size_t k = 0; k < m->n_devices; k++) /* few are changed at a time */
            if (m->devices[k].index == was)
                c->devices[i].tally = m->devices[k].tally;
    }
}

/* As many as there would be, had the master begun with these devices. */
static void change_keep_jobs(weir_master *m, weir_master_change *c)
{
    size_t wanted = 0, n = 0;
    for (size_t i = 0; i < c->n_devices; i++)
        wanted += c->devices[i].device->n_intervals + 1;
    job **at = &m->free_jobs;
    while (*at)
        at = &(*at)->next;
    *at = c->jobs;
    c->jobs = NULL;
    for (const job *j = m->running; j; j = j->next)
        n++;
    for (const job *j = m->fresh; j; j = j->next)
        n++;
    for (at = &m->free_jobs; *at && n < wanted; at = &(*at)->next)
        n++;
    c->jobs = *at; /* discarded */
    *at = NULL;
}

void weir_master_apply(weir_master *m, const weir_source_change *change, weir_master_change *c,
                       weir_mono now)
{
    m->now = now;
    change_drop_fresh(m, change);
    change_drop_running(m, change);
    change_move_jobs(m, change, c);
    change_move_devices(m, change, c);
    change_keep_jobs(m, c);
    m->catalog = change->catalog;
    weir_master_set_connection(m, &change->catalog->connections[change->connection]);
    master_device *old = m->devices;
    const size_t n_old = m->n_devices;
    m->devices = c->devices;
    m->n_devices = c->n_devices;
    c->devices = old; /* discarded */
    c->n_devices = n_old;
    for (size_t i = 0; i < 256; i++)
        m->unit[i] = 0;
    for (size_t i = 0; i < m->n_devices; i++)
        weir_master_unit_add(m->unit, m->devices, i);
    weir_master_discard(c);
}
