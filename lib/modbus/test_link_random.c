/* SPDX-License-Identifier: MIT */
/*
 * A link against a peer that delays, drops, repeats, slices, swaps and lies, for thousands of
 * requests of each of many seeds. Replies verify themselves: the data is made of unit, address and
 * a tick that is another for every request served, so a good reply that is not the answer to the
 * last try of its own request is seen at once.
 */

#include "modbus/test_link.h"

#include "base/random.h"

enum { PROBES = 24, EVENTS = 64, REQUESTS = 4000 };

/* Bytes on their way to the link. */
typedef struct event {
    weir_mono at;
    size_t n;
    uint8_t bytes[WEIR_FRAME_MAX + 40];
} event;

typedef struct world {
    bench b;
    weir_random random;
    unsigned lies; /* of 1000 replies each kind of fault gets so many */
    uint16_t tick;
    uint16_t tick_of[65536]; /* by transaction id */
    size_t n_events;
    event events[EVENTS];
    probe probes[PROBES];
    bool busy[PROBES];
    unsigned submitted, ended, good, per_result[WEIR_REPLY_CANCELED + 1];
    unsigned reconnects;
} world;

static bool chance(world *w, unsigned of_1000)
{
    return weir_random_below(&w->random, 1000) < of_1000;
}

/* What the register holds in truth: it says where it is and which request read it. */
static uint16_t truth(uint8_t unit, unsigned address, uint16_t tick)
{
    return (uint16_t)((unit << 12 ^ address * 40503u) + tick * 7919u);
}

static void world_on_reply(weir_request *request, const weir_reply *reply)
{
    probe *p = (probe *)request;
    world *w = (world *)p->bench;
    size_t i = (size_t)(p - w->probes);
    assert_true(w->busy[i]);
    w->busy[i] = false;
    w->ended++;
    w->per_result[reply->result]++;
    if (reply->result != WEIR_REPLY_GOOD) {
        assert_int_equal(reply->n_data, 0);
        return;
    }
    w->good++;
    uint16_t tick = w->b.framing == WEIR_FRAMING_RTU ? w->tick : w->tick_of[request->tid];
    assert_int_equal(reply->n_data, 2 * request->count);
    for (unsigned k = 0; k < request->count; k++)
        assert_int_equal(reply->data[2 * k] << 8 | reply->data[2 * k + 1],
                         truth(request->unit, request->address + k, tick));
}

static void world_submit(world *w)
{
    for (size_t i = 0; i < PROBES && w->submitted < REQUESTS; i++) {
        if (w->busy[i] || !chance(w, 500))
            continue;
        w->probes[i] = (probe){
            .bench = &w->b,
            .request = {.unit = (uint8_t)(1 + weir_random_below(&w->random, 5)),
                        .function = 3,
                        .address = (uint16_t)weir_random_below(&w->random, 5000),
                        .count = (uint16_t)(1 + weir_random_below(&w->random, 3)),
                        .class = (weir_request_class)weir_random_below(&w->random, 3),
                        .on_reply = world_on_reply},
        };
        w->busy[i] = true;
        w->submitted++;
        weir_link_submit(w->b.link, &w->probes[i].request, w->b.now);
    }
}

static void world_add(world *w, const uint8_t *bytes, size_t n, int64_t delay_us)
{
    if (w->n_events == EVENTS)
        return; /* lost */
    event *e = &w->events[w->n_events++];
    e->at = weir_mono_add(w->b.now, delay_us);
    e->n = n;
    memcpy(e->bytes, bytes, n);
}

/* The answer to one request; with a lie now and then. */
static void world_answer(world *w, const weir_frame *frame)
{
    uint8_t out[WEIR_FRAME_MAX + 40];
    weir_reader r = weir_reader_of(frame->pdu, frame->n_pdu);
    uint8_t function = weir_read_u8(&r);
    unsigned address = weir_read_u16(&r);
    unsigned count = weir_read_u16(&r);
    unsigned lies = w->lies;
    w->tick_of[frame->tid] = ++w->tick;
    bool rtu = w->b.framing == WEIR_FRAMING_RTU;
    uint16_t tid = frame->tid;
    uint8_t unit = frame->unit;
    if (chance(w, lies))
        return;
    if (chance(w, lies) && !rtu)
        tid = (uint16_t)weir_random_u64(&w->random);
    if (chance(w, lies))
        unit ^= 1;
    weir_writer o = weir_writer_of(out, sizeof out);
    weir_frame_begin(&o, w->b.framing, tid, unit);
    if (chance(w, lies)) {
        weir_write_u8(&o, function | 0x80);
        weir_write_u8(&o, (uint8_t)(1 + weir_random_below(&w->random, 11)));
    } else {
        if (chance(w, lies))
            count += chance(w, 500) ? 1 : -1u;
        weir_write_u8(&o, chance(w, lies / 8) ? 4 : function);
        weir_write_u8(&o, (uint8_t)(2 * count));
        for (unsigned i = 0; i < count; i++)
            weir_write_u16(&o, truth(unit, address + i, w->tick));
    }
    weir_frame_end(&o, w->b.framing, out);
    size_t n = weir_writer_length(&o);
    if (rtu && chance(w, lies))
        out[weir_random_below(&w->random, n)] ^= (uint8_t)(1u << weir_random_below(&w->random, 8));
    if (!rtu && chance(w, lies / 8))
        out[weir_random_below(&w->random, 6)] ^= 1; /* in the MBAP: id, protocol or length */

    /* Serial peers answer one after the other: never later than the quarantine can see. */
    int64_t delay = (int64_t)weir_random_below(&w->random, 100 * WEIR_MS);
    if (chance(w, lies))
        delay = WEIR_S + (int64_t)weir_random_below(&w->random, WEIR_S - 200 * WEIR_MS);
    if (!rtu && chance(w, lies))
        world_add(w, out, n, delay + (int64_t)weir_random_below(&w->random, 3 * WEIR_S));
    world_add(w, out, n, delay);
}

