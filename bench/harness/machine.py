"""What machine this is, how far its cores are apart, and what its clocks cost."""

import os
import platform
import re


def _cpuinfo(field):
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        match = re.search(rf"^{field}\s*:\s*(.*)$", f.read(), re.MULTILINE)
    return match.group(1) if match else "unknown"


def describe(ctx):
    """A dict of names and values that do not change during a run."""
    flags = _cpuinfo("flags").split()
    costs = ctx.program("micro", "costs")
    return {
        "cpu": f"{_cpuinfo('model name')}, family {_cpuinfo('cpu family')} "
               f"model {_cpuinfo('model')}",
        "cores": os.cpu_count(),
        "virtual": "hypervisor" in flags,
        "kernel": platform.release(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "constant_tsc": "constant_tsc" in flags and "nonstop_tsc" in flags,
        "clock": "rdtsc behind lfence, against CLOCK_MONOTONIC; times from a stamp inside a frame: "
                 "CLOCK_MONOTONIC",
        "clock_read_ns": costs["cycles_read_ns"],
        "clock_gettime_ns": costs["clock_gettime_ns"],
    }


def distance(ctx):
    """Half a round trip of a cache line between cores 0 and 1, in ns, and its word."""
    if (os.cpu_count() or 1) < 2:
        return {"ns": None, "word": "one core"}
    ns = ctx.program("micro", "distance")["distance_ns"]
    return {"ns": ns, "word": "near" if ns < 100 else "far"}
