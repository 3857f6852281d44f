# SPDX-License-Identifier: MIT
"""The postgres sink against real servers: what arrives, what is absorbed, and what a person is told."""

import json
import os
import shutil
import socket
import struct
import subprocess
import threading
import time

import pytest

from certificates import KEY
from conftest import scaled, wait_until
from cut_proxy import CutProxy
import pgserver
from sink_driver import Driver, rejected

pytestmark = pytest.mark.skipif(pgserver.programs() is None or not shutil.which("psql"), reason="PostgreSQL is not installed")

STORE = "00000000-0000-4000-8000-000000000001"  # of drive-sink
T0 = 1_700_000_000_000_000
S = 1_000_000


def postgres(**options):
    return Driver("postgres", {"HOME": "/nonexistent"}, **options)


def row(tag="m/p", ts=T0, value="1.5", kind="f64", **more):
    return dict(more, tag=tag, ts=ts, value=value, kind=kind)


def expect(answer, trouble, why, remedy=""):
    """LATER, with the cause in words and what to do."""
    assert answer["result"] == "later" and answer["trouble"] == trouble, answer
    assert why in answer["why"] and remedy in answer["remedy"], answer


@pytest.fixture(scope="session")
def server():
    # Processes are killed here, not machines: what the server wrote is there without an fsync.
    running = pgserver.PgServer({"max_connections": "30", "fsync": scaled("off", "on")}, hba=["host all asked 127.0.0.1/32 scram-sha-256"])
    yield running
    running.remove()


