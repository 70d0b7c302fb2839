"""The control socket, seen by clients that are written by somebody else: honest, careless, hostile.
Nothing here uses libbus: the protocol is spoken by hand (libbus/wire/px/control.h)."""
import array
import fcntl
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import pytest

BUILD = os.environ.get("PX_BUILD", "build")
FEEDER = os.path.join(BUILD, "bin", "feeder")
HELLO, SUBSCRIBE, UNSUBSCRIBE, RESTART, TRIM, SHUTDOWN, RELOAD = 1, 2, 3, 4, 5, 6, 7
WELCOME, REPLY = 64, 65
VERSION = 1
SIZE = 152
TRADES, QUOTES, TICKERS = 1, 2, 4
NO_SLOT = 0xFFFFFFFF
EINVAL, ENODEV, ENOSPC, EDQUOT, EPERM, EUSERS = -22, -19, -28, -122, -1, -87
# A deadline of the contract is a second; it fails at five.
SECONDS = 5.0


def wait_for(condition, what, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what}: not within {seconds} s")


def message(kind, body=b"", request=1, version=VERSION):
    return (struct.pack("<HHI", kind, version, request) + body).ljust(SIZE, b"\0")


def hello(name=b"test", flags=0):
    return message(HELLO, struct.pack("<II32s", flags, 0, name))


def symbol(kind, text, kinds=TRADES, request=1):
    return message(kind, struct.pack("<II48s", kinds, 0, text.encode()), request)


class Reply:
    def __init__(self, data):
        assert len(data) == SIZE, len(data)
        self.kind, self.version, self.request = struct.unpack_from("<HHI", data)
        if self.kind == REPLY:
            self.result, self.slot, self.generation, _, self.bind_seq = struct.unpack_from("<iIIIQ", data, 8)
            self.text = data[32:152].split(b"\0")[0].decode()


class Client:
    def __init__(self, path, greet=True, flags=0):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(10)
        self.sock.connect(path)
        self.page = None
        if greet:
            self.sock.send(hello(flags=flags))
            self.welcome = self.receive()
            assert self.welcome.kind == WELCOME, self.welcome.text

    def receive(self):
        data, control, _, _ = self.sock.recvmsg(SIZE, socket.CMSG_SPACE(4))
        for level, kind, fds in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                self.page = array.array("i", fds)[0]
        if not data:
            raise ConnectionResetError
        return Reply(data)

    def ask(self, data):
        self.sock.send(data)
        return self.receive()

    def subscribe(self, text, kinds=TRADES):
        return self.ask(symbol(SUBSCRIBE, text, kinds))

    def ended(self):
        """The feeder has ended this connection (what it said before is read first)."""
        try:
            while self.sock.recv(SIZE):
                pass
            return True
        except ConnectionError:
            return True
        except socket.timeout:
            return False

    def close(self):
        self.sock.close()
        if self.page is not None:
            os.close(self.page)


class Feeder:
    count = 0

    def __init__(self, *flags, folder=None, bus=None, config=None):
        Feeder.count += 1
        self.dir = folder or tempfile.mkdtemp(prefix="px-control-", dir="/tmp")
        self.bus = bus or f"ctl-{os.getpid()}-{Feeder.count}"
        self.path = os.path.join(self.dir, self.bus + ".sock")
        self.log = os.path.join(self.dir, "log")
        self.config = os.path.join(self.dir, "px.conf")
        args = [FEEDER, "-b", self.bus, "--runtime-dir", self.dir, "--state-dir", self.dir, "--ring", "1024",
                "--endpoint", "binance=ws://127.0.0.1:9"]
        if config is not None:
            self.configure(config)
            args += ["-c", self.config]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*args, *flags], stdout=log, stderr=log)

    def configure(self, text):
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(text)

    def ready(self):
        def listening():
            assert self.process.poll() is None, self.said()
            try:
                Client(self.path, greet=False).close()
                return True
            except OSError:
                return False
        wait_for(listening, "the control socket")
        return self

    def said(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read()

    def says(self, text, seconds=10.0):
        wait_for(lambda: text in self.said(), f"{text!r} in the log", seconds)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def alive(self):
        assert self.process.poll() is None, self.said()
        client = Client(self.path)
        assert client.subscribe("binance:ALIVEUSDT").result == 0
        client.close()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, keep=False):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        if not keep:
            for name in (self.bus, self.bus + ".lock"):
                try:
                    os.unlink("/dev/shm/px-" + name)
                except FileNotFoundError:
                    pass
            shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture
