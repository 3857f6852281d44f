/* SPDX-License-Identifier: MIT */
/* Dates and times as other programs and people write them: ISO 8601, RFC 3339. */

#pragma once
#include <stdbool.h>

#include "base/clock.h"

/*
 * A calendar date, alone or with a time: "2017-12-21T23:59:59.99999Z", "20171221T2359",
 * "2026-03-01 12:00+01:00". The fraction (. or ,) has any number of digits, those beyond
 * microseconds are cut; "Z", "+hh:mm", "+hhmm" and "+hh" are understood, no zone is UTC; a bare
 * date is midnight. Week and ordinal dates are not. False, and *ret untouched, on anything else.
 */
bool weir_iso_parse(const char *text, weir_wall *ret);
