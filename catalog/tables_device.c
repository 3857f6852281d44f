/* SPDX-License-Identifier: MIT */
/* Keys of devices and profiles. */

#include "catalog/tables_priv.h"

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
    {.name = "simulate",
     .type = WEIR_OPTION_TABLE,
     AT(weir_device_in, simulate),
     .table = weir_simulate_device_table,
     .text = "What `weir simulate` makes of it; see below."},
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