def start():
    running = []

    def make(*flags, **more):
        running.append(Feeder(*flags, **more))
        return running[-1]
    yield make
    for feeder in running:
        feeder.stop()


# ---- what honest readers are promised ----

def test_reader_gets_a_page_that_it_can_write_and_not_resize(start):
    client = Client(start().ready().path)
    assert os.fstat(client.page).st_size == 4096
    seals = fcntl.fcntl(client.page, 1034)  # F_GET_SEALS
    assert seals & 0x7 == 0x7  # seal, shrink, grow
    with pytest.raises(OSError):
        os.ftruncate(client.page, 0)
    with pytest.raises(OSError):
        os.ftruncate(client.page, 1 << 20)
    assert os.pwrite(client.page, b"\1", 0) == 1
    client.close()


def test_subscription_returns_slot_generation_and_first_sequence(start):
    client = Client(start().ready().path)
    first = client.subscribe("binance:BTCUSDT")
    again = client.subscribe("binance:BTCUSDT", TRADES | QUOTES)
    other = client.subscribe("binance:ETHUSDT")
    assert first.result == 0 and first.generation != 0 and first.bind_seq != 0
    assert (again.slot, again.generation, again.bind_seq) == (first.slot, first.generation, first.bind_seq)
    assert other.slot != first.slot
    assert client.ask(symbol(UNSUBSCRIBE, "binance:ETHUSDT", request=77)).request == 77
    assert client.ask(symbol(UNSUBSCRIBE, "binance:ETHUSDT")).result == EINVAL


def test_refused_subscription_gets_one_sentence(start):
    client = Client(start().ready().path)
    for text, kinds, result in (("BTCUSDT", TRADES, EINVAL), ("nasdaq:AAPL", TRADES, ENODEV),
                                ("binance:", TRADES, EINVAL), ("", TRADES, EINVAL), (":", TRADES, None),
                                ("binance:BTC USDT", TRADES, EINVAL), ("binance:BTCUSDT", 0, EINVAL),
                                ("binance:BTCUSDT", 8, EINVAL), ("binance:BTCUSDT", 0xFFFFFFFF, EINVAL),
                                ("binance:*", TRADES, EINVAL)):
        reply = client.subscribe(text, kinds)
        assert reply.result < 0 and (result is None or reply.result == result), (text, reply.result)
        assert reply.text and "\n" not in reply.text, text
    assert client.subscribe("binance:BTCUSDT").result == 0


def test_all_market_stream_is_granted_without_a_slot(start):
    client = Client(start().ready().path)
    reply = client.subscribe("binance:*", TICKERS)
    assert reply.result == 0 and reply.slot == NO_SLOT


def test_full_table_of_subscriptions_is_said(start):
    feeder = start("--capacity", "4").ready()
    client = Client(feeder.path)
    for i in range(4):
        assert client.subscribe(f"binance:S{i}USDT").result == 0
    reply = client.subscribe("binance:S4USDT")
    assert reply.result == ENOSPC
    assert reply.text == "capacity 4 is in use by subscriptions"


