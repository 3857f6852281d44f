/* SPDX-License-Identifier: MIT */
/* The option tables of the configuration file: every key, its limits, its default, its meaning. */

#include "catalog/tables.h"

#include <stddef.h>

#include "base/clock.h"
#include "catalog/yaml.h"

/* Words for reading the rows: where a value goes, and how we know it was given. */
#define AT(type, field)    .offset = offsetof(type, field)
#define GIVEN(type, field) .set_offset = offsetof(type, given.field)
#define END          \
    {                \
        .name = NULL \
    }
#define LATER(key, kind, words_of_it)                                                    \
    {                                                                                    \
        .name = key, .type = kind, .flags = WEIR_OPTION_UNSUPPORTED, .text = words_of_it \
    }

static const char *const when_full_words[] = {"drop_oldest", "drop_newest", "block", NULL};
static const char *const log_levels[] = {"error", "warning", "notice", "info", "debug", NULL};
static const char *const log_formats[] = {"text", "json", NULL};
static const char *const trusts[] = {"plausible", "ntp", NULL};
static const char *const tid_checks[] = {"strict", "lenient", NULL};
static const char *const accesses[] = {"r", "w", "rw", NULL};
static const char *const qualities[] = {"all", "usable", "good", NULL};
static const char *const database_layouts[] = {"weir", "requested_data", "energy_meters", "queries",
                                               NULL};
static const char *const database_schemes[] = {"tcp", "rtu+tcp", NULL};
static const char *const merges[] = {"union", "gcd", NULL};
static const char *const policies[] = {"ignore", "limit", "error", NULL};
static const char *const waves[] = {"constant",    "sine",    "ramp", "square",
                                    "random_walk", "counter", NULL};

const weir_option weir_store_table[] = {
    {.name = "max_loss",
     .type = WEIR_OPTION_DURATION,
     AT(weir_store_in, max_loss),
     .min = 100 * WEIR_MS,
     .max = WEIR_HOUR,
     .fallback = "1s",
     .text = "How much a crash or a power cut may cost: that often what was acquired is committed "
             "to disk. 10s spares an SD card."},
    {.name = "retention",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_store_in, retention),
     .metavar = "DURATION|RULES",
     .fallback = "none",
     .text = "How long samples are kept, such as 365d; none: as long as max_size lets them. Or a "
             "list of rules, see below: the first that matches a tag counts. What a sink has not "
             "acknowledged is kept for it all the same."},
    {.name = "max_size",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_store_in, max_size),
     .metavar = "SIZE|PERCENT",
     .fallback = "50%",
     .text = "How large the store may grow: a size (2GB, at least 4MB) or a share of the disk "
             "(50%). With data_dir: memory 64MB when left out. At 80 % of it an alarm tells how "
             "long it will last."},
    {.name = "min_free",
     .type = WEIR_OPTION_SIZE,
     AT(weir_store_in, min_free),
     GIVEN(weir_store_in, min_free),
     .min = 0,
     .max = INT64_MAX,
     .metavar = "SIZE",
     .text = "How much of the disk is left free: 500MB, and at most 5 % of the disk when left out. "
             "With less than that the store does not grow any more: it makes room for new samples "
             "from what it has."},
    {.name = "when_full",
     .type = WEIR_OPTION_ENUM,
     AT(weir_store_in, when_full),
     .words = when_full_words,
     .fallback = "drop_oldest",
     .text = "What happens at max_size or min_free. drop_oldest: the oldest samples go. "
             "drop_newest: new ones are not stored. block: new ones wait in memory, which has its "
             "own limit. What is lost is told by `gaps`, exactly; polling goes on."},
    {.name = "detached_after",
     .type = WEIR_OPTION_DURATION,
     AT(weir_store_in, detached_after),
     .min = WEIR_MINUTE,
     .max = 3660 * WEIR_DAY,
     .fallback = "7d",
     .text = "So long samples are kept for a sink that was removed from the configuration."},
    {.name = "wal_max",
     .type = WEIR_OPTION_SIZE,
     AT(weir_store_in, wal_max),
     .min = 1000 * 1000,
     .max = 1000LL * 1000 * 1000 * 1000,
     .fallback = "256MB",
     .text = "How large data.db-wal may grow while a reader in another program keeps it from being "
             "emptied. Then commits pause and what is acquired waits in memory, until the reader "
             "is gone."},
    END,
};

const weir_option weir_retention_table[] = {
    {.name = "tags",
     .type = WEIR_OPTION_STRINGS,
     AT(weir_retention_in, tags),
     .metavar = "PATTERN",
     .text = "Which tags: a pattern such as \"debug/*\" or a list of them."},
    {.name = "keep",
     .type = WEIR_OPTION_DURATION,
     AT(weir_retention_in, keep),
     .min = WEIR_HOUR,
     .max = 36500 * WEIR_DAY,
     .metavar = "DURATION",
     .text = "How long their samples are kept."},
    {.name = "max_size",
     .type = WEIR_OPTION_SIZE,
     AT(weir_retention_in, max_size),
     .min = 1000 * 1000,
     .max = INT64_MAX,
     .metavar = "SIZE",
     .text = "How much of history they may have, all tags of the rule together; then their oldest "
             "samples go."},
    END,
};

const weir_option weir_log_table[] = {
    {.name = "level",
     .type = WEIR_OPTION_ENUM,
     AT(weir_log_in, level),
     .words = log_levels,
     .fallback = "info",
     .text = "The least important lines that are written to stderr."},
    {.name = "format",
     .type = WEIR_OPTION_ENUM,
     AT(weir_log_in, format),
     .words = log_formats,
     .fallback = "text",
     .text = "Lines of key=value for people, or one JSON object a line."},
    END,
};

