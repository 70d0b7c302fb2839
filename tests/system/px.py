"""The vocabulary of system tests: programs of the build as processes, simulated exchanges,
certificates, and conditions that are awaited with a deadline.

    from px import Bus, Sim, wait_for

    def test_prices_flow(bus):
        with Sim() as sim, bus.feeder("binance:BTCUSDT", endpoint=sim.url):
            ticks = bus.tail("binance:BTCUSDT", n=3)

`bus` is a pytest fixture (import it): a bus name of its own, a temporary directory, and at the end
no process, no segment and no file is left behind."""
import contextlib
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("PX_BUILD", Path(__file__).resolve().parents[2] / "build"))
SOURCE = Path(os.environ.get("PX_SOURCE", Path(__file__).resolve().parents[2]))
CAPTURES = Path(os.environ.get("PX_CAPTURES", SOURCE / ".." / "shared" / "captures"))
BIN = BUILD / "bin"

# Sanitizers look for leaks when a process ends, not when it is killed.
SANITIZED = "ASAN_OPTIONS" in os.environ

# Deadlines of the contract fail at five times; the machine may be busy.
PATIENCE_S = 20.0

_numbers = itertools.count(1)


def program(name):
    return str(BIN / name)


def wait_for(condition, deadline_s=PATIENCE_S, what="the condition"):
    """Call condition() until it returns something true, and return that."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come about within {deadline_s} s")
        time.sleep(0.01)


def measured(what, seconds, bound_s):
    """Say how long it took. A deadline is reported, and fails only at five times."""
    print(f"measured: {what}: {seconds:.3f} s, bound {bound_s:g} s")
    assert seconds < 5 * bound_s, (what, seconds, bound_s)


def run(name, *args, timeout=PATIENCE_S, stdin=None, env=None):
    """A program of the build, to its end: CompletedProcess with text in stdout and stderr."""
    return subprocess.run([program(name), *map(str, args)], input=stdin, capture_output=True,
                          text=True, timeout=timeout, env=_environment(env), check=False)


def _environment(extra):
    # settings of whoever runs the tests must not leak into them
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("PX_") and not k.lower().endswith("_proxy")
           and k not in ("NOTIFY_SOCKET", "JOURNAL_STREAM")}
    env.update(extra or {})
    return env


class Process:
    """A program in the background. Its stdout and stderr are files, so that no pipe fills up."""

    def __init__(self, argv, directory, name, env=None, **kwargs):
        number = next(_numbers)
        self.name = name
        self.out_path = Path(directory) / f"{name}-{number}.out"
        self.err_path = Path(directory) / f"{name}-{number}.err"
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=err, env=_environment(env), **kwargs)

    @property
    def pid(self):
        return self.process.pid

    def out(self):
        return self.out_path.read_text(errors="replace")

    def err(self):
        return self.err_path.read_text(errors="replace")

    def running(self):
        return self.process.poll() is None

    def wait(self, timeout=PATIENCE_S):
        """Its exit status (negative: the signal that ended it)."""
        return self.process.wait(timeout)

    def send(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM, timeout=PATIENCE_S):
        """Ask it to end and return its exit status; killed if it does not."""
        if self.running():
            self.process.send_signal(number)
            try:
                return self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"{self.name} did not end on signal {number}:\n{self.err()}")
        return self.process.returncode

    def kill(self):
        if self.running():
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()

    def end(self):
        """Killed, because the test is over. Under a sanitizer it first may end by itself."""
        if SANITIZED and self.running():
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE_S)
        self.kill()

    def wait_err(self, pattern, deadline_s=PATIENCE_S, count=1):
        """Until stderr has `count` matches of the pattern; returns the last match."""
        def found():
            assert_alive(self, pattern)
            matches = list(re.finditer(pattern, self.err()))
            return matches[count - 1] if len(matches) >= count else None
        return wait_for(found, deadline_s, f"{pattern!r} on stderr of {self.name}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def assert_alive(process, what):
    if not process.running() and not re.search(what, process.err()):
        raise AssertionError(f"{process.name} ended with {process.process.returncode} before "
                             f"{what!r}:\n{process.err()}")


class Sim(Process):
    """pxsim on an ephemeral port. `tls` is a Certificates; keyword arguments become options:
    Sim(rate=1000, fault=["mute"], replay=path, speed="max"). `port` keeps one of an earlier Sim,
    `wrap` is a program that runs it."""

    def __init__(self, venue="binance", tls=None, port=0, wrap=(), **options):
        self.directory = tempfile.mkdtemp(prefix="pxsim-")
        argv = [*wrap, program("pxsim"), "--venue", venue, "--port", str(port)]
        if tls is not None:
            argv += ["--tls-cert", tls.cert, "--tls-key", tls.key]
        for key, value in options.items():
            for one in value if isinstance(value, (list, tuple)) else [value]:
                flag = f"--{key.replace('_', '-')}"
                argv += [flag] if one is True else [flag, str(one)]
        super().__init__(argv, self.directory, "pxsim")
        try:
            line = wait_for(self._listening, what="pxsim listening")
        except AssertionError:
            said = self.err()
            self.kill()
            raise AssertionError(f"pxsim did not start: {said}")
        self.address, port = line.rsplit(":", 1)
        self.port = int(port)
        secure = tls is not None or "tls_auto" in options
        self.url = f"{'wss' if secure else 'ws'}://{self.address}:{self.port}"

    def _listening(self):
        match = re.search(r"^pxsim: listening on (\S+)$", self.out(), re.M)
        if match is None and not self.running():
            raise AssertionError("it ended")
        return match.group(1) if match else None

    def kill(self):
        super().kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class Feeder(Process):
    """The feeder of a Bus; use Bus.feeder()."""


class Bus:
    """A bus of this test alone: its name, its directories, and the programs on it."""

    def __init__(self, directory, name=None):
        self.name = name or f"t{os.getpid()}-{next(_numbers)}"
        self.directory = Path(directory)
        self.runtime = self.directory / "run"
        self.state = self.directory / "state"
        self.processes = []

    # -- the feeder --

    def feeder_argv(self, *args, endpoint=None, venue="binance", **options):
        argv = [program("feeder"), "-b", self.name, "--runtime-dir", self.runtime, "--state-dir",
                self.state]
        if endpoint is not None:
            argv += ["--endpoint", f"{venue}={endpoint}"]
        for key, value in options.items():
            flag = f"--{key.replace('_', '-')}"
            argv += [flag] if value is True else [flag, str(value)]
        return [*map(str, argv), *map(str, args)]

    def feeder(self, *args, env=None, wrap=(), ready=True, **options):
        """Start a feeder. With `ready` it is awaited until its segment is there."""
        feeder = Feeder([*wrap, *self.feeder_argv(*args, **options)], self.directory, "feeder", env)
        self.processes.append(feeder)
        if ready:
            wait_for(lambda: not feeder.running() or
                     re.search(r"info \S+: epoch \d+", feeder.err()), what="the feeder's start")
            if not feeder.running():
                raise AssertionError(f"the feeder ended with {feeder.wait()}: {feeder.err()}")
        return feeder

    def feeder_fails(self, *args, timeout=PATIENCE_S, env=None, **options):
        """Run a feeder that must end by itself: (exit status, stderr)."""
        done = subprocess.run(self.feeder_argv(*args, **options), capture_output=True, text=True,
                              timeout=timeout, env=_environment(env), check=False)
        return done.returncode, done.stderr

    # -- the tools --

    def stat(self, *args):
        """(exit status, the object of pxstat --json or None)."""
        done = run("pxstat", "-b", self.name, "--json", *args)
        return done.returncode, json.loads(done.stdout) if done.stdout.strip() else None

    def tail(self, *symbols, n=None, timeout=PATIENCE_S, check=True, **options):
        """Ticks of pxtail --json as a list of objects."""
        argv = ["-b", self.name, "--json", "--timeout", str(timeout)]
        if n is not None:
            argv += ["-n", str(n)]
        for key, value in options.items():
            flag = f"--{key.replace('_', '-')}"
            argv += [flag] if value is True else [flag, str(value)]
        done = run("pxtail", *argv, *symbols, timeout=timeout + PATIENCE_S)
        if check and done.returncode != 0:
            raise AssertionError(f"pxtail ended with {done.returncode}: {done.stderr}"
                                 f"after {len(done.stdout.splitlines())} lines")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def tail_process(self, *symbols, **options):
        """pxtail in the background; lines() of it are its ticks so far."""
        argv = [program("pxtail"), "-b", self.name, "--json"]
        for key, value in options.items():
            flag = f"--{key.replace('_', '-')}"
            argv += [flag] if value is True else [flag, str(value)]
        tail = Tail([*argv, *symbols], self.directory, "pxtail")
        self.processes.append(tail)
        return tail

    def connection(self, venue="binance"):
        """The first connection record of a venue, or None."""
        _, stat = self.stat()
        for conn in (stat or {}).get("connections", []):
            if conn["venue"] == venue:
                return conn
        return None

    def wait_live(self, venue="binance", deadline_s=PATIENCE_S):
        def live():
            conn = self.connection(venue)
            return conn if conn is not None and conn["state"] == "live" else None
        return wait_for(live, deadline_s, f"a live connection to {venue}")

    def subscription(self, symbol):
        _, stat = self.stat()
        for sub in (stat or {}).get("subscriptions", []):
            if sub["symbol"] == symbol:
                return sub
        return None

    def counter(self, name):
        """A counter of the segment by its name (pxstat --json, \"counters\")."""
        _, stat = self.stat()
        return ((stat or {}).get("counters") or {}).get(name)

    # -- the end --

    def segment(self):
        return Path("/dev/shm") / f"px-{self.name}"

    def close(self):
        for process in reversed(self.processes):
            process.end()
        for path in Path("/dev/shm").glob(f"px-{self.name}*"):
            path.unlink(missing_ok=True)


class Tail(Process):
    def lines(self):
        text = self.out()
        return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]

    def wait_lines(self, condition, deadline_s=PATIENCE_S, what="the ticks"):
        """Until condition(list of ticks) is true; returns what it returned."""
        return wait_for(lambda: condition(self.lines()), deadline_s, what)


