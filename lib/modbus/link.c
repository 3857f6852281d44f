/* SPDX-License-Identifier: MIT */
/*
 * The happy path: submit puts a request into the queue. step takes the one whose turn it is, gives
 * it an id and writes its frame into the output. input assembles frames, finds the request by id,
 * checks unit, function and length, and calls on_reply.
 *
 * What can go wrong, and what happens then:
 *   no reply until the deadline    the id rests, a retry (with a new id) goes back into the queue,
 *                                  ahead of its unit's others but behind units whose turn it is
 *   a reply that nobody waits for  dropped and counted: late, or a foreign id
 *   another unit answers           dropped and counted; the request waits on until its deadline
 *   another function, no MBAP      the stream cannot be trusted: broken, the owner reconnects
 *   length not what was asked      the request ends malformed; MBAP says where the next frame
 * starts wrong CRC (RTU)                all input is thrown away until the deadline, then a retry
 *   exceptions 5 and 6             asked again after a wait, without holding a place on the wire
 *   silence of all                 broken, the owner reconnects
 *
 * RTU has no ids, and with tid_check lenient they say nothing. One request is on the wire then, and
 * after a timeout nothing is sent until the late reply came or one more timeout has passed: only
 * time can tell the replies apart.
 */

#include "modbus/link.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "modbus/flight.h"
#include "modbus/frame.h"
#include "modbus/pdu.h"
#include "modbus/queue.h"

/* Silence in a row, on a connection where every unit asked is silent, that means: nobody is there.
 * A peer that vanished without a word leaves the connection open for many minutes. */
enum { SILENT_TIMEOUTS_MAX = 3 };

/* After this time without a byte, units that answered before no longer count as alive. */
#define ALIVE_US (5 * WEIR_MINUTE)

/* weir_request.state */
enum { STATE_NONE, STATE_QUEUED, STATE_ON_WIRE, STATE_BUSY_WAIT };

/* weir_request.saw: what came instead of the reply. */
enum { SAW_WRONG_UNIT = 1, SAW_BAD_CRC = 2, SAW_FOREIGN_ID = 4 };

struct weir_link {
    weir_link_config config;
    weir_link_host host;
    weir_random random;
    weir_link_counters counters;
    bool serial; /* replies cannot be told apart by id */
    bool connected;
    bool noticed_foreign_id;
    char broken[128]; /* "": not broken */

    weir_queue queue;
    weir_flight flight;
    weir_request *busy_first, *busy_last; /* waiting to be asked again, by deadline */

    /* Pacing. */
    weir_mono ready_at; /* connected, and the pause after it */
    weir_mono quiet_at; /* the last request or end of one */
    bool asked;         /* something was sent on this connection */
    bool last_was_write;
    uint8_t last_unit;

    /* Serial only. */
    weir_mono quarantine_until; /* the late reply of quarantine_unit may come until then */
    bool quarantine;
    uint8_t quarantine_unit;
    bool draining;    /* a CRC was wrong: throw input away */
    bool stale_frame; /* the frame under way began before the request was sent */

    /* Who is there. */
    unsigned silent_timeouts;
    weir_mono input_at;
    weir_unit_set units_asked;
    weir_unit_set units_silent; /* did not answer the last request */

    uint16_t foreign_tid, foreign_own; /* a foreign id, and the one it should have been */

    size_t n_input;
    uint8_t input[WEIR_FRAME_MAX];
    size_t n_output;
    size_t output_capacity;
    uint8_t output[]; /* a frame for each request on the wire */
};

static uint16_t config_in_flight(const weir_link_config *config, bool serial)
{
    const uint16_t max = serial || config->max_in_flight < 1 ? 1 : config->max_in_flight;
    return max < WEIR_FLIGHT_MAX ? max : WEIR_FLIGHT_MAX;
}