const weir_option weir_clock_table[] = {
    {.name = "trust",
     .type = WEIR_OPTION_ENUM,
     AT(weir_clock_in, trust),
     .words = trusts,
     .fallback = "plausible",
     .text = "When the clock of this machine is trusted. plausible: its time can be true. ntp: and "
             "the kernel has said since it was last set that it is synchronized. Without trust "
             "samples are uncertain; their times are corrected when it comes."},
    END,
};

const weir_option weir_connection_table[] = {
    {.name = "name",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_REQUIRED,
     AT(weir_connection_in, name),
     .text = "What devices and messages call it; unique among connections, without '/'."},
    {.name = "uri",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_REQUIRED,
     AT(weir_connection_in, uri),
     .metavar = "URI",
     .text = "How it is reached: tcp://HOST:502 for Modbus TCP, rtu+tcp://HOST:502 for RTU frames "
             "in a TCP stream (a serial device server), random: for numbers drawn anew at each "
             "read, simulated: for waveforms without a "
             "device. The port is 502 when left out."},
    {.name = "enabled",
     .type = WEIR_OPTION_BOOL,
     AT(weir_connection_in, enabled),
     .fallback = "true",
     .text = "false: nothing is sent, and its devices are in the state disabled."},
    {.name = "timeout",
     .type = WEIR_OPTION_DURATION,
     AT(weir_connection_in, timeout),
     .min = 10 * WEIR_MS,
     .max = WEIR_MINUTE,
     .fallback = "1s",
     .text = "How long a reply may take; also how long connecting may take, if that is more than "
             "3 s."},
    {.name = "retries",
     .type = WEIR_OPTION_INT,
     AT(weir_connection_in, retries),
     .min = 0,
     .max = 10,
     .fallback = "1",
     .text = "How often a request is sent again when no reply came."},
    {.name = "busy_retries",
     .type = WEIR_OPTION_INT,
     AT(weir_connection_in, busy_retries),
     .min = 0,
     .max = 100,
     .fallback = "3",
     .text = "How often a request is sent again when the device says that it is busy "
             "(exceptions 5 and 6)."},
    {.name = "busy_retries_wait",
     .type = WEIR_OPTION_DURATION,
     AT(weir_connection_in, busy_retries_wait),
     .min = 0,
     .max = WEIR_MINUTE,
     .fallback = "200ms",
     .text = "How long a busy device is left alone."},
    {.name = "pause_after_connect",
     .type = WEIR_OPTION_DURATION,
     AT(weir_connection_in, pause_after_connect),
     .min = 0,
     .max = WEIR_MINUTE,
     .fallback = "0",
     .text = "Silence after connecting, for gateways that lose the first request."},
    {.name = "pause_between_requests",
     .type = WEIR_OPTION_DURATION,
     AT(weir_connection_in, pause_between_requests),
     .min = 0,
     .max = WEIR_MINUTE,
     .fallback = "0",
     .text = "Silence between a reply and the next request."},
    {.name = "pause_on_unit_switch",
     .type = WEIR_OPTION_DURATION,
     AT(weir_connection_in, pause_on_unit_switch),
     .min = 0,
     .max = WEIR_MINUTE,
     .fallback = "0",
     .text = "Silence before a request to another unit than the last one, for slow bus drivers."},
    {.name = "pause_after_write",
     .type = WEIR_OPTION_DURATION,
     AT(weir_connection_in, pause_after_write),
     .min = 0,
     .max = WEIR_MINUTE,
     .fallback = "0",
     .text = "Silence after a write."},
    {.name = "max_in_flight",
     .type = WEIR_OPTION_INT,
     AT(weir_connection_in, max_in_flight),
     .min = 1,
     .max = 16,
     .fallback = "1",
     .text = "Requests on the wire at once; only tcp:// devices that can do this may have more "
             "than one."},
    {.name = "close_after_poll",
     .type = WEIR_OPTION_BOOL,
     AT(weir_connection_in, close_after_poll),
     .fallback = "false",
     .text = "Disconnect when nothing is due, for devices with a single connection that others "
             "use too."},
    {.name = "tid_check",
     .type = WEIR_OPTION_ENUM,
     AT(weir_connection_in, tid_check),
     .words = tid_checks,
     .fallback = "strict",
     .text = "strict: a reply must carry its request's transaction id. lenient: for gateways that "
             "answer with ids of their own; unit, function and length are still checked."},
    {.name = "reconnect_max",
     .type = WEIR_OPTION_DURATION,
     AT(weir_connection_in, reconnect_max),
     .min = 100 * WEIR_MS,
     .max = WEIR_HOUR,
     .fallback = "15s",
     .text = "The longest pause between attempts to connect."},
    {.name = "minimum_interval",
     .type = WEIR_OPTION_DURATION,
     AT(weir_connection_in, minimum_interval),
     .min = WEIR_MS,
     .max = 366 * WEIR_DAY,
     .metavar = "DURATION",
     .text = "No plan shall read a device behind it more often; the plan's interval_policy says "
             "what becomes of it."},
    LATER("baud_rate", WEIR_OPTION_INT, "Speed of a serial line."),
    LATER("data_bits", WEIR_OPTION_INT, "Data bits of a serial line."),
    LATER("parity", WEIR_OPTION_STRING, "Parity of a serial line: N, E or O."),
    LATER("stop_bits", WEIR_OPTION_INT, "Stop bits of a serial line."),
    LATER("idle_timeout", WEIR_OPTION_DURATION, "Disconnect after this silence."),
    LATER("listen", WEIR_OPTION_STRING, "Wait for the device to connect."),
    LATER("user", WEIR_OPTION_STRING, "User name at the other side."),
    LATER("password", WEIR_OPTION_STRING, "Password at the other side."),
    END,
};

