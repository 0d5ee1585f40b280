"""Both pages in a real browser, with every request beyond this machine blocked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from playwright.async_api import Page, Route, async_playwright

from tests.support.server import running

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}")


@asynccontextmanager
async def opened_page(url: str) -> AsyncIterator[Page]:
    """A page that may reach this machine only; complains at the end about any that tried more."""
    beyond: list[str] = []
    complaints: list[str] = []

    async def guard(route: Route) -> None:
        if urlsplit(route.request.url).hostname in {"127.0.0.1", None}:
            await route.continue_()
        else:
            beyond.append(route.request.url)
            await route.abort()

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(viewport={"width": 1280, "height": 1600})
        await page.route("**/*", guard)
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(url)
        await page.wait_for_selector("body[data-ready=true]", timeout=30_000)
        yield page
        await asyncio.sleep(0.5)  # late requests and errors
        await browser.close()
    assert (beyond, complaints) == ([], [])


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_page_renders_without_a_network(app: FastAPI, path: str) -> None:
    with running(app, lifespan="off") as url:
        async with opened_page(url + path) as page:
            summary = page.get_by_text("Segments of a Flow, by time")
            await summary.locator("visible=true").first.wait_for(timeout=30_000)


async def test_an_operation_can_be_tried_from_the_page(app: FastAPI) -> None:
    with running(app, lifespan="off") as url:
        async with opened_page(f"{url}/docs") as page:
            operation = page.locator("#operations-service-get_service")
            await operation.locator(".opblock-summary-control").click()
            await operation.get_by_role("button", name="Try it out").click()
            await operation.get_by_role("button", name="Execute").click()
            answer = operation.locator(".live-responses-table .response-col_status")
            await answer.get_by_text("200").wait_for(timeout=30_000)
