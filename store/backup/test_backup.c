/* SPDX-License-Identifier: MIT */
/* Tests of backup and restore: what is in it, and everything that must not become a store. */

#include "store/backup/backup.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/crc.h"
#include "store/backup/restore.h"
#include "store/backup/tar.h"
#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/testing.h"

/* A folder with a data directory "a", a backup "b.tar" and the place "r" to restore to. */
struct bench {
    char *root;
    char data[300], file[400], to[300];
};

static void bench_init(struct bench *b)
{
    b->root = testing_dir();
    (void)snprintf(b->data, sizeof b->data, "%s/a", b->root);
    (void)snprintf(b->file, sizeof b->file, "%s/b.tar", b->root);
    (void)snprintf(b->to, sizeof b->to, "%s/r", b->root);
}

static void bench_deinit(struct bench *b)
{
    char command[400];
    (void)snprintf(command, sizeof command, "rm -rf %s", b->root);
    assert_int_equal(system(command), 0);
    free(b->root);
}

/* n samples of one tag, a commit each. */
static void fill(const char *dir, int n)
{
    weir_store *store = testing_open(dir);
    weir_catalog *catalog = testing_catalog(1, 1);
    testing_register(store, catalog);
    for (int i = 0; i < n; i++) {
        testing_append(store, 1, T0 + i, 0, weir_value_i64(i));
        testing_commit(store);
    }
    weir_store_close(store);
    weir_catalog_free(catalog);
}

static weir_err backup(const struct bench *b, weir_error *error)
{
    static const weir_backup_file files[] = {
        {"config/weir.yaml", "/etc/weir/weir.yaml", "devices: []\n", 12},
        {"secrets/token", "/etc/weir/token", "s3cret", 6},
    };
    static const char *omitted[] = {"/etc/weir/key"};
    weir_backup_report report;
    const weir_backup_options options = {.data_dir = b->data,
                                         .target = b->file,
                                         .n_files = 2,
                                         .files = files,
                                         .n_omitted = 1,
                                         .omitted = omitted,
                                         .now = {T0}};
    return weir_backup_make(&options, &report, error);
}

static void backup_good(const struct bench *b)
{
    weir_error error = WEIR_ERROR_INIT;
    if (backup(b, &error) != WEIR_OK)
        fail_msg("backup: %s", error.text);
}

static weir_err restore(const struct bench *b, const char *name, bool replace, weir_error *error)
{
    weir_arena *arena = weir_arena_new();
    assert_non_null(arena);
    weir_restore_report report;
    const weir_restore_options options = {
        .file = b->file, .data_dir = b->to, .name = name, .replace = replace, .now = {T0}};
    weir_err err = weir_restore(&options, arena, &report, error);
    weir_arena_free(arena);
    return err;
}

static weir_err check(const struct bench *b, weir_error *error)
{
    weir_arena *arena = weir_arena_new();
    assert_non_null(arena);
    weir_manifest manifest;
    weir_err err = weir_restore_check(b->file, NULL, NULL, arena, &manifest, error);
    weir_arena_free(arena);
    return err;
}

static bool exists(const char *dir, const char *name)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static void put_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static uint8_t *get_file(const char *path, size_t *ret_n)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &st), 0);
    uint8_t *bytes = malloc((size_t)st.st_size);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)st.st_size, f), st.st_size);
    (void)fclose(f);
    *ret_n = (size_t)st.st_size;
    return bytes;
}

/* --- what it is for ----------------------------------------------------------------------- */

static void all_comes_back_under_both_identities(void **state)
{
    (void)state;
    for (int takeover = 0; takeover <= 1; takeover++) {
        struct bench b;
        char uuid[64], was[64], path[400];
        weir_error error = WEIR_ERROR_INIT;
        bench_init(&b);
        fill(b.data, 20);
        (void)snprintf(was, sizeof was, "%s",
                       testing_file_sql(b.data, "SELECT value FROM meta WHERE key='uuid'"));
        backup_good(&b);
        if (restore(&b, takeover ? NULL : "test", false, &error) != WEIR_OK)
            fail_msg("%s", error.text);
        (void)snprintf(uuid, sizeof uuid, "%s",
                       testing_file_sql(b.to, "SELECT value FROM meta WHERE key='uuid'"));
        assert_true((strcmp(uuid, was) == 0) == takeover);
        assert_false(exists(b.to, "restore.part"));
        (void)snprintf(path, sizeof path, "%s/restored/secrets/token", b.to);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, 6);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_true(exists(b.to, "restored/config/weir.yaml"));
        weir_store *store = testing_open(b.to);
        assert_int_equal(weir_store_get_position(store).committed_seq, 20);
        weir_store_close(store);
        bench_deinit(&b);
    }
}

