/* SPDX-License-Identifier: MIT */
/* Secrets of the configuration: in the file, or in the environment. */

#pragma once
#include "catalog/loader.h"

/*
 * What a secret option is given: the node's text. Warns of a secret that stands in a file which
 * others may read, be it the configuration or an environment file. No message quotes it. NULL, and
 * said so: it is a variable that is empty.
 */
const char *weir_secret_text(weir_loader *l, weir_node node, const char *text);
