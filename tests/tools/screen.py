"""A program on a terminal of its own: tmux shows what a person would see."""
import contextlib
import os
import re
import signal
import subprocess

from px_tools import BUILD, bus_name, until

CAPTURES = BUILD / "captures"


class Screen:
    """A shell command in a tmux of its own. When it has ended the screen says "ended STATUS", and what
    stty thinks of the terminal then."""

    def __init__(self, command, env="TERM=screen-256color LC_ALL=C.UTF-8", columns=80, rows=24):
        self.socket = f"px-{bus_name()}"
        self.run("-f", os.devnull, "new-session", "-d", "-x", str(columns), "-y", str(rows),
                 f"env {env} {command}; echo ended $?; stty -a; exec sleep 100")

    def run(self, *args):
        return subprocess.run(["tmux", "-u", "-L", self.socket, *args], capture_output=True,
                              text=True, timeout=20, check=True).stdout

    def text(self):
        return self.run("capture-pane", "-p")

    def coloured(self):
        """With the escape sequences of colours and attributes."""
        return self.run("capture-pane", "-p", "-e")

    def lines(self):
        return self.text().splitlines()

    def keys(self, *keys):
        self.run("send-keys", *keys)

    def resize(self, columns, rows):
        self.run("resize-window", "-x", str(columns), "-y", str(rows))

    def variable(self, name):
        return self.run("display-message", "-p", f"#{{{name}}}").strip()

    def await_text(self, *patterns):
        """Until the screen matches each of them; returns its text."""
        def found():
            text = self.text()
            return text if all(re.search(p, text) for p in patterns) else None
        return until(found, lambda: f"{patterns} on\n{self.text()}")

    def pids(self):
        """What the shell of the session runs."""
        done = subprocess.run(["pgrep", "-P", self.variable("pane_pid")], capture_output=True,
                              text=True, check=False)
        return [int(pid) for pid in done.stdout.split()]

    def pid(self):
        """Of the program itself."""
        return until(self.pids, "the program")[0]

    def save(self, name):
        """Keep what is shown, for people to look at."""
        CAPTURES.mkdir(exist_ok=True)
        (CAPTURES / f"{name}.txt").write_text(self.text(), encoding="utf-8")
        (CAPTURES / f"{name}.ansi").write_text(self.coloured(), encoding="utf-8")

    def end(self):
        # The leak check of a sanitizer hangs when the terminal goes while it runs.
        with contextlib.suppress(subprocess.SubprocessError, ProcessLookupError):
            for pid in self.pids():
                os.kill(pid, signal.SIGKILL)
        self.hang_up()

    def hang_up(self):
        """The terminal goes away below its program."""
        subprocess.run(["tmux", "-L", self.socket, "kill-server"], capture_output=True, timeout=20,
                       check=False)
