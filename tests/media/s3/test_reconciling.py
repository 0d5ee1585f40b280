"""A bucket compared with the index, through a real S3 server."""

from pathlib import Path
from typing import Any

from tams_graphql.media.s3.store import S3Store
from tams_graphql.media.store import MediaStores
from tams_graphql.resolvers.context import Context, Service, now_us
from tams_graphql.resolvers.reconcile import Discrepancy, Found, Reconciled, Watch, reconcile
from tams_graphql.resolvers.storage import allocate_storage, upload_request
from tests.media.s3.conftest import ask
from tests.resolvers.segment_stories import FLOW, post, registered, video_flow
from tests.support.engines import open_engine

DAY_US = 24 * 3_600_000_000


async def test_a_bucket_that_others_use_too_is_reconciled(
    store: S3Store, boto: Any, bucket: str, tmp_path: Path
) -> None:
    storage_id, unknown = store.backend.id, "0a" * 16
    engine = await open_engine(tmp_path)
    stores = MediaStores({storage_id: store})
    ctx = Context(metadata=engine, stores=stores, service=Service())
    await video_flow(ctx)
    body = {"object_ids": ["good", "kept", "lost"], "storage_id": storage_id}
    good, kept, lost = await allocate_storage(ctx, FLOW, body)
    for one in (good, kept):
        request = upload_request(ctx, one)
        headers = {"content-type": request.content_type, **request.headers}
        assert ask("PUT", request.url, content=b"media", headers=headers).status_code == 200
    await registered(
        ctx, *(post(name, f"[{n}:0_{n + 1}:0)") for n, name in enumerate(("good", "kept", "lost")))
    )
    for name in (unknown, "of-another-program"):
        boto.put_object(Bucket=bucket, Key=name, Body=b"theirs")

    (young,) = await reconcile(ctx, [storage_id], delete=True)
    assert (young.stored, young.young, young.unknown, young.deleted) == (3, 1, 0, 0)
    found: list[Found] = []
    ctx.clock = lambda: now_us() + DAY_US
    reports = await reconcile(ctx, [storage_id], delete=True, watch=Watch(found=found.append))
    assert sorted(found, key=lambda one: one.what) == [
        Found(Discrepancy.MISSING, storage_id, lost.key, "lost"),
        Found(Discrepancy.UNKNOWN, storage_id, unknown, size=6),
    ]
    assert reports == [
        Reconciled(
            storage_id=storage_id,
            stored=3,
            stored_bytes=16,
            unknown=1,
            unknown_bytes=6,
            deleted=1,
            missing=1,
        )
    ]
    left = {one["Key"] for one in boto.list_objects_v2(Bucket=bucket)["Contents"]}
    assert left == {good.key, kept.key, "of-another-program"}
    await engine.close()
