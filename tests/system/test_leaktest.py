"""The leak tests of scripts/leaktest: a fiftieth of each with every run of the suite, all of them
under the label slow."""
import subprocess

import px


def leaktest(*args, timeout):
    done = subprocess.run([str(px.SOURCE / "scripts" / "leaktest"), "--build", str(px.BUILD), *args],
                          capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rapid_cycles_of_subscriptions_leave_nothing():
    leaktest("--quick", "--only", "cycles", timeout=200)


def test_forced_reconnects_leave_nothing():
    leaktest("--quick", "--only", "reconnects", timeout=200)


def test_ticks_of_symbols_that_come_and_go_leave_nothing():
    leaktest("--quick", "--only", "long", timeout=200)


def test_a_clean_up_recovers_what_was_taken():
    leaktest("--quick", "--only", "cleanup", timeout=200)
