/* SPDX-License-Identifier: MIT */
/* The keys of the configuration file as a whole, and the pages of its reference. What stands below
 * each: tables_device.c and so on. */

#include "catalog/tables.h"

#include "catalog/tables_priv.h"
#include "catalog/yaml.h"

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

const weir_option weir_top_table[] = {
    {.name = "include",
     .type = WEIR_OPTION_STRINGS,
     AT(weir_top_in, include),
     .metavar = "FILE",
     .text = "Further files, as seen from the folder of this one: a name or a list of names, with "
             "* and ? in the last part for all that match. Each is written like this file. Their "
             "lists come behind this one's; a single value may be given once in all of them. "
             "Profiles are looked for beside the first file."},
    {.name = "env_file",
     .type = WEIR_OPTION_STRINGS,
     AT(weir_top_in, env_file),
     .metavar = "FILE",
     .text = "Files with lines NAME=VALUE, as seen from the folder of this one: what \"${NAME}\" "
             "stands for in this file and those it includes, where the environment has no NAME. "
             "Of several the last wins. A TZ in it is what zone: local means."},
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
     "anchors.\n\n"
     "\"${NAME}\" in a value is what the environment, or else a file of env_file, has; in lines "
     "with braces it needs quotes. ${NAME:-text} gives a text where it is not set or empty, "
     "${NAME-text} where it is not set; without one that is a mistake. $${ stands for ${."},
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
    {"Simulated devices", "devices[].simulate", weir_simulate_device_table,
     "What `weir simulate` makes of a device as a whole."},
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
     "What cron, and update of a simulation, may be instead of an expression. One that is empty, "
     "or a variable that is not set, is as if left out."},
    {"Sinks", "sinks[]", weir_sink_table,
     "A database, broker or file that samples are delivered to, through any outage: what it did "
     "not "
     "take is kept for it. Keys of every sink; those of its type are in a table of their own.\n\n"
     "A secret is written as \"${NAME}\", in quotes, and taken from the environment variable NAME "
     "or an environment file; or it is in a file that a key ending in _file names. No command, log "
     "line or page shows it."},
};

const weir_yaml_table *weir_yaml_tables(size_t *ret_n)
{
    *ret_n = sizeof pages / sizeof *pages;
    return pages;
}
