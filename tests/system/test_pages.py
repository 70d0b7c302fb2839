"""Locked and huge pages: what the kernel grants is what pxstat says, and what it does not grant is said
with its reason while prices flow on."""
import json
import os
import re
import resource
import subprocess
import sys

import pytest

from px import Sim, run, wait_for
from px import bus  # noqa: F401  (fixture)
from test_feeder import trade, write_frames

BTC = "binance:BTCUSDT"
HUGE = 2 << 20
# figures are shown at each tenth sample, of which there are a hundred a second here
SMALL = {"capacity": 64, "ring": 4096, "test_watch_scale": 100}

# A child without any privilege, whoever runs the test: root's own are bounded by an empty set.
POOR = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
# A process that no huge page is given to, and none of its children (PR_SET_THP_DISABLE).
NO_HUGE = [sys.executable, "-c", "import ctypes, os, sys\nctypes.CDLL(None).prctl(41, 1, 0, 0, 0)\n"
           "os.execvp(sys.argv[1], sys.argv[1:])"]


def limited(kib):
    return ["prlimit", f"--memlock={kib * 1024}", "--", *POOR]


def mappings(pid):
    """The mappings of a process: name, sizes in bytes by the names of smaps, flags."""
    found = []
    with open(f"/proc/{pid}/smaps", encoding="ascii") as f:
        for line in f:
            if head := re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+\s*(.*)", line):
                found.append({"name": head[1]})
            elif size := re.match(r"(\w+):\s+(\d+) kB", line):
                found[-1][size[1]] = int(size[2]) * 1024
            elif line.startswith("VmFlags:"):
                found[-1]["flags"] = line.split()[1:]
    return found


def total(pid, key, name=""):
    return sum(m[key] for m in mappings(pid) if name in m["name"])


def locked(pid, name=""):
    return sum(m["Size"] for m in mappings(pid) if "lo" in m["flags"] and name in m["name"])


def memory(bus):  # noqa: F811
    return bus.stat()[1]["memory"]


def agree(bus, said, counted, what):  # noqa: F811
    """Figures are shown now and then, and touching a page changes them."""
    wait_for(lambda: said(memory(bus)) == counted(), what=what)


def may_lock():
    """Who has CAP_IPC_LOCK, or no limit, may lock all."""
    with open("/proc/self/status", encoding="ascii") as f:
        capable = int(re.search(r"CapEff:\s*(\w+)", f.read())[1], 16) >> 14 & 1
    unlimited = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] == resource.RLIM_INFINITY
    return capable or unlimited


def test_nothing_is_locked_or_huge_that_was_not_asked_for(bus):  # noqa: F811
    with Sim() as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url, **SMALL)
        bus.tail(BTC, n=1)
        assert memory(bus)["mlock"] == {"state": "off", "locked_bytes": 0, "reason": None}
        huge = {"state": "off", "huge_heap_bytes": 0, "huge_shm_bytes": 0, "reason": None}
        assert memory(bus)["huge_pages"] == huge
        assert locked(feeder.pid) == 0 and total(feeder.pid, "ShmemPmdMapped") == 0


def test_locked_memory_is_all_that_is_mapped_and_what_pxstat_says(bus):  # noqa: F811
    if not may_lock():
        pytest.skip("no CAP_IPC_LOCK here")
    with Sim() as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url, mlock=True, **SMALL)
        bus.tail(BTC, n=1)
        said = memory(bus)["mlock"]
        assert (said["state"], said["reason"]) == ("all", None)
        agree(bus, lambda m: m["mlock"]["locked_bytes"], lambda: locked(feeder.pid), "VmLck")
        loose = [m for m in mappings(feeder.pid) if m["Rss"] > 0 and "lo" not in m["flags"]]
        assert {m["name"] for m in loose} <= {"[vdso]", "[vvar]", "[vvar_vclock]"}, loose
        # the plan is not made resident: pages are locked as they are touched
        assert total(feeder.pid, "Rss") < total(feeder.pid, "Size") / 2
        assert re.search(r"locked_bytes .* all\n", run("pxstat", "-b", bus.name, "--memory").stdout)


def test_locks_are_there_again_after_a_restart(bus):  # noqa: F811
    if not may_lock():
        pytest.skip("no CAP_IPC_LOCK here")
    with Sim() as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url, mlock=True, **SMALL)
        bus.wait_live()
        assert run("pxrestart", "-b", bus.name).returncode == 0
        assert memory(bus)["mlock"]["state"] == "all"
        agree(bus, lambda m: m["mlock"]["locked_bytes"], lambda: locked(feeder.pid), "VmLck")


def test_locked_memory_is_given_back_above_the_soft_limit(bus, tmp_path):  # noqa: F811
    """What one large message took: it is known, and nothing else takes as much."""
    if not may_lock():
        pytest.skip("no CAP_IPC_LOCK here")
    large = json.dumps({"result": None, "id": "x" * (4 << 20)})
    with Sim(replay=write_frames(tmp_path / "frames", [large, trade(1)])) as sim:
        bus.feeder(BTC, endpoint=sim.url, mlock=True, memory_soft_mb=1, **SMALL)
        bus.tail(BTC, n=1)
        wait_for(lambda: bus.counter("memory_recovered") > 4 << 20, what="what the message took")