class Certificates:
    """A certificate that was signed by an authority of its own or by that of `by`. Keys are of the short
    kind, which is made in no time; `rsa` is what costs a client most."""

    def __init__(self, directory, names=("DNS:localhost", "IP:127.0.0.1"), days=2, expired=False,
                 by=None, rsa=False):
        d = Path(directory) / f"tls-{next(_numbers)}"
        d.mkdir()
        kind = ("rsa:2048",) if rsa else ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
        self.cert, self.key = str(d / "cert.pem"), str(d / "key.pem")
        self.ca, self.ca_key = (by.ca, by.ca_key) if by else (str(d / "ca.pem"), str(d / "ca.key"))
        request, extensions = str(d / "req.pem"), d / "ext"
        extensions.write_text(f"subjectAltName={','.join(names)}\n")
        if by is None:
            self._openssl("req", "-x509", "-newkey", *kind, "-nodes", "-days", "2", "-subj",
                          "/CN=px test authority", "-keyout", self.ca_key, "-out", self.ca)
        self._openssl("req", "-newkey", *kind, "-nodes", "-subj", "/CN=px test server",
                      "-keyout", self.key, "-out", request)
        if expired:
            self._sign_expired(d, self.ca_key, request, extensions)
        else:
            self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key,
                          "-CAcreateserial", "-days", days, "-extfile", extensions, "-out",
                          self.cert)

    def _sign_expired(self, d, ca_key, request, extensions):
        # only `openssl ca` of OpenSSL 3.0 takes dates
        (d / "index").write_text("")
        (d / "serial").write_text("01\n")
        (d / "conf").write_text("[ca]\ndefault_ca=a\n[a]\n"
                                f"database={d}/index\nserial={d}/serial\nnew_certs_dir={d}\n"
                                "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
        self._openssl("ca", "-batch", "-config", d / "conf", "-cert", self.ca, "-keyfile", ca_key,
                      "-in", request, "-out", self.cert, "-startdate", "20200101000000Z",
                      "-enddate", "20200102000000Z", "-extfile", extensions, "-notext")

    @staticmethod
    def _openssl(*args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


def free_port():
    """A port that refuses connections now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Blackhole:
    """Accepts connections and says nothing."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(64)
        self.port = self.socket.getsockname()[1]

    def accepted(self, timeout_s=PATIENCE_S):
        """The next connection, or None when none came in time."""
        if not select.select([self.socket], [], [], timeout_s)[0]:
            return None
        return self.socket.accept()[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


@pytest.fixture
def bus(tmp_path):
    b = Bus(tmp_path)
    yield b
    b.close()


@pytest.fixture
def certificates(tmp_path):
    return Certificates(tmp_path)
