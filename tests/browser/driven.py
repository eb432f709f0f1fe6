"""Chromium without a window: a page is opened in it, looked at by a reader's measures, and printed."""

from __future__ import annotations

import base64
import json
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome

PROGRAMS = ("chromium", "chromedriver")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")
MEASURES = Path(__file__).with_name("measures.js").read_text(encoding="utf-8")
TALL = 800  # of a screen, in CSS pixels
KEYS = {"Tab": (9, ""), "Enter": (13, "\r")}
A4 = {"paperWidth": 8.27, "paperHeight": 11.69}  # inches
SHEET = re.compile(rb"/Type\s*/Page\b(?!s)")


def missing() -> str:
    """Why no browser can be driven here; empty where one can."""
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"no {' and no '.join(lacking)}: apt-get install chromium chromium-driver" if lacking else ""


@contextmanager
def started() -> Iterator[Chrome]:
    """A browser that logs what its pages say and ask for."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


@dataclass(frozen=True)
class View:
    """A page that is open in the browser."""

    driver: Chrome
    url: str

    @classmethod
    def of(cls, driver: Chrome, path: Path) -> View:
        """The page in the file; what was logged before is forgotten."""
        for name in ("browser", "performance"):
            driver.get_log(name)
        driver.get(path.as_uri())
        return cls(driver, path.as_uri())

    def measured(self, name: str) -> Any:
        """What a function of measures.js gives."""
        return self.driver.execute_script(f"{MEASURES}\nreturn {name}();")

    def shown(self, width: int, theme: str = "light", height: int = TALL) -> None:
        """So wide, in this theme."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        feature = {"name": "prefers-color-scheme", "value": theme}
        self._tell("Emulation.setDeviceMetricsOverride", size)
        self._tell("Emulation.setEmulatedMedia", {"media": "screen", "features": [feature]})

    def pressed(self, key: str) -> None:
        """With this key of the keyboard pressed and let go."""
        code, text = KEYS[key]
        told = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
        self._tell("Input.dispatchKeyEvent", {"type": "keyDown" if text else "rawKeyDown", **told})
        self._tell("Input.dispatchKeyEvent", {"type": "keyUp", **told})

    def printed(self) -> int:
        """How many sheets of A4 it takes."""
        self._tell("Emulation.setEmulatedMedia", {"media": "", "features": []})
        made = self._tell("Page.printToPDF", {**A4, "preferCSSPageSize": True})
        return len(SHEET.findall(base64.b64decode(made["data"])))

    def said(self) -> list[str]:
        """What stands in the browser's console."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def asked(self) -> list[str]:
        """The addresses that the page asked for."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"]

    def _tell(self, command: str, given: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self.driver.execute_cdp_cmd(command, given)
        return answer