weir_link *weir_link_new(const weir_link_config *config, const weir_link_host *host)
{
    bool serial = config->framing == WEIR_FRAMING_RTU || config->tid_check == WEIR_TID_LENIENT;
    uint16_t max = config_in_flight(config, serial);
    size_t capacity = (size_t)max * WEIR_FRAME_MAX;
    weir_link *link = weir_alloc_zero(1, sizeof *link + capacity);
    if (!link)
        return NULL;
    link->config = *config;
    link->config.max_in_flight = max;
    link->serial = serial;
    if (host)
        link->host = *host;
    link->random.state = config->seed;
    link->output_capacity = capacity;
    return link;
}

/* ---- Ends ---- */

static void link_count(weir_link *link, uint64_t *counter, uint8_t unit, const char *what,
                       int64_t rtt_us)
{
    ++*counter;
    if (link->host.on_count)
        link->host.on_count(link->host.data, unit, what, rtt_us);
}

/* The request is in no list any more. After this call it may be gone. */
static void request_end(weir_request *request, weir_reply reply, weir_mono now)
{
    request->state = STATE_NONE;
    reply.sent = request->ever_sent;
    reply.sent_at = request->sent_at;
    reply.received_at = now;
    request->on_reply(request, &reply);
}

/* Ends a chain linked by `next`. A request that was on the wire before (a retry waits its turn)
 * shares the connection's fate, the others never met it. */
static void chain_end(weir_request *chain, weir_reply_result sent, weir_reply_result unsent,
                      weir_mono now)
{
    for (weir_request *next; chain; chain = next) {
        next = chain->next;
        chain->next = NULL;
        weir_reply_result result = chain->ever_sent ? sent : unsent;
        request_end(chain, (weir_reply){.result = result}, now);
    }
}

/* Ends all there is now; what callbacks submit meanwhile stays in the queue. */
static void link_end_all(weir_link *link, weir_reply_result sent, weir_reply_result unsent,
                         weir_mono now)
{
    weir_request *flying = NULL;
    for (weir_request **end = &flying; link->flight.n; end = &(*end)->next) {
        *end = weir_flight_at(&link->flight, 0);
        weir_flight_remove(&link->flight, *end);
    }
    weir_request *busy = link->busy_first;
    link->busy_first = link->busy_last = NULL;
    weir_request *queued = weir_queue_take_all(&link->queue);
    chain_end(flying, sent, unsent, now);
    chain_end(busy, sent, unsent, now);
    chain_end(queued, sent, unsent, now);
}

void weir_link_free(weir_link *link)
{
    if (!link)
        return;
    link->connected = false;
    while (!weir_link_idle(link))
        link_end_all(link, WEIR_REPLY_CANCELED, WEIR_REPLY_CANCELED, link->quiet_at);
    weir_free(link);
}

bool weir_link_idle(const weir_link *link)
{
    return link->queue.n == 0 && link->flight.n == 0 && !link->busy_first;
}

weir_link_counters weir_link_get_counters(const weir_link *link)
{
    return link->counters;
}

const char *weir_link_broken(const weir_link *link)
{
    return link->broken[0] ? link->broken : NULL;
}

static bool link_is_open(const weir_link *link)
{
    return link->connected && !link->broken[0];
}

/* ---- Connection ---- */

void weir_link_connected(weir_link *link, weir_mono now)
{
    if (link->flight.n)
        weir_link_disconnected(link, now);
    link->connected = true;
    link->broken[0] = '\0';
    link->noticed_foreign_id = false;
    weir_flight_init(&link->flight, (uint16_t)weir_random_u64(&link->random));
    link->n_input = link->n_output = 0;
    link->ready_at = weir_mono_add(now, link->config.pause_after_connect_us);
    link->quiet_at = now;
    link->asked = false;
    link->quarantine = link->draining = link->stale_frame = false;
    link->silent_timeouts = 0;
    link->input_at = now;
    link->units_asked = link->units_silent = (weir_unit_set){0};
}