/* What a profile may say for its devices and a device may say better. */
#define DEVICE_LIMITS                                                                              \
    {.name = "order",                                                                              \
     .type = WEIR_OPTION_CUSTOM,                                                                   \
     AT(weir_device_in, order),                                                                    \
     .metavar = "ORDER",                                                                           \
     .fallback = "ABCD",                                                                           \
     .text = "The byte order of its points that name none."},                                      \
        {.name = "max_registers_per_request",                                                      \
         .type = WEIR_OPTION_INT,                                                                  \
         AT(weir_device_in, max_registers_per_request),                                            \
         .min = 1,                                                                                 \
         .max = 125,                                                                               \
         .fallback = "125",                                                                        \
         .text = "Registers it sends in one reply."},                                              \
        {.name = "max_bits_per_request",                                                           \
         .type = WEIR_OPTION_INT,                                                                  \
         AT(weir_device_in, max_bits_per_request),                                                 \
         .min = 1,                                                                                 \
         .max = 2000,                                                                              \
         .fallback = "2000",                                                                       \
         .text = "Coils or discrete inputs it sends in one reply."},                               \
        {.name = "max_hole_registers",                                                             \
         .type = WEIR_OPTION_INT,                                                                  \
         AT(weir_device_in, max_hole_registers),                                                   \
         .min = 0,                                                                                 \
         .max = 125,                                                                               \
         .fallback = "16",                                                                         \
         .text =                                                                                   \
             "Unused registers in a row that may be read along to save a request; 0 for devices "  \
             "that refuse what they do not know."},                                                \
        {.name = "max_hole_bits",                                                                  \
         .type = WEIR_OPTION_INT,                                                                  \
         AT(weir_device_in, max_hole_bits),                                                        \
         .min = 0,                                                                                 \
         .max = 2000,                                                                              \
         .fallback = "64",                                                                         \
         .text = "The same for coils and discrete inputs."},                                       \
        {.name = "forbidden_ranges",                                                               \
         .type = WEIR_OPTION_CUSTOM,                                                               \
         AT(weir_device_in, forbidden_ranges),                                                     \
         .metavar = "RANGES",                                                                      \
         .text =                                                                                   \
             "Addresses that are never read along, such as [\"holding 100-199\", \"300-310\"]; "   \
             "without a table the range holds in all four."},                                      \
        {.name = "one_point_per_request",                                                          \
         .type = WEIR_OPTION_BOOL,                                                                 \
         AT(weir_device_in, one_point_per_request),                                                \
         GIVEN(weir_device_in, one_point_per_request),                                             \
         .fallback = "false",                                                                      \
         .text = "Each point gets a request of its own, for devices that "                         \
                 "answer wrongly otherwise."},                                                     \
        {.name = "demote_after_failures",                                                          \
         .type = WEIR_OPTION_INT,                                                                  \
         AT(weir_device_in, demote_after_failures),                                                \
         .min = 1,                                                                                 \
         .max = 1000,                                                                              \
         .fallback = "3",                                                                          \
         .text = "After so many polls without an answer in a row the device is offline and asked " \
                 "less often."},                                                                   \
        {.name = "demote_period",                                                                  \
         .type = WEIR_OPTION_DURATION,                                                             \
         AT(weir_device_in, demote_period),                                                        \
         .min = 100 * WEIR_MS,                                                                     \
         .max = WEIR_DAY,                                                                          \
         .fallback = "60s",                                                                        \
         .text = "The longest pause between two attempts to reach an offline device."},            \
        {.name = "minimum_interval",                                                               \
         .type = WEIR_OPTION_DURATION,                                                             \
         AT(weir_device_in, minimum_interval),                                                     \
         .min = WEIR_MS,                                                                           \
         .max = 366 * WEIR_DAY,                                                                    \
         .metavar = "DURATION",                                                                    \
         .text = "No plan shall read it more often; the plan's interval_policy says what becomes " \
                 "of it. Its own intervals are as they are written."},                             \
        {.name = "deadband",                                                                       \
         .type = WEIR_OPTION_CUSTOM,                                                               \
         AT(weir_device_in, deadband),                                                             \
         .metavar = "NUMBER|PERCENT",                                                              \
         .fallback = "none",                                                                       \
         .text = "The deadband of its points that give none. Those that are no numbers (bools, "   \
                 "enums, bitfields, texts) are then stored when they change."},                    \
        {.name = "max_unchanged_interval",                                                         \
         .type = WEIR_OPTION_CUSTOM,                                                               \
         AT(weir_device_in, max_unchanged_interval),                                               \
         .metavar = "DURATION",                                                                    \
         .fallback = "1h",                                                                         \
         .text = "The max_unchanged_interval of its points that give none."},                      \
        LATER("discard_writes_when_demoted", WEIR_OPTION_BOOL,                                     \
              "Refuse writes to an offline device."),                                              \
        LATER("read_coils_starting_at_zero", WEIR_OPTION_BOOL, "Read coils from address 0 on.")

