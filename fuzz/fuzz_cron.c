/* SPDX-License-Identifier: MIT */
/* Any text as a cron expression, its first eight bytes a time: what comes next lies after it. */

#include <stdlib.h>

#include "base/bytes.h"
#include "base/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[256] = "";
    weir_cron cron;
    weir_wall next = {0}, before = {0};
    weir_reader r = weir_reader_of(data, size);
    const weir_wall after = {(int64_t)weir_read_u64(&r)};
    if (size < 8 || size - 8 >= sizeof text)
        return 0;
    memcpy(text, data + 8, size - 8);
    if (weir_cron_parse(text, &cron, NULL) == WEIR_OK &&
        weir_cron_next(&cron, weir_zone_utc(), after, &next) &&
        (next.us <= after.us || next.us % WEIR_S ||
         !weir_cron_previous(&cron, weir_zone_utc(), next, &before) || before.us != next.us))
        abort();
    return 0;
}
