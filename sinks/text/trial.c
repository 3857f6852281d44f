/* SPDX-License-Identifier: MIT */
/* The row that a test of a sink writes and takes back. */

#include "sinks/text/trial.h"

weir_sink_row weir_trial_row(weir_wall now)
{
    static const weir_sink_tag tag = {.name = "weir/test",
                                      .device = "weir",
                                      .point = "test",
                                      .unit = "",
                                      .type = "float64",
                                      .address = "",
                                      .description = "",
                                      .labels_json = "{}"};
    return (weir_sink_row){
        .tag = &tag, .sample = {.ts = now, .value = weir_value_f64(0.5)}, .seq = 1};
}
