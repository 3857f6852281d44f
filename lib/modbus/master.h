/* SPDX-License-Identifier: MIT */
/* The master: all devices of one connection; reads what is due and yields samples. No I/O. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/source.h"
#include "modbus/link.h"

/*
 * Turns a weir_read into grouped requests on one link, decodes the replies into batches, splits a
 * block that the device refuses (exceptions 2-4) until the bad addresses stand alone, remembers
 * them (re-tried alone every WEIR_REPROBE_US and after a reconnect, a few in one read) and keeps
 * the rest. A refused function code (exception 1) silences its table in the same way. What the
 * device refuses together and answers apart lowers its limits until the end of the program, or
 * keeps two addresses apart. Each discovery is one line of the log.
 *
 * Once a request of a read has been silent through all its retries (or a gateway answered with
 * exception 10 or 11 for it; without ids, also when nothing well-formed came), the rest of the read
 * ends with the same quality without going to the bus: a dead unit costs the bus one request and
 * its retries a read.
 *
 * Every point of a read yields exactly one sample per element; one batch per reply, and batches
 * without a request (sent: 0) for what was not asked. A point cut into several requests is refused
 * as a whole once a part of it is. Uses of the source host (model/source.h): on_batch,
 * on_read_done, wall, now, log; the rest is the owner's. All on one thread.
 */
typedef struct weir_master weir_master;

#define WEIR_REPROBE_US (10 * WEIR_MINUTE)

/* host is borrowed for the master's life; host->connection says which connection. WEIR_EINVAL: a
 * point that no request can hold; error names it. WEIR_ENOMEM. */
weir_err weir_master_new(const weir_source_host *host, weir_master **ret,
                         weir_error *error) WEIR_MUST_CHECK;
void weir_master_free(weir_master *master); /* accepts NULL; reads under way are not reported */

/*
 * Copies the read; call weir_master_step next, which starts it. Its result: GOOD if any reply came
 * (exceptions 10 and 11 and, without ids, what is malformed are none), else SILENT if a request was
 * silent, else LINK. Several reads may be under way, of one device too.
 */
void weir_master_read(weir_master *master, const weir_read *read, weir_mono now);

/* As the functions of weir_link with the same names. Batches and ends of reads are reported from
 * inside disconnected, input, output and step. */
void weir_master_connected(weir_master *master, weir_mono now);
/* cause: WEIR_CAUSE_CONNECT or WEIR_CAUSE_DISCONNECTED, for the samples of reads that follow. */
void weir_master_disconnected(weir_master *master, weir_mono now, weir_cause cause);
void weir_master_input(weir_master *master, const uint8_t *bytes, size_t n, weir_mono now);
size_t weir_master_output(weir_master *master, weir_mono now, const uint8_t **ret_bytes);
weir_mono weir_master_step(weir_master *master, weir_mono now);
const char *weir_master_broken(const weir_master *master);

/* No read under way: close_after_poll may close. */
bool weir_master_idle(const weir_master *master);

/*
 * Another catalog (model/source.h): prepare has all that can fail, apply exchanges; host has the
 * new catalog and connection by then. What is queued and on the wire of devices that stay goes on,
 * and so does what was learnt of them. WEIR_EINVAL, WEIR_ENOMEM as of weir_master_new.
 */
typedef struct weir_master_change weir_master_change;
weir_err weir_master_prepare(const weir_master *master, const weir_source_change *change,
                             weir_master_change **ret, weir_error *error) WEIR_MUST_CHECK;
void weir_master_apply(weir_master *master, const weir_source_change *change,
                       weir_master_change *prepared, weir_mono now);
void weir_master_discard(weir_master_change *prepared); /* accepts NULL */

bool weir_master_counters(const weir_master *master, uint32_t device, weir_device_counters *ret);