def test_subscriptions_of_a_killed_reader_are_gone_within_a_second(start):
    feeder = start("--capacity", "4").ready()
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        client = Client(feeder.path)
        ok = all(client.subscribe(f"binance:S{i}USDT").result == 0 for i in range(4))
        os.write(go, b"1" if ok else b"0")
        signal.pause()
    assert os.read(ready, 1) == b"1"
    other = Client(feeder.path)
    assert other.subscribe("binance:NEWUSDT").result == ENOSPC
    os.kill(child, signal.SIGKILL)
    begun = time.monotonic()
    os.waitpid(child, 0)
    wait_for(lambda: other.subscribe("binance:NEWUSDT").result == 0, "a free slot", SECONDS)
    print(f"free after {(time.monotonic() - begun) * 1000:.1f} ms")


def test_many_subscriptions_sent_at_once_are_all_answered(start):
    feeder = start("--capacity", "1000").ready()
    client = Client(feeder.path)
    for i in range(300):
        client.sock.send(symbol(SUBSCRIBE, f"binance:S{i}USDT", request=i + 1))
    assert [client.receive().request for _ in range(300)] == list(range(1, 301))


def test_wanted_set_survives_a_killed_feeder(start):
    feeder = start().ready()
    client = Client(feeder.path)
    assert client.subscribe("binance:BTCUSDT").result == 0
    saved = os.path.join(feeder.dir, feeder.bus + ".wanted")
    wait_for(lambda: os.path.exists(saved) and "binance:BTCUSDT" in open(saved, encoding="utf-8").read(), "the saved set")
    feeder.kill()
    again = start(folder=feeder.dir, bus=feeder.bus).ready()
    again.says("1 symbols of the last run are held")


# ---- what the others cannot do ----

def test_malformed_messages_end_their_connection_and_nothing_else(start):
    feeder = start().ready()
    good = Client(feeder.path)
    no_end = symbol(SUBSCRIBE, "binance:" + "A" * 40)
    assert b"\0" not in no_end[16:64]
    cases = [b"x", b"x" * (SIZE - 1), b"x" * (SIZE + 1), b"x" * 65536, message(HELLO, version=2), message(99),
             message(0), message(WELCOME), message(REPLY), hello(), no_end]
    for bad in cases:
        client = Client(feeder.path)
        client.sock.send(bad)
        assert client.ended(), bad[:8]
    for bad in (symbol(SUBSCRIBE, "binance:BTCUSDT"), message(SHUTDOWN), hello(name=b"n" * 32)):
        client = Client(feeder.path, greet=False)
        client.sock.send(bad)
        assert client.ended(), bad[:8]
    assert good.subscribe("binance:BTCUSDT").result == 0
    said = feeder.said()
    assert said.count("a message of another size") == 1  # once per kind, the rest is counted
    feeder.alive()


def test_random_messages_leave_the_feeder_as_it_was(start):
    feeder = start().ready()
    before = feeder.descriptors()
    rng = random.Random(7)
    for _ in range(300):
        client = Client(feeder.path, greet=rng.random() < 0.8)
        for _ in range(rng.randrange(1, 8)):
            data = bytearray(rng.randbytes(SIZE))
            if rng.random() < 0.8:
                struct.pack_into("<HH", data, 0, rng.choice((HELLO, SUBSCRIBE, UNSUBSCRIBE, TRIM, 9)), VERSION)
            if rng.random() < 0.5:
                data[16:64] = rng.choice((b"binance:BTCUSDT", b"binance:*", b"a:b", b":", b"\xff" * 47)).ljust(48, b"\0")
            try:
                client.sock.send(data)
            except OSError:
                break
        client.close()
    wait_for(lambda: feeder.descriptors() <= before, "descriptors of the ended connections")
    feeder.alive()


