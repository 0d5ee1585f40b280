"""A browser without a network, for the pages that the server itself serves."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Visit:
    """A page, what it asked for elsewhere, and what it complained about."""

    page: Any
    beyond: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def only_here(self, route: Any) -> None:
        """Let it reach this machine alone."""
        if urlsplit(route.request.url).hostname == "127.0.0.1":
            await route.continue_()
        else:
            self.beyond.append(route.request.url)
            await route.abort()

    def note(self, kind: str, text: str) -> None:
        """Remember what it says on its console, if that is an error."""
        if kind == "error":
            self.complaints.append(text)


@asynccontextmanager
async def visiting(url: str) -> AsyncIterator[Visit]:
    """The page at `url`."""
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        visit = Visit(await browser.new_page(viewport={"width": 1500, "height": 900}))
        visit.page.on("console", lambda said: visit.note(said.type, said.text))
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        await visit.page.route("**/*", visit.only_here)
        await visit.page.goto(url)
        yield visit
        await browser.close()
