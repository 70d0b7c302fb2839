"""What the library promises to those who were built against it."""

import os
import pathlib
import re
import subprocess

import pytest

BUILD = pathlib.Path(os.environ["PX_BUILD"])
SOURCE = pathlib.Path(os.environ["PX_SOURCE"])


def exported():
    out = subprocess.run(
        ["nm", "-D", "--defined-only", str(BUILD / "lib" / "libbus.so")],
        check=True, capture_output=True, text=True).stdout
    names = [line.split()[-1].split("@")[0] for line in out.splitlines()]
    if any(n.startswith(("__asan", "__odr_asan", "__tsan", "__ubsan")) for n in names):
        pytest.skip("a sanitizer adds symbols of its own")
    return sorted(names)


def test_the_library_exports_what_is_listed_and_nothing_else():
    listed = (SOURCE / "tests/abi/exported.txt").read_text().split()
    assert exported() == sorted(listed)


def test_every_exported_function_is_declared_in_a_public_header():
    text = "".join(p.read_text() for p in (SOURCE / "libbus/include/px").glob("*.h"))
    declared = set(re.findall(r"\b(px_\w+)\(", "".join(re.findall(r"PX_API[^;]*;", text))))
    assert declared == set(exported())


def test_nothing_that_the_library_needs_is_undefined_but_the_c_library():
    out = subprocess.run(["readelf", "-d", str(BUILD / "lib" / "libbus.so")],
                         check=True, capture_output=True, text=True).stdout
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", out))
    exported()  # skips under a sanitizer
    assert needed <= {"libc.so.6"}
    assert re.search(r"SONAME.*\[libbus\.so\.0\]", out)


def compiled_layout():
    out = subprocess.run([str(BUILD / "tests" / "abi_layout")], check=True, capture_output=True,
                         text=True).stdout
    fields, totals = {}, {}
    for line in out.splitlines():
        struct, a, b, *name = line.split()
        if a == "total":
            totals[struct] = int(b)
        else:
            fields.setdefault(struct, []).append((int(a), int(b), name[0]))
    return fields, totals


def documented_layout():
    fields, totals, struct = {}, {}, None
    for line in (SOURCE / "docs/shm-layout.md").read_text().splitlines():
        head = re.match(r"### `struct (\w+)`, (\d+) bytes", line)
        if head:
            struct = head.group(1)
            totals[struct] = int(head.group(2))
        row = re.match(r"\| (\d+) \| (\d+) \| `([^`]+)` \|", line)
        if row:
            fields.setdefault(struct, []).append((int(row[1]), int(row[2]), row[3]))
    return fields, totals


def test_the_document_of_the_layout_says_what_the_compiler_does():
    assert documented_layout() == compiled_layout()


def test_the_document_of_the_layout_leaves_no_byte_out():
    fields, totals = documented_layout()
    for struct, rows in fields.items():
        end = 0
        for offset, size, name in rows:
            assert offset == end, f"{struct}.{name}"
            end = offset + size
        assert end == totals[struct], struct


def test_the_document_lists_the_bits_of_a_tick():
    layout = (SOURCE / "libbus/include/px/layout.h").read_text()
    value = {n: int(v, 0) for n, v in re.findall(r"#define PXL_(\w+)\s+(\d+)u", layout)}
    text = (SOURCE / "docs/shm-layout.md").read_text()
    bits = re.findall(r"\| (\d+) to (\d+) \| (slot|generation|kind|flags|exponents) \|", text)
    starts = {name: int(low) for low, _, name in bits}
    ends = {name: int(high) for _, high, name in bits}
    assert starts == {"slot": 0, "generation": value["GEN_SHIFT"], "kind": value["KIND_SHIFT"],
                      "flags": value["FLAGS_SHIFT"], "exponents": value["EXP_SHIFT"]}
    assert ends["slot"] == value["SLOT_BITS"] - 1
    assert ends["generation"] == value["GEN_SHIFT"] + value["GEN_BITS"] - 1
    assert ends["exponents"] == value["EXP_SHIFT"] + 4 * value["EXP_BITS"] - 1 == 63
