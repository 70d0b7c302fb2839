"""What the documents say of tests is true: each that they name is there, and each fault of the
simulated exchange has its row."""
import os
import re

from test_house import ROOT, files, text

LISTS = ("docs/faults.md", "docs/operations.md")


def doc(name):
    return text(os.path.join(ROOT, name))


def promises():
    code = "\n".join(text(p) for p in files(".py", ".c", under=("tests",)))
    return set(re.findall(r"^(?:def |T_TEST\()(\w+)", code, re.M))


def table(page, last):
    """The last cell of each row, by its first, of those tables whose last column has this head."""
    found, head = {}, None
    for line in page.splitlines():
        cells = line.strip("| ").split(" | ")
        if not line.startswith("| "):
            head = None
        elif head is None:
            head = cells[-1]
        elif head == last and not line.startswith("| --"):
            found[cells[0]] = cells[-1]
    assert len(found) > 10
    return found


def test_each_test_that_a_document_names_exists():
    known = promises()
    for name, last in zip(LISTS, ("test", "measured by")):
        for what, cell in table(doc(name), last).items():
            named = re.findall(r"`(\w+)`", cell)
            assert named, (name, what)
            assert set(named) <= known, (name, what, set(named) - known)


def test_each_fault_of_the_simulated_exchange_has_a_row_that_names_its_test():
    faults = set(re.findall(r'X\(\w+, "([a-z0-9-]+)"', doc("tools/pxsim/faults.h")))
    assert {"refuse", "bad-json", "wrong-host"} <= faults and len(faults) > 20
    described = set(table(doc("docs/faults.md"), "test"))
    assert faults <= described, faults - described
