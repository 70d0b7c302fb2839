"""Rules of the house that a command can check. They look at what git knows, or at the whole tree."""
import os
import re
import shutil
import subprocess

import pytest

ROOT = os.environ.get("PX_SOURCE", os.path.join(os.path.dirname(__file__), "..", ".."))
CODE = (".c", ".h", ".cc")


def files(*endings, under=("libbus", "feeder", "tools", "tests", "examples", "bench")):
    found = []
    for top in under:
        for folder, dirs, names in os.walk(os.path.join(ROOT, top)):
            dirs[:] = [d for d in dirs if d not in ("__pycache__", "node_modules")]
            found += [os.path.join(folder, n) for n in names if n.endswith(endings)]
    assert found
    return sorted(found)


def text(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def name(path):
    return os.path.relpath(path, ROOT)


def users(pattern, *under):
    return {name(p) for p in files(*CODE, under=under) if re.search(pattern, text(p))}


def test_atomics_stand_in_two_files_only():
    assert users(r"\b__atomic_", "libbus", "feeder", "tools") <= {"libbus/atomic.h", "libbus/seq.h"}
    assert not users(r"\bstdatomic\.h|\b_Atomic\b|\b__sync_", "libbus", "feeder", "tools")


def test_the_lock_free_part_can_be_reviewed_in_an_hour():
    parts = ("include/px/layout.h", "atomic.h", "seq.h", "writer.c")
    total = sum(len(text(os.path.join(ROOT, "libbus", p)).splitlines()) for p in parts)
    assert total < 700, total


def test_each_library_has_one_door():
    assert users(r"#include <libwebsockets", "feeder") <= {"feeder/net.c"}
    assert users(r"#include <libwebsockets", "tools") <= {"tools/pxmon/web.c", "tools/pxmon/hook.c"}
    assert users(r"#include <sqlite3", "libbus", "feeder", "tools") <= {
        "tools/history/read.c", "tools/history/write.c"}
    assert users(r"#include <n?curses", "libbus", "feeder", "tools") <= {
        "tools/pxstat/screen.c", "tools/pxstat/terminal.c"}
    assert users(r"#include <openssl", "feeder") <= {
        p for p in users(r"#include <openssl", "feeder") if p.startswith("feeder/tls")}
    assert users(r"#include [<\"]simdjson", "feeder", "tools") <= {"feeder/json.cc"}
    assert {name(p) for p in files(".cc", ".cpp", under=("libbus", "feeder", "tools"))} == {"feeder/json.cc"}


def test_venues_are_pure():
    bad = r"#include <(libwebsockets|openssl|time|sys/|pthread)|\b(malloc|calloc|free|printf|clock_gettime)\s*\("
    assert not users(bad, "feeder/venues")


def test_tools_know_no_feeder():
    allowed = {"tools/pxdecode.c"}
    used = users(r'#include "(venue|config|subs|conn|net|control|link|publish|feeder)\.h"', "tools")
    assert {u for u in used if not u.startswith("tools/pxsim/")} <= allowed


def test_no_file_is_a_heap():
    long = {name(p): n for p in files(*CODE, ".py") if (n := len(text(p).splitlines())) > 800}
    assert not long, long


def test_no_function_is_longer_than_a_screen_and_a_half():
    ctags = shutil.which("ctags")
    if ctags is None:
        pytest.skip("ctags is not installed")
    paths = [p for p in files(".c", ".cc", under=("libbus", "feeder", "tools"))]
    out = subprocess.run([ctags, "--fields=+ne", "--kinds-C=f", "--kinds-C++=f", "-f", "-", *paths],
                         capture_output=True, text=True, check=True).stdout
    long = []
    for row in out.splitlines():
        line, end = (re.search(rf"\t{key}:(\d+)", row) for key in ("line", "end"))
        if line and end and int(end[1]) - int(line[1]) + 1 > 80:
            long.append(row.split("\t")[0])
    assert not long, long


def test_nothing_is_left_open():
    pattern = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    open_ends = [name(p) for p in files(*CODE, ".py", ".sh") if not p.endswith("test_house.py")
                 and pattern.search(text(p))]
    assert not open_ends, open_ends


def test_code_is_formatted():
    tool = shutil.which("clang-format-14") or shutil.which("clang-format")
    if tool is None:
        pytest.skip("clang-format is not installed")
    version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
    if " 14." not in version:
        pytest.skip("clang-format is not version 14, which the house uses")
    done = subprocess.run([tool, "--dry-run", "-Werror", *files(*CODE)], capture_output=True, text=True,
                          check=False)
    wrong = sorted(set(re.findall(r"^(\S+?):\d+", done.stderr, re.M)))
    assert done.returncode == 0, wrong


def test_scripts_are_clean():
    tool = shutil.which("shellcheck")
    if tool is None:
        pytest.skip("shellcheck is not installed")
    scripts = [os.path.join(ROOT, "scripts", n) for n in os.listdir(os.path.join(ROOT, "scripts"))]
    scripts = [s for s in scripts if text(s).startswith("#!") and "sh" in text(s).splitlines()[0]]
    done = subprocess.run([tool, "-x", "-P", "SCRIPTDIR", *scripts], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout


def test_each_program_has_a_man_page_with_exit_status_and_examples():
    programs = ("feeder", "pxstat", "pxrestart", "pxtail", "pxdecode", "pxsim", "pxmon")
    for program in programs:
        page = text(os.path.join(ROOT, "man", program + ".1"))
        assert ".Sh EXIT STATUS" in page and ".Sh EXAMPLES" in page, program


def test_man_pages_are_well_formed():
    tool = shutil.which("mandoc")
    if tool is None:
        pytest.skip("mandoc is not installed")
    pages = [os.path.join(ROOT, "man", n) for n in os.listdir(os.path.join(ROOT, "man")) if n[-1].isdigit()]
    assert pages
    done = subprocess.run([tool, "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout


def test_recorded_frames_are_not_in_the_tree():
    big = [name(p) for p in files(".jsonl", ".gz", ".frames", ".tsv", "", under=("tests",))
           if os.path.getsize(p) > 256 * 1024]
    assert not big, big


def test_every_promise_has_a_test_of_its_name():
    promises = ("never_a_wrong_price", "never_a_silent_stall", "never_a_silent_loss",
                "memory_stays_flat", "readers_cannot_hurt", "the_feeder_comes_and_goes",
                "reconnects_never_storm", "the_tools_work_on_a_patient_that_is_dead",
                "bad_input_gets_one_clear_sentence")
    tests = "\n".join(text(p) for p in files("_test.c", ".py", under=("tests",)) if "lint" not in p)
    missing = [p for p in promises if not re.search(rf"^(T_TEST\(|def test_){p}", tests, re.M)]
    assert not missing, missing