class Database:
    """A database of this test's own."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        self.url = server.conninfo(name)
        server.sql(f"CREATE DATABASE {name}")

    def sql(self, query):
        return self.server.sql(query, self.name)

    def sink(self, **options):
        return postgres(**dict({"url": self.url}, **options))


@pytest.fixture
def database(server, request):
    return Database(server, "t" + format(abs(hash(request.node.nodeid)), "x"))  # dropping it would cost a checkpoint


# --- what arrives -----------------------------------------------------------------------------


def bits(number):
    return struct.pack(">d", float(number)).hex()


def test_every_kind_of_value_is_read_back_to_the_last_bit(database):
    f32 = struct.unpack(">f", struct.pack(">f", 230.1))[0]
    text = "it's \"quoted\", a \\ and a\nnew line, \t, ü, 😀"
    # kind, value sent, num as float8send writes it, exact, txt, raw
    cases = [
        ("null", "", None, None, None, None),
        ("bool", "true", bits(1), None, None, None),
        ("bool", "false", bits(0), None, None, None),
        ("i64", "-42", bits(-42), None, None, None),
        ("i64", "9007199254740993", bits(9007199254740992), "9007199254740993", None, None),
        ("i64", "-9223372036854775808", bits(-2.0**63), "-9223372036854775808", None, None),
        ("u64", "18446744073709551615", bits(2.0**64), "18446744073709551615", None, None),
        ("f32", "230.1", bits(f32), None, None, None),
        ("f64", "230.1", bits(230.1), None, None, None),
        ("f64", "5e-324", bits(5e-324), None, None, None),
        ("f64", "-0.0", "8000000000000000", None, None, None),
        ("f64", "inf", bits("inf"), None, None, None),
        ("f64", "-inf", bits("-inf"), None, None, None),
        ("f64", "nan", "7ff8000000000000", None, None, None),
        ("f32", "nan", "7ff8000000000000", None, None, None),
        ("decimal", "2301e-1", bits(230.1), "230.1", None, None),
        ("decimal", "-2300e-1", bits(-230), "-230.0", None, None),
        ("decimal", "9223372036854775807e-19", bits(0.9223372036854775807), "0.9223372036854775807", None, None),
        ("decimal", "7e12", bits(7e12), "7000000000000", None, None),
        ("string", text, None, None, text, None),
        ("string", "", None, None, "", None),
        ("bytes", "00ff27", None, None, None, "00ff27"),
    ]
    with database.sink() as sink:
        sink.delivered(*(row(f"m/p{i}", kind=case[0], value=case[1]) for i, case in enumerate(cases)))
    rows = database.sql("SELECT encode(float8send(num), 'hex'), exact, txt, encode(raw, 'hex'), quality, cause FROM weir_samples "
                        "JOIN weir_tags ON id = tag_id ORDER BY uid")
    for case, got in zip(cases, rows, strict=True):
        assert got == [*case[2:], "good", None], case


def test_times_epochs_qualities_and_seq_are_kept(database):
    with database.sink() as sink:
        sink.delivered(row(ts=-1, seq=1), row(ts=-1, seq=2, epoch=3), row(ts=4_000_000_000_000_001, seq=2**62),
                     row(ts=5, seq=2**62 + 1, quality="bad", cause=4), row(ts=6, seq=2**62 + 2, quality="uncertain", cause=11))
    assert database.sql("SELECT (extract(epoch FROM ts) * 1000000)::bigint, epoch, seq, num, quality, cause FROM weir_samples "
                        "ORDER BY seq") == [
        ["-1", "0", "1", "1.5", "good", None], ["-1", "3", "2", "1.5", "good", None],
        ["4000000000000001", "0", str(2**62), "1.5", "good", None], ["5", "0", str(2**62 + 1), None, "bad", "exception"],
        ["6", "0", str(2**62 + 2), "1.5", "uncertain", "late"]]


def test_tag_is_told_with_all_that_is_known_of_it(database):
    labels = {"building": "A \"x\"", "ü": "😀"}
    long = "m/" + "n" * 65534
    with database.sink() as sink:
        sink.delivered(row("m/p", unit="kW", description="Feeder", type="float32", address="holding 52", labels=labels), row(long))
    told = database.sql("SELECT store, uid, name, device, unit, type, address, description, labels FROM weir_tags ORDER BY uid")
    assert told[0][:-1] == [STORE, "1", "m/p", "m", "kW", "float32", "holding 52", "Feeder"]
    assert json.loads(told[0][-1]) == labels
    assert told[1][2] == long


# --- repetition, correction, names --------------------------------------------------------------


def test_repetition_changes_nothing_and_the_highest_seq_stays(database):
    first = [row(ts=T0 + i * S, value=str(i), seq=i + 1) for i in range(100)]
    with database.sink() as sink:
        sink.delivered(*first)
        before = database.sql("SELECT xmin, * FROM weir_samples ORDER BY ts")
        sink.delivered(*first)
        assert database.sql("SELECT xmin, * FROM weir_samples ORDER BY ts") == before
        sink.delivered(row(ts=T0, value="77", seq=201), row(ts=T0 + S, value="88", seq=202), row(ts=T0 + 500 * S, seq=203))
        sink.delivered(row(ts=T0, value="-1", seq=150))  # an older version, late
    assert database.sql("SELECT num, seq FROM weir_samples ORDER BY ts LIMIT 3") == [["77", "201"], ["88", "202"], ["2", "3"]]
    assert database.sql("SELECT count(*) FROM weir_samples") == [["101"]]


def test_of_several_versions_in_one_batch_the_last_is_kept(database):
    with database.sink() as sink:
        sink.delivered(row(value="1", seq=1), row(value="3", seq=3), row(value="2", seq=2), row(value="4", seq=4, epoch=1))
        sink.delivered(row(value="5", seq=6), row(value="6", seq=5))
    assert database.sql("SELECT epoch, num, seq FROM weir_samples ORDER BY epoch") == [["0", "5", "6"], ["1", "4", "4"]]


def test_renamed_tag_keeps_its_id_and_an_old_name_does_not_come_back(database):
    with database.sink() as sink:
        sink.delivered(row("m/new", uid=7, unit="kW", seq=100))
        sink.delivered(row("m/old", uid=7, unit="W", ts=T0 - S, seq=50))  # the backlog, after live data
        assert database.sql("SELECT id, name, unit, seq FROM weir_tags") == [["1", "m/new", "kW", "100"]]
        sink.delivered(row("m/newest", uid=7, ts=T0 + S, seq=101))
    with database.sink() as sink:  # after a restart
        sink.delivered(row("m/old", uid=7, unit="W", ts=T0 - 2 * S, seq=49))
        sink.delivered(row("m/old", uid=7, unit="W", ts=T0 + 2 * S, seq=102))  # renamed back
    assert database.sql("SELECT id, name, unit, seq FROM weir_tags") == [["1", "m/old", "W", "102"]]
    assert database.sql("SELECT count(*), min(tag_id), max(tag_id) FROM weir_samples") == [["5", "1", "1"]]


def test_two_versions_of_a_tag_in_one_batch(database):
    with database.sink() as sink:
        sink.delivered(row("m/old", uid=7, seq=1), row("m/new", uid=7, seq=2, ts=T0 + S), row("m/other", uid=8, seq=3))
    assert database.sql("SELECT uid, name FROM weir_tags ORDER BY uid") == [["7", "m/new"], ["8", "m/other"]]


def test_another_weirs_tags_are_others(database):
    with database.sink() as sink:
        sink.delivered(row("m/p", uid=1))
    database.sql("UPDATE weir_tags SET store = gen_random_uuid(), name = 'theirs'")
    with database.sink() as sink:
        sink.delivered(row("m/p", uid=1))
    assert database.sql("SELECT name, num FROM weir_tags JOIN weir_samples ON id = tag_id ORDER BY id") == [
        ["theirs", "1.5"], ["m/p", "1.5"]]


def test_ids_are_not_used_up_by_restarts(database):
    for _ in range(3):
        with database.sink() as sink:
            sink.delivered(*(row(f"m/p{i}") for i in range(20)))
    with database.sink() as sink:
        sink.delivered(row("m/new", uid=1000))
    assert database.sql("SELECT max(id) FROM weir_tags") == [["21"]]


# --- rows that are refused ------------------------------------------------------------------------

RAISE = """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN IF new.num > 1000 THEN RAISE EXCEPTION 'too much' USING ERRCODE = '{}'; END IF; RETURN new; END$$;
CREATE TRIGGER refuse BEFORE INSERT ON weir_samples FOR EACH ROW EXECUTE FUNCTION refuse()"""


@pytest.mark.parametrize("ddl", [
    "ALTER TABLE weir_samples ADD CHECK (num < 1000)",
    "CREATE DOMAIN reading AS double precision CHECK (VALUE < 1000); ALTER TABLE weir_samples ALTER num TYPE reading",
    RAISE.format("P0001"),
    RAISE.format("WX001"),
    "CREATE UNIQUE INDEX ON weir_samples (nullif(least(num, 1000), 1.5))",
], ids=["check", "domain", "trigger", "own-code", "unique"])
@pytest.mark.row(42)
def test_poison_row_is_named(database, ddl):
    with database.sink() as sink:
        sink.delivered(row(ts=0), row(ts=1, value="5000" if "UNIQUE" in ddl else "1.5"))
        database.sql(ddl)
    rows = [row(ts=T0 + (i * 37 % 100) * S) for i in range(100)]  # not in the order they are copied in
    rows[41]["value"] = "2000"
    with database.sink() as sink:
        answer = sink.send(*rows)
        assert answer["result"] == "rejected", answer
        if answer["first_bad"] is None:
            assert "UNIQUE" in ddl  # met by INSERT, which names no line: delivery looks for it by halves
            assert sink.send(rows[41])["result"] == "rejected"
        else:
            assert answer["first_bad"] == 41
        sink.delivered(*rows[:41], *rows[42:])
        answer = sink.send(*rows)  # now there are duplicates, and the batch goes through staging
        assert answer["result"] == "rejected" and answer["first_bad"] in (41, None), answer
    assert database.sql("SELECT count(*) FROM weir_samples WHERE ts > '2000-01-01'") == [["99"]]


def test_time_that_postgresql_has_not_is_refused_alone(database):
    with database.sink() as sink:
        answer = sink.send(row(), row(ts=-(2**63)))
        assert answer["result"] == "rejected" and answer["first_bad"] == 1 and "4713 BC" in answer["why"]
        sink.delivered(row(ts=2**63 - 1))  # the year 294247
        assert database.sql("SELECT ts FROM weir_samples")[0][0].startswith("294247-01-10")


def test_name_too_long_for_its_column_is_refused_alone(database):
    database.sql("CREATE TABLE topics (topic_id serial PRIMARY KEY, topic_name varchar(10) NOT NULL UNIQUE)")
    with database.sink(layout="emdc") as sink:
        answer = sink.send(row("m/p"), row("m/a-long-name"))
        assert answer["result"] == "rejected" and answer["first_bad"] is None and "22001" in answer["why"]
        assert sink.send(row("m/a-long-name"))["result"] == "rejected"
        sink.delivered(row("m/p"))


# --- what is lost and found -----------------------------------------------------------------------


def test_server_killed_under_load_gets_each_acknowledged_row_once(database, server, dice):
    kills, batches, size = scaled(5, 20), scaled(60, 240), 500
    ended = threading.Event()

    def kill_and_start():
        try:
            for _ in range(kills):
                time.sleep(dice.uniform(0.02, 0.4))
                server.kill()
                server.start(wait=False)
                server.wait_ready()
                killed.append(1)
        finally:
            ended.set()

    thread = threading.Thread(target=kill_and_start)
    sent, later, killed = {}, set(), []
    with database.sink(connect_timeout="2s") as sink:
        sink.delivered(row("m/p0", ts=0))
        sent["1", "0"] = ("1", "1.5")
        thread.start()
        n = 0
        while n < batches or not ended.is_set():
            first = n * size
            rows = [row(f"m/p{i % 7}", ts=T0 + i * S, value=str(i / 8), seq=10 + i) for i in range(first, first + size)]
            while (answer := sink.send(*rows, deadline=20))["result"] != "delivered":
                assert answer["result"] == "later" and answer["trouble"] in ("offline", "busy"), answer
                later.add(answer["why"])
                assert not ended.is_set() or len(killed) == kills, server.read_log()
                time.sleep(0.01)
            for i in range(first, first + size):
                sent[str(i % 7 + 1), str(T0 + i * S)] = (str(10 + i), repr(i / 8).removesuffix(".0"))
            n += 1
        thread.join()
    got = {(uid, ts): (seq, num) for uid, ts, seq, num in database.sql(
        "SELECT uid, (extract(epoch FROM ts) * 1000000)::bigint, s.seq, num FROM weir_samples AS s JOIN weir_tags ON id = tag_id")}
    assert later, "no kill met a send"
    assert got == sent
    assert database.sql("SELECT count(*) FROM weir_samples") == [[str(len(sent))]]


@pytest.mark.row(43)
def test_answer_lost_after_commit_is_absorbed(database, server):
    proxy = CutProxy(server.port)
    rows = [row(ts=T0 + i * S, seq=i + 1) for i in range(50)]
    with database.sink(url=f"postgresql://postgres@127.0.0.1:{proxy.port}/{database.name}") as sink:
        sink.delivered(row(ts=0))
        proxy.needle = b"COMMIT\0"
        expect(sink.send(*rows), "offline", "closed the connection")
        assert database.sql("SELECT count(*) FROM weir_samples") == [["51"]]  # it was committed all the same
        before = database.sql("SELECT xmin, * FROM weir_samples ORDER BY ts")
        sink.delivered(*rows)
        assert proxy.broken == 1 and database.sql("SELECT xmin, * FROM weir_samples ORDER BY ts") == before
    proxy.close()


def test_new_tag_of_a_transaction_that_was_lost_is_told_again(database, server):
    proxy = CutProxy(server.port)
    with database.sink(url=f"postgresql://postgres@127.0.0.1:{proxy.port}/{database.name}") as sink:
        sink.delivered(row("m/a"))
        proxy.needle = b"INSERT 0 1\0"  # of the tag: nothing was committed
        expect(sink.send(row("m/b")), "offline", "closed the connection")
        sink.delivered(row("m/b"))
    assert database.sql("SELECT name FROM weir_tags JOIN weir_samples ON id = tag_id ORDER BY uid") == [["m/a"], ["m/b"]]
    proxy.close()


def test_refused_batch_does_not_leave_ids_that_are_none(database):
    with database.sink() as sink:
        sink.delivered(row("m/a"))
        database.sql("ALTER TABLE weir_samples ADD CHECK (num < 1000)")
        assert sink.send(row("m/b", value="2000"))["result"] == "rejected"  # took its new tag along
        assert database.sql("SELECT count(*) FROM weir_tags") == [["1"]]
        sink.delivered(row("m/b", value="1"))
    assert database.sql("SELECT name FROM weir_tags JOIN weir_samples ON id = tag_id ORDER BY uid") == [["m/a"], ["m/b"]]


def test_connection_closed_while_idle_is_opened_anew(database, server):
    with database.sink() as sink:
        sink.delivered(row())
        server.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database.name}'")
        wait_until("the backend is gone", lambda: server.sql(
            f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database.name}'") == [["0"]])
        sink.do("idle")
        sink.delivered(row(ts=T0 + S))


def test_delivered_is_durable_whatever_the_role_is_set_to(database):
    database.sql(f"ALTER DATABASE {database.name} SET synchronous_commit = off")
    with database.sink() as sink:
        sink.delivered(row(ts=0))
        database.sql("ALTER TABLE weir_samples ADD committed text DEFAULT current_setting('synchronous_commit')")
        sink.delivered(row(ts=1))
    assert database.sql("SELECT committed FROM weir_samples WHERE epoch = 0 ORDER BY ts DESC LIMIT 1") == [["on"]]


# --- tables ---------------------------------------------------------------------------------------


@pytest.mark.row(47)
def test_tables_dropped_are_made_again(database):
    with database.sink() as sink:
        sink.delivered(row("m/a"), row("m/b"))
        database.sql("DROP TABLE weir_samples, weir_tags")
        expect(sink.send(row("m/b")), "misconfigured", 'relation "public.weir_samples" does not exist (42P01)')
        sink.delivered(row("m/b"))
    assert database.sql("SELECT name FROM weir_tags JOIN weir_samples ON id = tag_id") == [["m/b"]]


def test_samples_do_not_become_another_tags(database):
    with database.sink() as sink:
        sink.delivered(row("m/a"), row("m/b"))
        database.sql("ALTER TABLE weir_tags RENAME TO aside")
    with database.sink() as sink:
        expect(sink.send(row("m/b")), "misconfigured", '"weir_samples" has samples of its tags', "restore")
        database.sql("ALTER TABLE aside RENAME TO weir_tags")
        sink.delivered(row("m/b", ts=0))


@pytest.mark.row(47)
def test_tables_missing_are_not_made_if_they_must_not(database):
    with database.sink(create_tables="false") as sink:
        expect(sink.send(row()), "misconfigured", '"weir_samples" does not exist', "weir sink schema driven | psql")
        ddl = sink.do("schema")["schema"]
        database.sql(ddl)
        sink.delivered(row())


@pytest.mark.row(47)
def test_column_dropped_is_named(database):
    with database.sink() as sink:
        sink.delivered(row())
        database.sql("ALTER TABLE weir_samples DROP COLUMN raw")
        expect(sink.send(row(ts=0)), "misconfigured", 'column "raw"')
        expect(sink.send(row(ts=0)), "misconfigured", "no column raw", "ADD COLUMN raw bytea")
        database.sql("ALTER TABLE weir_samples ADD COLUMN raw bytea")
        sink.delivered(row(ts=0))


@pytest.mark.parametrize("ddl, why, remedy", [
    ("ALTER num TYPE real", 'column num of table "public"."weir_samples" is of type real, weir writes double precision',
     "TYPE double precision"),
    ("ALTER exact TYPE numeric(10,2)", "is of type numeric(10,2)", "TYPE numeric"),
    ("ALTER ts TYPE timestamp(3) with time zone", "is of type timestamp(3) with time zone", "TYPE timestamp with time zone"),
    ("ALTER txt SET NOT NULL", "column txt", "DROP NOT NULL"),
    ("ADD site text NOT NULL", "column site (text)", "DROP NOT NULL"),
    ("DROP CONSTRAINT weir_samples_pkey", "no unique index on (tag_id, ts, epoch)", "CREATE UNIQUE INDEX"),
])
def test_table_that_does_not_fit_is_said_with_column_and_type(database, ddl, why, remedy):
    with database.sink() as sink:
        database.sql(sink.do("schema")["schema"])
        database.sql(f"ALTER TABLE weir_samples {ddl}")
        expect(sink.send(row()), "misconfigured", why, remedy)


def test_tables_of_ones_own_are_used(database):
    database.sql("""CREATE SCHEMA "Plant 1"; SET search_path = "Plant 1";
        CREATE DOMAIN words AS varchar(40);
        CREATE TABLE points (id bigserial PRIMARY KEY, site text NOT NULL DEFAULT 'here', store uuid, uid bigint, name varchar, device
            text, description text, unit words, type text, address text, labels jsonb, seq numeric(20,0), UNIQUE (uid, store));
        CREATE TABLE "values" (epoch bigint, quality words, cause varchar(20), ts timestamptz(6), tag_id bigint, seq numeric(20,0),
            num float8, txt text, exact numeric, raw bytea, come timestamptz NOT NULL DEFAULT now());
        CREATE UNIQUE INDEX ON "values" (ts, tag_id, epoch)""")
    with database.sink(schema="Plant 1", tags_table="points", samples_table="values", create_tables="false") as sink:
        sink.delivered(row(kind="u64", value=str(2**64 - 1), seq=2**62, epoch=1))
        sink.delivered(row(kind="string", value="x", seq=2**62 + 1, epoch=1))
        assert sink.do("test")["result"] == "delivered"
    assert database.sql('SELECT site, name, epoch, v.seq, num, txt FROM "Plant 1".points JOIN "Plant 1"."values" v ON id = tag_id') == [
        ["here", "m/p", "1", str(2**62 + 1), None, "x"]]


def test_two_sinks_that_make_their_tables_at_once(database):
    sinks = [database.sink(schema="made") for _ in range(4)]
    for i, sink in enumerate(sinks):
        sink.order("send", rows=[row(uid=i + 1)])
    for sink in sinks:
        answer = sink.answer()
        if answer["result"] != "delivered":  # the schema was made by another meanwhile
            assert answer["result"] == "later", answer
            sink.delivered(row(ts=T0 + S))
        sink.stop()
    assert database.sql("SELECT count(*) FROM made.weir_tags") == [["4"]]


def test_hypertable_where_timescale_is(database):
    # Not in Debian: what is called is recorded by a function with the signature of Timescale 2's manual.
    database.sql("""CREATE SCHEMA ts; CREATE TABLE ts.calls (relation text, dimension text, span interval);
        CREATE FUNCTION ts.create_hypertable(relation regclass, time_column_name name, partitioning_column name DEFAULT NULL,
            number_partitions integer DEFAULT NULL, chunk_time_interval anyelement DEFAULT NULL::bigint) RETURNS void LANGUAGE sql
            AS $$INSERT INTO ts.calls VALUES (relation::text, time_column_name, chunk_time_interval::text::interval)$$;
        SET allow_system_table_mods = on;
        INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
            VALUES (99999, 'timescaledb', 10, 'ts'::regnamespace, false, '2.11')""")
    with database.sink() as sink:
        sink.delivered(row())
        sink.delivered(row(ts=0))
    assert database.sql("SELECT * FROM ts.calls") == [["weir_samples", "ts", "7 days"]]


def test_emdc_tables(database):
    with database.sink(layout="emdc") as sink:
        rows = [row("UW/Mercer/V_AN", value="272.836669921875"), row("UW/Mercer/V_BN", kind="decimal", value="2301e-1"),
                row("UW/Mercer/on", kind="bool", value="true"), row("UW/Mercer/bad", quality="bad")]
        sink.delivered(*rows)
        sink.delivered(*rows)
        sink.delivered(row("UW/Mercer/V_AN", value="5"))
        sink.delivered(row("UW/Mercer/bad", ts=0, quality="bad"))
    assert database.sql("SELECT extract(epoch FROM ts)::bigint, topic_name, value_string FROM data NATURAL JOIN topics ORDER BY "
                        "topic_name") == [["1700000000", "UW/Mercer/V_AN", "5"], ["1700000000", "UW/Mercer/V_BN", "230.1"],
                                          ["1700000000", "UW/Mercer/on", "1"]]


def test_emdc_table_without_zone_gets_utc(database):
    database.sql("""CREATE TABLE topics (topic_id serial PRIMARY KEY, topic_name varchar(512) NOT NULL UNIQUE);
        CREATE TABLE data (ts timestamp(6) NOT NULL DEFAULT now(), topic_id integer NOT NULL, value_string text NOT NULL);
        CREATE UNIQUE INDEX ts ON data (ts, topic_id);
        INSERT INTO topics (topic_name) VALUES ('m/p')""")
    with database.sink(layout="emdc") as sink:
        sink.delivered(row("m/p"), row("m/q"))
    assert database.sql("SELECT ts, topic_id, value_string FROM data ORDER BY 2") == [
        ["2023-11-14 22:13:20", "1", "1.5"], ["2023-11-14 22:13:20", "2", "1.5"]]


# --- test -----------------------------------------------------------------------------------------


def test_test_tries_all_and_leaves_nothing(database, server):
    with database.sink() as sink:
        answer = sink.do("test")
        assert answer["result"] == "delivered" and 0 < answer["latency_us"] < 10 * S, answer
        assert answer["peer"].startswith("PostgreSQL ") and f"database {database.name}, no TLS" in answer["peer"]
        assert database.sql("SELECT to_regclass('weir_tags'), to_regclass('weir_samples')") == [[None, None]]
        sink.delivered(row())
        assert sink.do("test")["result"] == "delivered"
    assert database.sql("SELECT (SELECT count(*) FROM weir_samples), (SELECT count(*) FROM weir_tags)") == [["1", "1"]]


# --- wrong turns ----------------------------------------------------------------------------------


def both(sink, trouble, why, remedy=""):
    """send and test say the same."""
    with sink:
        expect(sink.do("test"), trouble, why, remedy)
        expect(sink.send(row()), trouble, why, remedy)


def role(database, name="asked", more="LOGIN PASSWORD 'right'"):
    if not database.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'"):
        database.sql(f"CREATE ROLE {name} {more}")


def test_wrong_port(database):
    port = pgserver.free_port()
    both(database.sink(url=f"postgresql://postgres@127.0.0.1:{port}/x"), "offline", "Connection refused",
         f"pg_isready -h 127.0.0.1 -p {port}")


def test_wrong_socket_folder(database, tmp_path):
    both(database.sink(url=f"host={tmp_path} user=postgres dbname=x"), "offline", "No such file", "pg_isready")


def test_unknown_host(database):
    both(database.sink(url="postgresql://postgres@no-such-host.invalid/x", sslmode="disable"), "offline",
         "could not translate host name", "getent hosts no-such-host.invalid")


@pytest.mark.row(44)
def test_wrong_password(database, server):
    role(database)
    url = f"postgresql://asked@127.0.0.1:{server.port}/{database.name}"
    both(database.sink(url=url, password="wrong-secret"), "refused", "password authentication failed", "password_file")
    both(database.sink(url=url), "refused", "no password supplied", "password_file")


def test_password_from_a_file_is_read_at_each_connection(database, server, tmp_path):
    role(database)
    database.sql("GRANT ALL ON SCHEMA public TO asked")
    file = tmp_path / "password"
    with database.sink(url=f"postgresql://asked@127.0.0.1:{server.port}/{database.name}", password_file=file) as sink:
        expect(sink.send(row()), "misconfigured", str(file))
        file.write_text("wrong\n")
        expect(sink.send(row()), "refused", "28P01")
        file.write_text("right\n")
        sink.delivered(row())


def test_unknown_role(database, server):
    both(database.sink(url=server.conninfo(database.name, "nobody_of_that_name")), "refused",
         'role "nobody_of_that_name" does not exist', "pg_hba.conf")


def test_unknown_database(database, server):
    both(database.sink(url=server.conninfo("no_such_database")), "misconfigured", 'database "no_such_database" does not exist (3D000)',
         "createdb")


def test_missing_rights(database, server):
    role(database, "poor", "LOGIN")
    url = server.conninfo(database.name, "poor")
    both(database.sink(url=url), "refused", "permission denied for schema public (42501)", "GRANT")
    with database.sink() as sink:
        database.sql(sink.do("schema")["schema"])
    database.sql("GRANT SELECT, INSERT, UPDATE ON weir_tags TO poor")
    both(database.sink(url=url), "refused", "permission denied for table weir_samples (42501)", 'INSERT, UPDATE ON "public"."weir_tags"')
    database.sql(f"GRANT INSERT ON weir_samples TO poor; REVOKE TEMPORARY ON DATABASE {database.name} FROM PUBLIC")
    with database.sink(url=url) as sink:
        sink.delivered(row())
        expect(sink.do("test"), "refused", "temporary tables", "GRANT TEMPORARY ON DATABASE")
        expect(sink.send(row()), "refused", "temporary tables", "GRANT TEMPORARY ON DATABASE")  # the same again
        database.sql(f"GRANT TEMPORARY ON DATABASE {database.name} TO poor")
        expect(sink.send(row()), "refused", "permission denied for table weir_samples", "SELECT, INSERT, UPDATE")
        database.sql("GRANT SELECT, UPDATE ON weir_samples TO poor")
        sink.delivered(row())
        assert sink.do("test")["result"] == "delivered"


def test_missing_schema(database):
    with database.sink(schema="elsewhere", create_tables="false") as sink:
        expect(sink.send(row()), "misconfigured", '"elsewhere"."weir_samples" does not exist', "weir sink schema driven")


def test_too_many_connections(database):
    role(database, "few", "LOGIN CONNECTION LIMIT 1")
    database.sql("GRANT ALL ON SCHEMA public TO few")
    url = database.server.conninfo(database.name, "few")
    with database.sink(url=url) as first, database.sink(url=url) as second:
        first.delivered(row())
        expect(second.send(row()), "busy", "too many connections for role", "max_connections")
        assert first.do("test")["trouble"] == "busy"


def test_server_that_only_reads(database):
    database.sql(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    both(database.sink(), "misconfigured", "read-only transaction (25006)", "target_session_attrs=read-write")


@pytest.mark.parametrize("code, trouble, remedy", [("53100", "full", "make room"), ("53200", "busy", ""), ("40P01", "busy", ""),
                                                   ("57P01", "offline", ""), ("58030", "offline", "log")])
@pytest.mark.row(47)
def test_errors_that_are_not_of_a_row(database, code, trouble, remedy):
    with database.sink() as sink:
        sink.delivered(row())
        database.sql(RAISE.format(code))
        expect(sink.send(row(ts=0, value="2000")), trouble, f"too much ({code})", remedy)
        sink.delivered(row(ts=0, value="1"))


def test_server_that_starts_or_stops(database, server):
    with database.sink() as sink:
        sink.delivered(row())
        server.stop()
        expect(sink.send(row(ts=0)), "offline", "")
        expect(sink.send(row(ts=0)), "offline", "failed")
        server.start()
        sink.delivered(row(ts=0))


def test_lock_is_not_waited_for_longer_than_the_deadline(database):
    with database.sink() as sink:
        sink.delivered(row())
        holder = subprocess.Popen(["psql", "-XAtqc", "BEGIN", "-c", "LOCK weir_samples", "-c", "SELECT 'held'", "-c",
                                   "SELECT pg_sleep(600)", database.url], stdout=subprocess.PIPE, text=True)
        try:
            wait_until("locked", lambda: database.sql(
                "SELECT 1 FROM pg_locks WHERE relation = 'weir_samples'::regclass AND mode = 'AccessExclusiveLock' AND granted"))
            began = time.monotonic()
            answer = sink.send(row(ts=0), deadline=1)
            assert answer["result"] == "later" and answer["trouble"] in ("busy", "offline"), answer
            assert 0.5 < time.monotonic() - began < 5
            # And no session of ours goes on waiting over there.
            wait_until("nobody waits", lambda: not database.sql(
                "SELECT 1 FROM pg_locks WHERE relation = 'weir_samples'::regclass AND NOT granted"))
        finally:
            database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND pid <> "
                         "pg_backend_pid()")
            holder.wait(20)
            holder.stdout.close()
        sink.delivered(row(ts=0))


def serve_once(answer):
    """A server that is none: says this to whoever connects, None nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept = []

    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            kept.append(client)
            if answer is not None:
                client.recv(4096)
                client.sendall(answer)
                client.close()

    threading.Thread(target=serve, daemon=True).start()
    return listener


