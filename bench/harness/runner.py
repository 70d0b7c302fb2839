"""Runs the programs of bench/: each prints "name value" lines. Nothing outlives the Context."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

TIMEOUT_S = 60


class Failed(Exception):
    """A program that did not do its work; the text is the last thing it said."""


class Missing(Exception):
    """A peer that is not installed; the text names its package."""


def _figures(text):
    out = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(\w+) (-?[0-9.e+-]+|nan|inf)", line.strip())
        if match:
            out[match.group(1)] = float(match.group(2))
    return out


class Context:
    """Where things are, how long to measure, and what runs beside."""

    def __init__(self, build, source, quick):
        self.build = pathlib.Path(build)
        self.source = pathlib.Path(source)
        self.quick = quick
        self.rounds = 2 if quick else 5
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="px-bench-"))
        self.env = dict(os.environ, LD_LIBRARY_PATH=f"{self.build}/lib", TMPDIR=str(self.dir),
                        PX_BENCH_BUS=f"bench-{os.getpid()}-0")
        self.stack = contextlib.ExitStack()
        self._certificate = None
        self.serial = 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stack.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        for folder in ("/dev/shm", "/tmp"): # iceoryx leaves lock files in /tmp, whatever TMPDIR is
            for left in pathlib.Path(folder).glob(f"px-bench-{os.getpid()}-*"):
                left.unlink(missing_ok=True)

    def ms(self, full):
        """How long to measure, ms."""
        return max(50, full // 3) if self.quick else full

    def count(self, full):
        """How many frames to send."""
        return full // 4 if self.quick else full

    def name(self):
        """A bus name, or the name of a file in /dev/shm behind "px-", that nobody else uses."""
        self.serial += 1
        return f"bench-{os.getpid()}-{self.serial}"

    def path(self, name, package=""):
        """A program of bench/ or, failing that, of bin/."""
        for folder in ("bench", "bin"):
            if (self.build / folder / name).exists():
                return str(self.build / folder / name)
        raise Missing(package or name)

    def start(self, argv, **kwargs):
        """Start a process in a session of its own, so that stop() reaches its children."""
        kwargs.setdefault("env", self.env)
        return subprocess.Popen([str(a) for a in argv], text=True, start_new_session=True, **kwargs)

    @staticmethod
    def stop(process, first=signal.SIGTERM):
        for number in (first, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            try:
                process.communicate(timeout=5)
                return
            except subprocess.TimeoutExpired:
                continue

    def finish(self, process, text=None):
        """Wait for a process that start() began with pipes; its figures."""
        try:
            out, err = process.communicate(text, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.stop(process, signal.SIGKILL)
            raise Failed("no end within 60 s") from None
        if process.returncode != 0:
            said = (err or "").strip().splitlines()
            raise Failed(said[-1] if said else f"exit status {process.returncode}")
        return _figures(out)

    def run(self, argv, text=None):
        pipe = subprocess.PIPE
        process = self.start(argv, stdin=pipe, stdout=pipe, stderr=pipe)
        try:
            return self.finish(process, text)
        finally:
            self.stop(process, signal.SIGKILL)

    def program(self, name, *args, package="", text=None):
        return self.run([self.path(name, package), *args], text)

    def certificate(self):
        """Certificate and key for 127.0.0.1, made once."""
        if self._certificate is None:
            cert, key = self.dir / "cert.pem", self.dir / "key.pem"
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                 "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                check=True, capture_output=True)
            self._certificate = cert, key
        return self._certificate
