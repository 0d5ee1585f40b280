"""Makes the properties of the timeline part of `--soak` when they run at full length."""

from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--soak") or settings.get_current_profile_name() != "slow":
        return
    for item in items:
        if not isinstance(item, pytest.Function) or not item.path.is_relative_to(HERE):
            continue
        if is_hypothesis_test(item.obj):
            item.add_marker(pytest.mark.soak)
