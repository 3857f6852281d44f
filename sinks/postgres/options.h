/* SPDX-License-Identifier: MIT */
/* The options of a postgres sink. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/option.h"

typedef enum weir_pg_tls {
    WEIR_PG_TLS_AUTO, /* verify-full, but for a socket file and this machine: disable */
    WEIR_PG_TLS_DISABLE,
    WEIR_PG_TLS_REQUIRE,
    WEIR_PG_TLS_VERIFY_CA,
    WEIR_PG_TLS_VERIFY_FULL,
} weir_pg_tls;

typedef struct weir_pg_options {
    const char *url, *database, *username, *password, *password_file, *application_name;
    int sslmode; /* weir_pg_tls */
    const char *ssl_root_cert, *ssl_cert, *ssl_key;
    int layout; /* weir_pg_layout_kind */
    const char *schema, *tags_table, *samples_table;
    bool create_tables;
    int64_t connect_timeout_us;
} weir_pg_options;

extern const weir_option weir_pg_option_table[];

/* WEIR_EINVAL: the url cannot be parsed, has a password that would be shown, or a mode that falls
 * back to plain text; a table's name is none. */
weir_err weir_pg_options_check(const void *options, weir_error *error) WEIR_MUST_CHECK;

/* The value of a keyword of libpq in the url ("host", "sslmode"): copied to ret, false if it has
 * none. */
bool weir_pg_options_keyword(const weir_pg_options *options, const char *keyword, char *ret,
                             size_t size);

/* libpq's word for how the server is verified: as set, as in the url, or by where it is. */
const char *weir_pg_options_sslmode(const weir_pg_options *options);
