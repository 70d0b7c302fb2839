"""What tests need from npm: installed into the build folder, once. Without npm, Node or a registry
there is nothing to run, and the tests are skipped."""
import contextlib
import fcntl
import json
import shutil
import subprocess

import pytest

QUIET = ["--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional"]
INSTALL_S = 300


def is_installed(work, wanted):
    for name, version in wanted.items():
        with contextlib.suppress(FileNotFoundError):
            found = (work / "node_modules" / name / "package.json").read_text(encoding="utf-8")
            if json.loads(found)["version"] == version:
                continue
        return False
    return True


def node_modules(source, work):
    """The folder of the packages that source/package.json names, after source/package-lock.json if
    there is one; also when several tests begin at the same time."""
    for program in "node", "npm":
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    wanted = json.loads((source / "package.json").read_text(encoding="utf-8"))["dependencies"]
    is_locked = (source / "package-lock.json").exists()
    how = ["npm", "ci"] if is_locked else ["npm", "install", "--no-package-lock"]
    work.mkdir(parents=True, exist_ok=True)
    with open(work / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_installed(work, wanted):
            return work / "node_modules"
        for name in ["package.json"] + ["package-lock.json"] * is_locked:
            shutil.copy(source / name, work)
        try:
            done = subprocess.run([*how, *QUIET], cwd=work, capture_output=True, text=True,
                                  timeout=INSTALL_S, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm did not install {', '.join(wanted)} within {INSTALL_S} s")
        if done.returncode != 0:
            pytest.skip(f"npm cannot install {', '.join(wanted)}: {done.stderr.strip()}")
    return work / "node_modules"
