"""Tag values: a string or a list of strings, nothing else."""

from typing import Any

import pytest

from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.tags import tag_value, tag_values


@pytest.mark.parametrize("value", ["", "x", [], ["x", "", "x"]])
def test_strings_and_lists_of_strings_are_kept_as_they_are(value: Any) -> None:
    assert tag_value("a", value) == value
    assert tag_values(value) == ([value] if isinstance(value, str) else value)


@pytest.mark.parametrize("value", [None, 1, 1.0, True, {}, {"a": "b"}, [1], ["x", None], [["x"]]])
def test_anything_else_is_refused_naming_the_tag(value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        tag_value("a.b", value)
    assert [(p.field, p.rule) for p in refused.value.problems] == [("tags.a.b", "type")]


@pytest.mark.parametrize(("name", "value"), [("\ud800", "x"), ("a", "\ud800"), ("a", ["\udfff"])])
def test_text_that_is_no_unicode_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        tag_value(name, value)
    assert {p.rule for p in refused.value.problems} == {"unicode"}
