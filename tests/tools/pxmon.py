"""A pxmon of a test: on a port of the kernel's choosing, with a database of its own."""
import http.client
import re
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path

import pytest

from px_tools import BIN, DEADLINE_S, until


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode()


class Mon:
    def __init__(self, bus, *args, listen="127.0.0.1:0", folder=None, **how):
        self.bus = bus
        self.folder = Path(folder or tempfile.mkdtemp(prefix="pxmon-"))
        self.db = self.folder / "history.db"
        self.log = open(self.folder / "log", "a+", encoding="utf-8")
        self.process = subprocess.Popen(
            [BIN / "pxmon", "-b", bus, "--listen", listen, "--db", self.db, *map(str, args)],
            stdout=subprocess.PIPE, stderr=self.log, text=True, **how)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"pxmon: listening on (https?)://(.+):(\d+)\n", line)
        assert found, f"{line!r} {self.said()}"
        self.scheme, self.host, self.port = found[1], found[2].strip("[]"), int(found[3])

    @property
    def origin(self):
        return f"{self.scheme}://{self.host}:{self.port}"

    def connect(self):
        if self.scheme == "https":
            context = ssl._create_unverified_context()  # who the server is, is not the question here
            return http.client.HTTPSConnection(self.host, self.port, timeout=DEADLINE_S,
                                               context=context)
        return http.client.HTTPConnection(self.host, self.port, timeout=DEADLINE_S)

    def ask(self, path, method="GET", **headers):
        connection = self.connect()
        try:
            connection.request(method, path, headers={k.replace("_", "-"): v
                                                      for k, v in headers.items()})
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def ready(self, status, words=""):
        """Wait for /readyz to have this status and to say this."""
        def is_so():
            reply = self.ask("/readyz")
            return reply if reply.status == status and words in reply.text else None
        return until(is_so, lambda: f"{status} {words!r}: {self.ask('/readyz').text}")

    def said(self):
        return (self.folder / "log").read_text(encoding="utf-8")

    def lines(self):
        return self.said().splitlines()

    def stop(self):
        self.process.terminate()
        return self.process.wait(DEADLINE_S)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self, keep=False):
        if self.process.poll() is None:
            try:
                self.stop()  # not killed: sanitizers look for leaks when it ends
            except subprocess.TimeoutExpired:
                self.kill()
        self.process.stdout.close()
        self.log.close()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def mon():
    """Make a Mon; all end with the test."""
    made = []

    def make(*args, **how):
        made.append(Mon(*args, **how))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture
def certificate(tmp_path):
    """Paths of a certificate of its own making, and of its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key
