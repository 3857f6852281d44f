/* SPDX-License-Identifier: MIT */
/* Samples as text for other programs: CSV, JSON lines, line protocol. */

#include "cli/sample_writer.h"

#include <string.h>

weir_err weir_sample_writer_init(weir_sample_writer *w, FILE *file, weir_sample_format format,
                                 weir_error *error)
{
    static const char *const columns[] = {"time",    "tag",   "value", "unit",
                                          "quality", "cause", "epoch"};
    *w = (weir_sample_writer){.file = file, .format = format};
    if (format != WEIR_SAMPLES_CSV)
        return WEIR_OK;
    w->csv = weir_output_new(file, WEIR_FORMAT_CSV, columns, sizeof columns / sizeof *columns);
    return w->csv ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "out of memory");
}

void weir_sample_writer_deinit(weir_sample_writer *w)
{
    weir_output_end(w->csv);
    weir_text_deinit(&w->line);
    *w = (weir_sample_writer){0};
}

static weir_value text_value(const char *text)
{
    return weir_value_string(text, strlen(text));
}

static bool put_csv(weir_sample_writer *w, const weir_line_tag *tag, const weir_sample *sample,
                    uint32_t epoch)
{
    char time[28];
    weir_text *value = &w->line;
    weir_wall_format(sample->ts, time);
    weir_text_clear(value);
    weir_value_format(&sample->value, value);
    const weir_value cells[] = {
        text_value(time),
        text_value(tag->name),
        sample->value.kind == WEIR_KIND_NULL
            ? weir_value_null()
            : weir_value_string(weir_text_get(value), value->length),
        *tag->unit ? text_value(tag->unit) : weir_value_null(),
        text_value(weir_class_text(weir_quality_class(sample->quality))),
        text_value(weir_cause_word(weir_quality_cause(sample->quality))),
        weir_value_u64(epoch),
    };
    return !value->failed && weir_output_row(w->csv, cells);
}

bool weir_sample_writer_put(weir_sample_writer *w, const weir_line_tag *tag,
                            const weir_sample *sample, uint32_t epoch)
{
    if (w->csv)
        return put_csv(w, tag, sample, epoch);
    weir_text_clear(&w->line);
    if (w->format == WEIR_SAMPLES_JSONL)
        weir_line_add_json(&w->line, tag, sample, epoch);
    else
        weir_line_add(&w->line, tag, sample, epoch);
    return !w->line.failed && fwrite(weir_text_get(&w->line), w->line.length, 1, w->file) == 1;
}
