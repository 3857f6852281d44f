/* SPDX-License-Identifier: MIT */
/* Names to addresses, off the loop. */

#include "runtime/resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* Enough for the resolver of glibc with its modules; the default would be 8 MiB each. */
enum { STACK_BYTES = 256 * 1024 };

/* Threads of given-up look-ups included: the limit is for what the machine carries. */
static _Atomic int running;

/* Shared by its user and its thread; whoever leaves last frees it. */
struct weir_resolve {
    pthread_mutex_t lock;
    int users;
    void (*on_done)(void *data); /* NULL: given up */
    void *data;
    int status; /* of getaddrinfo */
    struct sockaddr_storage address;
    char service[8];
    char host[];
};

/* The lock is held, and gone afterwards. */
static void resolve_leave(weir_resolve *r)
{
    const bool last = --r->users == 0;
    (void)pthread_mutex_unlock(&r->lock);
    if (!last)
        return;
    (void)pthread_mutex_destroy(&r->lock);
    weir_free(r);
}

/* Of several addresses the first of IPv4: Modbus devices have seldom another, and a host file that
 * names ::1 before 127.0.0.1 would lead past a gateway that listens on the latter only. */
static const struct addrinfo *list_choose(const struct addrinfo *list)
{
    for (const struct addrinfo *at = list; at; at = at->ai_next)
        if (at->ai_family == AF_INET)
            return at;
    return list;
}

static void *resolve_main(void *data)
{
    weir_resolve *r = data;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    const int status = getaddrinfo(r->host, r->service, &hints, &list);
    (void)pthread_mutex_lock(&r->lock);
    r->status = status;
    if (status == 0) {
        const struct addrinfo *chosen = list_choose(list);
        memcpy(&r->address, chosen->ai_addr, chosen->ai_addrlen);
        freeaddrinfo(list);
    }
    running--;
    if (r->on_done)
        r->on_done(r->data);
    resolve_leave(r);
    return NULL;
}

static int resolve_start(weir_resolve *r)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, old;
    (void)sigfillset(&all);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    const int status = pthread_create(&thread, &attributes, resolve_main, r);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)pthread_attr_destroy(&attributes);
    return status;
}

weir_resolve *weir_resolve_new(const char *host, uint16_t port, void (*on_done)(void *data),
                               void *data)
{
    const size_t n_host = strlen(host) + 1;
    if (++running > WEIR_RESOLVES_MAX) {
        running--;
        return NULL;
    }
    weir_resolve *r = weir_alloc_zero(1, sizeof *r + n_host);
    if (r) {
        *r = (weir_resolve){.users = 2, .on_done = on_done, .data = data};
        memcpy(r->host, host, n_host);
        (void)snprintf(r->service, sizeof r->service, "%u", port);
        (void)pthread_mutex_init(&r->lock, NULL);
        if (resolve_start(r) == 0)
            return r;
        (void)pthread_mutex_destroy(&r->lock);
        weir_free(r);
    }
    running--;
    return NULL;
}

const char *weir_resolve_get(weir_resolve *resolve, struct sockaddr_storage *ret)
{
    (void)pthread_mutex_lock(&resolve->lock);
    const int status = resolve->status;
    if (status == 0)
        *ret = resolve->address;
    (void)pthread_mutex_unlock(&resolve->lock);
    return status ? gai_strerror(status) : NULL;
}

void weir_resolve_free(weir_resolve *resolve)
{
    if (!resolve)
        return;
    (void)pthread_mutex_lock(&resolve->lock);
    resolve->on_done = NULL;
    resolve_leave(resolve);
}
