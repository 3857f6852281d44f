/* SPDX-License-Identifier: MIT */
/* The sink that writes to InfluxDB 1.x, 2.x, 3.x and what speaks like them. */

/*
 * A batch becomes lines (layout.c), the lines are compressed, the request goes over the one kept
 * connection, the answer is judged (reply.c). Repetition is harmless: a point is its series and its
 * time, and writing it again replaces it with itself. That is also why a batch of which only a part
 * was stored is simply sent again without the row that was refused.
 *
 * Secrets are read from their files at the first send and after every refusal, so that a password
 * can be changed while weir runs.
 */

#include "sinks/influxdb/influxdb.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ZLIB_CONST
#include <zlib.h>

#include "base/alloc.h"
#include "sinks/http/http.h"
#include "sinks/influxdb/layout.h"
#include "sinks/influxdb/options.h"
#include "sinks/influxdb/reply.h"
#include "sinks/text/secret.h"

/* The fastest: a third of the time of level 6, for 15 % more bytes (measured with meter values). */
enum { GZIP_LEVEL = 1, GZIP_WINDOW = 15 + 16 /* + 16: with the gzip header */ };

typedef struct influxdb {
    const weir_sink_host *host;
    const weir_influxdb_options *options;
    weir_influxdb_lines *lines;
    weir_http *http;
    weir_http_reply reply;
    weir_text write_url, user, password, authorization;
    bool has_secrets, was_heard, was_told_collision;
    z_stream gzip;
    bool has_gzip;
    uint8_t *packed;
    size_t room;
    char hostname[65];
} influxdb;

/* --- life --------------------------------------------------------------------------------- */

static weir_err influxdb_init(void *state, const weir_sink_host *host, const void *options,
                              weir_error *error)
{
    influxdb *s = state;
    const weir_influxdb_options *o = options;
    *s = (influxdb){.host = host, .options = o};
    (void)gethostname(s->hostname, sizeof s->hostname - 1);
    s->lines = weir_influxdb_lines_new(o, s->hostname);
    s->http = weir_http_new(&(weir_http_options){.ca_file = o->ca_file,
                                                 .cert_file = o->cert_file,
                                                 .key_file = o->key_file,
                                                 .user_agent = host->program,
                                                 .uses_proxy = o->proxy,
                                                 .host = host});
    weir_influxdb_add_write_url(o, &s->write_url);
    s->has_gzip =
        deflateInit2(&s->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 9, Z_DEFAULT_STRATEGY) == Z_OK;
    if (!s->lines || !s->http || s->write_url.failed || !s->has_gzip)
        return weir_fail(error, WEIR_ENOMEM, "no memory for the sink %.100s", host->name);
    return WEIR_OK;
}

/* Of what a secret was in nothing stays in memory. */
static void secret_wipe(weir_text *t)
{
    if (t->text)
        explicit_bzero(t->text, t->capacity);
    weir_text_deinit(t);
}

static void secrets_forget(influxdb *s)
{
    secret_wipe(&s->user);
    secret_wipe(&s->password);
    secret_wipe(&s->authorization);
    s->has_secrets = false;
}

static void influxdb_deinit(void *state)
{
    influxdb *s = state;
    secrets_forget(s);
    weir_influxdb_lines_free(s->lines);
    weir_http_free(s->http);
    weir_http_reply_deinit(&s->reply);
    weir_text_deinit(&s->write_url);
    weir_free(s->packed);
    if (s->has_gzip)
        (void)deflateEnd(&s->gzip);
}

/* --- a request ---------------------------------------------------------------------------- */

static bool secrets_read(influxdb *s, weir_send_answer *ret)
{
    const weir_influxdb_options *o = s->options;
    weir_error error = WEIR_ERROR_INIT;
    if (s->has_secrets)
        return true;
    secrets_forget(s);
    weir_err err = weir_secret_read(o->username, o->username_file, &s->user, &error);
    if (err == WEIR_OK)
        err = weir_secret_read(o->password, o->password_file, &s->password, &error);
    if (err == WEIR_OK && (o->token || o->token_file)) {
        WEIR_TEXT_AUTO token = WEIR_TEXT_INIT;
        err = weir_secret_read(o->token, o->token_file, &token, &error);
        weir_text_add(&s->authorization, "Authorization: Token ");
        weir_text_add_n(&s->authorization, weir_text_get(&token), token.length);
        secret_wipe(&token);
    }
    if (err != WEIR_OK) {
        weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED, "", "%s", error.text);
        return false;
    }
    s->has_secrets = true;
    return true;
}