static void what_a_running_weir_has_committed_is_in_it(void **state)
{
    (void)state;
    struct bench b;
    weir_error error = WEIR_ERROR_INIT;
    bench_init(&b);
    fill(b.data, 5);
    weir_store *store = testing_open(b.data);
    testing_append(store, 1, T0 + 5, 0, weir_value_i64(5));
    testing_commit(store); /* in the WAL only */
    testing_append(store, 1, T0 + 6, 0, weir_value_i64(6));
    backup_good(&b);
    testing_commit(store);
    weir_store_close(store);
    assert_int_equal(restore(&b, NULL, false, &error), WEIR_OK);
    store = testing_open(b.to);
    assert_int_equal(weir_store_get_position(store).committed_seq, 6);
    weir_store_close(store);
    bench_deinit(&b);
}

struct meddler {
    weir_store *store;
    int commits;
};

static bool meddle(void *data, uint64_t done, uint64_t total)
{
    struct meddler *m = data;
    (void)done, (void)total;
    testing_append(m->store, 1, T0 + 1000000 + m->commits, 0, weir_value_i64(m->commits));
    testing_commit(m->store);
    m->commits++;
    return true;
}

static void a_commit_in_the_middle_neither_waits_nor_gets_in(void **state)
{
    (void)state;
    struct bench b;
    weir_error error = WEIR_ERROR_INIT;
    bench_init(&b);
    fill(b.data, 5);
    (void)testing_file_sql(b.data, "CREATE TABLE ballast AS SELECT randomblob(8000000) AS x");
    struct meddler m = {.store = testing_open(b.data)};
    weir_backup_report report;
    const weir_backup_options options = {
        .data_dir = b.data, .target = b.file, .now = {T0}, .progress = meddle, .data = &m};
    if (weir_backup_make(&options, &report, &error) != WEIR_OK)
        fail_msg("%s", error.text);
    assert_true(m.commits >= 8); /* of 1 MB each */
    assert_int_equal(report.seq, 5);
    weir_store_close(m.store);
    assert_int_equal(restore(&b, NULL, false, &error), WEIR_OK);
    weir_store *store = testing_open(b.to);
    assert_int_equal(weir_store_get_position(store).committed_seq, 5);
    weir_store_close(store);
    bench_deinit(&b);
}

static void what_people_edit_comes_along(void **state)
{
    (void)state;
    struct bench b;
    char path[400];
    sqlite3 *db = NULL;
    weir_error error = WEIR_ERROR_INIT;
    bench_init(&b);
    fill(b.data, 1);
    (void)snprintf(path, sizeof path, "%s/config.db", b.data);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    (void)testing_sql(db, "CREATE TABLE device AS SELECT 'meter' AS name");
    (void)sqlite3_close(db);
    backup_good(&b);
    assert_int_equal(check(&b, &error), WEIR_OK);
    assert_int_equal(restore(&b, NULL, false, &error), WEIR_OK);
    (void)snprintf(path, sizeof path, "%s/config.db", b.to);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_string_equal(testing_sql(db, "SELECT name FROM device"), "meter");
    (void)sqlite3_close(db);
    bench_deinit(&b);
}

/* Tools of every system open it. */
static void tar_unpacks_it_to_a_database(void **state)
{
    (void)state;
    struct bench b;
    char command[2000];
    bench_init(&b);
    fill(b.data, 3);
    backup_good(&b);
    (void)snprintf(command, sizeof command, "mkdir %s && tar -C %s -xf %s", b.to, b.to, b.file);
    assert_int_equal(system(command), 0);
    assert_string_equal(testing_file_sql(b.to, "PRAGMA integrity_check"), "ok");
    assert_string_equal(testing_file_sql(b.to, "PRAGMA journal_mode"), "delete");
    assert_true(exists(b.to, "manifest.json") && exists(b.to, "secrets/token"));
    bench_deinit(&b);
}