def test_server_that_accepts_and_never_answers(database):
    with serve_once(None) as listener:
        began = time.monotonic()
        url = f"postgresql://postgres@127.0.0.1:{listener.getsockname()[1]}/x"
        both(database.sink(url=url, connect_timeout="300ms"), "offline", "does not answer in time", "pg_isready")
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("sslmode", ["disable", "require"])
def test_something_else_at_that_port(database, sslmode):
    with serve_once(b"HTTP/1.1 400 Bad Request\r\n\r\n") as listener:
        url = f"postgresql://postgres@127.0.0.1:{listener.getsockname()[1]}/x"
        both(database.sink(url=url, sslmode=sslmode), "misconfigured", "invalid response" if sslmode == "require" else "expected auth",
             "that is not PostgreSQL")


@pytest.mark.parametrize("options, words", [
    ({"url": "postgresql://u:topsecret@host/db"}, "password_file"),
    ({"url": "host=x password=topsecret"}, "password_file"),
    ({"url": "postgresql://host/db?sslmode=prefer"}, "plain text"),
    ({"url": "postgresql://u:topsecret%zz@host/db"}, "postgresql://host:5432/database"),
    ({"url": "host=x", "ssl_cert": "/x"}, "belong together"),
    ({"url": "host=x", "samples_table": "x" * 64}, "63 bytes"),
    ({"url": "host=x", "password": "topsecret", "password_file": "/x"}, "not both"),
])
def test_options_that_make_no_sense(options, words):
    errors = rejected("postgres", **options)
    assert words in errors and "topsecret" not in errors