void weir_link_disconnected(weir_link *link, weir_mono now)
{
    link->connected = false;
    link->n_input = link->n_output = 0;
    link_end_all(link, WEIR_REPLY_DISCONNECTED, WEIR_REPLY_NOT_CONNECTED, now);
}

/* Deadlines stay in the order in which requests were sent. With more on the wire than the output
 * has room for, frames go out in several writes. */
void weir_link_set_timing(weir_link *link, const weir_link_config *config)
{
    const int64_t longer = config->busy_retries_wait_us - link->config.busy_retries_wait_us;
    for (size_t i = 0; i < link->flight.n; i++) {
        weir_request *request = weir_flight_at(&link->flight, i);
        request->deadline = weir_mono_add(request->sent_at, config->timeout_us);
    }
    for (weir_request *r = link->busy_first; r; r = r->next)
        r->deadline = weir_mono_add(r->deadline, longer);
    link->config.max_in_flight = config_in_flight(config, link->serial);
    link->config.retries = config->retries;
    link->config.busy_retries = config->busy_retries;
    link->config.timeout_us = config->timeout_us;
    link->config.busy_retries_wait_us = config->busy_retries_wait_us;
    link->config.pause_after_connect_us = config->pause_after_connect_us;
    link->config.pause_between_requests_us = config->pause_between_requests_us;
    link->config.pause_on_unit_switch_us = config->pause_on_unit_switch_us;
    link->config.pause_after_write_us = config->pause_after_write_us;
}

/* ---- Sending ---- */

void weir_link_submit(weir_link *link, weir_request *request, weir_mono now)
{
    (void)now;
    assert(request->state == STATE_NONE);
    request->next = NULL;
    request->tries = request->busy_tries = request->saw = request->saw_code = 0;
    request->ever_sent = false;
    request->state = STATE_QUEUED;
    weir_queue_push(&link->queue, request);
}

static void link_remove_busy(weir_link *link, const weir_request *request)
{
    weir_request *before = NULL;
    for (weir_request *r = link->busy_first; r != request; r = r->next)
        before = r;
    if (before)
        before->next = request->next;
    else
        link->busy_first = request->next;
    if (link->busy_last == request)
        link->busy_last = before;
}

/*
 * With several requests on the wire, silent units must not take all the places: each gets one at a
 * time until it answers, and together they leave one place to the others.
 */
static bool unit_may_send(const void *data, uint8_t unit)
{
    const weir_link *link = data;
    if (!weir_unit_set_has(&link->units_silent, unit) || link->config.max_in_flight == 1)
        return true;
    size_t silent = 0;
    for (size_t i = 0; i < link->flight.n; i++) {
        uint8_t other = weir_flight_at(&link->flight, i)->unit;
        if (other == unit)
            return false;
        silent += weir_unit_set_has(&link->units_silent, other);
    }
    return silent + 1 < link->config.max_in_flight;
}

/* The pause the bus needs between what was last and a request to this unit. A switch of units and
 * the time after a write only mean something when nothing is on the wire: NEVER until then. */
static weir_mono link_ready_at(const weir_link *link, uint8_t unit)
{
    weir_mono at = link->ready_at;
    if (link->quarantine && at.us < link->quarantine_until.us)
        at = link->quarantine_until;
    if (!link->asked)
        return at;
    int64_t special = 0;
    if (unit != link->last_unit)
        special = link->config.pause_on_unit_switch_us;
    if (link->last_was_write && special < link->config.pause_after_write_us)
        special = link->config.pause_after_write_us;
    if (special > 0 && link->flight.n)
        return WEIR_MONO_NEVER;
    int64_t pause = link->config.pause_between_requests_us;
    weir_mono rested = weir_mono_add(link->quiet_at, special > pause ? special : pause);
    return rested.us > at.us ? rested : at;
}

