/* SPDX-License-Identifier: MIT */
/* weir check --live: every connection, device and sink tried once. */

#pragma once
#include "base/text.h"
#include "cli/command.h"
#include "cli/once.h"
#include "cli/output.h"
#include "model/catalog.h"

/* Writes a row for each; returns the exit code: 8 when one of them fails. */
int weir_live_check(const weir_invocation *in, weir_catalog *catalog, weir_format format);

/* Why values of a device are bad, most likely, and the command that shows more of it; adds nothing
 * when none is, or when nothing is known. */
void weir_live_explain(const weir_once *once, size_t device, weir_text *cause, weir_text *next);