# --- TLS ------------------------------------------------------------------------------------------


class Certificates:
    """A CA and what it vouches for, made with openssl."""

    def __init__(self, folder):
        self.folder = folder
        for ca in ("ca", "other"):
            self.openssl("req", "-x509", "-newkey", *KEY, "-nodes", "-keyout", f"{ca}.key", "-out", f"{ca}.crt", "-subj",
                         f"/CN=weir test {ca}", "-days", "30")

    def openssl(self, *command):
        subprocess.run(["openssl", *command], cwd=self.folder, check=True, capture_output=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def make(self, name, names, days=20):
        """names: '127.0.0.1' and the like; days below 0: expired so long ago."""
        now = time.time()
        stamps = [time.strftime("%y%m%d%H%M%SZ", time.gmtime(now + at * 86400)) for at in (min(days, 0) - 10, days)]
        config = self.path(name + ".cnf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={name}.db\nnew_certs_dir=.\nserial={name}.serial\ndefault_md=sha256\n"
                       f"policy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n[e]\nsubjectAltName={names}\n")
        open(self.path(name + ".db"), "w", encoding="utf-8").close()
        with open(self.path(name + ".serial"), "w", encoding="utf-8") as file:
            file.write("01\n")
        self.openssl("req", "-newkey", *KEY, "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", f"/CN={name}")
        self.openssl("ca", "-batch", "-config", name + ".cnf", "-cert", "ca.crt", "-keyfile", "ca.key", "-in", name + ".csr", "-out",
                     name + ".crt", "-startdate", stamps[0], "-enddate", stamps[1], "-notext")
        os.chmod(self.path(name + ".key"), 0o600)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    made = Certificates(str(tmp_path_factory.mktemp("certificates")))
    made.make("good", "IP:127.0.0.1")
    made.make("expired", "IP:127.0.0.1", days=-12)
    made.make("weir", "DNS:weir")
    return made


@pytest.fixture(scope="module")
def tls_server(certificates):
    files = {f"{name}.{end}": certificates.read(f"{name}.{end}") for name in ("good", "expired") for end in ("crt", "key")}
    files["ca.crt"] = certificates.read("ca.crt")
    # Role `shown` must show a certificate, everybody else encrypts or stays out.
    hba = ["hostssl all shown 127.0.0.1/32 trust clientcert=verify-ca", "hostssl all postgres 127.0.0.1/32 trust",
           "hostnossl all all 127.0.0.1/32 reject"]
    settings = {"ssl": "on", "ssl_cert_file": "../good.crt", "ssl_key_file": "../good.key", "ssl_ca_file": "../ca.crt", "fsync": "off"}
    running = pgserver.PgServer(settings, hba, files)
    running.sql("CREATE ROLE shown LOGIN SUPERUSER")
    yield running
    running.remove()


def certificate_use(server, name):
    server.sql(f"ALTER SYSTEM SET ssl_cert_file = '../{name}.crt'")
    server.sql(f"ALTER SYSTEM SET ssl_key_file = '../{name}.key'")
    server.sql("SELECT pg_reload_conf()")
    wait_until("reloaded", lambda: server.sql("SHOW ssl_cert_file") == [[f"../{name}.crt"]])


@pytest.mark.row(44)
def test_tls_is_verified(tls_server, certificates):
    certificate_use(tls_server, "good")
    url = f"postgresql://postgres@127.0.0.1:{tls_server.port}/postgres"
    with postgres(url=url, sslmode="verify-full", ssl_root_cert=certificates.path("ca.crt")) as sink:
        answer = sink.do("test")
        assert answer["result"] == "delivered" and "TLS 1." in answer["peer"], answer
        sink.delivered(row())
    both(postgres(url=url, sslmode="verify-full", ssl_root_cert=certificates.path("other.crt")), "refused",
         "/CN=good is vouched for by /CN=weir test ca, which is not in", "ssl_root_cert")
    both(postgres(url=url, sslmode="verify-full"), "refused", "which is not in /etc/ssl/certs", "ssl_root_cert")
    both(postgres(url=url, sslmode="verify-full", ssl_root_cert="/nonexistent/ca.crt"), "misconfigured", "/nonexistent/ca.crt",
         "ssl_root_cert")
    both(postgres(url=url.replace("127.0.0.1", "localhost"), sslmode="verify-full", ssl_root_cert=certificates.path("ca.crt")), "refused",
         "does not match host name \"localhost\"", "the name that the certificate is for")


@pytest.mark.row(44)
def test_certificate_that_expired_and_one_that_will(tls_server, certificates):
    url = f"postgresql://postgres@127.0.0.1:{tls_server.port}/postgres"
    certificate_use(tls_server, "expired")
    both(postgres(url=url, sslmode="verify-full", ssl_root_cert=certificates.path("ca.crt")), "refused",
         "the server's certificate /CN=expired expired on 20", "renew the certificate of the server 127.0.0.1")
    certificate_use(tls_server, "good")
    sink = postgres(url=url, sslmode="verify-full", ssl_root_cert=certificates.path("ca.crt"))
    sink.delivered(row("m/expiry"))
    assert "expires in 19 days" in sink.stop()


@pytest.mark.row(44)
def test_nothing_falls_back_to_plain_text(tls_server, server, certificates):
    plain = f"postgresql://postgres@127.0.0.1:{server.port}/postgres"
    both(postgres(url=plain, sslmode="verify-full", ssl_root_cert=certificates.path("ca.crt")), "refused",
         "server does not support SSL, but SSL was required", "ssl = on")
    # A server elsewhere is verified without being told. 127.0.0.1 in this form is not known to be here.
    both(postgres(url=f"postgresql://postgres@2130706433:{server.port}/postgres"), "refused", "server does not support SSL", "ssl = on")
    both(postgres(url=f"postgresql://postgres@127.0.0.1:{tls_server.port}/postgres"), "refused", "no encryption", "sslmode")


def test_own_certificate(tls_server, certificates):
    certificate_use(tls_server, "good")
    url = f"postgresql://shown@127.0.0.1:{tls_server.port}/postgres"
    options = {"url": url, "sslmode": "verify-full", "ssl_root_cert": certificates.path("ca.crt")}
    both(postgres(**options), "refused", "requires a valid client certificate", "pg_hba.conf")
    both(postgres(**options, ssl_cert="/nonexistent/weir.crt", ssl_key="/nonexistent/weir.key"), "misconfigured", "/nonexistent/weir.crt",
         "ssl_cert")
    with postgres(**options, ssl_cert=certificates.path("weir.crt"), ssl_key=certificates.path("weir.key")) as sink:
        sink.delivered(row("m/shown"))