/* The request to send now. NULL: none, and *ret_at is when that changes by time alone. */
static weir_request *link_next(const weir_link *link, weir_mono now, weir_mono *ret_at)
{
    *ret_at = WEIR_MONO_NEVER;
    if (link->queue.n == 0 || link->flight.n >= link->config.max_in_flight ||
        link->output_capacity - link->n_output < WEIR_FRAME_MAX)
        return NULL;
    weir_request *request = weir_queue_first(&link->queue, unit_may_send, link);
    if (!request)
        return NULL;
    weir_mono at = link_ready_at(link, request->unit);
    if (weir_mono_reached(now, at))
        return request;
    *ret_at = at;
    return NULL;
}

static weir_pdu_request request_pdu(const weir_request *request)
{
    return (weir_pdu_request){.function = request->function,
                              .address = request->address,
                              .count = request->count,
                              .data = request->data,
                              .n_data = request->n_data};
}

static bool link_write_frame(weir_link *link, const weir_request *request)
{
    weir_writer w = weir_writer_of(link->output, link->output_capacity);
    w.at += link->n_output;
    uint8_t *start = w.at;
    weir_pdu_request pdu = request_pdu(request);
    weir_frame_begin(&w, link->config.framing, request->tid, request->unit);
    if (!weir_pdu_write_request(&w, &pdu, request->class == WEIR_CLASS_WRITE))
        return false;
    weir_frame_end(&w, link->config.framing, start);
    assert(!w.failed);
    link->n_output = weir_writer_length(&w);
    return true;
}

/* What is still in the input began before this request: on RTU noise, in MBAP a frame whose end is
 * known and which is dropped when it is whole. */
static void link_drain(weir_link *link)
{
    if (link->config.framing == WEIR_FRAMING_RTU)
        link->n_input = 0;
    else
        link->stale_frame = link->n_input > 0;
    link->quarantine = false;
}

static void link_send(weir_link *link, weir_request *request, weir_mono now)
{
    weir_queue_take(&link->queue, request);
    weir_flight_add(&link->flight, request);
    if (!link_write_frame(link, request)) {
        weir_flight_remove(&link->flight, request);
        request_end(request, (weir_reply){.result = WEIR_REPLY_CANCELED}, now);
        return;
    }
    if (link->serial)
        link_drain(link);
    request->state = STATE_ON_WIRE;
    request->ever_sent = true;
    request->sent_at = now;
    request->deadline = weir_mono_add(now, link->config.timeout_us);
    link->asked = true;
    link->quiet_at = now;
    link->last_unit = request->unit;
    link->last_was_write = weir_pdu_is_write(request->function);
    weir_unit_set_add(&link->units_asked, request->unit);
    link_count(link, &link->counters.requests, request->unit, "sent", 0);
}

/* Sends all that may be sent; returns when more may be. */
static weir_mono link_send_ready(weir_link *link, weir_mono now)
{
    weir_mono at = WEIR_MONO_NEVER;
    while (link_is_open(link)) {
        weir_request *request = link_next(link, now, &at);
        if (!request)
            break;
        link_send(link, request, now);
    }
    return at;
}

size_t weir_link_output(weir_link *link, weir_mono now, const uint8_t **ret_bytes)
{
    (void)link_send_ready(link, now);
    size_t n = link->n_output;
    link->n_output = 0;
    *ret_bytes = link->output;
    return n;
}

/* ---- Replies ---- */

static void link_break(weir_link *link, const char *text)
{
    if (!link->broken[0])
        (void)snprintf(link->broken, sizeof link->broken, "%s", text);
    link->n_input = 0;
}

static void link_take_off_wire(weir_link *link, weir_request *request, weir_mono now)
{
    weir_flight_remove(&link->flight, request);
    link->quiet_at = now;
    weir_unit_set_remove(&link->units_silent, request->unit);
}

/* A reply to an earlier request may still come. */
static void link_start_quarantine(weir_link *link, uint8_t unit, weir_mono now)
{
    if (!link->serial)
        return;
    link->quarantine = true;
    link->quarantine_unit = unit;
    link->quarantine_until = weir_mono_add(now, link->config.timeout_us);
}

