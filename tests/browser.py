"""A headless browser, driven through chromedriver by the WebDriver protocol (W3C)."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""Under this key an answer names an element."""

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "about:blank"),
)

KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Space": " ", "End": "\ue010", "Home": "\ue011"}
KEYS |= {"Left": "\ue012", "Up": "\ue013", "Right": "\ue014", "Down": "\ue015"}


LOW_CONTRAST = """
const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
function parts(colour) {
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
}
const over = (top, ground) => [0, 1, 2].map(i => top[i] * top[3] + ground[i] * (1 - top[3]));
function luminance(colour) {
  const [r, g, b] = colour.map(v => v / 255).map(
    v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b;
}
function ground(element) {
  const chain = [];
  for (let one = element; one; one = one.parentElement) chain.unshift(one);
  return chain.reduce(
    (colour, one) => over(parts(getComputedStyle(one).backgroundColor), colour), [255, 255, 255]);
}
const found = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const words = texts.currentNode.data.trim(), element = texts.currentNode.parentElement;
  const look = getComputedStyle(element), box = element.getBoundingClientRect();
  if (!words || !box.width || look.visibility === 'hidden' || element.closest('script, style'))
    continue;
  const below = ground(element), svg = element.namespaceURI.includes('svg');
  const [a, b] = [over(parts(svg ? look.fill : look.color), below), below].map(luminance);
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05), size = parseFloat(look.fontSize);
  const large = size >= 24 || size >= 18.66 && +look.fontWeight >= 700;
  if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)}: ${words.slice(0, 40)}`);
}
return found;
"""
"""The texts of a page whose contrast is below that of WCAG 2.2, level AA."""


class Browser:
    """A browser with a fresh profile, whose downloads go into a folder.

    Parameters
    ----------
    place
        A folder for profile, downloads and logs.
    """

    def __init__(self, place: Path) -> None:
        assert CHROMIUM
        assert DRIVER
        self.downloads = place / "downloads"
        self.downloads.mkdir()
        self._log = (place / "driver.log").open("wb")
        self._driver = subprocess.Popen(
            [DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        try:
            self._url = f"http://127.0.0.1:{self._port()}/session"
            options = {
                "binary": CHROMIUM,
                "args": [*FLAGS, f"--user-data-dir={place / 'profile'}"],
                "prefs": {"download.default_directory": str(self.downloads)},
            }
            wanted = {
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }
            answer = self._ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})
            self._url += f"/{answer['sessionId']}"
        except BaseException:
            self._end()
            raise

    def _port(self) -> int:
        assert self._driver.stdout is not None
        for line in self._driver.stdout:
            if "started successfully on port" in line:
                return int(line.split()[-1].rstrip("."))
        raise AssertionError("chromedriver does not start")

    def _ask(self, method: str, path: str, content: dict[str, Any] | None = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self._url + path, data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def _end(self) -> None:
        self._driver.terminate()
        self._driver.communicate(timeout=20)
        self._log.close()

    def close(self) -> None:
        """End the browser and its driver."""
        try:
            self._ask("DELETE", "")
        finally:
            self._end()

    def open(self, page: str) -> None:
        """Go to a page."""
        self._ask("POST", "/url", {"url": page})

    def run(self, script: str, *arguments: object) -> Any:
        """Run the body of a function and return what it returns."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def click(self, selector: str) -> None:
        """Click on the first element that a selector matches, as a user would."""
        place = {"using": "css selector", "value": selector}
        element = self._ask("POST", "/element", place)[ELEMENT]
        self._ask("POST", f"/element/{element}/click", {})

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, wherever the focus is."""
        steps = [
            {"type": kind, "value": KEYS.get(key, key)}
            for key in keys
            for kind in ("keyDown", "keyUp")
        ]
        self._act({"type": "key", "id": "keys", "actions": steps})

    def drag(self, selector: str, begin: float, end: float) -> None:
        """Drag over an element from one share of its width to another."""
        script = (
            "const e = document.querySelector(arguments[0]); e.scrollIntoView({block: 'center'});"
            "const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height];"
        )
        left, top, width, height = self.run(script, selector)
        xs, y = [round(left + share * width) for share in (begin, end)], round(top + height / 3)
        steps = [
            {"type": "pointerMove", "x": xs[0], "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerMove", "x": xs[1], "y": y, "duration": 100},
            {"type": "pointerUp", "button": 0},
        ]
        self._act({"type": "pointer", "id": "mouse", "actions": steps})

    def _act(self, actions: dict[str, Any]) -> None:
        self._ask("POST", "/actions", {"actions": [actions]})

    def size(self, width: int, height: int, dark: bool = False) -> None:
        """Show pages as on a screen of this size (pixels), in light or dark colours."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._command("Emulation.setDeviceMetricsOverride", screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._command("Emulation.setEmulatedMedia", {"features": [scheme]})

    def picture(self, file: Path) -> None:
        """Write a picture of the screen to a PNG file."""
        file.write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))

    def _command(self, name: str, parameters: dict[str, Any]) -> None:
        self._ask("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def console(self) -> list[str]:
        """Return what the console has said since it was last asked."""
        return [entry["message"] for entry in self._ask("POST", "/se/log", {"type": "browser"})]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since this was last called."""
        found = []
        for entry in self._ask("POST", "/se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"])
        return found

    def wait(self, script: str, *arguments: object) -> Any:
        """Wait until the body of a function returns something true, and return that."""
        for _ in range(200):
            if value := self.run(script, *arguments):
                return value
            time.sleep(0.05)
        raise AssertionError(f"this does not come true: {script} {arguments}")

    def downloaded(self, names: Sequence[str]) -> list[Path]:
        """Wait for files of these names, and return them."""
        files = [self.downloads / name for name in names]
        for _ in range(200):
            if all(file.exists() for file in files):
                return files
            time.sleep(0.05)
        raise AssertionError(f"{names} are not downloaded: {list(self.downloads.iterdir())}")
