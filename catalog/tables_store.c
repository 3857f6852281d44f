/* SPDX-License-Identifier: MIT */
/* Keys of the store, the log and the clock. */

#include "catalog/tables_priv.h"

static const char *const when_full_words[] = {"drop_oldest", "drop_newest", "block", NULL};
static const char *const log_levels[] = {"error", "warning", "notice", "info", "debug", NULL};
static const char *const log_formats[] = {"text", "json", NULL};
static const char *const trusts[] = {"plausible", "ntp", NULL};

const weir_option weir_store_table[] = {
    {.name = "max_loss",
     .type = WEIR_OPTION_DURATION,
     AT(weir_store_in, max_loss),
     .min = 100 * WEIR_MS,
     .max = WEIR_HOUR,
     .fallback = "1s",
     .text = "How much a crash or a power cut may cost: that often what was acquired is committed "
             "to disk. 10s spares an SD card."},
    {.name = "retention",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_store_in, retention),
     .metavar = "DURATION|RULES",
     .fallback = "none",
     .text = "How long samples are kept, such as 365d; none: as long as max_size lets them. Or a "
             "list of rules, see below: the first that matches a tag counts. What a sink has not "
             "acknowledged is kept for it all the same."},
    {.name = "max_size",
     .type = WEIR_OPTION_CUSTOM,
     AT(weir_store_in, max_size),
     .metavar = "SIZE|PERCENT",
     .fallback = "50%",
     .text = "How large the store may grow: a size (2GB, at least 4MB) or a share of the disk "
             "(50%). With data_dir: memory 64MB when left out. At 80 % of it an alarm tells how "
             "long it will last."},
    {.name = "min_free",
     .type = WEIR_OPTION_SIZE,
     AT(weir_store_in, min_free),
     GIVEN(weir_store_in, min_free),
     .min = 0,
     .max = INT64_MAX,
     .metavar = "SIZE",
     .text = "How much of the disk is left free: 500MB, and at most 5 % of the disk when left out. "
             "With less than that the store does not grow any more: it makes room for new samples "
             "from what it has."},
    {.name = "when_full",
     .type = WEIR_OPTION_ENUM,
     AT(weir_store_in, when_full),
     .words = when_full_words,
     .fallback = "drop_oldest",
     .text = "What happens at max_size or min_free. drop_oldest: the oldest samples go. "
             "drop_newest: new ones are not stored. block: new ones wait in memory, which has its "
             "own limit. What is lost is told by `gaps`, exactly; polling goes on."},
    {.name = "detached_after",
     .type = WEIR_OPTION_DURATION,
     AT(weir_store_in, detached_after),
     .min = WEIR_MINUTE,
     .max = 3660 * WEIR_DAY,
     .fallback = "7d",
     .text = "So long samples are kept for a sink that was removed from the configuration."},
    {.name = "wal_max",
     .type = WEIR_OPTION_SIZE,
     AT(weir_store_in, wal_max),
     .min = 1000 * 1000,
     .max = 1000LL * 1000 * 1000 * 1000,
     .fallback = "256MB",
     .text = "How large data.db-wal may grow while a reader in another program keeps it from being "
             "emptied. Then commits pause and what is acquired waits in memory, until the reader "
             "is gone."},
    END,
};

const weir_option weir_retention_table[] = {
    {.name = "tags",
     .type = WEIR_OPTION_STRINGS,
     AT(weir_retention_in, tags),
     .metavar = "PATTERN",
     .text = "Which tags: a pattern such as \"debug/*\" or a list of them."},
    {.name = "keep",
     .type = WEIR_OPTION_DURATION,
     AT(weir_retention_in, keep),
     .min = WEIR_HOUR,
     .max = 36500 * WEIR_DAY,
     .metavar = "DURATION",
     .text = "How long their samples are kept."},
    {.name = "max_size",
     .type = WEIR_OPTION_SIZE,
     AT(weir_retention_in, max_size),
     .min = 1000 * 1000,
     .max = INT64_MAX,
     .metavar = "SIZE",
     .text = "How much of history they may have, all tags of the rule together; then their oldest "
             "samples go."},
    END,
};

const weir_option weir_log_table[] = {
    {.name = "level",
     .type = WEIR_OPTION_ENUM,
     AT(weir_log_in, level),
     .words = log_levels,
     .fallback = "info",
     .text = "The least important lines that are written to stderr."},
    {.name = "format",
     .type = WEIR_OPTION_ENUM,
     AT(weir_log_in, format),
     .words = log_formats,
     .fallback = "text",
     .text = "Lines of key=value for people, or one JSON object a line."},
    END,
};

const weir_option weir_clock_table[] = {
    {.name = "trust",
     .type = WEIR_OPTION_ENUM,
     AT(weir_clock_in, trust),
     .words = trusts,
     .fallback = "plausible",
     .text = "When the clock of this machine is trusted. plausible: its time can be true. ntp: and "
             "the kernel has said since it was last set that it is synchronized. Without trust "
             "samples are uncertain; their times are corrected when it comes."},
    END,
};