const weir_option weir_device_table[] = {
    {.name = "name",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_REQUIRED,
     AT(weir_device_in, name),
     .text = "The first part of its tags' names (device/point); unique, without '/'. With several "
             "unit ids it holds {unit_id} or {unit_id:02}, and {connection} if wanted."},
    {.name = "connection",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_REQUIRED,
     AT(weir_device_in, connection),
     .text = "The name of the connection that leads to it."},
    {.name = "unit_id",
     .type = WEIR_OPTION_RANGES,
     AT(weir_device_in, unit_id),
     GIVEN(weir_device_in, unit_id),
     .min = 0,
     .max = 255,
     .metavar = "ID",
     .text = "Its Modbus unit id (slave id), 0 to 255. A range (11-18) or a list (1,3,5-8) makes "
             "one device of each. Only devices of a simulated: connection do without."},
    {.name = "slave_id",
     .type = WEIR_OPTION_RANGES,
     AT(weir_device_in, unit_id),
     GIVEN(weir_device_in, unit_id),
     .min = 0,
     .max = 255,
     .metavar = "ID",
     .text = "Another name of unit_id."},
    {.name = "slave",
     .type = WEIR_OPTION_RANGES,
     AT(weir_device_in, unit_id),
     GIVEN(weir_device_in, unit_id),
     .min = 0,
     .max = 255,
     .metavar = "ID",
     .text = "Another name of unit_id."},
    {.name = "profile",
     .type = WEIR_OPTION_STRING,
     AT(weir_device_in, profile),
     .text = "The profile its points come from, such as eastron-sdm630: the file NAME.yaml in the "
             "folder profiles beside the configuration, in $WEIR_PROFILE_PATH, or among those "
             "weir brings."},
    {.name = "interval",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_device_in, interval),
     .metavar = "DURATION",
     .text = "How often its points are read (10ms to 366d), or on_demand. A point's own interval "
             "wins."},
    {.name = "enabled",
     .type = WEIR_OPTION_BOOL,
     AT(weir_device_in, enabled),
     .fallback = "true",
     .text = "false: it is not read, and its state is disabled."},
    {.name = "description",
     .type = WEIR_OPTION_STRING,
     AT(weir_device_in, description),
     .fallback = "",
     .text = "What it is, for people."},
    {.name = "was",
     .type = WEIR_OPTION_STRING,
     AT(weir_device_in, was),
     .fallback = "",
     .text = "Its former name, where it was renamed: its tags go on with their history. May have "
             "{unit_id} in it as name has, and may be removed once it was applied."},
    {.name = "labels",
     .type = WEIR_OPTION_MAP,
     AT(weir_device_in, labels),
     .text = "Words to find it by, such as {building: A}."},
    {.name = "only",
     .type = WEIR_OPTION_STRINGS,
     AT(weir_device_in, only),
     .text = "Of the profile's points only those that match one of these patterns (* and ?). "
             "Points listed at the device are always there."},
    {.name = "multiply",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_device_in, multiply),
     .metavar = "{PATTERN: FACTOR}",
     .text = "Factors for the points that match a pattern, such as {\"current_*\": 40} for a "
             "current transformer; applied after scale and offset."},
    {.name = "points",
     .type = WEIR_OPTION_LIST,
     AT(weir_device_in, points),
     .table = weir_point_table,
     .text = "Its points; see below. A point named like one of the profile changes only the keys "
             "it has; any "
             "other is added."},
    DEVICE_LIMITS,
    LATER("plan", WEIR_OPTION_STRING, "The plan its points belong to."),
    END,
};

const weir_option weir_profile_table[] = {
    {.name = "name",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_REQUIRED,
     AT(weir_device_in, name),
     .text = "The same as the file's, without .yaml."},
    {.name = "description",
     .type = WEIR_OPTION_STRING,
     AT(weir_device_in, description),
     .fallback = "",
     .text = "The kind of device."},
    {.name = "source",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_REQUIRED,
     AT(weir_device_in, source),
     .text = "The document the addresses are from, with its number or date."},
    {.name = "inherits",
     .type = WEIR_OPTION_STRING,
     AT(weir_device_in, inherits),
     .text = "The profile it extends; points merge by name."},
    {.name = "interval",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_device_in, interval),
     .metavar = "DURATION",
     .text = "The interval of devices that give none."},
    {.name = "points",
     .type = WEIR_OPTION_LIST,
     AT(weir_device_in, points),
     .table = weir_point_table,
     .text = "Its points; see below."},
    DEVICE_LIMITS,
    END,
};

const weir_option weir_simulate_table[] = {
    {.name = "wave",
     .type = WEIR_OPTION_ENUM,
     AT(weir_simulate_in, wave),
     GIVEN(weir_simulate_in, wave),
     .words = waves,
     .text = "The form; constant stays at min, counter only grows. When left out, one that suits "
             "the unit."},
    {.name = "min",
     .type = WEIR_OPTION_NUMBER,
     AT(weir_simulate_in, min),
     GIVEN(weir_simulate_in, min),
     .text = "The least value, in the point's unit."},
    {.name = "max",
     .type = WEIR_OPTION_NUMBER,
     AT(weir_simulate_in, max),
     GIVEN(weir_simulate_in, max),
     .text = "The greatest value; a counter grows by max - min in "
             "each period."},
    {.name = "period",
     .type = WEIR_OPTION_DURATION,
     AT(weir_simulate_in, period),
     GIVEN(weir_simulate_in, period),
     .min = WEIR_MS,
     .max = 366 * WEIR_DAY,
     .text = "After this time the form repeats."},
    {.name = "resolution",
     .type = WEIR_OPTION_STRING,
     AT(weir_simulate_in, resolution),
     .metavar = "NUMBER",
     .text = "The smallest step of the value, such as 0.1."},
    END,
};