def test_descriptors_sent_along_are_not_taken(start):
    feeder = start().ready()
    time_out = time.monotonic() + 10
    before = feeder.descriptors()
    for _ in range(20):
        client = Client(feeder.path)
        with tempfile.TemporaryFile() as f:
            fds = array.array("i", [f.fileno()] * 8)
            client.sock.sendmsg([symbol(SUBSCRIBE, "binance:BTCUSDT")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        assert client.ended()
        client.close()
    wait_for(lambda: feeder.descriptors() <= before, "descriptors are closed", time_out - time.monotonic())
    feeder.alive()


def test_reader_that_never_reads_is_disconnected(start):
    feeder = start("--quota-messages", "1000000").ready()
    other = Client(feeder.path)
    client = Client(feeder.path)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        for i in range(200000):
            client.sock.send(symbol(SUBSCRIBE, "binance:BTCUSDT", request=i + 1))
    assert other.subscribe("binance:BTCUSDT").result == 0
    feeder.says("does not read its replies")


def test_flood_is_refused_and_then_disconnected(start):
    feeder = start("--quota-messages", "50").ready()
    client = Client(feeder.path)
    over = 0
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        for _ in range(1000):
            over += client.subscribe("binance:BTCUSDT").result == EDQUOT
    assert 0 < over <= 50
    # the quota is one of a second: the next one is served again
    wait_for(lambda: not refused(feeder), "another second", SECONDS)
    wait_for(lambda: Client(feeder.path).subscribe("binance:BTCUSDT").result == 0, "service", SECONDS)


def test_quota_of_connections_is_per_user_and_said(start):
    feeder = start("--quota-connections", "3").ready()
    held = [Client(feeder.path) for _ in range(3)]
    extra = Client(feeder.path, greet=False)
    reply = extra.receive()
    assert reply.result == EDQUOT and "quota: 3 connections" in reply.text
    assert extra.ended()
    held.pop().close()
    wait_for(lambda: not refused(feeder), "a free place", SECONDS)


def refused(feeder):
    client = Client(feeder.path, greet=False)
    try:
        client.sock.send(hello())
        return client.receive().kind != WELCOME
    except ConnectionError:
        return True
    finally:
        client.close()


def test_quota_of_symbols_counts_each_symbol_of_a_user_once(start):
    feeder = start("--quota-symbols", "3").ready()
    one, two = Client(feeder.path), Client(feeder.path)
    for i in range(3):
        assert one.subscribe(f"binance:S{i}USDT").result == 0
        assert two.subscribe(f"binance:S{i}USDT").result == 0
    reply = two.subscribe("binance:S3USDT")
    assert reply.result == EDQUOT and reply.text.startswith("quota: ")
    assert two.ask(symbol(UNSUBSCRIBE, "binance:S0USDT")).result == 0
    assert two.subscribe("binance:S3USDT").result == EDQUOT  # the other one holds S0 still
    one.close()
    wait_for(lambda: two.subscribe("binance:S3USDT").result == 0, "the place of S0", SECONDS)


def test_more_readers_than_places_are_refused_and_the_others_served(start):
    feeder = start("--quota-connections", "256").ready()
    # the socket that ready() closed may still have its place
    held = []
    while len(held) < 256:
        try:
            held.append(Client(feeder.path))
        except AssertionError:
            wait_for(lambda: not refused(feeder), "a free place")
    extra = Client(feeder.path, greet=False)
    reply = extra.receive()
    assert reply.result in (EUSERS, EDQUOT) and reply.text
    assert held[100].subscribe("binance:BTCUSDT").result == 0


def test_connection_that_says_nothing_is_ended(start):
    feeder = start().ready()
    client = Client(feeder.path, greet=False)
    assert client.ended()
    feeder.alive()


def as_nobody(path, *messages):
    """What a client of another user hears last: (result, text), or the errno of connecting."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            client = Client(path)
            reply = [client.ask(data) for data in messages][-1]
            os.write(write, f"{reply.result} {reply.text}".encode())
        except OSError as error:
            os.write(write, f"{-error.errno} errno".encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    result, _, text = os.read(read, 4096).decode().partition(" ")
    os.close(read)
    return int(result), text


def test_commands_are_for_the_feeders_user_and_root(start):
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    feeder = start("--group", "65534").ready()
    assert os.stat(feeder.path).st_mode & 0o777 == 0o660 and os.stat(feeder.path).st_gid == 65534
    for kind in (RESTART, TRIM, SHUTDOWN, RELOAD):
        result, text = as_nobody(feeder.path, message(kind))
        assert result == EPERM and "is for the feeder's user and root" in text
    assert as_nobody(feeder.path, symbol(SUBSCRIBE, "binance:BTCUSDT"))[0] == 0
    assert Client(feeder.path).ask(message(TRIM)).result == 0
    feeder.alive()


def test_default_quota_of_another_user_is_half_of_the_capacity(start):
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    feeder = start("--group", "65534", "--capacity", "4").ready()
    script = [symbol(SUBSCRIBE, f"binance:S{i}USDT") for i in range(3)]
    result, text = as_nobody(feeder.path, *script)
    assert result == EDQUOT and text == "quota: uid 65534 has 2 symbols subscribed"


def test_users_outside_the_group_cannot_connect(start):
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    feeder = start().ready()
    assert as_nobody(feeder.path, symbol(SUBSCRIBE, "binance:BTCUSDT"))[0] == -13


# ---- start, reload, end ----

def test_directory_that_the_group_cannot_enter_is_refused_at_start(start):
    if os.geteuid() != 0:
        pytest.skip("needs root to give a directory away")
    outer = tempfile.mkdtemp(prefix="px-outer-", dir="/tmp")
    inner = os.path.join(outer, "inner")
    os.mkdir(inner)
    feeder = start("--group", "65534", folder=inner)
    assert feeder.process.wait(10) == 1
    assert "group 65534 cannot enter " + outer in feeder.said()
    assert len(feeder.said().splitlines()) == 1
    shutil.rmtree(outer)


def test_path_over_107_bytes_is_refused_at_start(start):
    folder = tempfile.mkdtemp(prefix="px-" + "long" * 25, dir="/tmp")
    feeder = start(folder=folder)
    assert feeder.process.wait(10) == 1
    assert "at most 107 bytes" in feeder.said()


def test_stale_socket_is_replaced_and_a_live_one_is_not(start):
    feeder = start().ready()
    feeder.kill()
    assert os.path.exists(feeder.path)
    again = start(folder=feeder.dir, bus=feeder.bus).ready()
    again.alive()
    again.stop(keep=True)
    assert not os.path.exists(feeder.path)
    squatter = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    squatter.bind(feeder.path)
    squatter.listen()
    third = start(folder=feeder.dir, bus=feeder.bus)
    assert third.process.wait(10) == 1
    assert "somebody listens there" in third.said()


def test_shutdown_command_ends_the_feeder_in_order(start):
    feeder = start().ready()
    assert Client(feeder.path).ask(message(SHUTDOWN)).result == 0
    assert feeder.process.wait(10) == 0
    assert not os.path.exists(feeder.path)


def test_bad_file_at_reload_keeps_the_old_settings_and_says_so(start):
    feeder = start(config="[bus]\ncapacity = 8\n[binance]\nsymbols = BTCUSDT\n").ready()
    feeder.configure("[bus]\ncapacity = 8\n[binance]\nsymbols = BTCUSDT ETHUSDT\nnonsense = 1\n")
    feeder.process.send_signal(signal.SIGHUP)
    feeder.says("px.conf:5: unknown key nonsense")
    feeder.alive()


def test_key_that_needs_a_restart_is_named_at_reload(start):
    feeder = start(config="[bus]\ncapacity = 8\n[binance]\nsymbols = BTCUSDT\n").ready()
    feeder.configure("[bus]\ncapacity = 9\nring = 2048\n[binance]\nsymbols = BTCUSDT\n")
    feeder.process.send_signal(signal.SIGHUP)
    feeder.says("capacity")
    feeder.alive()
