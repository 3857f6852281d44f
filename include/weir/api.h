/* SPDX-License-Identifier: MIT */
/* What every public header needs: linkage, visibility, attributes, version. */

#pragma once

#define WEIR_VERSION_MAJOR 0
#define WEIR_VERSION_MINOR 1
#define WEIR_VERSION_PATCH 0

#ifdef __cplusplus
#define WEIR_C_BEGIN extern "C" {
#define WEIR_C_END   }
#else
#define WEIR_C_BEGIN
#define WEIR_C_END
#endif

/* Exported by the libraries; all else is hidden. */
#define WEIR_API             __attribute__((visibility("default")))
#define WEIR_MUST_CHECK      __attribute__((warn_unused_result))
#define WEIR_PRINTF(fmt, va) __attribute__((format(printf, fmt, va)))

WEIR_C_BEGIN

/* "0.1.0": of the library that runs, not of the header. */
WEIR_API const char *weir_version(void);

WEIR_C_END