static void world_serve(world *w)
{
    size_t size, at = 0;
    weir_frame frame;
    while (weir_frame_read(w->b.framing, WEIR_DIRECTION_REQUEST, w->b.sent + at, w->b.n_sent - at,
                           &size, &frame) == WEIR_FRAME_WHOLE) {
        world_answer(w, &frame);
        at += size;
    }
    assert_int_equal(at, w->b.n_sent);
    w->b.n_sent = 0;
}

/* Feeds the bytes that are due, in slices. */
static void world_deliver(world *w)
{
    for (size_t i = 0; i < w->n_events;) {
        event e = w->events[i];
        if (!weir_mono_reached(w->b.now, e.at)) {
            i++;
            continue;
        }
        w->events[i] = w->events[--w->n_events];
        for (size_t done = 0; done < e.n;) {
            size_t slice = 1 + weir_random_below(&w->random, chance(w, 300) ? 3 : e.n);
            if (slice > e.n - done)
                slice = e.n - done;
            weir_link_input(w->b.link, e.bytes + done, slice, w->b.now);
            done += slice;
        }
    }
}

static weir_mono world_next(const world *w)
{
    weir_mono t = weir_mono_add(w->b.now, 50 * WEIR_MS);
    t = weir_mono_min(t, w->b.wake);
    for (size_t i = 0; i < w->n_events; i++)
        t = weir_mono_min(t, w->events[i].at);
    return t.us > w->b.now.us ? t : weir_mono_add(w->b.now, 1);
}

static void world_reconnect(world *w)
{
    w->reconnects++;
    w->n_events = 0;
    weir_link_disconnected(w->b.link, w->b.now);
    weir_link_connected(w->b.link, w->b.now);
}

static world *world_run(const weir_link_config *config, unsigned lies, uint64_t seed)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    bench_open(&w->b, config);
    w->random.state = seed;
    w->lies = lies;
    while (w->ended < REQUESTS) {
        world_submit(w);
        bench_step(&w->b);
        w->b.counted[0] = '\0';
        world_serve(w);
        w->b.now = world_next(w);
        world_deliver(w);
        if (weir_link_broken(w->b.link))
            world_reconnect(w);
    }
    assert_true(weir_link_idle(w->b.link));
    weir_link_counters c = weir_link_get_counters(w->b.link);
    assert_int_equal(c.replies, w->good);
    bench_close(&w->b);
    return w;
}

static void every_good_reply_of_a_lying_peer_is_the_requests_own(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        bool rtu = seed % 3 == 0;
        unsigned lies = (unsigned)(seed % 4) * 20;
        world *w = world_run(BENCH_CONFIG(.framing = rtu ? WEIR_FRAMING_RTU : WEIR_FRAMING_TCP,
                                          .max_in_flight = (uint16_t)(1 + seed % 8),
                                          .retries = (uint16_t)(seed % 3), .seed = seed),
                             lies, seed);
        print_message(
            "seed %2d %s lies %2u: good %u exception %u timeout %u unit %u function %u "
            "malformed %u disconnected %u, reconnects %u\n",
            (int)seed, rtu ? "rtu" : "tcp", lies, w->good, w->per_result[WEIR_REPLY_EXCEPTION],
            w->per_result[WEIR_REPLY_TIMEOUT], w->per_result[WEIR_REPLY_WRONG_UNIT],
            w->per_result[WEIR_REPLY_WRONG_FUNCTION], w->per_result[WEIR_REPLY_MALFORMED],
            w->per_result[WEIR_REPLY_DISCONNECTED] + w->per_result[WEIR_REPLY_NOT_CONNECTED],
            w->reconnects);
        assert_int_equal(w->ended, REQUESTS);
        if (lies == 0) {
            assert_int_equal(w->good, REQUESTS);
            assert_int_equal(w->reconnects, 0);
        } else {
            assert_true(w->good > REQUESTS / 3);
        }
        free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_good_reply_of_a_lying_peer_is_the_requests_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
