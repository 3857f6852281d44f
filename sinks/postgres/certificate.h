/* SPDX-License-Identifier: MIT */
/* What is wrong with a server's certificate, exactly: libpq says only that it is. */

#pragma once
#include <stdint.h>

#include <libpq-fe.h>

#include "base/text.h"

/* Why the certificate of a connection that is encrypted, but was not verified, cannot be trusted:
 * "its certificate (CN = db) expired on 2026-01-01 (12 days ago)". root_file: who is trusted.
 * Nothing is appended when nothing is wrong with it. */
void weir_pg_certificate_explain(PGconn *pg, const char *root_file, weir_text *ret);

/* Days until the server's certificate expires; INT_MAX: there is none. */
int weir_pg_certificate_days(PGconn *pg);
