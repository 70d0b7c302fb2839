"""scripts/demo: the first thing that anybody tries."""
import os
import subprocess

import pytest

from px_tools import BUILD, SHM, SOURCE, bus_name, until


def left_over(bus):
    return [p.name for p in SHM.glob(f"px-{bus}*")]


def environment(bus):
    return {**os.environ, "PX_DEMO_BUS": bus, "PX_BUILD_DIR": str(BUILD), "PX_DEMO_SECONDS": "3"}


def processes_of(bus):
    out = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in out.splitlines() if bus in line.split()]


def test_without_a_terminal_it_prints_screens_and_leaves_nothing():
    bus = bus_name()
    done = subprocess.run([SOURCE / "scripts" / "demo"], env=environment(bus), capture_output=True,
                          stdin=subprocess.DEVNULL, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    assert f"bus {bus}  live" in done.stdout and "symbols are live" in done.stdout, done.stdout
    assert left_over(bus) == [] and processes_of(bus) == []


@pytest.mark.parametrize("key,words", [("q", "ended 0"), ("C-c", "ended 0")])
def test_on_a_terminal_it_watches_until_a_key_and_leaves_nothing(key, words):
    bus = bus_name()
    tmux = ["tmux", "-L", f"px-{bus}"]
    sets = " ".join(f"{k}={v}" for k, v in environment(bus).items()
                    if k.startswith("PX_"))
    subprocess.run([*tmux, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24",
                    f"env {sets} {SOURCE / 'scripts' / 'demo'}; echo ended $?; exec sleep 100"],
                   check=True, timeout=20)

    def screen():
        return subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True,
                              check=True, timeout=20).stdout

    try:
        until(lambda: "pxtail" in screen() and "symbols are live" in screen(), screen, 90)
        subprocess.run([*tmux, "send-keys", key], check=True, timeout=20)
        until(lambda: words in screen(), screen)
        until(lambda: left_over(bus) == [] and processes_of(bus) == [], "nothing is left")
    finally:
        subprocess.run([*tmux, "kill-server"], check=False, timeout=20)