static void what_tar_packed_again_is_still_a_backup(void **state)
{
    (void)state;
    struct bench b;
    char command[2000];
    weir_error error = WEIR_ERROR_INIT;
    bench_init(&b);
    fill(b.data, 3);
    backup_good(&b);
    (void)snprintf(command, sizeof command,
                   "mkdir %s/x && tar -C %s/x -xf %s && tar -C %s/x --format=ustar -cf %s .",
                   b.root, b.root, b.file, b.root, b.file);
    assert_int_equal(system(command), 0);
    if (restore(&b, "test", false, &error) != WEIR_OK)
        fail_msg("%s", error.text);
    bench_deinit(&b);
}

/* --- damage ------------------------------------------------------------------------------- */

static void nothing_was_restored(const struct bench *b)
{
    assert_false(exists(b->to, "data.db"));
    assert_false(exists(b->to, "restore.part"));
    assert_false(exists(b->to, "restored"));
    assert_false(exists(b->to, ""));
}

static void an_archive_that_is_cut_short_anywhere_restores_nothing(void **state)
{
    (void)state;
    struct bench b;
    size_t n;
    bench_init(&b);
    fill(b.data, 3);
    backup_good(&b);
    uint8_t *bytes = get_file(b.file, &n);
    for (size_t cut = 0; cut < n - WEIR_TAR_BLOCK; cut += cut < 8192 ? 256 : 9973) {
        weir_error error = WEIR_ERROR_INIT;
        put_file(b.file, bytes, cut);
        if (restore(&b, NULL, false, &error) != WEIR_EDAMAGED)
            fail_msg("cut at %zu: %s", cut, error.text);
        nothing_was_restored(&b);
    }
    free(bytes);
    bench_deinit(&b);
}

/* Every content has a checksum, also the list of them. Padding and spare fields are nobody's. */
static void a_byte_that_changed_in_any_content_is_found(void **state)
{
    (void)state;
    struct bench b;
    size_t n;
    bench_init(&b);
    fill(b.data, 3);
    backup_good(&b);
    uint8_t *bytes = get_file(b.file, &n);
    for (size_t at = 0; at < n - 2 * WEIR_TAR_BLOCK;) {
        weir_tar_header header;
        assert_int_equal(weir_tar_read(bytes + at, &header, NULL), WEIR_OK);
        at += WEIR_TAR_BLOCK;
        const size_t stride = header.size < 2000 ? 1 : 1021;
        for (size_t i = 0; i < header.size; i += stride) {
            weir_error error = WEIR_ERROR_INIT;
            bytes[at + i] ^= 0x04;
            put_file(b.file, bytes, n);
            if (check(&b, &error) != WEIR_EDAMAGED)
                fail_msg("%s at %zu: %s", header.name, i, error.text);
            bytes[at + i] ^= 0x04;
        }
        at += weir_tar_padded(header.size);
    }
    put_file(b.file, bytes, n);
    assert_int_equal(check(&b, NULL), WEIR_OK);
    free(bytes);
    bench_deinit(&b);
}

static void what_is_no_backup_is_called_so(void **state)
{
    (void)state;
    static const struct {
        const char *make; /* a shell command; $F is the file, $D a folder */
        weir_err want;
        const char *words;
    } cases[] = {
        {"echo hello | dd of=$F bs=4096 conv=sync 2>/dev/null", WEIR_EDAMAGED, "not a tar archive"},
        {": > $F", WEIR_EDAMAGED, "cut short"},
        {"echo x > $D/x; tar -C $D --format=ustar -cf $F x", WEIR_EDAMAGED, "no backup of weir"},
        {"echo x > $D/x; tar -C $D --format=pax -cf $F x", WEIR_EUNSUPPORTED, "--format=ustar"},
        {"echo x > $D/x; tar -C $D -cPf $F --format=ustar $D/x", WEIR_EPERM, "name that no backup"},
        {"echo x > $D/x; mkdir $D/y; tar -C $D/y -cPf $F --format=ustar ../x", WEIR_EPERM,
         "'../x'"},
        {"ln -s /etc/passwd $D/data.db; tar -C $D --format=ustar -cf $F data.db", WEIR_EPERM,
         "a link"},
        {"rm -f $F; mkfifo $F", WEIR_EINVAL, "is not a file"}, /* must not wait for a writer */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench b;
        char command[2000];
        weir_error error = WEIR_ERROR_INIT;
        bench_init(&b);
        (void)snprintf(command, sizeof command, "D=%s; F=%s; %s", b.root, b.file, cases[i].make);
        assert_int_equal(system(command), 0);
        const weir_err err = restore(&b, NULL, false, &error);
        if (err != cases[i].want || !strstr(error.text, cases[i].words))
            fail_msg("%s: %d %s", cases[i].make, (int)err, error.text);
        nothing_was_restored(&b);
        bench_deinit(&b);
    }
}

