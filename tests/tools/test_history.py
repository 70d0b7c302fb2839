"""The history that pxmon writes: what survives, what is said, and what pxstat --history shows."""
import json
import os
import re
import resource
import sqlite3
import subprocess

import pytest

from px_tools import SOURCE, bus_name, tool, until
from px_tools import feeder, writer  # noqa: F401  (fixtures)
from pxmon import mon  # noqa: F401  (fixture)

SYMBOL = "binance:BTCUSDT"


def query(db, sql, *values):
    connection = sqlite3.connect(f"file:{db}?mode=ro", uri=True, timeout=20)
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def rows(db):
    try:
        return [t for t, in query(db, "SELECT t FROM second ORDER BY t")]
    except sqlite3.OperationalError:
        return []


def history(m, *args, **how):
    return tool("pxstat", "--history", "1h", "--db", m.db, *args, bus=m.bus, **how)


def fed(m):
    """Wait for rows of a bus that ticks."""
    return until(lambda: query(m.db, "SELECT count(*) FROM second WHERE ticks > 0")[0][0] > 1,
                 "two rows with ticks")


def test_a_row_a_second_is_written(mon, feeder):  # noqa: F811
    m = mon(feeder.bus)
    fed(m)
    names = [c for c in re.findall(r"X\((\w+), ", (SOURCE / "tools/history/columns.h").read_text()) if c != "name"]
    # the feeder's first sample of its memory comes a second after its start
    wanted = f"SELECT {', '.join(names)} FROM second WHERE ticks > 0 AND rss_bytes IS NOT NULL"
    row = dict(zip(names, until(lambda: query(m.db, wanted), "a row of all")[-1]))
    assert row["samples"] == 1 and row["health"] == 0 and row["up"] == 1 and row["epoch"] == 1
    assert row["messages"] > 0 and row["connections_live"] > 0 and row["subscribed"] > 0
    assert 0 < row["p50_us"] <= row["p99_us"]
    assert row["rss_bytes"] > 1e6 and row["websocket_bytes"] > 0 and row["heap_bytes"] is not None


def test_seconds_without_a_bus_are_recorded_as_such(mon):  # noqa: F811
    m = mon(bus_name())
    until(lambda: rows(m.db), "a row")
    assert query(m.db, "SELECT health, up, ticks FROM second")[0] == (3, 0, None)


def test_kill_9_costs_a_second_at_most(mon, writer):  # noqa: F811
    for _ in range(3):
        m = mon(writer.bus)
        until(lambda: len(rows(m.db)) >= 2, "two rows")
        # what a reader or a page sees just before the kill is committed
        before, shown = rows(m.db), json.loads(m.ask("/api/state").text)["row"][0]
        m.kill()
        after = rows(m.db)
        assert after[:len(before)] == before and shown in after
        assert query(m.db, "PRAGMA quick_check") == [("ok",)]


def test_the_next_one_goes_on_in_the_same_file(mon, writer, tmp_path):  # noqa: F811
    first = mon(writer.bus, folder=tmp_path)
    until(lambda: len(rows(first.db)) >= 2, "two rows")
    first.kill()
    before = rows(first.db)
    second = mon(writer.bus, folder=tmp_path)
    until(lambda: len(rows(second.db)) > len(before), "more rows")
    assert rows(second.db)[:len(before)] == before
    assert "damaged" not in second.said()


def damage(db):
    with open(db, "r+b") as f:
        f.seek(0, os.SEEK_END)
        size = f.tell()
        f.seek(4096)
        f.write(os.urandom(size - 4096))


@pytest.mark.parametrize("how", ["garbage", "pages"])
def test_a_damaged_file_is_moved_aside_and_a_new_one_is_begun(mon, writer, tmp_path, how):  # noqa: F811
    db = tmp_path / "history.db"
    if how == "garbage":
        db.write_bytes(b"this is no database " * 500)
    else:
        first = mon(writer.bus, folder=tmp_path)
        until(lambda: rows(first.db), "a row")
        assert first.stop() == 0
        damage(db)
    before = db.read_bytes()
    m = mon(writer.bus, folder=tmp_path)
    until(lambda: rows(m.db), "rows in the new file")
    (aside,) = tmp_path.glob("history.db.damaged-*Z")
    assert aside.read_bytes() == before
    said = [x for x in m.lines() if "damaged" in x]
    assert len(said) == 1 and "moved aside with the suffix" in said[0] and aside.suffix in said[0]


def test_a_file_that_is_damaged_while_it_is_written_is_moved_aside(mon, writer, tmp_path):  # noqa: F811
    m = mon(writer.bus, folder=tmp_path)
    until(lambda: rows(m.db), "a row")
    connection = sqlite3.connect(m.db, timeout=20)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    damage(m.db)
    until(lambda: "moved aside" in m.said(), m.said)
    until(lambda: rows(m.db), "rows in the new file")
    assert m.ask("/healthz").status == 200


