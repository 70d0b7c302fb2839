"""The dashboard of pxmon: what is served to whom, the live stream, and the restart."""
import asyncio
import contextlib
import http.client
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess

import pytest
import websockets
import websockets.exceptions

from px_tools import DEADLINE_S, SOURCE, Writer, bus_name, remove, stat, until
from px_tools import feeder, writer  # noqa: F401  (fixtures)
from pxmon import certificate, mon  # noqa: F401  (fixtures)

SYMBOL = "binance:BTCUSDT"
WEB = SOURCE / "tools" / "pxmon" / "web"
TOKEN = "a-token-of-this-test-0123456789"


def page(m, **headers):
    reply = m.ask("/", **headers)
    assert reply.status == 200, reply.text
    return reply


def meta(text, name):
    return re.search(rf'<meta name="{name}" content="([^"]*)">', text)[1]


def live(m, count=1, protocol="px-live", path="/live", **headers):
    """The first messages of the live stream."""
    async def read():
        context = None
        if m.scheme == "https":
            context = ssl._create_unverified_context()
        url = f"{'wss' if context else 'ws'}://127.0.0.1:{m.port}{path}"
        async with websockets.connect(url, subprotocols=[protocol], ssl=context, max_size=None,
                                      extra_headers={k.replace("_", "-"): v for k, v in headers.items()},
                                      origin=None) as ws:
            return [json.loads(await asyncio.wait_for(ws.recv(), DEADLINE_S)) for _ in range(count)]
    return asyncio.run(read())


def refused(m, **how):
    with pytest.raises((websockets.exceptions.WebSocketException, OSError, EOFError)):
        live(m, **how)


# -- the page --

def test_everything_that_the_page_names_is_served_by_itself(mon):  # noqa: F811
    m = mon(bus_name())
    named = set(re.findall(r'(?:src|href)="([^"#]+)"', page(m).text))
    for name in ("app.js", "login.html"):
        named |= set(re.findall(r'(?:from |href=|src=)"([^"#]+)"', (WEB / name).read_text(encoding="utf-8")))
    assert len(named) > 6
    for path in named - {"/"}:
        assert path.startswith("/"), path
        reply = m.ask(path)
        assert reply.status in (200, 503), path
        if path.endswith((".js", ".css", ".svg")):
            name = path[1:]
            source = WEB / name if (WEB / name).exists() else WEB / "vendor" / name
            assert reply.body == source.read_bytes()


def test_nothing_is_asked_for_from_outside():
    """Comments and name spaces may hold an address; nothing else does."""
    for path in [p for p in WEB.rglob("*") if p.is_file() and "LICENSE" not in p.name]:
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"/\*.*?\*/|xmlns=\"[^\"]+\"", "", text, flags=re.S)
        assert not re.search(r"(https?|wss?)://(?!\$\{)", text), path
        assert not re.search(r"\b(eval|innerHTML|outerHTML|document\.write)\b", text) or "uPlot" in path.name, path
    for name in ("index.html", "login.html"):
        text = (WEB / name).read_text(encoding="utf-8")
        assert not re.search(r"<script(?![^>]*src=)|\bon\w+=|style=", text), name