/* An archive of one's own making: the list, its checksum, and a member. */
static void put_archive(const char *path, const char *list, const char *name, const char *content)
{
    uint8_t bytes[16 * WEIR_TAR_BLOCK] = {0};
    size_t at = 0;
    char sum[10];
    (void)snprintf(sum, sizeof sum, "%08x\n", weir_crc32c(0, list, strlen(list)));
    const char *const members[][2] = {
        {WEIR_MANIFEST_NAME, list}, {WEIR_MANIFEST_CHECK, sum}, {name, content}};
    for (size_t i = 0; i < 3; i++) {
        const size_t n = strlen(members[i][1]);
        weir_tar_write(members[i][0], n, 0, bytes + at);
        memcpy(bytes + at + WEIR_TAR_BLOCK, members[i][1], n);
        at += WEIR_TAR_BLOCK + (size_t)weir_tar_padded(n);
    }
    put_file(path, bytes, at + 2 * WEIR_TAR_BLOCK);
}

#define LIST(format, schema, name, size, crc)                                            \
    "{\"weir_backup\":" #format ",\"version\":\"7.1\",\"schema\":" #schema               \
    ",\"uuid\":\"u\",\"instance\":\"i\",\"name\":\"\",\"seq\":1,\"created\":"            \
    "\"2026-01-01T00:00:00Z\",\"host\":\"h\",\"data_dir\":\"d\",\"secrets_omitted\":[]," \
    "\"members\":[{\"name\":\"" name "\",\"size\":" #size ",\"crc32c\":\"" crc "\"}]}"

static void a_list_that_lies_is_not_believed(void **state)
{
    (void)state;
    static const struct {
        const char *what, *list, *member;
        weir_err want;
        const char *words;
    } cases[] = {
        {"a newer format", LIST(2, 1, "data.db", 5, "00000000"), "data.db", WEIR_EUNSUPPORTED,
         "newer weir (7.1)"},
        {"a newer store", LIST(1, 99, "data.db", 5, "00000000"), "data.db", WEIR_EUNSUPPORTED,
         "store version 99"},
        {"no data", LIST(1, 1, "data.dc", 5, "00000000"), "data.dc", WEIR_EDAMAGED, "list"},
        {"a name that leads out", LIST(1, 1, "../data.db", 5, "00000000"), "data.db", WEIR_EDAMAGED,
         "list"},
        {"another size", LIST(1, 1, "data.db", 6, "00000000"), "data.db", WEIR_EDAMAGED,
         "not whole"},
        {"a negative size", LIST(1, 1, "data.db", -5, "00000000"), "data.db", WEIR_EDAMAGED,
         "list"},
        {"a missing file", LIST(1, 1, "data.db", 5, "00000000"), "x", WEIR_EDAMAGED, "missing"},
        {"a wrong sum", LIST(1, 1, "data.db", 5, "00000000"), "data.db", WEIR_EDAMAGED, "checksum"},
        {"a sum that is none", LIST(1, 1, "data.db", 5, "zz"), "data.db", WEIR_EDAMAGED, "list"},
        {"no database", LIST(1, 1, "data.db", 5, "9a71bb4c"), "data.db", WEIR_EDAMAGED,
         "not a database"},
        {"not JSON", "{\"weir_backup\":1", "data.db", WEIR_EDAMAGED, "damaged"},
        {"a list", "[]", "data.db", WEIR_EDAMAGED, "not a backup"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench b;
        weir_error error = WEIR_ERROR_INIT;
        bench_init(&b);
        put_archive(b.file, cases[i].list, cases[i].member, "hello");
        const weir_err err = restore(&b, NULL, false, &error);
        if (err != cases[i].want || !strstr(error.text, cases[i].words))
            fail_msg("%s: %d %s", cases[i].what, (int)err, error.text);
        nothing_was_restored(&b);
        bench_deinit(&b);
    }
}

/* A page of zeros in the middle; the first pages look well. */
static void a_damaged_store_makes_no_backup_and_the_one_before_stays(void **state)
{
    (void)state;
    struct bench b;
    char path[400];
    uint8_t zeros[8192] = {0};
    weir_error error = WEIR_ERROR_INIT;
    bench_init(&b);
    fill(b.data, 3);
    backup_good(&b);
    (void)testing_file_sql(b.data, "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
                                   "SELECT i+1 FROM n WHERE i<5000) SELECT i FROM n");
    (void)testing_file_sql(b.data, "PRAGMA wal_checkpoint(TRUNCATE)");
    (void)snprintf(path, sizeof path, "%s/data.db", b.data);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, zeros, sizeof zeros, st.st_size / 4096 * 4096 - 3 * 4096),
                     sizeof zeros);
    (void)close(fd);
    assert_int_equal(backup(&b, &error), WEIR_EDAMAGED);
    assert_false(exists(b.root, "b.tar.part"));
    assert_int_equal(check(&b, &error), WEIR_OK);
    bench_deinit(&b);
}

