/* SPDX-License-Identifier: MIT */
/* Any bytes as a zone file, the last 16 of them a time and a step: its bucket must hold the time.
 */

#include <stdlib.h>

#include "base/bytes.h"
#include "base/step.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[9] = "";
    weir_zone *zone = NULL;
    weir_step step = {WEIR_STEP_ELAPSED, WEIR_HOUR};
    weir_reader r = weir_reader_of(data, size);
    (void)weir_read_bytes(&r, size < 16 ? 0 : size - 16);
    const weir_wall ts = {(int64_t)weir_read_u64(&r)};
    const uint8_t *word = weir_read_bytes(&r, 8);
    if (word)
        memcpy(text, word, 8);
    (void)!weir_step_parse(text, &step, NULL);
    if (weir_zone_parse(data, size, &zone, NULL) != WEIR_OK)
        return 0;
    const weir_wall start = weir_step_start(step, zone, ts);
    const weir_wall next = weir_step_next(step, zone, start);
    if (start.us > ts.us || (ts.us >= next.us && ts.us != INT64_MAX) ||
        weir_step_start(step, zone, start).us != start.us ||
        (next.us != INT64_MAX && weir_step_start(step, zone, next).us != next.us))
        abort();
    weir_zone_free(zone);
    return 0;
}