/* Where an answer's text has a secret in it, asterisks. */
static void secret_mask(char *text, const char *secret)
{
    const size_t n = strlen(secret);
    for (char *at = n > 3 ? strstr(text, secret) : NULL; at; at = strstr(at, secret))
        memset(at, '*', n);
}

static void secrets_mask(const influxdb *s, char *text)
{
    const char *token = strstr(weir_text_get(&s->authorization), "Token ");
    secret_mask(text, weir_text_get(&s->password));
    if (token)
        secret_mask(text, token + 6);
}

static weir_mono deadline_of(const influxdb *s, weir_mono deadline)
{
    return weir_mono_min(deadline,
                         weir_mono_add(s->host->now(s->host->data), s->options->timeout_us));
}

/* True: there is a reply in s->reply. A URL whose text failed was told by init. */
static bool request_do(influxdb *s, weir_http_request request, bool is_packed, weir_mono deadline,
                       weir_send_answer *ret)
{
    const char *headers[4] = {NULL};
    size_t n = 0;
    if (!secrets_read(s, ret))
        return false;
    if (request.is_post && !request.headers)
        headers[n++] = "Content-Type: text/plain; charset=utf-8";
    else if (request.headers)
        headers[n++] = request.headers[0];
    if (is_packed)
        headers[n++] = "Content-Encoding: gzip";
    if (s->authorization.length)
        headers[n++] = weir_text_get(&s->authorization);
    request.headers = headers;
    if (s->user.length) {
        request.username = weir_text_get(&s->user);
        request.password = weir_text_get(&s->password);
    }
    return weir_http_do(s->http, &request, deadline_of(s, deadline), &s->reply, ret);
}

/* The lines as they are, or compressed. False: no memory. */
static bool body_pack(influxdb *s, const char *text, size_t n, weir_http_request *ret)
{
    ret->body = text;
    ret->n = n;
    if (!s->options->gzip)
        return true;
    const size_t need = deflateBound(&s->gzip, (uLong)n);
    if (need > s->room) {
        uint8_t *more = weir_realloc_array(s->packed, need, 1);
        if (!more)
            return false;
        s->packed = more;
        s->room = need;
    }
    if (deflateReset(&s->gzip) != Z_OK)
        return false;
    s->gzip.next_in = (const Bytef *)text;
    s->gzip.avail_in = (uInt)n;
    s->gzip.next_out = s->packed;
    s->gzip.avail_out = (uInt)s->room;
    if (deflate(&s->gzip, Z_FINISH) != Z_STREAM_END)
        return false;
    ret->body = s->packed;
    ret->n = (size_t)s->gzip.total_out;
    return true;
}

typedef struct headers_kept {
    char type[64], location[256], version[32];
} headers_kept;

static weir_influxdb_reply reply_of(const influxdb *s, headers_kept *kept)
{
    *kept = (headers_kept){.type = ""};
    (void)weir_http_header(&s->reply, "Content-Type", kept->type, sizeof kept->type);
    (void)weir_http_header(&s->reply, "Location", kept->location, sizeof kept->location);
    (void)weir_http_header(&s->reply, "X-Influxdb-Version", kept->version, sizeof kept->version);
    return (weir_influxdb_reply){.status = s->reply.status,
                                 .retry_after_us = s->reply.retry_after_us,
                                 .content_type = kept->type,
                                 .location = kept->location,
                                 .version = kept->version,
                                 .body = weir_text_get(&s->reply.body),
                                 .n = s->reply.body.length};
}