def test_a_newer_version_or_a_foreign_database_is_left_alone(tmp_path):
    db = tmp_path / "other.db"
    with sqlite3.connect(db) as connection:
        connection.execute("CREATE TABLE mine (x)")
    before = db.read_bytes()
    done = tool("pxmon", "--listen", "127.0.0.1:0", "--db", db, bus=bus_name())
    assert done.returncode == 1 and "another program's file" in done.stderr
    assert db.read_bytes() == before and sorted(p.name for p in tmp_path.iterdir()) == ["other.db"]


def lost(m):
    return int(re.search(r'px_mon_history_rows_total\{kind="lost"\} (\d+)', m.ask("/metrics").text)[1])


def full_then_free(m, fill, free):
    """Fill the disk: said once, everything else goes on; free it: written again."""
    until(lambda: rows(m.db), "a row")
    fill()
    until(lambda: "the history is not written" in m.said(), m.said)
    before = lost(m)
    until(lambda: lost(m) > before + 1, "more rows are lost")
    assert m.said().count("the history is not written") == 1
    assert m.ask("/healthz").status == 200
    count = len(rows(m.db))
    free()
    until(lambda: "the history is written again" in m.said(), m.said)
    until(lambda: len(rows(m.db)) > count, "more rows")
    assert query(m.db, "PRAGMA quick_check") == [("ok",)]


def test_a_full_disk_is_survived(mon, writer, tmp_path):  # noqa: F811
    """A file system of half a megabyte, filled to the last byte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder],
                             capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("cannot mount a tmpfs here")
    try:
        ballast = folder / "ballast"
        m = mon(writer.bus, folder=folder)

        def fill():
            with open(ballast, "wb", buffering=0) as f:
                try:
                    while True:
                        f.write(b"x" * 4096)
                except OSError:
                    pass
        full_then_free(m, fill, ballast.unlink)
        m.end(keep=True)
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def test_a_file_that_may_not_grow_is_survived(mon, writer):  # noqa: F811
    """ulimit -f, also for those who may not mount."""
    m = mon(writer.bus)
    unlimited = resource.prlimit(m.process.pid, resource.RLIMIT_FSIZE)
    # lines on stderr, a file too, must still fit
    full_then_free(m, lambda: resource.prlimit(m.process.pid, resource.RLIMIT_FSIZE, (8192, unlimited[1])),
                   lambda: resource.prlimit(m.process.pid, resource.RLIMIT_FSIZE, unlimited))


def test_history_is_drawn_in_the_terminal(mon, feeder):  # noqa: F811
    m = mon(feeder.bus)
    fed(m)
    done = history(m, env={"LC_ALL": "C.UTF-8"})
    assert done.returncode == 0 and done.stderr == ""
    for title in ("memory, resident: last", "growth, MB/hour: ", "ticks/s: last", "gaps: last 0",
                  "lag of the slowest reader, ticks: last 0"):
        assert title in done.stdout
    assert re.search("[▁▂▃▄▅▆▇█]", done.stdout)
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert history(m, env={"LC_ALL": "C"}).stdout.isascii()


def test_history_as_json_has_the_rows_of_the_database(mon, feeder):  # noqa: F811
    m = mon(feeder.bus)
    fed(m)
    assert m.stop() == 0
    data = json.loads(history(m, "--json").stdout)
    assert data["bus"] == m.bus and data["step_s"] == 1 and data["to"] - data["from"] == 3600
    assert [r["t"] for r in data["rows"]] == rows(m.db)
    assert data["rows"][-1]["ticks"] == query(m.db, "SELECT ticks FROM second ORDER BY t")[-1][0]


def test_no_history_is_exit_3_and_one_sentence(mon, writer, tmp_path):  # noqa: F811
    done = tool("pxstat", "--history", "1h", "--db", tmp_path / "none.db", bus=bus_name())
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"pxstat: history: no database at {tmp_path}/none.db (pxmon writes it)\n"
    m = mon(writer.bus)
    done = tool("pxstat", "--history", "1h", "--db", m.db, bus="another")
    assert done.returncode == 3 and "nothing of this bus" in done.stderr


def test_the_documented_columns_and_queries_are_right(mon, writer):  # noqa: F811
    text = (SOURCE / "docs" / "history.md").read_text(encoding="utf-8")
    header = (SOURCE / "tools" / "history" / "columns.h").read_text(encoding="utf-8")
    columns = re.findall(r'X\((\w+), "(\w+)", "([^"]+)"\)', header)
    assert len(columns) > 20
    assert columns == re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", text, re.M)
    m = mon(writer.bus)
    until(lambda: rows(m.db), "a row")
    queries = re.findall(r"```sql\n(.*?);\n```", text, re.S)
    assert len(queries) > 5
    for sql in queries:
        query(m.db, sql.replace("'md'", f"'{m.bus}'"))
