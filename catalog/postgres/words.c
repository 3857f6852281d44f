/* SPDX-License-Identifier: MIT */
/* What a connection to PostgreSQL is made with: libpq's keywords and their values. */

#include "catalog/postgres/words.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void words_set(weir_pg_words *w, const char *name, const char *value)
{
    size_t i = 0;
    while (i < w->n && strcmp(w->names[i], name) != 0)
        i++;
    if (!value || i == WEIR_PG_WORDS_MAX)
        return;
    w->names[i] = name;
    w->values[i] = value;
    w->n += i == w->n;
}

const char *weir_pg_words_get(const weir_pg_words *w, const char *name)
{
    for (size_t i = 0; i < w->n; i++)
        if (!strcmp(w->names[i], name))
            return w->values[i];
    return "";
}

static bool is_local(const char *host, size_t n)
{
    return !n || *host == '/' || *host == '@' || (n == 9 && !strncmp(host, "localhost", n)) ||
           (!strncmp(host, "127.", 4) && strspn(host, "0123456789.") >= n) ||
           (n == 3 && !strncmp(host, "::1", n));
}

/* Each of "db1,db2". */
static bool are_local(const char *hosts)
{
    for (;;) {
        const size_t n = strcspn(hosts, ",");
        if (!is_local(hosts, n))
            return false;
        if (!hosts[n])
            return true;
        hosts += n + 1;
    }
}

/* libpq would fall back to plain text, with which anybody on the way is the server. */
static void words_secure(weir_pg_words *w)
{
    static const char *const roots[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};
    if (*weir_pg_words_get(w, "sslmode") ||
        (are_local(weir_pg_words_get(w, "host")) && are_local(weir_pg_words_get(w, "hostaddr"))))
        return;
    words_set(w, "sslmode", "verify-full");
    for (size_t i = 0; i < sizeof roots / sizeof *roots && !*weir_pg_words_get(w, "sslrootcert");
         i++)
        if (access(roots[i], R_OK) == 0)
            words_set(w, "sslrootcert", roots[i]);
}

/* Without a word from a server that lost its power or its address, nobody would ask for long. */
static void words_keep_alive(weir_pg_words *w)
{
    static const char *const words[][2] = {
        {"keepalives_idle", "10"}, {"keepalives_interval", "5"}, {"keepalives_count", "3"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!*weir_pg_words_get(w, words[i][0]))
            words_set(w, words[i][0], words[i][1]);
}

void weir_pg_words_fill(weir_pg_words *w, const weir_database_config *config,
                        const PQconninfoOption *url)
{
    for (; url && url->keyword; url++)
        if (url->val && *url->val)
            words_set(w, url->keyword, url->val);
    words_set(w, "user", config->username);
    words_set(w, "password", config->password);
    words_set(w, "application_name", "weir");
    words_set(w, "client_encoding", "UTF8");
    words_keep_alive(w);
    words_secure(w);
}

size_t weir_pg_words_hosts(const weir_pg_words *w)
{
    const char *list = weir_pg_words_get(w, *weir_pg_words_get(w, "host") ? "host" : "hostaddr");
    size_t n = 1;
    for (; *list; list++)
        n += *list == ',';
    return n;
}

void weir_pg_words_rotate(weir_pg_words *w)
{
    static const char *const lists[WEIR_PG_LISTS] = {"host", "hostaddr", "port"};
    for (size_t i = 0; i < WEIR_PG_LISTS; i++) {
        char turned[WEIR_PG_LIST_MAX];
        const char *list = weir_pg_words_get(w, lists[i]), *comma = strchr(list, ',');
        if (!comma || strlen(list) >= sizeof turned)
            continue;
        (void)snprintf(turned, sizeof turned, "%s,%.*s", comma + 1, (int)(comma - list), list);
        memcpy(w->lists[i], turned, sizeof turned);
        words_set(w, lists[i], w->lists[i]);
    }
}
