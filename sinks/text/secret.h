/* SPDX-License-Identifier: MIT */
/* Secrets: from the configuration, which may have them from the environment, or from a file. */

#pragma once
#include "base/error.h"
#include "base/text.h"

/*
 * value if it is given, else the first line of the file, read each time so that a secret can be
 * changed under way; "" when neither is given. WEIR_EPERM, WEIR_ENOTFOUND, WEIR_EIO: the file
 * cannot be read; WEIR_EINVAL: it is empty, larger than 64 KiB or has a NUL; the error names file
 * and remedy, never the secret.
 */
weir_err weir_secret_read(const char *value, const char *file, weir_text *ret,
                          weir_error *error) WEIR_MUST_CHECK;