/* --- the target --------------------------------------------------------------------------- */

static void a_file_that_is_no_backup_is_never_replaced(void **state)
{
    (void)state;
    struct bench b;
    weir_error error = WEIR_ERROR_INIT;
    bench_init(&b);
    fill(b.data, 1);
    put_file(b.file, "devices: []\n", 12);
    assert_int_equal(backup(&b, &error), WEIR_EPERM);
    assert_non_null(strstr(error.text, "is no backup of weir"));
    (void)snprintf(b.file, sizeof b.file, "%s/data.db", b.data);
    assert_int_equal(backup(&b, &error), WEIR_EPERM);
    (void)snprintf(b.file, sizeof b.file, "%s", b.data);
    assert_int_equal(backup(&b, &error), WEIR_EINVAL);
    (void)snprintf(b.file, sizeof b.file, "/dev/null");
    assert_int_equal(backup(&b, &error), WEIR_EINVAL);
    (void)snprintf(b.file, sizeof b.file, "%s/nowhere/b.tar", b.root);
    assert_int_equal(backup(&b, &error), WEIR_ENOTFOUND);
    bench_deinit(&b);
}

static void a_second_backup_replaces_the_first_also_through_a_link(void **state)
{
    (void)state;
    struct bench b;
    char real[400];
    struct stat st;
    weir_error error = WEIR_ERROR_INIT;
    bench_init(&b);
    fill(b.data, 1);
    (void)snprintf(real, sizeof real, "%s/real.tar", b.root);
    put_file(real, "", 0);
    assert_int_equal(symlink(real, b.file), 0);
    for (int i = 0; i < 2; i++) {
        backup_good(&b);
        assert_int_equal(lstat(b.file, &st), 0);
        assert_true(S_ISLNK(st.st_mode));
        assert_int_equal(stat(real, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(check(&b, &error), WEIR_OK);
    }
    bench_deinit(&b);
}

static bool stop_late(void *data, uint64_t done, uint64_t total)
{
    (void)data;
    return done < total * 3 / 4;
}

static void an_interrupted_backup_leaves_the_one_before(void **state)
{
    (void)state;
    struct bench b;
    weir_error error = WEIR_ERROR_INIT;
    bench_init(&b);
    fill(b.data, 3);
    backup_good(&b);
    weir_backup_report report;
    const weir_backup_options options = {
        .data_dir = b.data, .target = b.file, .now = {T0}, .progress = stop_late};
    assert_int_equal(weir_backup_make(&options, &report, &error), WEIR_ECANCELED);
    assert_false(exists(b.root, "b.tar.part"));
    assert_int_equal(check(&b, &error), WEIR_OK);
    bench_deinit(&b);
}

static bool stop_at(void *data, uint64_t done, uint64_t total)
{
    int *calls_left = data;
    (void)done, (void)total;
    return --*calls_left > 0;
}

/* Also while SQLite checks, which brings nothing forward. */
static void an_interrupted_restore_leaves_nothing(void **state)
{
    (void)state;
    struct bench b;
    weir_error error = WEIR_ERROR_INIT;
    bench_init(&b);
    fill(b.data, 3);
    (void)testing_file_sql(b.data, "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
                                   "SELECT i+1 FROM n WHERE i<50000) SELECT i FROM n");
    backup_good(&b);
    for (int call = 1; call <= 4; call++) { /* one for each file, then the check */
        int left = call;
        weir_arena *arena = weir_arena_new();
        weir_restore_report report;
        const weir_restore_options options = {
            .file = b.file, .data_dir = b.to, .progress = stop_at, .data = &left};
        assert_int_equal(weir_restore(&options, arena, &report, &error), WEIR_ECANCELED);
        weir_arena_free(arena);
        assert_false(exists(b.to, ""));
    }
    bench_deinit(&b);
}

/* What a kill leaves, larger than the next one. */
static void a_part_left_behind_is_taken_over(void **state)
{
    (void)state;
    struct bench b;
    char part[500];
    weir_error error = WEIR_ERROR_INIT;
    static const char litter[600000] = "litter";
    bench_init(&b);
    fill(b.data, 1);
    (void)snprintf(part, sizeof part, "%s.part", b.file);
    put_file(part, litter, sizeof litter);
    backup_good(&b);
    assert_int_equal(check(&b, &error), WEIR_OK);
    assert_false(exists(b.root, "b.tar.part"));
    bench_deinit(&b);
}

static void a_store_in_memory_and_a_missing_one_say_why(void **state)
{
    (void)state;
    struct bench b;
    weir_error error = WEIR_ERROR_INIT;
    bench_init(&b);
    assert_int_equal(backup(&b, &error), WEIR_ENOTFOUND);
    (void)snprintf(b.data, sizeof b.data, "memory");
    assert_int_equal(backup(&b, &error), WEIR_EUNSUPPORTED);
    assert_non_null(strstr(error.text, "nothing is on disk"));
    assert_false(exists(b.root, "b.tar.part"));
    bench_deinit(&b);
}

/* --- the data directory ------------------------------------------------------------------- */

static void a_directory_in_use_or_with_a_store_is_refused(void **state)
{
    (void)state;
    struct bench b;
    weir_error error = WEIR_ERROR_INIT;
    bench_init(&b);
    fill(b.data, 2);
    backup_good(&b);
    fill(b.to, 7);
    weir_store *store = testing_open(b.to);
    for (int replace = 0; replace <= 1; replace++) {
        assert_int_equal(restore(&b, NULL, replace, &error), WEIR_EINUSE);
        assert_non_null(strstr(error.text, "in use by weir process"));
    }
    weir_store_close(store);
    assert_int_equal(restore(&b, NULL, false, &error), WEIR_EINUSE);
    assert_non_null(strstr(error.text, "--replace"));
    store = testing_open(b.to);
    assert_int_equal(weir_store_get_position(store).committed_seq, 7);
    weir_store_close(store);
    bench_deinit(&b);
}

/* A WAL of the store before would be read into the new one. */
static void what_is_replaced_is_moved_aside_whole(void **state)
{
    (void)state;
    struct bench b;
    char wal[400], path[700];
    weir_error error = WEIR_ERROR_INIT;
    bench_init(&b);
    fill(b.data, 2);
    backup_good(&b);
    fill(b.to, 7);
    (void)snprintf(wal, sizeof wal, "%s/data.db-wal", b.to);
    put_file(wal, "stale", 5);
    if (restore(&b, NULL, true, &error) != WEIR_OK)
        fail_msg("%s", error.text);
    assert_false(exists(b.to, "data.db-wal"));
    (void)snprintf(path, sizeof path, "%s/replaced-2023-11-14T22-13-20.000000Z", b.to);
    assert_true(exists(path, "data.db") && exists(path, "data.db-wal"));
    weir_store *store = testing_open(b.to);
    assert_int_equal(weir_store_get_position(store).committed_seq, 2);
    weir_store_close(store);
    bench_deinit(&b);
}

static void a_damaged_backup_replaces_nothing(void **state)
{
    (void)state;
    struct bench b;
    size_t n;
    weir_error error = WEIR_ERROR_INIT;
    bench_init(&b);
    fill(b.data, 2);
    backup_good(&b);
    fill(b.to, 7);
    uint8_t *bytes = get_file(b.file, &n);
    bytes[n - 2048] ^= 1;
    put_file(b.file, bytes, n);
    free(bytes);
    assert_int_equal(restore(&b, NULL, true, &error), WEIR_EDAMAGED);
    weir_store *store = testing_open(b.to);
    assert_int_equal(weir_store_get_position(store).committed_seq, 7);
    weir_store_close(store);
    assert_false(exists(b.to, "restore.part"));
    bench_deinit(&b);
}

/* What a kill leaves in the directory, with a link that leads out of it. */
static void an_interrupted_restore_is_no_store_and_is_cleared_away(void **state)
{
    (void)state;
    struct bench b;
    char command[2000];
    weir_error error = WEIR_ERROR_INIT;
    bench_init(&b);
    fill(b.data, 2);
    backup_good(&b);
    (void)snprintf(command, sizeof command,
                   "mkdir -p %s/restore.part/restored; echo x > %s/restore.part/data.db; ln -s "
                   "%s %s/restore.part/restored/config",
                   b.to, b.to, b.data, b.to);
    assert_int_equal(system(command), 0);
    if (restore(&b, NULL, false, &error) != WEIR_OK)
        fail_msg("%s", error.text);
    assert_true(exists(b.data, "data.db"));
    assert_false(exists(b.to, "restore.part"));
    bench_deinit(&b);
}

static void a_copy_cannot_have_the_name_of_what_was_copied(void **state)
{
    (void)state;
    struct bench b;
    weir_identity id;
    weir_error error = WEIR_ERROR_INIT;
    bench_init(&b);
    fill(b.data, 2);
    assert_int_equal(weir_restore_in_place(b.data, "test", (weir_wall){T0}, &id, &error), WEIR_OK);
    backup_good(&b);
    assert_int_equal(restore(&b, "test", false, &error), WEIR_EINVAL);
    assert_int_equal(restore(&b, "other", false, &error), WEIR_OK);
    bench_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_comes_back_under_both_identities),
        cmocka_unit_test(what_a_running_weir_has_committed_is_in_it),
        cmocka_unit_test(a_commit_in_the_middle_neither_waits_nor_gets_in),
        cmocka_unit_test(what_people_edit_comes_along),
        cmocka_unit_test(tar_unpacks_it_to_a_database),
        cmocka_unit_test(what_tar_packed_again_is_still_a_backup),
        cmocka_unit_test(an_archive_that_is_cut_short_anywhere_restores_nothing),
        cmocka_unit_test(a_byte_that_changed_in_any_content_is_found),
        cmocka_unit_test(what_is_no_backup_is_called_so),
        cmocka_unit_test(a_list_that_lies_is_not_believed),
        cmocka_unit_test(a_damaged_store_makes_no_backup_and_the_one_before_stays),
        cmocka_unit_test(a_file_that_is_no_backup_is_never_replaced),
        cmocka_unit_test(a_second_backup_replaces_the_first_also_through_a_link),
        cmocka_unit_test(an_interrupted_backup_leaves_the_one_before),
        cmocka_unit_test(an_interrupted_restore_leaves_nothing),
        cmocka_unit_test(a_part_left_behind_is_taken_over),
        cmocka_unit_test(a_store_in_memory_and_a_missing_one_say_why),
        cmocka_unit_test(a_directory_in_use_or_with_a_store_is_refused),
        cmocka_unit_test(what_is_replaced_is_moved_aside_whole),
        cmocka_unit_test(a_damaged_backup_replaces_nothing),
        cmocka_unit_test(an_interrupted_restore_is_no_store_and_is_cleared_away),
        cmocka_unit_test(a_copy_cannot_have_the_name_of_what_was_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
