"""What is installed is what a user links: the README's program, by pkg-config and by CMake's package."""
import os
import re
import subprocess

import pytest

from px import BUILD, SOURCE, Sim
from px import bus  # noqa: F401  (fixture)


def sh(*command, **how):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120,
                          check=False, **how)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture
def prefix(tmp_path):
    sh("cmake", "--install", BUILD, "--prefix", tmp_path / "usr")
    return tmp_path / "usr"


def readme_program(where):
    text = (SOURCE / "README.md").read_text()
    source = where / "read.c"
    source.write_text(re.search(r"```c\n(.*?)```", text, re.S)[1])
    return source


def libdir(prefix):
    return next(prefix.glob("lib*/**/libbus.so")).parent


def check_program(bus, program, prefix):  # noqa: F811
    env = {**os.environ, "LD_LIBRARY_PATH": str(libdir(prefix)), "PX_BUS": bus.name}
    with Sim(rate=500) as sim:
        bus.feeder(endpoint=sim.url)
        said = sh(program, env=env)
        assert re.match(r"bid \d+\.\d{8}, live, \d+\.\d{3} s old\n", said), said


def sanitized():
    return "PX_SANITIZE:STRING=\n" not in (BUILD / "CMakeCache.txt").read_text()


def test_the_program_of_the_readme_builds_with_pkg_config(bus, prefix, tmp_path):  # noqa: F811
    if sanitized():
        pytest.skip("a library with sanitizers is not for installing")
    source = readme_program(tmp_path)
    source.write_text(source.read_text().replace('"md"', "NULL"))
    env = {**os.environ, "PKG_CONFIG_PATH": str(libdir(prefix) / "pkgconfig")}
    flags = sh("pkg-config", "--cflags", "--libs", "libbus", env=env).split()
    sh("cc", "-std=c11", "-Wall", "-Werror", source, "-o", tmp_path / "read", *flags)
    check_program(bus, tmp_path / "read", prefix)


def test_the_program_of_the_readme_builds_with_the_cmake_package(prefix, tmp_path):
    if sanitized():
        pytest.skip("a library with sanitizers is not for installing")
    readme_program(tmp_path)
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(x C)\nfind_package(libbus 0.1 REQUIRED)\n"
        "add_executable(read read.c)\ntarget_link_libraries(read libbus::bus)\n")
    sh("cmake", "-S", tmp_path, "-B", tmp_path / "b", f"-DCMAKE_PREFIX_PATH={prefix}")
    sh("cmake", "--build", tmp_path / "b")


def test_programs_and_pages_are_installed(prefix):
    for name in ("feeder", "pxstat", "pxtail", "pxrestart", "pxdecode", "pxsim", "pxmon"):
        assert os.access(prefix / "bin" / name, os.X_OK), name
        assert (prefix / "share/man/man1" / f"{name}.1").exists(), name
    for name in ("px-feeder.service", "px-mon.service"):
        assert (prefix / "lib/systemd/system" / name).exists(), name
    for name in ("alerts.yml", "px-dashboard.json", "history.md", "uPlot.LICENSE"):
        assert (prefix / "share/doc/px" / name).exists(), name