const weir_option weir_point_table[] = {
    {.name = "name",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_REQUIRED,
     AT(weir_point_in, name),
     .text = "The second part of the tag's name (device/point); unique in the device, without "
             "'/', '[' and ']'."},
    {.name = "register",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_point_in, registers),
     .metavar = "TABLE",
     .text = "The table: coil (co, 0x), discrete (di, 1x), input (ir, 3x) or holding (hr, 4x). A "
             "Modicon address says it too."},
    {.name = "function",
     .type = WEIR_OPTION_INT,
     AT(weir_point_in, function),
     GIVEN(weir_point_in, function),
     .min = 1,
     .max = 127,
     .text = "Any reading function code, instead of register, with type raw."},
    {.name = "address",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_point_in, address),
     .metavar = "ADDRESS",
     .text = "The first register or bit, counted from 0 as on the wire, decimal or 0x; or, in "
             "quotes, in Modicon form: \"40001\" is holding register 0."},
    {.name = "type",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_point_in, type),
     .metavar = "TYPE",
     .text = "bool, int8, uint8, int16, uint16, int32, uint32, int64, uint64, float16, float32, "
             "float64, bcd16, bcd32, bcd64, string, bytes, bitfield or raw. Coils and discrete "
             "inputs, and points with a bit, are bool."},
    {.name = "order",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_point_in, order),
     .metavar = "ORDER",
     .text = "The order in which the value's bytes arrive: AB or BA; ABCD, CDAB, BADC or DCBA; or "
             "an eight-letter form. When left out, the device's."},
    {.name = "length",
     .type = WEIR_OPTION_INT,
     AT(weir_point_in, length),
     GIVEN(weir_point_in, length),
     .min = 1,
     .max = 65535,
     .text = "Bytes of a string or bytes; of raw, the bytes expected."},
    {.name = "bit",
     .type = WEIR_OPTION_INT,
     AT(weir_point_in, bit),
     GIVEN(weir_point_in, bit),
     .min = 0,
     .max = 15,
     .text = "The bit of a register that is a bool, or the lowest of a bitfield; 0 is the least "
             "significant."},
    {.name = "bit_width",
     .type = WEIR_OPTION_INT,
     AT(weir_point_in, bit_width),
     GIVEN(weir_point_in, bit_width),
     .min = 1,
     .max = 16,
     .text = "How many bits a bitfield has; when left out, all from `bit` on."},
    {.name = "count",
     .type = WEIR_OPTION_INT,
     AT(weir_point_in, count),
     GIVEN(weir_point_in, count),
     .min = 1,
     .max = 65535,
     .fallback = "1",
     .text = "So many of them in a row: tags name[0], name[1] ..."},
    {.name = "unit",
     .type = WEIR_OPTION_STRING,
     AT(weir_point_in, unit),
     .fallback = "",
     .text = "The unit of the scaled value."},
    {.name = "scale",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_point_in, scale),
     .metavar = "NUMBER",
     .fallback = "1",
     .text = "value = raw x scale + offset. With a power of ten an integer stays "
             "exact."},
    {.name = "offset",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_point_in, offset),
     .metavar = "NUMBER",
     .fallback = "0",
     .text = "What is added after scaling, in the point's unit."},
    {.name = "na",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_point_in, na),
     .metavar = "NUMBERS",
     .text = "Raw values that mean \"not available\", such as 0x8000: the sample is then bad."},
    {.name = "min",
     .type = WEIR_OPTION_NUMBER,
     AT(weir_point_in, min),
     GIVEN(weir_point_in, min),
     .text = "Scaled values below are bad (range)."},
    {.name = "max",
     .type = WEIR_OPTION_NUMBER,
     AT(weir_point_in, max),
     GIVEN(weir_point_in, max),
     .text = "Scaled values above are bad (range)."},
    {.name = "enum",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_point_in, enumeration),
     .metavar = "{NUMBER: TEXT}",
     .text = "Words for raw values, such as {0: stop, 1: run}; other values stay numbers."},
    {.name = "counter",
     .type = WEIR_OPTION_BOOL,
     AT(weir_point_in, counter),
     .fallback = "false",
     .text = "It only grows, until it starts again."},
    {.name = "access",
     .type = WEIR_OPTION_ENUM,
     AT(weir_point_in, access),
     .words = accesses,
     .fallback = "r",
     .text = "r: read. This version cannot write (w, rw)."},
    {.name = "interval",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_point_in, interval),
     .metavar = "DURATION",
     .text = "How often it is read (10ms to 366d), or on_demand. When left out, the device's."},
    {.name = "deadband",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_point_in, deadband),
     .metavar = "NUMBER|PERCENT",
     .text = "Only changes above this, against the last stored value, are stored; live views see "
             "every value. In the value's unit (0.5), in percent of max - min (\"1%\"), 0: every "
             "change; none: every sample, changed or not. Bad samples and changes of quality are "
             "always stored. When left out, the device's, or else none."},
    {.name = "max_unchanged_interval",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_point_in, max_unchanged_interval),
     .metavar = "DURATION",
     .text = "With a deadband: at least this often a sample is stored, however little it changed "
             "(10ms to 366d); none: only changes. When left out, the device's, or else 1h."},
    {.name = "group",
     .type = WEIR_OPTION_INT,
     AT(weir_point_in, group),
     .min = 0,
     .max = UINT32_MAX,
     .fallback = "0",
     .text = "Points with the same number other than 0 belong together: they are read in one "
             "request."},
    {.name = "allow_overlap",
     .type = WEIR_OPTION_BOOL,
     AT(weir_point_in, allow_overlap),
     .fallback = "false",
     .text = "It may share a part of its registers with another point."},
    {.name = "description",
     .type = WEIR_OPTION_STRING,
     AT(weir_point_in, description),
     .fallback = "",
     .text = "What it is, for people."},
    {.name = "was",
     .type = WEIR_OPTION_STRING,
     AT(weir_point_in, was),
     .fallback = "",
     .text = "Its former name, where it was renamed: the tag goes on with its history. May be "
             "removed once it was applied."},
    {.name = "simulate",
     .type = WEIR_OPTION_TABLE,
     AT(weir_point_in, simulate),
     .table = weir_simulate_table,
     .text = "What a simulator shows; see below."},
    LATER("scale_from", WEIR_OPTION_STRING, "The point that holds the power of ten."),
    LATER("decimals", WEIR_OPTION_INT, "Digits behind the point."),
    LATER("write_range", WEIR_OPTION_STRING, "The limits of what may be written."),
    LATER("verify", WEIR_OPTION_BOOL, "Read back what was written."),
    END,
};

