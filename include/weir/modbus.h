/* SPDX-License-Identifier: MIT */
/* The Modbus master without I/O: for an event loop of one's own. */

#pragma once
#include "weir/clock.h"
#include "weir/error.h"
#include "weir/log.h"
#include "weir/point.h"
#include "weir/sample.h"

WEIR_C_BEGIN

/*
 * One connection (a TCP socket, a serial line, a pipe) and the devices behind it. You own the
 * transport and the clock; the master takes bytes and times and gives bytes, samples and the time
 * of its next wake-up. It groups what you want to read into as few requests as the devices allow,
 * matches replies, times out, repeats, keeps late replies apart, paces, takes turns among units,
 * finds out which addresses a device refuses and still reads the rest.
 *
 * It has no thread, no global state and does no I/O. All calls for one master come from one thread
 * at a time; different masters are independent. It only ever reads: no frame that could change
 * something in a device can be made.
 *
 * The life of one:
 *
 *     weir_modbus_new, weir_modbus_add_device, weir_modbus_add_point ..., weir_modbus_begin
 *     your socket is connected:  weir_modbus_connected
 *     something is due:          weir_modbus_read
 *     bytes came:                weir_modbus_input
 *     after each of these, and at the time it returned last:
 *                                weir_modbus_step, then send what weir_modbus_output gives
 *     weir_modbus_broken:        close, connect again
 *     the socket is gone:        weir_modbus_disconnected
 *     weir_modbus_free
 */
typedef struct weir_modbus weir_modbus;

/* How a read ended. */
typedef enum weir_outcome {
    WEIR_OUTCOME_ANSWERED,    /* by the device; exceptions on single points included */
    WEIR_OUTCOME_SILENT,      /* the device did not answer, or its gateway says so */
    WEIR_OUTCOME_UNREACHABLE, /* there was no connection: says nothing of the device */
} weir_outcome;

/* What the samples of one call have in common. Borrowed until return. */
typedef struct weir_modbus_reply {
    size_t struct_size;
    uint32_t device;    /* as weir_modbus_add_device returned */
    weir_wall due;      /* as weir_modbus_read was told */
    weir_wall sent;     /* of the request; 0: none was sent */
    weir_wall received; /* of the reply, or when its lack was known */
} weir_modbus_reply;

/*
 * struct_size is sizeof of it; 0 and NULL elsewhere are the defaults. The callbacks are called from
 * inside step, input, connected, disconnected and output, never from inside weir_modbus_read; they
 * may call weir_modbus_read, but no other function of the same master, and not free it.
 */
typedef struct weir_modbus_options {
    size_t struct_size;
    bool rtu;               /* RTU frames (also over TCP); else Modbus TCP */
    bool lenient_ids;       /* TCP: take any transaction id; one request at a time then */
    uint16_t max_in_flight; /* TCP: requests on the wire at once, 1..16; 0: 1 */
    uint16_t retries;       /* after silence; `no_retries` for none; 0: 1 */
    bool no_retries;
    uint64_t seed;      /* of transaction ids and jitter */
    int64_t timeout_us; /* 0: 1 s */
    int64_t pause_after_connect_us;
    int64_t pause_between_requests_us;
    int64_t pause_on_unit_switch_us;

    void *data; /* given back in the callbacks */
    /* Every point of a read yields exactly one sample per element: a value, or bad with its cause.
     * One call a reply. The samples, and the strings in them, are borrowed until return. */
    void (*on_samples)(void *data, const weir_modbus_reply *reply, const weir_sample *samples,
                       size_t n);
    /* Exactly once for each read, after its last samples. worst: of the samples' qualities. */
    void (*on_done)(void *data, uint64_t read, weir_outcome outcome, weir_quality worst);
    /* Discoveries, such as an address that the device refuses. NULL: they are not told. */
    void (*on_log)(void *data, weir_log_level level, const char *event, const char *text);
} weir_modbus_options;