void weir_link_cancel(weir_link *link, weir_request *request, weir_mono now)
{
    if (request->state == STATE_QUEUED) {
        weir_queue_remove(&link->queue, request);
    } else if (request->state == STATE_BUSY_WAIT) {
        link_remove_busy(link, request);
    } else if (request->state == STATE_ON_WIRE) {
        weir_flight_rest(&link->flight, request);
        link->quiet_at = now;
        link->draining = false;
        link_start_quarantine(link, request->unit, now);
    }
    request->state = STATE_NONE;
    request->next = NULL;
}

/* No reply carries this id's request. Remembered if it could be the reply of one on the wire. */
static void link_on_foreign_id(weir_link *link, const weir_frame *frame)
{
    link_count(link, &link->counters.wrong_id, frame->unit, "wrong_id", 0);
    if (weir_flight_was_issued(&link->flight, frame->tid))
        return; /* a duplicate */
    for (size_t i = 0; i < link->flight.n; i++) {
        weir_request *request = weir_flight_at(&link->flight, i);
        if (request->unit == frame->unit &&
            request->function == (frame->pdu[0] & ~WEIR_EXCEPTION_BIT)) {
            request->saw |= SAW_FOREIGN_ID;
            link->foreign_tid = frame->tid;
            link->foreign_own = request->tid;
            return;
        }
    }
}

static weir_request *match_by_id(weir_link *link, const weir_frame *frame)
{
    uint8_t unit;
    weir_request *request = weir_flight_find(&link->flight, frame->tid);
    if (request)
        return request;
    if (weir_flight_is_late(&link->flight, frame->tid, &unit)) {
        weir_unit_set_remove(&link->units_silent, unit);
        link_count(link, &link->counters.late, unit, "late", 0);
    } else {
        link_on_foreign_id(link, frame);
    }
    return NULL;
}

static weir_request *match_by_time(weir_link *link, const weir_frame *frame)
{
    if (link->stale_frame) {
        link->stale_frame = false;
        link_count(link, &link->counters.late, frame->unit, "late", 0);
    } else if (link->flight.n) {
        return weir_flight_at(&link->flight, 0);
    } else if (!link->quarantine) {
        link_count(link, &link->counters.wrong_id, frame->unit, "wrong_id", 0);
    } else if (frame->unit != link->quarantine_unit) {
        link_count(link, &link->counters.wrong_unit, frame->unit, "wrong_unit", 0);
    } else {
        link->quarantine = false;
        weir_unit_set_remove(&link->units_silent, frame->unit);
        link_count(link, &link->counters.late, frame->unit, "late", 0);
    }
    return NULL;
}

/* Asks again after a wait. A write that was acknowledged (5) is being carried out: not again. */
static bool request_may_ask_again(const weir_link *link, const weir_request *request, uint8_t code)
{
    enum { ACKNOWLEDGE = 5, BUSY = 6 };
    if (request->busy_tries >= link->config.busy_retries)
        return false;
    return code == BUSY || (code == ACKNOWLEDGE && !weir_pdu_is_write(request->function));
}

static void link_wait_busy(weir_link *link, weir_request *request, weir_mono now)
{
    request->busy_tries++;
    request->state = STATE_BUSY_WAIT;
    request->deadline = weir_mono_add(now, link->config.busy_retries_wait_us);
    request->next = NULL;
    if (link->busy_last)
        link->busy_last->next = request;
    else
        link->busy_first = request;
    link->busy_last = request;
}

static void link_on_exception(weir_link *link, weir_request *request, uint8_t code, weir_mono now)
{
    link_take_off_wire(link, request, now);
    link_count(link, &link->counters.exceptions, request->unit, "exception",
               now.us - request->sent_at.us);
    if (request_may_ask_again(link, request, code))
        link_wait_busy(link, request, now);
    else
        request_end(request, (weir_reply){.result = WEIR_REPLY_EXCEPTION, .code = code}, now);
}

