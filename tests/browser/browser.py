"""A real Chromium without a screen, on a profile of its own, with one page. Screenshots land in
screenshots/ of the build folder. Without Chromium the tests are skipped."""
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

from npm_parts import node_modules  # noqa: E402
from px_tools import BUILD, until  # noqa: E402

SHOTS = BUILD.resolve() / "screenshots"
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


class Browser:
    def __init__(self, modules, chromium, **options):
        self.profile = tempfile.mkdtemp(prefix="px-chromium-")
        self.process = subprocess.Popen(
            ["node", HERE / "driver.mjs", modules, chromium, self.profile],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.call("start", {"viewport": DESKTOP, "colorScheme": "light", **options})

    def call(self, method, *args):
        self.process.stdin.write(json.dumps([method, *args]) + "\n")
        line = self.process.stdout.readline()
        assert line, f"the driver ended at {method}"
        reply = json.loads(line)
        assert "error" not in reply, f"{method}{args}: {reply['error']}"
        return reply["ok"]

    def open(self, url):
        """The status of the page."""
        return self.call("open", url)

    def js(self, expression):
        return self.call("evaluate", expression)

    def text(self, selector):
        return self.js(f"document.querySelector('{selector}').textContent")

    def level(self, selector):
        return self.js(f"document.querySelector('{selector}').dataset.level")

    def until(self, expression, **how):
        """The first true value of an expression in the page."""
        return until(lambda: self.js(expression), lambda: f"{expression}: {self.roles('body')}", **how)

    def until_text(self, selector, words, **how):
        return self.until(f"document.querySelector('{selector}').textContent.includes('{words}')", **how)

    def click(self, selector):
        self.call("click", selector)

    def fill(self, selector, text):
        self.call("fill", selector, text)

    def press(self, *keys):
        for key in keys:
            self.call("press", key)

    def size(self, size):
        self.call("size", size["width"], size["height"])

    def media(self, **options):
        self.call("media", options)

    def shot(self, name, **options):
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.call("shot", str(SHOTS / f"{name}.png"), options)

    def roles(self, selector):
        """What a screen reader is told."""
        return self.call("roles", selector)

    def seen(self):
        """Errors on the console, exceptions, and the address of every request."""
        return self.call("seen")

    def end(self):
        try:
            self.call("stop")
        finally:
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()
            shutil.rmtree(self.profile, ignore_errors=True)


@pytest.fixture
def browser():
    """Make a Browser; all end with the test."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    modules = node_modules(HERE, BUILD.resolve() / "tests" / "browser")
    made = []

    def make(**options):
        made.append(Browser(modules, chromium, **options))
        return made[-1]

    yield make
    for one in made:
        one.end()
