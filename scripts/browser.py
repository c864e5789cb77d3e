"""A page in headless Chromium, for the browser tests, the benchmark and the pictures of docs/.

    python -m scripts.browser compare.html docs/compare.png '#o=1' '#curves'

takes a picture of the page with these choices in its address, scrolled to that element.
"""
# pyright: reportMissingImports=false
# (playwright comes with the dev extra)

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
"""Root needs the first; the others keep Chromium from calling home."""


def chromium() -> str | None:
    """The browser on this machine, if there is one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """A running headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield running
        running.close()


def visit(page: Any, path: Path, choices: str = "") -> None:
    """Open a compare page and wait until it has drawn itself."""
    page.goto(path.resolve().as_uri() + choices)
    page.wait_for_selector("html[data-ready]", state="attached")


def settle(page: Any) -> None:
    """Wait until what was asked for is on the screen."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def main(words: list[str]) -> int:
    """Take one picture."""
    path, picture, choices, place = words
    with browser() as running:
        page = running.new_page(viewport={"width": 1280, "height": 800})
        visit(page, Path(path), choices)
        page.eval_on_selector(place, "node => node.scrollIntoView()")
        settle(page)
        page.screenshot(path=picture)
    small(Path(picture))
    return 0


def small(picture: Path) -> None:
    """Save a picture with 128 colours, which a page does not exceed by much."""
    from PIL import Image

    with Image.open(picture) as image:
        image.quantize(128).save(picture, optimize=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