static void link_on_good(weir_link *link, weir_request *request, const weir_pdu_reply *pdu,
                         weir_mono now)
{
    link_take_off_wire(link, request, now);
    link_count(link, &link->counters.replies, request->unit, "reply", now.us - request->sent_at.us);
    weir_reply reply = {.result = WEIR_REPLY_GOOD, .data = pdu->data, .n_data = pdu->n_data};
    request_end(request, reply, now);
}

static void link_on_malformed(weir_link *link, weir_request *request, weir_mono now)
{
    link_take_off_wire(link, request, now);
    link_start_quarantine(link, request->unit, now);
    link_count(link, &link->counters.malformed, request->unit, "malformed", 0);
    request_end(request, (weir_reply){.result = WEIR_REPLY_MALFORMED}, now);
}

static void link_on_wrong_function(weir_link *link, weir_request *request, uint8_t function,
                                   weir_mono now)
{
    char text[sizeof link->broken];
    (void)snprintf(text, sizeof text, "unit %u answered function %u with function %u",
                   (unsigned)request->unit, (unsigned)request->function, (unsigned)function);
    link_break(link, text);
    link_take_off_wire(link, request, now);
    link_count(link, &link->counters.malformed, request->unit, "malformed", 0);
    request_end(request, (weir_reply){.result = WEIR_REPLY_WRONG_FUNCTION, .code = function}, now);
}

static void link_on_frame(weir_link *link, const weir_frame *frame, weir_mono now)
{
    weir_request *request = link->serial ? match_by_time(link, frame) : match_by_id(link, frame);
    if (!request)
        return;
    if (frame->unit != request->unit) {
        request->saw |= SAW_WRONG_UNIT;
        request->saw_code = frame->unit;
        link_count(link, &link->counters.wrong_unit, request->unit, "wrong_unit", 0);
        return;
    }
    weir_pdu_request asked = request_pdu(request);
    weir_pdu_reply reply = weir_pdu_check(frame->pdu, frame->n_pdu, &asked);
    switch (reply.result) {
    case WEIR_PDU_GOOD:
        link_on_good(link, request, &reply, now);
        break;
    case WEIR_PDU_EXCEPTION:
        link_on_exception(link, request, reply.code, now);
        break;
    case WEIR_PDU_WRONG_FUNCTION:
        link_on_wrong_function(link, request, reply.code, now);
        break;
    case WEIR_PDU_MALFORMED:
        link_on_malformed(link, request, now);
        break;
    }
}

/* ---- Input ---- */

/* RTU: what came is no frame. It cannot be known where the next one starts, so all is thrown away
 * until the request's deadline. */
static void link_on_bad_crc(weir_link *link, uint8_t first_byte)
{
    uint8_t unit = first_byte;
    if (link->flight.n) {
        weir_request *request = weir_flight_at(&link->flight, 0);
        request->saw |= SAW_BAD_CRC;
        unit = request->unit;
        link->draining = true;
    }
    link->n_input = 0;
    link_count(link, &link->counters.malformed, unit, "malformed", 0);
}

static void link_on_bad_bytes(weir_link *link, const uint8_t *bytes, size_t n)
{
    if (link->config.framing == WEIR_FRAMING_RTU && !weir_frame_is_text(bytes, n)) {
        link_on_bad_crc(link, bytes[0]);
        return;
    }
    char text[sizeof link->broken];
    weir_frame_explain(bytes, n, text, sizeof text);
    link_break(link, text);
    link_count(link, &link->counters.malformed, link->last_unit, "malformed", 0);
}

