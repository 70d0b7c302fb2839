"""Buses of one's own and the tools to look at them. A Writer is tests/tools/bus_writer, a real writer
that does what it is told; a Feeder is `feeder --demo`, on its simulated exchange on loopback."""
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("PX_BUILD", "build"))
BIN = BUILD / "bin"
SOURCE = Path(os.environ.get("PX_SOURCE", Path(__file__).resolve().parents[2]))
DEADLINE_S = 20
SHM = Path("/dev/shm")
numbers = itertools.count()

# enums of px/types.h and px/info.h
LIVE, QUIET, CARRIED, GAP, STALE, CLOSED = range(6)
TRADES, QUOTES, TICKERS = 1, 2, 4
CONN_LIVE, CONN_WAITING = 6, 8


def bus_name():
    return f"t{os.getpid()}.{next(numbers)}"


def until(condition, what, deadline_s=DEADLINE_S):
    """The first true value of condition(), asked for until the deadline. `what` may be a function."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"not within {deadline_s} s: {what() if callable(what) else what}")
        time.sleep(0.01)


def remove(bus):
    for name in (f"px-{bus}", f"px-{bus}.lock", f"px-{bus}.new"):
        with contextlib.suppress(FileNotFoundError):
            path = SHM / name
            path.rmdir() if path.is_dir() else path.unlink()


def tool(name, *args, bus=None, timeout=DEADLINE_S, env=None, **how):
    """Run a tool to its end. A bus of None leaves --bus away."""
    command = [BIN / name, *map(str, args)] + (["--bus", bus] if bus else [])
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **(env or {})}, check=False, **how)


def pxstat(bus, *args, **how):
    return tool("pxstat", *args, bus=bus, **how)


def stat(bus):
    """The object of pxstat --json."""
    done = pxstat(bus, "--json")
    assert done.returncode in (0, 1, 2), done.stderr
    return json.loads(done.stdout)


def pxtail(bus, *args, **how):
    return tool("pxtail", *args, bus=bus, **how)


def lines_of(text):
    assert text == "" or text.endswith("\n"), "the last line is not whole"
    return [json.loads(line) for line in text.splitlines()]


class Writer:
    def __init__(self, bus=None, capacity=100, ring=4096):
        self.bus = bus or bus_name()
        self.process = subprocess.Popen(
            [BUILD / "tests" / "bus_writer", self.bus, str(capacity), str(ring)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.ready = self.process.stdout.readline().split()
        assert self.ready[:1] == ["ready"], self.ready

    def say(self, *commands):
        """Each command, and its answer."""
        answers = []
        for command in commands:
            self.process.stdin.write(command + "\n")
            answer = self.process.stdout.readline().strip()
            while answer.startswith("ready"):
                answer = self.process.stdout.readline().strip()
            assert answer.endswith("ok"), f"{command}: {answer}"
            answers.append(answer)
        return answers

    def signal(self, number):
        self.process.send_signal(number)
        if number == signal.SIGSTOP:
            until(lambda: state_of(self.process.pid) == "T", "the writer is stopped")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        """The orderly end."""
        self.process.stdin.write("quit\n")
        assert self.process.wait(DEADLINE_S) == 0

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace") \
        .rsplit(")", 1)[1].split()[0]


@pytest.fixture
def writer():
    w = Writer()
    yield w
    w.end()
    remove(w.bus)


@pytest.fixture
def new_writer():
    """Writers with a shape of their own, or one after the other on one bus."""
    writers = []

    def make(*args, **how):
        writers.append(Writer(*args, **how))
        return writers[-1]

    yield make
    for w in writers:
        w.end()
        remove(w.bus)


class Feeder:
    """`feeder --demo` with a bus, a runtime and a state directory of its own."""

    def __init__(self, *args, bus=None):
        if not (BIN / "feeder").exists():
            pytest.skip("the feeder is not built")
        self.bus = bus or bus_name()
        self.args = args
        self.folder = tempfile.mkdtemp(prefix="px-")
        os.chmod(self.folder, 0o755)
        self.log = open(f"{self.folder}/log", "w", encoding="utf-8")
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [BIN / "feeder", "--demo", "-b", self.bus, "--runtime-dir", f"{self.folder}/run",
             "--state-dir", f"{self.folder}/state", *self.args],
            stderr=self.log, stdout=self.log)
        until(lambda: self.process.poll() is not None or self.live(),
              lambda: f"the feeder is live: {self.said()}")
        assert self.process.poll() is None, self.said()

    def exchanges(self):
        """Pids of the simulated exchanges."""
        task = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [int(p) for p in Path(task).read_text(encoding="ascii").split()
                if Path(f"/proc/{p}/comm").read_text(encoding="ascii").strip() == "pxsim"]

    def signal_exchanges(self, number):
        for pid in self.exchanges():
            os.kill(pid, number)

    def live(self):
        done = pxstat(self.bus, "--json")
        return done.returncode == 0 and \
            any(c["state"] == "live" for c in json.loads(done.stdout)["connections"])

    def said(self):
        return Path(f"{self.folder}/log").read_text(encoding="utf-8")

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        remove(self.bus)


@pytest.fixture
def feeder():
    f = Feeder()
    yield f
    f.end()


class Tail:
    """A pxtail that runs on; its lines as they come."""

    def __init__(self, bus, *args):
        self.out = tempfile.TemporaryFile("w+", encoding="utf-8")
        self.err = tempfile.TemporaryFile("w+", encoding="utf-8")
        self.process = subprocess.Popen([BIN / "pxtail", "--json", "-b", bus, *map(str, args)],
                                        stdout=self.out, stderr=self.err)

    def lines(self):
        # a descriptor of its own: the child's file position is not moved
        text = Path(f"/proc/self/fd/{self.out.fileno()}").read_text(encoding="utf-8")
        return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]

    def said(self):
        return Path(f"/proc/self/fd/{self.err.fileno()}").read_text(encoding="utf-8")

    def find(self, **members):
        return [x for x in self.lines() if all(x.get(k) == v for k, v in members.items())]

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        self.out.close()
        self.err.close()


@pytest.fixture
def tail():
    tails = []

    def make(*args):
        tails.append(Tail(*args))
        return tails[-1]

    yield make
    for t in tails:
        t.end()
