/* SPDX-License-Identifier: MIT */
/* How much a line of the log matters. */

#pragma once

typedef enum weir_log_level {
    WEIR_LOG_ERROR,   /* someone must act */
    WEIR_LOG_WARNING, /* something is lost or late */
    WEIR_LOG_NOTICE,  /* life cycle */
    WEIR_LOG_INFO,    /* what an operator might ask */
    WEIR_LOG_DEBUG    /* for the authors */
} weir_log_level;