/* A statement of 1.x; whether the server did it. */
static bool statement_do(influxdb *s, const char *statement, weir_mono deadline)
{
    WEIR_TEXT_AUTO url = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO body = WEIR_TEXT_INIT;
    const char *const form[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    weir_send_answer ignored = {0};
    weir_influxdb_add_url(s->options, "/query?db=", &url);
    weir_http_add_escaped(&url, s->options->database);
    weir_text_add(&body, "q=");
    weir_http_add_escaped(&body, statement);
    const weir_http_request request = {.url = weir_text_get(&url),
                                       .is_post = true,
                                       .headers = form,
                                       .body = weir_text_get(&body),
                                       .n = body.length};
    return !url.failed && !body.failed && request_do(s, request, false, deadline, &ignored) &&
           s->reply.status == 200 && !strstr(weir_text_get(&s->reply.body), "\"error\"");
}

/* --- send --------------------------------------------------------------------------------- */

/* False: ret says why not. */
static bool lines_make(influxdb *s, const weir_sink_row *rows, size_t n, weir_send_answer *ret)
{
    weir_influxdb_lines_clear(s->lines);
    for (size_t i = 0; i < n; i++) {
        switch (weir_influxdb_lines_add(s->lines, &rows[i], i)) {
        case WEIR_INFLUXDB_ADDED:
        case WEIR_INFLUXDB_LEFT_OUT:
            continue;
        case WEIR_INFLUXDB_TOO_LONG:
            weir_send_later(
                ret, WEIR_TROUBLE_NONE, "",
                "the names and labels of the tag are longer than the 65535 bytes that a series "
                "may have");
            ret->result = WEIR_SEND_REJECTED;
            ret->first_bad = i;
            return false;
        case WEIR_INFLUXDB_NO_MEMORY:
            weir_send_later(ret, WEIR_TROUBLE_BUSY, "", "out of memory for a batch");
            return false;
        }
    }
    return true;
}

static void collision_tell(influxdb *s)
{
    if (s->was_told_collision || !weir_influxdb_lines_collided(s->lines))
        return;
    s->was_told_collision = true;
    s->host->log(s->host->data, WEIR_LOG_WARNING, "precision",
                 "samples of a tag come faster than the precision of the times that are sent: the "
                 "database keeps the last of them; give a finer precision");
}

static void lines_post(influxdb *s, const weir_influxdb_text *lines, const weir_sink_row *rows,
                       weir_mono deadline, weir_send_answer *ret)
{
    headers_kept kept;
    weir_http_request request = {.url = weir_text_get(&s->write_url), .is_post = true};
    if (!body_pack(s, lines->text, lines->offsets[lines->n_lines], &request)) {
        weir_send_later(ret, WEIR_TROUBLE_BUSY, "", "out of memory for a batch");
        return;
    }
    if (!request_do(s, request, s->options->gzip, deadline, ret))
        return;
    const weir_influxdb_reply reply = reply_of(s, &kept);
    weir_influxdb_judge(s->options, &reply, lines, rows, ret);
    secrets_mask(s, ret->why);
    if (ret->trouble == WEIR_TROUBLE_REFUSED)
        secrets_forget(s);
}

/* A batch of which the layout leaves out everything: a server that is away must not look well. */
static void nothing_send(influxdb *s, weir_mono deadline, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO url = WEIR_TEXT_INIT;
    *ret = (weir_send_answer){.result = WEIR_SEND_DELIVERED};
    if (s->was_heard)
        return;
    weir_influxdb_add_url(s->options, "/ping", &url);
    if (request_do(s, (weir_http_request){.url = weir_text_get(&url)}, false, deadline, ret))
        s->was_heard = true;
}

static bool database_create(influxdb *s, weir_mono deadline)
{
    WEIR_TEXT_AUTO statements = WEIR_TEXT_INIT;
    weir_influxdb_add_schema(s->options, &statements);
    for (char *c = statements.text; c && *c; c++)
        if (*c == '\n')
            *c = ';';
    return !statements.failed && statement_do(s, weir_text_get(&statements), deadline);
}

static void influxdb_send(void *state, const weir_sink_row *rows, size_t n, weir_mono deadline,
                          weir_send_answer *ret)
{
    influxdb *s = state;
    *ret = (weir_send_answer){.result = WEIR_SEND_DELIVERED};
    if (!lines_make(s, rows, n, ret))
        return;
    const weir_influxdb_text lines = weir_influxdb_lines_text(s->lines);
    if (lines.n_lines == 0) {
        nothing_send(s, deadline, ret);
        return;
    }
    collision_tell(s);
    lines_post(s, &lines, rows, deadline, ret);
    headers_kept kept;
    const weir_influxdb_reply reply = reply_of(s, &kept);
    if (s->options->create_database && ret->trouble == WEIR_TROUBLE_MISCONFIGURED &&
        weir_influxdb_lacks_database(&reply) && database_create(s, deadline))
        lines_post(s, &lines, rows, deadline, ret);
    s->was_heard = ret->result == WEIR_SEND_DELIVERED;
}

/* --- test --------------------------------------------------------------------------------- */

static bool ping(influxdb *s, weir_mono deadline, weir_sink_test *ret)
{
    WEIR_TEXT_AUTO url = WEIR_TEXT_INIT;
    weir_influxdb_add_url(s->options, "/ping", &url);
    const weir_mono began = s->host->now(s->host->data);
    if (!request_do(s, (weir_http_request){.url = weir_text_get(&url)}, false, deadline,
                    &ret->answer))
        return false;
    ret->latency_us = s->host->now(s->host->data).us - began.us;
    return true;
}

static void peer_note(influxdb *s, weir_sink_test *ret)
{
    headers_kept kept;
    (void)reply_of(s, &kept);
    for (char *c = kept.version; *c; c++) /* it is shown on terminals */
        *c = *c > ' ' && *c < 127 ? *c : '?';
    (void)snprintf(ret->peer, sizeof ret->peer, "%s%.20s at %.50s, %s %.40s%s",
                   *kept.version ? "InfluxDB " : "a server", kept.version, s->reply.peer,
                   weir_influxdb_is_v2(s->options) ? "bucket" : "database",
                   weir_influxdb_is_v2(s->options) ? s->options->bucket : s->options->database,
                   strncmp(s->options->url, "https", 5) == 0 ? ", TLS" : "");
}

/*
 * 1.x: a point of a measurement of its own, `weir_test`, which is dropped afterwards; dropping
 * needs the right of an administrator, without it one point stays. 2.x and 3.x have nothing a
 * writer could drop: a comment is sent instead of lines. The server looks at token, organization
 * and bucket before it finds nothing in it, and answers 204, or 400 that names no line.
 */
static void write_test(influxdb *s, weir_mono deadline, weir_send_answer *ret)
{
    static const char point[] = "weir_test value=1\n",
                      comment[] = "# weir looks whether it may write\n";
    const bool is_v2 = weir_influxdb_is_v2(s->options);
    const char *text = is_v2 ? comment : point;
    const size_t offsets[] = {0, strlen(text)}, row_numbers[] = {0};
    const weir_sink_row none = {.tag = NULL};
    const weir_influxdb_text lines = {text, 1, offsets, row_numbers};
    lines_post(s, &lines, &none, deadline, ret);
    if (is_v2 && ret->result == WEIR_SEND_REJECTED)
        *ret = (weir_send_answer){.result = WEIR_SEND_DELIVERED};
    else if (!is_v2 && ret->result == WEIR_SEND_DELIVERED)
        (void)statement_do(s, "DROP MEASUREMENT \"weir_test\"", deadline);
}

static void influxdb_test(void *state, weir_mono deadline, weir_sink_test *ret)
{
    influxdb *s = state;
    *ret = (weir_sink_test){.latency_us = 0};
    /* The first opens the connection, the second measures. */
    if (!ping(s, deadline, ret) || !ping(s, deadline, ret))
        return;
    peer_note(s, ret);
    write_test(s, deadline, &ret->answer);
}

static weir_err influxdb_check(const void *options, weir_error *error)
{
    return weir_influxdb_options_check(options, error);
}

static weir_err influxdb_schema(const void *options, weir_text *ret, weir_error *error)
{
    weir_influxdb_add_schema(options, ret);
    return ret->failed ? weir_fail(error, WEIR_ENOMEM, "no memory for a schema") : WEIR_OK;
}

static const weir_sink_type weir_sink_influxdb = {
    .abi = WEIR_SINK_ABI,
    .name = "influxdb",
    .summary = "InfluxDB 1.x, 2.x, 3.x and VictoriaMetrics, by the line protocol",
    .text =
        "Layout weir: one field for each kind of value, so that types never clash: value for "
        "floats and decimals, integer for whole numbers up to 2^63-1, boolean, text for strings, "
        "bytes (hex) and greater whole numbers; floats arrive bit for bit, decimals as the nearest "
        "float. NaN and infinities cannot be stored: such a sample has only quality and cause, and "
        "so has "
        "a bad one. Repetition replaces a point with itself: the key is series and time; epoch "
        "above 0 is a tag.",
    .options = weir_influxdb_option_table,
    .options_size = sizeof(weir_influxdb_options),
    .state_size = sizeof(influxdb),
    .rows_max = 5000,
    .check = influxdb_check,
    .init = influxdb_init,
    .deinit = influxdb_deinit,
    .send = influxdb_send,
    .test = influxdb_test,
    .schema = influxdb_schema,
};

const weir_sink_type *weir_sink_module_get(uint32_t abi)
{
    return abi == WEIR_SINK_ABI ? &weir_sink_influxdb : NULL;
}
