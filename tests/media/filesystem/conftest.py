from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.media.filesystem.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "media")
    yield site
    site.store.close()
