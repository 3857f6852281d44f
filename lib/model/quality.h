/* SPDX-License-Identifier: MIT */
/* Quality: the public part is weir/quality.h. */

#pragma once
#include "base/text.h"
#include "weir/quality.h"

/* "good", "bad(exception 2: illegal data address)". */
void weir_quality_format(weir_quality q, weir_text *t);
