/* SPDX-License-Identifier: MIT */
/* weir check --live: every connection, device and sink tried once. */

#pragma once
#include "cli/command.h"
#include "cli/output.h"
#include "model/catalog.h"

/* Writes a row for each; returns the exit code: 8 when one of them fails. */
int weir_live_check(const weir_invocation *in, weir_catalog *catalog, weir_format format);
