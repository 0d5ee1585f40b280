"""GraphiQL in a browser without a network: it starts, runs an example and shows data."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.graphql.conftest import Api
from tests.support.engines import open_engine
from tests.support.server import running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
async def test_an_example_runs_offline(tmp_path: Path) -> None:
    engine = await open_engine(tmp_path)
    api = Api(engine)
    flow = await api.video_flow(label="Camera 1")
    await api.record(flow["flowId"], "[0:0_2:0)", "[2:0_4:0)")
    beyond: list[str] = []
    complaints: list[str] = []

    async def only_here(route: playwright.Route) -> None:
        if urlsplit(route.request.url).hostname == "127.0.0.1":
            await route.continue_()
        else:
            beyond.append(route.request.url)
            await route.abort()

    with running(api.app) as base_url:
        async with playwright.async_playwright() as driver:
            browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = await browser.new_page(viewport={"width": 1500, "height": 900})
            page.on("console", lambda said: _note(complaints, said.type, said.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            await page.route("**/*", only_here)
            await page.goto(f"{base_url}/graphql")
            await page.get_by_role("tab", name="SourcesToUrls").wait_for()
            await page.get_by_label("Execute query").click()
            result = page.locator("section.result-window")
            await result.get_by_text(f'"{flow["flowId"]}"').wait_for()
            await page.get_by_label("Show GraphiQL Explorer").click()
            await page.get_by_text("Explorer").first.wait_for()
            await page.get_by_label("Open settings dialog").click()
            await page.get_by_role("dialog").wait_for()
            await page.keyboard.press("Escape")
            await page.screenshot(path=tmp_path / "graphiql.png")
            shown = await result.inner_text()
            tabs = await page.get_by_role("tab").all_inner_texts()
            await browser.close()
    await api.http.aclose()
    await engine.close()

    assert "memory://" in shown
    assert '"[0:0_2:0)"' in shown
    assert {"SourcesToUrls", "CoverageAndGaps", "Register", "Compose"} <= set(tabs)
    assert beyond == []
    assert complaints == []


def _note(complaints: list[str], kind: str, text: str) -> None:
    if kind == "error":
        complaints.append(text)
