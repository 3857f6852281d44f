/* SPDX-License-Identifier: MIT */
/* Generated samples on standard output, in the form of `weir export`. */

#include "cli/generate.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/output.h"

enum { SAMPLES = 4096 }; /* made at once */

struct text_output {
    weir_generate_job *job;
    weir_output *csv; /* NULL: JSON lines */
    weir_text line, name, value;
    const char *unit;
    weir_sample *samples;
};

static weir_value text_value(const weir_text *t)
{
    return weir_value_string(weir_text_get(t), t->length);
}

static bool write_csv(struct text_output *o, const weir_sample *s, const char *time)
{
    const weir_quality quality = s->quality;
    const char *class = weir_class_text(weir_quality_class(quality));
    const char *cause = weir_cause_word(weir_quality_cause(quality));
    weir_text_clear(&o->value);
    weir_value_format(&s->value, &o->value);
    const weir_value cells[] = {
        weir_value_string(time, strlen(time)),
        text_value(&o->name),
        s->value.kind == WEIR_KIND_NULL ? weir_value_null() : text_value(&o->value),
        *o->unit ? weir_value_string(o->unit, strlen(o->unit)) : weir_value_null(),
        weir_value_string(class, strlen(class)),
        weir_value_string(cause, strlen(cause)),
        weir_value_u64(0),
    };
    return weir_output_row(o->csv, cells);
}

static bool write_jsonl(struct text_output *o, const weir_sample *s, const char *time)
{
    weir_text *t = &o->line;
    weir_text_clear(t);
    weir_text_format(t, "{\"time\":\"%s\",\"tag\":", time);
    weir_text_add_json(t, weir_text_get(&o->name), o->name.length);
    weir_text_add(t, ",\"value\":");
    weir_value_format_json(&s->value, t);
    if (*o->unit) {
        weir_text_add(t, ",\"unit\":");
        weir_text_add_json(t, o->unit, strlen(o->unit));
    }
    weir_text_format(t, ",\"quality\":\"%s\"", weir_class_text(weir_quality_class(s->quality)));
    if (weir_quality_cause(s->quality) != WEIR_CAUSE_NONE)
        weir_text_format(t, ",\"cause\":\"%s\"", weir_cause_word(weir_quality_cause(s->quality)));
    weir_text_add(t, "}\n");
    return !t->failed && fwrite(weir_text_get(t), t->length, 1, stdout) == 1;
}

static bool write_samples(struct text_output *o, size_t n)
{
    bool good = true;
    for (size_t i = 0; good && i < n; i++) {
        char time[28];
        weir_wall_format(o->samples[i].ts, time);
        good = o->csv ? write_csv(o, &o->samples[i], time) : write_jsonl(o, &o->samples[i], time);
    }
    return good;
}

static weir_err write_tag(struct text_output *o, weir_generator_tag *tag, weir_error *error)
{
    weir_generate_job *job = o->job;
    const weir_wall end = {tag->group->last.us + 1};
    weir_wall at = tag->group->first;
    for (size_t n = 1; n > 0;) {
        weir_err err = weir_generator_fill(tag, at, end, SAMPLES, o->samples, &n, error);
        if (err)
            return err;
        /* Whoever read standard output has gone: that is no failure. */
        if (!write_samples(o, n))
            return errno == EPIPE ? WEIR_ECANCELED
                                  : weir_fail(error, WEIR_EIO, "cannot write: %s", strerror(errno));
        if (n)
            at.us = o->samples[n - 1].ts.us + 1;
        job->done += n;
        weir_progress_set(&job->progress, job->done,
                          (double)job->done / (double)job->generator->n_samples);
        if (atomic_load(job->stop))
            return weir_fail(error, WEIR_ECANCELED, "interrupted");
    }
    return WEIR_OK;
}

static weir_err write_group(struct text_output *o, const weir_generator_group *group,
                            weir_error *error)
{
    const weir_catalog *c = o->job->generator->catalog;
    weir_err err = WEIR_OK;
    for (uint32_t i = 0; !err && i < group->n_tags; i++) {
        const weir_tag *tag = &c->tags[group->tags[i]];
        weir_generator_tag made;
        weir_text_clear(&o->name);
        weir_tag_name(c, tag, &o->name);
        o->unit = weir_tag_point(c, tag)->unit;
        err = weir_generator_tag_init(&made, o->job->generator, group, i, error);
        if (!err)
            err = write_tag(o, &made, error);
        weir_generator_tag_deinit(&made);
    }
    return err;
}

weir_err weir_generate_text(weir_generate_job *job, weir_generate_format format, weir_error *error)
{
    static const char *const columns[] = {"time",    "tag",   "value", "unit",
                                          "quality", "cause", "epoch"};
    struct text_output o = {.job = job, .samples = weir_alloc(SAMPLES * sizeof *o.samples)};
    weir_err err = WEIR_OK;
    if (format == WEIR_GENERATE_CSV)
        o.csv = weir_output_new(stdout, WEIR_FORMAT_CSV, columns, sizeof columns / sizeof *columns);
    if (!o.samples || (format == WEIR_GENERATE_CSV && !o.csv))
        err = weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (size_t i = 0; !err && i < job->generator->n_groups; i++)
        err = write_group(&o, &job->generator->groups[i], error);
    weir_output_end(o.csv);
    weir_free(o.samples);
    weir_text_deinit(&o.line);
    weir_text_deinit(&o.name);
    weir_text_deinit(&o.value);
    return err;
}
