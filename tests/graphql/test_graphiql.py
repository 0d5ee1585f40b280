"""GraphiQL and the live page in a browser without a network: queries, and what happens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from tests.graphql.browser import needs_chromium, visiting
from tests.graphql.conftest import Api
from tests.support.engines import open_engine
from tests.support.server import running


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Api, str]]:
    """An API with its hub, and the address of a server in this event loop's process."""
    engine = await open_engine(folder)
    api = Api(engine)
    with running(_with_hub(api)) as base_url:
        yield api, base_url
    await api.http.aclose()
    await engine.close()


def _with_hub(api: Api) -> ASGIApp:
    """`api.app`, whose hub runs where it is served."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await api.app(scope, receive, send)
            return
        await receive()
        async with api.telling():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    return app


@needs_chromium
async def test_an_example_runs_offline(tmp_path: Path) -> None:
    async with serving(tmp_path) as (api, base_url):
        flow = await api.video_flow(label="Camera 1")
        await api.record(flow["flowId"], "[0:0_2:0)", "[2:0_4:0)")
        async with visiting(f"{base_url}/graphql") as visit:
            page = visit.page
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

    assert "memory://" in shown
    assert '"[0:0_2:0)"' in shown
    assert {"SourcesToUrls", "CoverageAndGaps", "Register", "Compose", "Follow"} <= set(tabs)
    assert visit.beyond == visit.complaints == []


@needs_chromium
async def test_a_subscription_runs_until_it_is_stopped(tmp_path: Path) -> None:
    async with serving(tmp_path) as (api, base_url), visiting(f"{base_url}/graphql") as visit:
        page = visit.page
        await page.get_by_role("tab", name="Follow").click()
        await page.wait_for_timeout(1_500)  # GraphiQL looks at a tab's operations after a pause
        await page.get_by_label("Execute query").click()
        await page.get_by_label("Stop query").wait_for()
        await _until_followed(api)
        flow = await api.video_flow(label="Camera 1")
        result = page.locator("section.result-window")
        await result.get_by_text(f'"{flow["flowId"]}"').wait_for()
        await api.record(flow["flowId"], "[0:0_2:0)")
        await result.get_by_text('"[0:0_2:0)"').wait_for()
        await page.screenshot(path=tmp_path / "subscription.png")
        await page.get_by_label("Stop query").click()
        await page.get_by_label("Execute query").wait_for()
        await _until_followed(api, count=0)

    assert visit.beyond == visit.complaints == []


@needs_chromium
async def test_a_live_flow_grows_on_the_page(tmp_path: Path) -> None:
    async with serving(tmp_path) as (api, base_url):
        flow = await api.video_flow(label="Camera 1")
        await api.record(flow["flowId"], "[0:0_2:0)")
        async with visiting(f"{base_url}/live?flow={flow['flowId']}") as visit:
            page = visit.page
            await page.locator("#count", has_text="1").wait_for()
            await page.locator("#state.live").wait_for()
            await _until_followed(api)
            await api.record(flow["flowId"], "[2:0_4:0)", "[4:0_6:0)")
            await page.get_by_text("[4:0_6:0)", exact=True).wait_for()
            await page.screenshot(path=tmp_path / "live.png")
            shown = [await page.locator(f"#{name}").inner_text() for name in ("timerange", "count")]
            bars = await page.locator("#timeline div").count()
            rows = await page.locator("#segments tr").count()

    assert shown == ["[0:0_6:0)", "3"]
    assert (bars, rows) == (3, 3)
    assert visit.beyond == visit.complaints == []


async def _until_followed(api: Api, *, count: int = 1) -> None:
    async with asyncio.timeout(20):
        while len(api.hub._open) != count:  # noqa: ASYNC110 - it lives in another thread
            await asyncio.sleep(0.01)
