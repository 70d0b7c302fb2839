"""Run one pytest node or file; exit 77 when all of it was skipped, so that ctest reports it as skipped.
What a test prints, such as the times it measured, stands in ctest's log also when it passes. Under
sanitizers it fails also if any process that the tests started, whoever looks at its end, left a
report."""
import os
import sys
import tempfile
from pathlib import Path

import pytest

SANITIZERS = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")


class Outcome:
    def __init__(self):
        self.skipped = 0
        self.passed = 0

    def pytest_runtest_logreport(self, report):
        if report.skipped:
            self.skipped += 1
        elif report.when == "call" and report.passed:
            self.passed += 1


def run(reports):
    for name in SANITIZERS:
        if name in os.environ:
            os.environ[name] += f":log_path={reports}/{name}"
    outcome = Outcome()
    code = pytest.main(["-q", "-rsP", "--no-header", "-p", "no:cacheprovider", *sys.argv[1:]], [outcome])
    found = sorted(Path(reports).iterdir())
    for report in found:
        print(f"-- {report.name}\n{report.read_text(errors='replace')}")
    if found or (code == 0 and outcome.passed == 0 and not outcome.skipped):
        return 1
    return 77 if code == 0 and outcome.passed == 0 else code


with tempfile.TemporaryDirectory(prefix="px-reports-") as folder:
    sys.exit(run(folder))