/* Completes the frame in the buffer. Returns how many of the n bytes it took. */
static size_t link_input_buffered(weir_link *link, const uint8_t *bytes, size_t n, weir_mono now)
{
    size_t taken = 0;
    weir_frame frame;
    for (size_t size = 0;;) {
        switch (weir_frame_read(link->config.framing, WEIR_DIRECTION_REPLY, link->input,
                                link->n_input, &size, &frame)) {
        case WEIR_FRAME_WHOLE:
            link->n_input = 0;
            link_on_frame(link, &frame, now);
            return taken;
        case WEIR_FRAME_BROKEN:
            /* More of a banner makes the message clearer. */
            while (taken < n && link->n_input < sizeof link->input)
                link->input[link->n_input++] = bytes[taken++];
            link_on_bad_bytes(link, link->input, link->n_input);
            return n;
        case WEIR_FRAME_MORE:
            break;
        }
        if (taken == n)
            return n;
        size_t want = size - link->n_input;
        size_t m = want < n - taken ? want : n - taken;
        memcpy(link->input + link->n_input, bytes + taken, m);
        link->n_input += m;
        taken += m;
    }
}

/* Reads a frame where it lies; an unfinished one goes into the buffer. */
static size_t link_input_direct(weir_link *link, const uint8_t *bytes, size_t n, weir_mono now)
{
    size_t size = 0;
    weir_frame frame;
    switch (weir_frame_read(link->config.framing, WEIR_DIRECTION_REPLY, bytes, n, &size, &frame)) {
    case WEIR_FRAME_WHOLE:
        link_on_frame(link, &frame, now);
        return size;
    case WEIR_FRAME_BROKEN:
        link_on_bad_bytes(link, bytes, n);
        return n;
    case WEIR_FRAME_MORE:
        break;
    }
    assert(n < size && size <= sizeof link->input);
    memcpy(link->input, bytes, n);
    link->n_input = n;
    return n;
}

void weir_link_input(weir_link *link, const uint8_t *bytes, size_t n, weir_mono now)
{
    if (n == 0)
        return;
    link->silent_timeouts = 0;
    link->input_at = now;
    while (n && link_is_open(link) && !link->draining) {
        size_t taken = link->n_input ? link_input_buffered(link, bytes, n, now)
                                     : link_input_direct(link, bytes, n, now);
        bytes += taken;
        n -= taken;
    }
}

/* ---- Time ---- */

/* "Nobody is there": see SILENT_TIMEOUTS_MAX. One dead unit behind a gateway is not enough while
 * another one answered when it was last asked. */
static bool link_is_dead(const weir_link *link, weir_mono now)
{
    return link->silent_timeouts >= SILENT_TIMEOUTS_MAX &&
           (weir_unit_set_equal(&link->units_asked, &link->units_silent) ||
            now.us - link->input_at.us >= ALIVE_US);
}

static void link_notice_foreign_id(weir_link *link)
{
    if (link->noticed_foreign_id || !link->host.on_notice)
        return;
    link->noticed_foreign_id = true;
    enum { SKEW_MAX = 16 }; /* a larger difference is no pattern a person would recognize */
    int skew = (int16_t)(uint16_t)(link->foreign_tid - link->foreign_own);
    char text[160];
    if (skew >= -SKEW_MAX && skew <= SKEW_MAX)
        (void)snprintf(text, sizeof text,
                       "replies carry transaction id N%+d instead of the request's N: "
                       "set tid_check: lenient on this connection",
                       skew);
    else
        (void)snprintf(text, sizeof text,
                       "replies carry transaction id %u instead of the request's %u: "
                       "set tid_check: lenient on this connection",
                       (unsigned)link->foreign_tid, (unsigned)link->foreign_own);
    link->host.on_notice(link->host.data, text);
}

static weir_reply request_silence(const weir_request *request)
{
    if (request->saw & SAW_WRONG_UNIT)
        return (weir_reply){.result = WEIR_REPLY_WRONG_UNIT, .code = request->saw_code};
    if (request->saw & SAW_BAD_CRC)
        return (weir_reply){.result = WEIR_REPLY_MALFORMED};
    return (weir_reply){.result = WEIR_REPLY_TIMEOUT};
}