const weir_option weir_sink_table[] = {
    {.name = "name",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_REQUIRED,
     AT(weir_sink_in, name),
     .text =
         "What commands and messages call it; unique among sinks. How far it came is kept under "
         "this name: with another name it is another sink, which begins with what is new."},
    {.name = "type",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_REQUIRED,
     AT(weir_sink_in, type),
     .metavar = "TYPE",
     .text = "What it delivers to, such as csv; each type has keys of its own, see below."},
    {.name = "enabled",
     .type = WEIR_OPTION_BOOL,
     AT(weir_sink_in, enabled),
     .fallback = "true",
     .text = "false: nothing is sent; what it has not got is kept for it."},
    {.name = "tags",
     .type = WEIR_OPTION_STRINGS,
     AT(weir_sink_in, tags),
     .metavar = "PATTERN",
     .text = "Which tags it gets: a pattern such as \"main-meter/*\" or a list of them. One with ! "
             "in front leaves out what it matches. When left out, all tags."},
    {.name = "labels",
     .type = WEIR_OPTION_MAP,
     AT(weir_sink_in, labels),
     .metavar = "{KEY: PATTERN}",
     .text = "Only tags of devices that have all of these labels, such as {building: A}."},
    {.name = "plans",
     .type = WEIR_OPTION_STRINGS,
     AT(weir_sink_in, plans),
     .metavar = "PLAN",
     .text = "Only samples that one of these plans asked for. The plan default is what the "
             "intervals of devices and points ask for."},
    {.name = "quality",
     .type = WEIR_OPTION_ENUM,
     AT(weir_sink_in, quality),
     .words = qualities,
     .fallback = "all",
     .text = "all: bad samples too, with their cause. usable: good and uncertain ones. good: only "
             "these."},
    {.name = "batch",
     .type = WEIR_OPTION_INT,
     AT(weir_sink_in, batch),
     .min = 1,
     .max = 1000 * 1000,
     .metavar = "ROWS",
     .text = "Rows in one send at most. When left out, as the type does best; how many are sent is "
             "found by itself."},
    {.name = "backlog_rate",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_sink_in, backlog_rate),
     .metavar = "N/s",
     .fallback = "none",
     .text =
         "How many samples a second of a backlog or a replay are sent at most, such as 20000/s, "
         "to spare the other side; none: as fast as it takes them. New samples go first."},
    END,
};

const weir_option weir_defaults_table[] = {
    {.name = "connections",
     .type = WEIR_OPTION_TABLE,
     AT(weir_defaults_in, connections),
     .table = weir_connection_table,
     .text = "Keys for every connection."},
    {.name = "devices",
     .type = WEIR_OPTION_TABLE,
     AT(weir_defaults_in, devices),
     .table = weir_device_table,
     .text = "Keys for every device. They win over its profile's, as its own do."},
    {.name = "points",
     .type = WEIR_OPTION_TABLE,
     AT(weir_defaults_in, points),
     .table = weir_point_table,
     .text = "Keys for every point that is listed at a device and is not one of its profile."},
    {.name = "sinks",
     .type = WEIR_OPTION_TABLE,
     AT(weir_defaults_in, sinks),
     .table = weir_sink_table,
     .text = "Keys for every sink; such as all their types have."},
    END,
};

const weir_option weir_database_table[] = {
    {.name = "url",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_REQUIRED,
     AT(weir_database_in, url),
     .metavar = "URL",
     .text =
         "The database: sqlite:FILE, or postgresql://USER@HOST:5432/DATABASE?sslmode=verify-full "
         "with any parameter that libpq knows. It is only read, in statements of less than "
         "50 ms where they could keep writers out."},
    {.name = "layout",
     .type = WEIR_OPTION_ENUM,
     AT(weir_database_in, layout),
     .words = database_layouts,
     .fallback = "weir",
     .text = "What its tables are. weir: connection, device and point with columns named like the "
             "keys of this file. requested_data: RequestedData of ModbusDataLogger. energy_meters: "
             "energy_meters and registers of EnergyMonitoringManagement. queries: what the queries "
             "below give."},
    {.name = "name",
     .type = WEIR_OPTION_STRING,
     AT(weir_database_in, name),
     .fallback = "catalog",
     .text = "The name of the plan that cron makes."},
    {.name = "enabled",
     .type = WEIR_OPTION_BOOL,
     AT(weir_database_in, enabled),
     .fallback = "true",
     .text = "false: it is not read, and what it had is not there."},
    {.name = "username",
     .type = WEIR_OPTION_STRING,
     AT(weir_database_in, username),
     .text = "The role, where the url has none."},
    {.name = "password",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_SECRET,
     AT(weir_database_in, password),
     .text = "Its password, best as \"${NAME}\"."},
    {.name = "password_file",
     .type = WEIR_OPTION_STRING,
     AT(weir_database_in, password_file),
     .metavar = "FILE",
     .text = "A file whose first line is the password."},
    {.name = "timeout",
     .type = WEIR_OPTION_DURATION,
     AT(weir_database_in, timeout),
     .min = 100 * WEIR_MS,
     .max = WEIR_MINUTE,
     .fallback = "5s",
     .text = "How long connecting and each query may take."},
    {.name = "notify",
     .type = WEIR_OPTION_STRING,
     AT(weir_database_in, notify),
     .metavar = "CHANNEL",
     .text = "PostgreSQL: the channel on which a trigger of yours does NOTIFY when the tables "
             "change. Without it they are compared each reload_interval."},
    {.name = "interval",
     .type = WEIR_OPTION_STRING,
     AT(weir_database_in, interval),
     .metavar = "DURATION",
     .text = "How often the points are read; for energy_meters, which says nothing of it."},
    {.name = "cron",
     .type = WEIR_OPTION_STRING,
     AT(weir_database_in, cron),
     .metavar = "EXPRESSION",
     .text = "When the points are read, instead of interval: makes a plan."},
    {.name = "scheme",
     .type = WEIR_OPTION_ENUM,
     AT(weir_database_in, scheme),
     .words = database_schemes,
     .fallback = "tcp",
     .text = "How hosts of requested_data and energy_meters are reached: tcp for Modbus TCP, "
             "rtu+tcp for RTU frames in a TCP stream."},
    {.name = "connections",
     .type = WEIR_OPTION_STRING,
     AT(weir_database_in, connections),
     .metavar = "SELECT",
     .text = "With layout queries: gives connections, columns named like their keys."},
    {.name = "devices",
     .type = WEIR_OPTION_STRING,
     AT(weir_database_in, devices),
     .metavar = "SELECT",
     .text = "Likewise devices. A column id tells them apart when their names change."},
    {.name = "points",
     .type = WEIR_OPTION_STRING,
     AT(weir_database_in, points),
     .metavar = "SELECT",
     .text = "Likewise their points; the column device has the device's name."},
    {.name = "plans",
     .type = WEIR_OPTION_STRING,
     AT(weir_database_in, plans),
     .metavar = "SELECT",
     .text = "Likewise plans; also with layout weir, such as SELECT * FROM plan."},
    END,
};

