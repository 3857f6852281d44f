/* SPDX-License-Identifier: MIT */
/* Names of hosts to addresses, without waiting longer than a sink may. */

#include "sinks/postgres/address.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"

enum {
    NUMBERS_MAX = 8, /* addresses of one name that are tried */
    SLICE_NS = 200 * 1000 * 1000,
};

/* One question. Whoever of the two that know it is done last releases it. */
typedef struct lookup {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool is_done, is_left;
    int error; /* of getaddrinfo */
    char name[256];
    size_t n;
    char numbers[NUMBERS_MAX][64];
} lookup;

void weir_pg_addresses_deinit(weir_pg_addresses *a)
{
    weir_text_deinit(&a->hosts);
    weir_text_deinit(&a->numbers);
    weir_text_deinit(&a->ports);
}

/* --- the question ------------------------------------------------------------------------- */

static void lookup_free(lookup *l)
{
    (void)pthread_cond_destroy(&l->answered);
    (void)pthread_mutex_destroy(&l->lock);
    weir_free(l);
}

static void numbers_take(lookup *l, const struct addrinfo *found)
{
    for (; found && l->n < NUMBERS_MAX; found = found->ai_next)
        if (getnameinfo(found->ai_addr, found->ai_addrlen, l->numbers[l->n], sizeof *l->numbers,
                        NULL, 0, NI_NUMERICHOST) == 0)
            l->n++;
}

static void *lookup_main(void *data)
{
    static const struct addrinfo hints = {.ai_socktype = 1 /* SOCK_STREAM: each address once */};
    lookup *l = data;
    struct addrinfo *found = NULL;
    const int error = getaddrinfo(l->name, NULL, &hints, &found);
    (void)pthread_mutex_lock(&l->lock);
    l->error = error;
    if (error == 0)
        numbers_take(l, found);
    l->is_done = true;
    const bool is_left = l->is_left;
    (void)pthread_cond_signal(&l->answered);
    (void)pthread_mutex_unlock(&l->lock);
    if (error == 0)
        freeaddrinfo(found);
    if (is_left)
        lookup_free(l);
    return NULL;
}

static lookup *lookup_start(const char *name, size_t n)
{
    pthread_condattr_t monotonic;
    pthread_attr_t detached;
    pthread_t thread;
    lookup *l = weir_alloc_zero(1, sizeof *l);
    if (!l)
        return NULL;
    (void)snprintf(l->name, sizeof l->name, "%.*s", (int)n, name);
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&l->answered, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_attr_init(&detached);
    (void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    const int failed = pthread_create(&thread, &detached, lookup_main, l);
    (void)pthread_attr_destroy(&detached);
    if (failed) {
        lookup_free(l);
        return NULL;
    }
    return l;
}

/* The lock is held. */
static void answer_wait(lookup *l, const weir_sink_host *host, weir_mono deadline)
{
    while (!l->is_done && !host->is_ending(host->data) &&
           !weir_mono_reached(host->now(host->data), deadline)) {
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += SLICE_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&l->answered, &l->lock, &until);
    }
}

/* --- lists -------------------------------------------------------------------------------- */

static void entry_add(weir_pg_addresses *a, const char *name, size_t n_name, const char *number,
                      const char *port, size_t n_port)
{
    const char *comma = a->n++ ? "," : "";
    weir_text_format(&a->hosts, "%s%.*s", comma, (int)n_name, name);
    weir_text_format(&a->numbers, "%s%s", comma, number);
    weir_text_format(&a->ports, "%s%.*s", comma, (int)n_port, port);
}

/* One name of the list: its addresses, or why it has none. */
static void name_find(weir_pg_addresses *a, const char *name, size_t n_name, const char *port,
                      size_t n_port, const weir_sink_host *host, weir_mono deadline,
                      weir_text *ret_why)
{
    lookup *l = lookup_start(name, n_name);
    weir_text_clear(ret_why);
    if (!l) {
        weir_text_add(ret_why, "no memory or thread to look up a host name");
        return;
    }
    (void)pthread_mutex_lock(&l->lock);
    answer_wait(l, host, deadline);
    const bool is_done = l->is_done;
    l->is_left = true;
    for (size_t i = 0; i < l->n; i++)
        entry_add(a, name, n_name, l->numbers[i], port, n_port);
    if (!is_done)
        weir_text_format(ret_why, "the name server does not answer for host \"%.*s\"", (int)n_name,
                         name);
    else if (l->error != 0)
        weir_text_format(ret_why, "could not translate host name \"%.*s\" to address: %s",
                         (int)n_name, name, gai_strerror(l->error));
    (void)pthread_mutex_unlock(&l->lock);
    if (is_done)
        lookup_free(l);
}

bool weir_pg_addresses_find(weir_pg_addresses *a, const char *hosts, const char *ports,
                            const weir_sink_host *host, weir_mono deadline, weir_text *ret_why)
{
    const bool is_one_port = !strchr(ports, ',');
    for (const char *name = hosts, *port = ports;;) {
        const size_t n_name = strcspn(name, ","), n_port = strcspn(port, ",");
        if (n_name == 0 || *name == '/' || *name == '@')
            entry_add(a, name, n_name, "", port, n_port);
        else
            name_find(a, name, n_name, port, n_port, host, deadline, ret_why);
        if (!name[n_name])
            break;
        name += n_name + 1;
        port += is_one_port ? 0 : n_port + (port[n_port] == ',');
    }
    return a->n > 0 && !a->hosts.failed && !a->numbers.failed && !a->ports.failed;
}