/* Something came but was no frame: not silence, and the rest of the timeout was its quarantine. */
static void link_count_timeout(weir_link *link, weir_request *request, weir_mono now)
{
    if (link->draining) {
        link->draining = false;
        return;
    }
    if (request->sent_at.us >= link->input_at.us)
        link->silent_timeouts++;
    weir_unit_set_add(&link->units_silent, request->unit);
    link_start_quarantine(link, request->unit, now);
    link_count(link, &link->counters.timeouts, request->unit, "timeout", 0);
}

static void link_on_timeout(weir_link *link, weir_request *request, weir_mono now)
{
    weir_flight_rest(&link->flight, request);
    link->quiet_at = now;
    link_count_timeout(link, request, now);
    if (link->config.framing == WEIR_FRAMING_RTU && weir_frame_is_text(link->input, link->n_input))
        link_on_bad_bytes(link, link->input, link->n_input);
    else if (link_is_dead(link, now))
        link_break(link, "no answer to 3 requests in a row: reconnecting");
    bool may_retry = link_is_open(link) && !weir_pdu_is_write(request->function);
    if (may_retry && request->tries < link->config.retries) {
        request->tries++;
        request->state = STATE_QUEUED;
        weir_queue_push_first(&link->queue, request);
        return;
    }
    if (request->saw & SAW_FOREIGN_ID)
        link_notice_foreign_id(link);
    request_end(request, request_silence(request), now);
}

static void link_run_timeouts(weir_link *link, weir_mono now)
{
    while (link_is_open(link) && link->flight.n) {
        weir_request *request = weir_flight_at(&link->flight, 0);
        if (!weir_mono_reached(now, request->deadline))
            return;
        link_on_timeout(link, request, now);
    }
}

static void link_run_busy_waits(weir_link *link, weir_mono now)
{
    for (weir_request *r; (r = link->busy_first) && weir_mono_reached(now, r->deadline);) {
        link->busy_first = r->next;
        if (!link->busy_first)
            link->busy_last = NULL;
        r->state = STATE_QUEUED;
        weir_queue_push_first(&link->queue, r);
    }
}

weir_mono weir_link_step(weir_link *link, weir_mono now)
{
    if (!link->connected)
        link_end_all(link, WEIR_REPLY_DISCONNECTED, WEIR_REPLY_NOT_CONNECTED, now);
    link_run_timeouts(link, now);
    if (!link_is_open(link))
        return WEIR_MONO_NEVER;
    link_run_busy_waits(link, now);
    weir_mono wake = link_send_ready(link, now);
    if (link->flight.n)
        wake = weir_mono_min(wake, weir_flight_at(&link->flight, 0)->deadline);
    if (link->busy_first)
        wake = weir_mono_min(wake, link->busy_first->deadline);
    return wake;
}

weir_quality weir_reply_quality(const weir_reply *reply)
{
    switch (reply->result) {
    case WEIR_REPLY_GOOD:
        return weir_quality_of(WEIR_GOOD, WEIR_CAUSE_NONE, 0);
    case WEIR_REPLY_EXCEPTION:
        return weir_bad(WEIR_CAUSE_EXCEPTION, reply->code);
    case WEIR_REPLY_TIMEOUT:
        return weir_bad(WEIR_CAUSE_TIMEOUT, 0);
    case WEIR_REPLY_WRONG_UNIT:
        return weir_bad(WEIR_CAUSE_WRONG_UNIT, reply->code);
    case WEIR_REPLY_WRONG_FUNCTION:
        return weir_bad(WEIR_CAUSE_WRONG_FUNCTION, reply->code);
    case WEIR_REPLY_MALFORMED:
        return weir_bad(WEIR_CAUSE_MALFORMED, 0);
    case WEIR_REPLY_DISCONNECTED:
        return weir_bad(WEIR_CAUSE_DISCONNECTED, 0);
    case WEIR_REPLY_NOT_CONNECTED:
        return weir_bad(WEIR_CAUSE_CONNECT, 0);
    case WEIR_REPLY_CANCELED:
        return weir_bad(WEIR_CAUSE_DISABLED, 0);
    }
    return weir_bad(WEIR_CAUSE_MALFORMED, 0);
}
