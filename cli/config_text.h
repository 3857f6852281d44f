/* SPDX-License-Identifier: MIT */
/* The effective configuration as text: YAML that weir reads back, or JSON. */

#pragma once
#include "base/text.h"
#include "catalog/effective.h"

/* Block style with a comment after each value that says where it is from; without origins, points
 * and other small mappings in one line each. */
void weir_config_yaml(const weir_effective_value *value, bool origins, weir_text *t);

/* With origins each scalar is {"value": ..., "origin": ...}. */
void weir_config_json(const weir_effective_value *value, bool origins, weir_text *t);
