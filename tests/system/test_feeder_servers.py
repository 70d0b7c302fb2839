"""The feeder against WebSocket servers that are not ours: a simulator of our own cannot find our own
misunderstandings. Each sends the same frames; each must give the same ticks."""
import re
import shutil
import sys
from pathlib import Path

import pytest

import px
from px import Process, run, wait_for
from px import bus, certificates  # noqa: F401  (fixtures)
from test_feeder import BTC, expected, prices, quote, trade, write_frames

HERE = Path(__file__).parent
FRAMES = [f for i in range(1000) for f in (trade(i), quote(i))]


def check(bus, tmp_path, server, tls=None, deflate=False):  # noqa: F811
    path = write_frames(tmp_path / "frames.jsonl", FRAMES)
    argv = [*server, path, *([tls.cert, tls.key] if tls else [])]
    with Process(argv, tmp_path, "server") as process:
        match = wait_for(lambda: re.search(r"listening on (\S+)", process.out()) or
                         (not process.running() and pytest.fail(process.err())),
                         what="the server")
        options = {"tls_ca": tls.ca} if tls else {}
        if deflate:
            options["config"] = tmp_path / "feeder.ini"
            options["config"].write_text("[binance]\ndeflate = yes\n")
        bus.feeder(endpoint=f"{'wss' if tls else 'ws'}://{match.group(1)}", **options)
        tail = bus.tail_process(BTC)  # its subscription opens the connection: it misses nothing
        tail.wait_lines(lambda ticks: len(prices(ticks)) >= len(FRAMES), what="all ticks")
        assert prices(tail.lines()) == expected(FRAMES)
        assert bus.connection()["state"] == "live"
        assert (bus.counter("bytes_in") < path.stat().st_size / 2) == deflate


def python_server():
    return [sys.executable, HERE / "ws_server.py"]


def node_server():
    node = shutil.which("node", path="/usr/bin:/bin")
    if node is None or not Path("/usr/share/nodejs/ws").exists():
        pytest.skip("Debian's node with ws is not installed")
    return [node, HERE / "ws_server.mjs"]


def lws_server():
    return [px.BUILD / "tests" / "lws_server"]


def test_python_websockets_is_understood(bus, tmp_path):  # noqa: F811
    check(bus, tmp_path, python_server())


def test_python_websockets_over_tls_is_understood(bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, python_server(), certificates)


def test_node_ws_is_understood(bus, tmp_path):  # noqa: F811
    check(bus, tmp_path, node_server())


def test_node_ws_over_tls_is_understood(bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, node_server(), certificates)


def test_python_websockets_with_deflate_gives_the_same_ticks(bus, tmp_path):  # noqa: F811
    check(bus, tmp_path, python_server(), deflate=True)


def test_python_websockets_with_deflate_over_tls_gives_the_same_ticks(
        bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, python_server(), certificates, deflate=True)


def test_node_ws_with_deflate_gives_the_same_ticks(bus, tmp_path):  # noqa: F811
    check(bus, tmp_path, node_server(), deflate=True)


def test_node_ws_with_deflate_over_tls_gives_the_same_ticks(
        bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, node_server(), certificates, deflate=True)


def test_memory_of_deflate_is_planned_only_where_it_is_asked_for(bus, tmp_path):  # noqa: F811
    config = tmp_path / "feeder.ini"
    for value, planned in (("no", 0), ("yes", 1)):
        config.write_text(f"[binance]\ndeflate = {value}\n")
        plan = run("feeder", "--plan", "-c", config)
        assert plan.returncode == 0
        assert plan.stdout.count("inflating") == planned
        assert "OpenSSL's pool" in plan.stdout


def test_libwebsockets_server_is_understood(bus, tmp_path):  # noqa: F811
    check(bus, tmp_path, lws_server())


def test_libwebsockets_server_over_tls_is_understood(bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, lws_server(), certificates)
