"""The demonstration: one command, and everything that it promises is in the server."""

from fractions import Fraction
from pathlib import Path

import av

from tams_graphql.client.demo import demo
from tams_graphql.client.export import export
from tams_graphql.client.film import FilmFormat
from tams_graphql.client.tams import Server, TamsClient
from tams_graphql.timeline import TimeRange


async def test_the_film_a_proxy_and_stills_are_stored_and_play(
    server: Server, tmp_path: Path
) -> None:
    film = FilmFormat(Fraction(6), 320, 180)
    made = await demo(server, film=film)
    assert [flow.role for flow in made.film.flows] == ["video", "audio"]
    (proxy,) = made.proxy.flows
    assert proxy.source_id == made.film.flows[0].source_id
    async with TamsClient(server) as tams:
        flow = await tams.flow(proxy.flow_id)
        assert (flow["essence_parameters"]["frame_width"], flow["generation"]) == (80, 1)
        stills = [s async for s in tams.segments(made.stills_flow_id)]
        assert [str(s.timerange) for s in stills] == ["[0:0_5:0)", "[5:0_6:0)"]
        jpeg = await tams.download(stills[1].get_urls)
    (tmp_path / "still.jpg").write_bytes(jpeg)
    with av.open(str(tmp_path / "still.jpg")) as picture:
        (shown,) = picture.decode(video=0)
        assert (shown.width, shown.height) == (320, 180)
    cut = TimeRange(1_000_000_000, 2_000_000_000)
    played = await export(server, str(made.film.multi_flow_id), cut, tmp_path / "cut.mp4")
    with av.open(str(played.path)) as container:
        assert len(list(container.decode(video=0))) == 25
    again = await demo(server, film=film)
    assert [flow.uploaded for flow in (*again.film.flows, *again.proxy.flows)] == [0, 0, 0]