const weir_option weir_plan_table[] = {
    {.name = "name",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_REQUIRED,
     AT(weir_plan_in, name),
     .text = "Unique among plans; a word of commands and of SQL."},
    {.name = "id",
     .type = WEIR_OPTION_INT,
     AT(weir_plan_in, id),
     .min = 1,
     .max = UINT32_MAX,
     .metavar = "NUMBER",
     .text = "A number by which another program knows it; unique among plans."},
    {.name = "description",
     .type = WEIR_OPTION_STRING,
     AT(weir_plan_in, description),
     .text = "What it is for."},
    {.name = "enabled",
     .type = WEIR_OPTION_BOOL,
     AT(weir_plan_in, enabled),
     .fallback = "true",
     .text = "false: it is ready, and waits for `weir plan start`."},
    {.name = "tags",
     .type = WEIR_OPTION_STRINGS,
     AT(weir_plan_in, tags),
     .metavar = "PATTERN",
     .text =
         "Names of tags, or patterns such as \"chiller/*\"; those that a pattern with ! in front "
         "matches are left out. One element of an array brings the whole array."},
    {.name = "interval",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_plan_in, interval),
     .metavar = "DURATION",
     .text = "How often all its tags are read, at multiples of it since 1970 UTC. Without interval "
             "and cron each tag is read at the interval its point or device gives it."},
    {.name = "cron",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_plan_in, cron),
     .table = weir_cron_table,
     .metavar = "EXPRESSION",
     .text = "When all its tags are read, in place of interval: \"second minute hour day month "
             "weekday\", or the last five of these, such as \"0 */5 22-23 * * *\"; @hourly and the "
             "like; or a mapping of hour, minute and second."},
    {.name = "zone",
     .type = WEIR_OPTION_STRING,
     AT(weir_plan_in, zone),
     .fallback = "local",
     .metavar = "ZONE",
     .text = "The clock that cron, start and end go by, such as Europe/Berlin or UTC; local: the "
             "machine's. When it is moved, `weir plan --help` says what becomes of cron."},
    {.name = "default_interval",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_plan_in, default_interval),
     .metavar = "DURATION",
     .text = "How often tags are read that have no interval of their own; the others keep theirs."},
    {.name = "minimum_interval",
     .type = WEIR_OPTION_DURATION,
     AT(weir_plan_in, minimum_interval),
     .min = WEIR_MS,
     .max = 366 * WEIR_DAY,
     .metavar = "DURATION",
     .text = "No tag of it shall be read more often; see interval_policy."},
    {.name = "interval_policy",
     .type = WEIR_OPTION_ENUM,
     AT(weir_plan_in, policy),
     .words = policies,
     .fallback = "ignore",
     .text = "An interval below minimum_interval. ignore: is taken all the same. limit: becomes "
             "minimum_interval. error: is a mistake, and the plan does not start."},
    {.name = "merge",
     .type = WEIR_OPTION_ENUM,
     AT(weir_plan_in, merge),
     .words = merges,
     .fallback = "union",
     .text = "When several plans want a tag. union: it is read at the times of each, once where "
             "they meet. gcd: those that say gcd read it at the greatest common divisor of their "
             "intervals, 100ms for 300ms and 200ms."},
    {.name = "lifetime",
     .type = WEIR_OPTION_DURATION,
     AT(weir_plan_in, lifetime),
     .min = WEIR_MS,
     .max = 36500 * WEIR_DAY,
     .metavar = "DURATION",
     .text = "How long it runs from its start; then it is expired. Without it: endless."},
    {.name = "start",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_plan_in, start),
     .metavar = "TIME",
     .text = "It runs from this time on, such as 2026-11-21T08:00:00, by the clock of zone; with Z "
             "at the end it is UTC."},
    {.name = "end",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_plan_in, end),
     .metavar = "TIME",
     .text = "From this time on it is expired."},
    END,
};

const weir_option weir_cron_table[] = {
    {.name = "hour",
     .type = WEIR_OPTION_STRING,
     AT(weir_cron_in, hour),
     .metavar = "FIELD",
     .text = "As the field of an expression: *, 8-17, */2. Left out: every hour."},
    {.name = "minute",
     .type = WEIR_OPTION_STRING,
     AT(weir_cron_in, minute),
     .metavar = "FIELD",
     .text = "Left out: 0 if the hour is given and the second is not, else every minute."},
    {.name = "second",
     .type = WEIR_OPTION_STRING,
     AT(weir_cron_in, second),
     .metavar = "FIELD",
     .text = "Left out: 0 if one of the others is given, else every second."},
    END,
};

