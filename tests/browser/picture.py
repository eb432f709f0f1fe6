"""The pictures of the README: the first screens of a page, light and dark, as a browser shows them.

python tests/browser/picture.py
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
from pathlib import Path

from driven import View, started

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github"
SIZE = {"width": 1000, "height": 1390}
SHARPNESS = 1.5  # pixels of the picture for one of the page
QUALITY = 80  # of WebP; texts are clean from about 75 on
COMMAND = ("compute", "samples/digits/logits.npy", "samples/digits/labels.npy", "-f", "html", "-o")


def main() -> None:
    """Write them."""
    with tempfile.TemporaryDirectory() as name, started() as driver:
        path = Path(name, "page.html")
        subprocess.run([sys.executable, "-m", "xentcli", *COMMAND, str(path)], check=True, cwd=ROOT)
        view = View.of(driver, path)
        for theme in ("light", "dark"):
            view.shown(SIZE["width"], theme, SIZE["height"])
            clip = {"x": 0, "y": 0, **SIZE, "scale": SHARPNESS}
            asked = {"format": "webp", "quality": QUALITY, "clip": clip}
            made = driver.execute_cdp_cmd("Page.captureScreenshot", asked)
            (FOLDER / f"page-{theme}.webp").write_bytes(base64.b64decode(made["data"]))


if __name__ == "__main__":
    main()
