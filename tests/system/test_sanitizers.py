"""The nets of the sanitizers: a report of a process whose end nobody looks at fails the test that
started it. Only in builds with AddressSanitizer."""
import os
import subprocess
import sys

from px import SOURCE

CASE = '''
from px import Sim, bus, wait_for

def test_{name}(bus):
    with Sim(rate=100) as sim:
        bus.feeder("binance:BTCUSDT", endpoint=sim.url, test_watch_scale=100{leak})
        wait_for(lambda: (bus.counter("frames_in") or 0) > 50)
'''


def verdict(tmp_path, leak):
    """The exit status of the runner and what it printed, of a test that ends its feeder unseen."""
    case = tmp_path / "test_case.py"
    case.write_text(CASE.format(name="case", leak=leak))
    done = subprocess.run(
        [sys.executable, SOURCE / "tests" / "run_pytest.py", f"{case}::test_case"],
        env={**os.environ, "PYTHONPATH": str(SOURCE / "tests" / "system")}, capture_output=True,
        text=True, check=False)
    return done.returncode, done.stdout


def test_a_leak_of_a_process_that_nobody_looks_at_fails_its_test(tmp_path):
    code, text = verdict(tmp_path, ', test_leak="feeder:64"')
    assert code == 1 and "1 passed" in text
    assert "LeakSanitizer: detected memory leaks" in text and "leak_block" in text, text


def test_a_process_without_a_leak_passes(tmp_path):
    code, text = verdict(tmp_path, "")
    assert code == 0 and "1 passed" in text and "Sanitizer" not in text, text