const weir_option weir_top_table[] = {
    {.name = "include",
     .type = WEIR_OPTION_STRINGS,
     AT(weir_top_in, include),
     .metavar = "FILE",
     .text = "Further files, as seen from the folder of this one: a name or a list of names, with "
             "* and ? in the last part for all that match. Each is written like this file. Their "
             "lists come behind this one's; a single value may be given once in all of them. "
             "Profiles are looked for beside the first file."},
    {.name = "defaults",
     .type = WEIR_OPTION_TABLE,
     AT(weir_top_in, defaults),
     .table = weir_defaults_table,
     .text = "Keys for all connections, devices, points and sinks; see below."},
    {.name = "data_dir",
     .type = WEIR_OPTION_STRING,
     AT(weir_top_in, data_dir),
     .fallback = "./weir-data",
     .metavar = "FOLDER",
     .text = "Where everything is kept, one folder for one weir; memory: nothing on disk."},
    {.name = "store",
     .type = WEIR_OPTION_TABLE,
     AT(weir_top_in, store),
     .table = weir_store_table,
     .text = "How samples are kept; see below."},
    {.name = "log",
     .type = WEIR_OPTION_TABLE,
     AT(weir_top_in, log),
     .table = weir_log_table,
     .text = "What is said on stderr; see below."},
    {.name = "clock",
     .type = WEIR_OPTION_TABLE,
     AT(weir_top_in, clock),
     .table = weir_clock_table,
     .text = "When the clock is trusted; see below."},
    {.name = "connections",
     .type = WEIR_OPTION_LIST,
     AT(weir_top_in, connections),
     .table = weir_connection_table,
     .text = "The ways to reach devices; see below."},
    {.name = "devices",
     .type = WEIR_OPTION_LIST,
     AT(weir_top_in, devices),
     .table = weir_device_table,
     .text = "What is read; see below."},
    {.name = "catalog",
     .type = WEIR_OPTION_LIST,
     AT(weir_top_in, catalog),
     .table = weir_database_table,
     .text = "Databases with more connections, devices and plans; see below."},
    {.name = "plans",
     .type = WEIR_OPTION_LIST,
     AT(weir_top_in, plans),
     .table = weir_plan_table,
     .text = "Sets of tags collected together, beside the intervals of devices; see below."},
    {.name = "sinks",
     .type = WEIR_OPTION_LIST,
     AT(weir_top_in, sinks),
     .table = weir_sink_table,
     .text = "Where samples are delivered; see below."},
    {.name = "reload_interval",
     .type = WEIR_OPTION_DURATION,
     AT(weir_top_in, reload_interval),
     .min = 500 * WEIR_MS,
     .max = WEIR_HOUR,
     .fallback = "1s",
     .text = "How late a running weir sees at most that config.db or a database of catalog has "
             "changed; with `weir run --watch-config` the files too."},
    LATER("scripts", WEIR_OPTION_LIST, "Calculated tags."),
    LATER("listen", WEIR_OPTION_STRING, "The address of the HTTP server."),
    LATER("http", WEIR_OPTION_TABLE, "The HTTP server."),
    LATER("timer_slack", WEIR_OPTION_DURATION, "How far due times may be gathered."),
    END,
};

static const weir_yaml_table pages[] = {
    {"The file", "", weir_top_table,
     "The file is YAML. Every value is text that weir reads by the tables below: 0755 is 755, yes "
     "is not a number. Durations and sizes carry units (500ms, 1h30m, 500MB). Anchors, aliases and "
     "merge keys (<<) work. Keys named x-anything are left alone, at the top only: a place for "
     "anchors."},
    {"Defaults", "defaults", weir_defaults_table,
     "What every entry of a list has as if it were written there; what an entry says itself wins. "
     "They hold for all files and databases of the configuration, wherever they stand."},
    {"Store", "store", weir_store_table, "How samples are kept."},
    {"Retention", "store.retention[]", weir_retention_table,
     "A rule: how long the samples of some tags are kept, or how much of them. It says keep, "
     "max_size or both."},
    {"Log", "log", weir_log_table, "What is said on stderr."},
    {"Clock", "clock", weir_clock_table, "When the clock is trusted."},
    {"Connections", "connections[]", weir_connection_table,
     "One way to reach devices, and its timing."},
    {"Devices", "devices[]", weir_device_table,
     "Something behind a connection. One entry with several unit ids is a template: it makes one "
     "device of each."},
    {"Points", "devices[].points[]", weir_point_table,
     "One item that can be read. A point needs a name, a table, an address and, unless it is a "
     "bit, a type."},
    {"Simulated values", "devices[].points[].simulate", weir_simulate_table,
     "What `weir simulate`, `weir demo` and simulated: connections show for a point."},
    {"Profiles", "profiles/NAME.yaml", weir_profile_table,
     "What a kind of device offers, in a file of its own. A device that names a profile has its "
     "points and limits, and changes what it says better itself."},
    {"Databases", "catalog[]", weir_database_table,
     "A database that has more of the catalog, beside config.db, which `weir device add` and the "
     "like write in the data directory. What is wrong in a row is told with its table, row and "
     "column, and nothing is changed by it. Names are unique in all files and databases together."},
    {"Plans", "plans[]", weir_plan_table,
     "Tags that are collected together, beside the intervals of devices and points, which make the "
     "plan default. One read serves all plans that want it. A tag whose device and point have no "
     "interval is read only when a plan wants it."},
    {"Cron as three variables", "plans[].cron", weir_cron_table,
     "What a plan's cron may be instead of an expression. At least one of them is given."},
    {"Sinks", "sinks[]", weir_sink_table,
     "A database, broker or file that samples are delivered to, through any outage: what it did "
     "not "
     "take is kept for it. Keys of every sink; those of its type are in a table of their own.\n\n"
     "A secret is written as \"${NAME}\", in quotes, and taken from the environment variable NAME; "
     "or it is in a file that a key ending in _file names. No command, log line or page shows it."},
};

const weir_yaml_table *weir_yaml_tables(size_t *ret_n)
{
    *ret_n = sizeof pages / sizeof *pages;
    return pages;
}