def test_the_policy_of_the_page_is_strict(mon):  # noqa: F811
    policy = page(mon(bus_name())).headers["content-security-policy"]
    rules = dict(r.strip().split(" ", 1) for r in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["frame-ancestors"] == "'none'"
    for kind in ("script-src", "style-src", "connect-src", "img-src"):
        assert rules[kind] == "'self'"


def test_scripts_are_well_formed(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    for path in WEB.glob("*.js"):
        module = tmp_path / (path.stem + ".mjs")
        module.write_bytes(path.read_bytes())
        done = subprocess.run([node, "--check", module], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_every_element_that_the_scripts_use_is_in_the_page():
    html = (WEB / "index.html").read_text(encoding="utf-8")
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    script = (WEB / "app.js").read_text(encoding="utf-8")
    used = set(re.findall(r'(?:\$|text|level)\("([a-z-]+)"', script))
    assert len(used) > 15 and used <= set(ids), used - set(ids)
    charts = re.findall(r'\{id: "(\w+)"', (WEB / "charts.js").read_text(encoding="utf-8"))
    assert len(charts) == 5
    for chart in charts:
        assert f"chart-{chart}" in ids and f"summary-{chart}" in ids
    # what is pointed at by its id is there
    for target in re.findall(r'(?:aria-labelledby|aria-describedby|for|href)="#?([a-z-]+)"', html):
        assert target in ids, target


def test_the_charts_draw_columns_that_exist():
    columns = re.findall(r"X\((\w+), \"", (SOURCE / "tools/history/columns.h").read_text(encoding="utf-8"))
    script = (WEB / "charts.js").read_text(encoding="utf-8")
    used = re.findall(r'\["[^"]+", "(\w+)"', script)
    assert len(used) > 8 and set(used) <= set(columns)


# -- numbers --

def test_state_is_what_pxstat_prints(mon, writer):  # noqa: F811
    writer.say(f"bind {SYMBOL}", f"pin {SYMBOL} 2 3", f"quality {SYMBOL} 0 0", f"trade {SYMBOL} 1.0 2.0")
    m = mon(writer.bus)
    m.ready(200)
    mine, theirs = m.ask("/api/state"), stat(writer.bus)
    assert mine.headers["content-type"] == "application/json"
    mine = json.loads(mine.text)
    assert mine["stat"].keys() == theirs.keys()
    assert mine["stat"]["subscriptions"][0]["symbol"] == SYMBOL
    assert mine["stat"]["bus"] == theirs["bus"]
    assert mine["health"]["word"] == "OK" and mine["bus"] == writer.bus
    assert len(mine["columns"]) == len(mine["row"])


def test_history_comes_in_columns(mon, feeder):  # noqa: F811
    m = mon(feeder.bus)

    def ticking():
        data = json.loads(m.ask("/api/history?range=600").text)
        at = data["columns"].index("ticks_per_s")
        return data if any(r[at] for r in data["rows"]) else None
    data = until(ticking, "a row that ticks")
    assert data["step_s"] == 1 and all(len(r) == len(data["columns"]) for r in data["rows"])
    assert json.loads(m.ask("/api/history?range=86400").text)["step_s"] > 60
    for bad in ("", "?range=", "?range=x", "?range=-1", "?range=1e99", "?range=nan", "?other=1"):
        assert m.ask("/api/history" + bad).status == 400, bad


# -- the live stream --

def test_the_live_stream_brings_each_second(mon, writer):  # noqa: F811
    m = mon(writer.bus)
    messages = live(m, 3)
    times = [x["row"][0] for x in messages]
    assert times == sorted(set(times)) and len(times) == 3
    assert messages[-1]["stat"]["bus"]["name"] == writer.bus


def test_the_live_stream_goes_on_without_a_bus_and_with_a_new_one(mon):  # noqa: F811
    m = mon(bus_name())
    (message,) = live(m)
    assert message["stat"] is None and message["health"]["state"] == "absent"
    w = Writer(m.bus)
    try:
        until(lambda: live(m)[0]["stat"] is not None, "the bus in the stream")
    finally:
        w.end()
        remove(m.bus)


def test_the_live_stream_is_for_our_own_page_only(mon):  # noqa: F811
    m = mon(bus_name())
    assert live(m, Origin=f"http://127.0.0.1:{m.port}")
    refused(m, Origin="http://evil.example")
    refused(m, Origin=f"https://127.0.0.1:{m.port}")
    refused(m, Origin="null")
    refused(m, path="/other")
    refused(m, protocol="chat")
    assert live(m)


def test_the_live_stream_is_not_for_a_foreign_name_of_loopback(mon):  # noqa: F811
    m = mon(bus_name())
    handshake = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13",
                 "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec_WebSocket_Protocol": "px-live"}
    with pytest.raises((OSError, http.client.HTTPException)):
        m.ask("/live", Host="rebound.example", **handshake)


def test_a_client_that_talks_is_ended(mon):  # noqa: F811
    m = mon(bus_name())

    async def talk():
        async with websockets.connect(f"ws://127.0.0.1:{m.port}/live", subprotocols=["px-live"]) as ws:
            await ws.send("anything")
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                while True:
                    await asyncio.wait_for(ws.recv(), DEADLINE_S)
    asyncio.run(talk())


def connections(m):
    text = m.ask("/metrics").text
    return int(re.search(r'px_mon_connections\{kind="live"\} (\d+)', text)[1])


def test_a_client_that_does_not_read_is_dropped(mon, new_wide_bus):  # noqa: F811
    """Its share of the server is bounded, and others see nothing of it."""
    m = mon(new_wide_bus)
    until(lambda: len(json.dumps(live(m)[0])) > 200000, "large messages")
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect((m.host, m.port))
    try:
        slow.sendall(f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{m.port}\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: px-live\r\n\r\n".encode())
        until(lambda: connections(m) == 1, "the client is in the stream")
        assert live(m)
        until(lambda: connections(m) == 0, "it is dropped", 60)
        assert live(m)
    finally:
        slow.close()


@pytest.fixture
def new_wide_bus():
    w = Writer(capacity=2000, ring=8192)
    for i in range(1500):
        w.say(f"bind binance:SYMBOL{i}", f"pin binance:SYMBOL{i} 2 3", f"text binance:SYMBOL{i} {'words ' * 15}")
    yield w.bus
    w.end()
    remove(w.bus)


# -- the restart --

def ask_restart(m, secret=None, **headers):
    headers.setdefault("Origin", m.origin)
    if secret is not None:
        headers["Authorization"] = f"Bearer {secret}"
    return m.ask("/api/restart", method="POST", **{k: v for k, v in headers.items() if v})


def phase(m):
    return json.loads(m.ask("/api/state").text)["restart"]


def test_a_restart_shows_its_progress_until_prices_flow(mon, feeder):  # noqa: F811
    m = mon(feeder.bus)
    m.ready(200)
    secret = meta(page(m).text, "px-secret")
    assert len(secret) == 64
    before = stat(feeder.bus)["bus"]["epoch"]
    assert ask_restart(m, secret).status == 202
    until(lambda: phase(m)["phase"] in ("done", "failed"), lambda: str(phase(m)), 60)
    done = phase(m)
    assert done["phase"] == "done" and "prices flow in epoch" in done["text"]
    assert (done["epoch_before"], done["epoch"]) == (before, before + 1)
    order = ["asked", "down", "connecting", "warming", "done"]
    assert list(done["at_ms"]) == order
    assert sorted(done["at_ms"].values()) == list(done["at_ms"].values())
    assert done["symbols_live"] == done["symbols"] > 0
    assert done["connections_live"] == done["connections"] > 0
    assert 0 < done["blackout_ms"] and f"blackout {done['blackout_ms']:.1f} ms" in done["text"]
    assert stat(feeder.bus)["bus"]["epoch"] == before + 1
    assert "restart from the browser" in m.said()


def test_a_restart_that_takes_its_time_is_followed_between_two_seconds(mon, feeder):  # noqa: F811
    """Exchanges that do not answer keep it where one can look at it."""
    m = mon(feeder.bus)
    m.ready(200)
    feeder.signal_exchanges(signal.SIGSTOP)
    assert ask_restart(m, meta(page(m).text, "px-secret")).status == 202
    until(lambda: phase(m)["phase"] == "connecting", lambda: str(phase(m)))
    news = until(lambda: [x for x in live(m, 4) if "stat" not in x], "a message between two seconds")
    for message in news:
        assert message["restart"]["phase"] == "connecting" and message["health"]["word"]
        assert message["restart"]["connections_live"] == message["restart"]["symbols_live"] == 0
    feeder.signal_exchanges(signal.SIGCONT)
    until(lambda: phase(m)["phase"] == "done", lambda: str(phase(m)), 60)


def test_browsers_are_let_say_their_origin(mon):  # noqa: F811
    """Under no-referrer a browser sends Origin: null with a POST, and no restart could be asked for."""
    assert page(mon(bus_name())).headers["referrer-policy"] == "same-origin"


def test_a_restart_needs_our_origin_and_the_secret(mon, feeder):  # noqa: F811
    m = mon(feeder.bus)
    m.ready(200)
    secret = meta(page(m).text, "px-secret")
    assert ask_restart(m, secret, Origin="").status == 403
    assert ask_restart(m, secret, Origin="http://evil.example").status == 403
    assert ask_restart(m, secret, Origin="null").status == 403
    assert ask_restart(m, secret, Host="evil.example", Origin="http://evil.example").status == 421
    assert ask_restart(m).status == 403
    assert ask_restart(m, "").status == 403
    assert ask_restart(m, secret[:-1]).status == 403
    assert ask_restart(m, "0" * 64).status == 403
    assert m.ask("/api/restart", Authorization=f"Bearer {secret}", Origin=m.origin).status == 405
    assert phase(m)["phase"] == "idle" and stat(feeder.bus)["bus"]["epoch"] == 1


def test_secrets_are_of_one_process(mon):  # noqa: F811
    one, other = mon(bus_name()), mon(bus_name())
    secrets = {meta(page(m).text, "px-secret") for m in (one, one, other)}
    assert len(secrets) == 2


def test_read_only_refuses_and_gives_no_secret(mon, feeder):  # noqa: F811
    m = mon(feeder.bus, "--read-only")
    m.ready(200)
    text = page(m).text
    assert meta(text, "px-secret") == "" and meta(text, "px-restart") == "off"
    reply = ask_restart(m, "")
    assert reply.status == 403 and "read-only" in reply.text


def test_a_feeder_that_hangs_is_said_and_keeps_nobody_waiting(mon, feeder):  # noqa: F811
    m = mon(feeder.bus)
    m.ready(200)
    secret = meta(page(m).text, "px-secret")
    feeder.process.send_signal(signal.SIGSTOP)
    assert ask_restart(m, secret).status == 202
    assert m.ask("/healthz").status == 200
    assert ask_restart(m, secret).status == 409
    until(lambda: phase(m)["phase"] == "failed", lambda: str(phase(m)))
    assert "does not answer" in phase(m)["text"]
    feeder.process.send_signal(signal.SIGCONT)


def test_without_a_bus_there_is_nothing_to_restart(mon):  # noqa: F811
    m = mon(bus_name())
    assert ask_restart(m, meta(page(m).text, "px-secret")).status == 503


# -- with a token --

@pytest.fixture
def guarded(mon, feeder, certificate, tmp_path):  # noqa: F811
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    m = mon(feeder.bus, "--tls-cert", certificate[0], "--tls-key", certificate[1], "--token-file", token,
            listen="0.0.0.0:0")
    m.host = "127.0.0.1"
    return m


def test_with_a_token_only_life_and_the_login_are_open(guarded):
    assert guarded.ask("/healthz").status == 200
    for path in ("/readyz", "/metrics", "/api/state", "/api/history?range=60", "/nothing"):
        assert guarded.ask(path).status == 401, path
        assert guarded.ask(path, Authorization="Bearer wrong-token-of-this-test-012345").status == 401, path
    form = guarded.ask("/")
    assert form.status == 401 and 'id="token"' in form.text and "px-secret" not in form.text
    assert guarded.ask("/login.js").status == 200
    refused(guarded)
    assert guarded.ask("/metrics", Authorization=f"Bearer {TOKEN}").status == 200
    assert live(guarded, Authorization=f"Bearer {TOKEN}")


def test_a_login_gives_a_cookie_that_no_script_and_no_other_site_has(guarded):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {TOKEN}", "Origin": "https://evil.example"}):
        headers.setdefault("Origin", guarded.origin)
        reply = guarded.ask("/login", method="POST", **headers)
        assert reply.status == 403 and reply.headers["set-cookie"] is None
    reply = guarded.ask("/login", method="POST", Origin=guarded.origin, Authorization=f"Bearer {TOKEN}")
    assert reply.status == 200
    cookie, *flags = reply.headers["set-cookie"].split("; ")
    assert set(flags) == {"Path=/", "HttpOnly", "SameSite=Strict", "Secure"} and TOKEN not in cookie
    text = page(guarded, Cookie=f"other=1; {cookie}").text
    assert meta(text, "px-secret") == "" and meta(text, "px-restart") == "token"
    assert live(guarded, Cookie=cookie, Origin=guarded.origin)
    assert guarded.ask("/", Cookie=cookie[:-1]).status == 401


def test_a_restart_needs_the_token_itself(guarded):
    reply = guarded.ask("/login", method="POST", Origin=guarded.origin, Authorization=f"Bearer {TOKEN}")
    cookie = reply.headers["set-cookie"].split(";")[0]
    guarded_ready = lambda: guarded.ask("/readyz", Cookie=cookie).status == 200  # noqa: E731
    until(guarded_ready, "the bus is healthy")
    assert ask_restart(guarded, Cookie=cookie).status == 403
    assert ask_restart(guarded, cookie.split("=")[1], Cookie=cookie).status == 403
    assert ask_restart(guarded, TOKEN, Cookie=cookie).status == 202
    until(lambda: json.loads(guarded.ask("/api/state", Cookie=cookie).text)["restart"]["phase"] == "done",
          "the restart is done", 60)


def test_plain_http_on_the_tls_port_is_refused(guarded):
    with socket.create_connection((guarded.host, guarded.port), timeout=DEADLINE_S) as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert b"ok" not in s.recv(1000)
    assert guarded.ask("/healthz").status == 200
