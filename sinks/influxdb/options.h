/* SPDX-License-Identifier: MIT */
/* The options of the sink influxdb, and what follows from them. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "model/option.h"

typedef enum weir_influxdb_layout {
    WEIR_INFLUXDB_WEIR,
    WEIR_INFLUXDB_TELEGRAF,
    WEIR_INFLUXDB_ENERGY_MONITORING,
} weir_influxdb_layout;

typedef struct weir_influxdb_options {
    const char *url;
    const char *database, *retention_policy; /* 1.x */
    const char *org, *bucket;                /* 2.x, 3.x */
    const char *username, *username_file, *password, *password_file;
    const char *token, *token_file;
    int layout; /* weir_influxdb_layout */
    const char *measurement;
    int precision; /* index into weir_influxdb_units */
    bool gzip, create_database, label_tags, proxy;
    const char *ca_file, *cert_file, *key_file;
    int64_t timeout_us;
} weir_influxdb_options;

extern const weir_option weir_influxdb_option_table[];

/* Of each precision: its word in a URL of 2.x ("us"), that of 1.x ("u"), its nanoseconds. */
typedef struct weir_influxdb_unit {
    const char *word, *word_1;
    int64_t ns;
} weir_influxdb_unit;
extern const weir_influxdb_unit weir_influxdb_units[];

/* Whether they make sense together. WEIR_EINVAL, with what to write instead. */
weir_err weir_influxdb_options_check(const weir_influxdb_options *o,
                                     weir_error *error) WEIR_MUST_CHECK;

bool weir_influxdb_is_v2(const weir_influxdb_options *o);

/* URL of "/ping" and the like; of where lines are written. */
void weir_influxdb_add_url(const weir_influxdb_options *o, const char *path, weir_text *t);
void weir_influxdb_add_write_url(const weir_influxdb_options *o, weir_text *t);

/* What makes the database: statements for 1.x, a command for 2.x. */
void weir_influxdb_add_schema(const weir_influxdb_options *o, weir_text *t);
/* "name" as InfluxQL quotes it. */
void weir_influxdb_add_identifier(weir_text *t, const char *name);