def test_a_feeder_that_may_not_lock_feeds_on_and_says_why(bus):  # noqa: F811
    with Sim() as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url, wrap=limited(0), mlock=True, **SMALL)
        bus.tail(BTC, n=3)
        said = memory(bus)["mlock"]
        assert (said["state"], said["locked_bytes"]) == ("refused", 0)
        assert said["reason"] == ("not permitted, and the limit is 0 KiB: set LimitMEMLOCK=infinity or "
                                  "CAP_IPC_LOCK")
        assert len(re.findall(r"warning mlock: not permitted", feeder.err())) == 1
        assert locked(feeder.pid) == 0
        text = run("pxstat", "-b", bus.name, "--memory").stdout
        assert re.search(r"locked_bytes +0 B +refused: not permitted", text), text


def test_a_limit_that_covers_all_locks_what_is_mapped_and_nothing_fails_later(bus):  # noqa: F811
    if subprocess.run([*limited(1 << 20), "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to raise the limit here")
    with Sim() as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url, wrap=limited(1 << 20), mlock=True, **SMALL)
        bus.tail(BTC, n=3)
        assert memory(bus)["mlock"]["state"] == "all" and memory(bus)["mlock"]["reason"] is None
        agree(bus, lambda m: m["mlock"]["locked_bytes"], lambda: locked(feeder.pid), "VmLck")
        # a mapping beyond the limit would be refused if those to come were to be locked too
        with open(f"/proc/{feeder.pid}/limits", encoding="ascii") as f:
            limit = int(re.search(r"Max locked memory +\d+ +(\d+)", f.read())[1])
        assert 0 < locked(feeder.pid) < limit == 1 << 30


def test_a_limit_that_covers_the_segment_locks_the_segment(bus):  # noqa: F811
    with Sim() as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url, wrap=limited(8192), mlock=True, **SMALL)
        bus.tail(BTC, n=3)
        said = memory(bus)["mlock"]
        assert said["state"] == "part" and "only the segment is locked" in said["reason"]
        assert said["locked_bytes"] == bus.stat()[1]["bus"]["bytes"] == bus.segment().stat().st_size
        assert said["locked_bytes"] == locked(feeder.pid) == locked(feeder.pid, bus.segment().name)


def test_huge_pages_are_those_that_smaps_counts(bus):  # noqa: F811
    with Sim() as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url, huge_pages=True, **SMALL)
        bus.tail(BTC, n=3)
        said = memory(bus)["huge_pages"]
        assert said["state"] in ("all", "part", "refused")
        assert (said["state"] == "all") == (said["reason"] is None), said
        agree(bus, lambda m: m["huge_pages"]["huge_heap_bytes"],
              lambda: total(feeder.pid, "AnonHugePages"), "AnonHugePages")
        agree(bus, lambda m: m["huge_pages"]["huge_shm_bytes"],
              lambda: total(feeder.pid, "ShmemPmdMapped", bus.segment().name), "ShmemPmdMapped")
        size = bus.segment().stat().st_size
        assert size == bus.stat()[1]["bus"]["bytes"] and size % HUGE == 0
        if said["state"] == "all":
            assert total(feeder.pid, "ShmemPmdMapped") == size


def test_a_segment_that_was_made_of_small_pages_becomes_huge_under_its_readers(bus):  # noqa: F811
    """All but what its size leaves over; who reads meanwhile misses nothing."""
    with Sim(rate=500) as sim:
        bus.feeder(BTC, endpoint=sim.url).stop()
        size = bus.segment().stat().st_size
        tail = bus.tail_process(BTC, wait=True)
        feeder = bus.feeder(BTC, endpoint=sim.url, huge_pages=True)
        tail.wait_lines(lambda lines: len(lines) > 100)
        assert bus.segment().stat().st_size == size and size % HUGE != 0
        if memory(bus)["huge_pages"]["state"] == "all":
            assert total(feeder.pid, "ShmemPmdMapped") == size - size % HUGE
        seqs = [t["seq"] for t in tail.lines() if t["kind"] != "status"]
        assert seqs == sorted(set(seqs))
        assert not [t for t in tail.lines() if t.get("event") == "lost"]


def test_huge_pages_that_are_not_to_be_had_are_said_with_the_reason(bus):  # noqa: F811
    with Sim() as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url, wrap=NO_HUGE, huge_pages=True, **SMALL)
        bus.tail(BTC, n=3)
        said = memory(bus)["huge_pages"]
        assert said["state"] == "refused" and said["reason"]
        assert (said["huge_heap_bytes"], said["huge_shm_bytes"]) == (0, 0)
        assert len(re.findall(r"warning huge pages: ", feeder.err())) == 1
        assert total(feeder.pid, "AnonHugePages") == 0


def test_the_plan_rounds_the_segment_up_to_huge_pages():
    def segment(*flags):
        plan = run("feeder", "--plan", "--capacity", 1000, *flags).stdout
        return int(re.search(r"^segment .* (\d+)$", plan, re.M)[1]), plan
    small, _ = segment()
    huge, text = segment("--huge-pages", "--mlock")
    assert huge == (small + HUGE - 1) // HUGE * HUGE > small
    assert "2 MiB at a time" in text and "LimitMEMLOCK=" in text