/* struct_size is sizeof of it; 0 elsewhere is the default. */
typedef struct weir_modbus_device {
    size_t struct_size;
    const char *name; /* for messages; copied. NULL: "unit N" */
    uint8_t unit_id;
    bool one_point_per_request;
    uint16_t max_registers_per_request; /* 1..125; 0: 125 */
    uint16_t max_bits_per_request;      /* 1..2000; 0: 2000 */
    bool no_holes;                      /* read no register that is no point's, else up to 16 of
                                           them to save a request */
} weir_modbus_device;

/* WEIR_EINVAL, WEIR_ENOMEM. Options are copied. */
WEIR_API weir_err weir_modbus_new(const weir_modbus_options *options, weir_modbus **ret,
                                  weir_error *error) WEIR_MUST_CHECK;

/* Accepts NULL. Reads under way are not reported. */
WEIR_API void weir_modbus_free(weir_modbus *modbus);

/* Before weir_modbus_begin. *ret_device: 0, 1, 2 ... WEIR_EINVAL, WEIR_ENOMEM. */
WEIR_API weir_err weir_modbus_add_device(weir_modbus *modbus, const weir_modbus_device *device,
                                         uint32_t *ret_device, weir_error *error) WEIR_MUST_CHECK;

/*
 * Adds a point to the device added last.
 *
 * set      0..30: what is read together has the same; a read names the sets it wants.
 * ret_tag  what the samples of element 0 bear as `tag`; those of the others follow it by one each.
 *          1, 2, 3 ... of this master. May be NULL.
 *
 * WEIR_EINVAL: as weir_point_new; WEIR_ELIMIT: more than 65535 points; WEIR_ENOMEM.
 */
WEIR_API weir_err weir_modbus_add_point(weir_modbus *modbus, const weir_point_options *point,
                                        unsigned set, weir_tag_uid *ret_tag,
                                        weir_error *error) WEIR_MUST_CHECK;

/*
 * All is added: makes the master ready. now and wall are of the same moment.
 *
 * WEIR_EINVAL: a point that no request can hold; error names it. WEIR_ENOMEM.
 */
WEIR_API weir_err weir_modbus_begin(weir_modbus *modbus, weir_mono now, weir_wall wall,
                                    weir_error *error) WEIR_MUST_CHECK;

/* The wall clock was set: times of samples follow it from here on. */
WEIR_API void weir_modbus_set_clock(weir_modbus *modbus, weir_mono now, weir_wall wall);

/*
 * Wants the points of these sets (1u << set, or'ed) of a device once. due becomes the samples' ts.
 * Returns the number of the read, for the callbacks; 0: there is no such device, or
 * weir_modbus_begin was not called. Call weir_modbus_step next, which starts it. Several may be
 * under way.
 */
WEIR_API uint64_t weir_modbus_read(weir_modbus *modbus, uint32_t device, uint32_t sets,
                                   weir_wall due, weir_mono now);

/* The transport is connected: ids, buffers and quarantine start afresh. */
WEIR_API void weir_modbus_connected(weir_modbus *modbus, weir_mono now);

/* The transport is gone (lost: it was connected), or could not be made. Reads end without it. */
WEIR_API void weir_modbus_disconnected(weir_modbus *modbus, weir_mono now, bool lost);

/* Bytes from the transport, any number, any slicing. */
WEIR_API void weir_modbus_input(weir_modbus *modbus, const uint8_t *bytes, size_t n, weir_mono now);

/* Runs what is due by now; returns when to call again at the latest, WEIR_MONO_NEVER: when
 * something happens. Call it also after read, input, connected and disconnected. */
WEIR_API weir_mono weir_modbus_step(weir_modbus *modbus, weir_mono now);

/* The bytes to send now, in the master's own memory until the next call of any function; 0: none.
 * Hand all of them to the transport, ask again until there are none, then step once more: the
 * timeouts of what was sent count. */
WEIR_API size_t weir_modbus_output(weir_modbus *modbus, weir_mono now, const uint8_t **ret_bytes);

/* Not NULL when the stream of bytes cannot be trusted any more: a sentence with the cause. Close
 * the transport, call weir_modbus_disconnected, connect again. */
WEIR_API const char *weir_modbus_broken(const weir_modbus *modbus);

/* No read is under way. */
WEIR_API bool weir_modbus_idle(const weir_modbus *modbus);

WEIR_C_END
