"""Each counter of the feeder is written, and by exactly one module; each setting is read."""
import glob
import os
import re

ROOT = os.environ.get("PX_SOURCE", os.path.join(os.path.dirname(__file__), "..", ".."))
# Files that are parts of one module: the name of the first stands for all.
PARTS = {"control_request.c": "control.c", "link_io.c": "link.c"}


def table():
    """Name of each counter, and the module that counters.h says writes it."""
    module, found = None, {}
    with open(os.path.join(ROOT, "feeder", "counters.h"), encoding="utf-8") as f:
        for line in f:
            if section := re.match(r"\s*/\* (\w+\.c) \*/", line):
                module = section[1]
            if counter := re.match(r"\s*X\((\w+),", line):
                found[counter[1]] = module
    assert len(found) > 20 and None not in found.values()
    return found


def writers():
    """Modules that write each counter."""
    found = {}
    for path in glob.glob(os.path.join(ROOT, "feeder", "*.c")):
        name = os.path.basename(path)
        with open(path, encoding="utf-8") as f:
            for counter in re.findall(r"px_writer_(?:count|level)\([^;]*?\bPX_C_(\w+)", f.read()):
                found.setdefault(counter, set()).add(PARTS.get(name, name))
    return found


def test_every_counter_is_written_by_the_module_that_the_table_names():
    wrong = {}
    written = writers()
    for counter, module in table().items():
        if written.get(counter, set()) != {module}:
            wrong[counter] = (module, sorted(written.get(counter, set())))
    assert not wrong, wrong


def test_no_counter_is_written_that_the_table_does_not_have():
    assert set(writers()) <= set(table())


def test_every_setting_is_read_by_somebody():
    """A key that is accepted and has no effect is a lie."""
    with open(os.path.join(ROOT, "feeder", "config_keys.c"), encoding="utf-8") as f:
        keys = re.findall(r'(?:BUS|VENUE)\("\w+",\s*\w+,\s*(\w+),', f.read())
    assert len(keys) > 20
    code = ""
    for path in glob.glob(os.path.join(ROOT, "feeder", "*.c")):
        if os.path.basename(path) not in ("config_keys.c", "config_file.c", "options.c"):
            with open(path, encoding="utf-8") as f:
                code += f.read()
    code = re.sub(r"\bc->(\w+) = ", "", code)  # the defaults
    assert not [k for k in keys if not re.search(rf"(?:->|\.){k}\b", code)]
