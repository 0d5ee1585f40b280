"""Identifiers: which text can name a resource at all."""

import pytest

from tams_graphql.model.errors import InvalidInput, NotFound
from tams_graphql.model.identifiers import is_uuid, known_form, required_uuid

UUID = "41d7f7eb-c48d-4513-9b37-17b418d26d7f"


@pytest.mark.parametrize("version", "12345")
def test_uuids_of_versions_1_to_5_are_taken(version: str) -> None:
    text = f"41d7f7eb-c48d-{version}513-9b37-17b418d26d7f"
    assert is_uuid(text)
    assert known_form("flow", text) == required_uuid("id", text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        UUID.upper(),
        UUID + "\n",
        "{" + UUID + "}",
        UUID.replace("-", ""),
        "41d7f7eb-c48d-7513-9b37-17b418d26d7f",
        "41d7f7eb-c48d-4513-cb37-17b418d26d7f",
        "٤1d7f7eb-c48d-4513-9b37-17b418d26d7f",
    ],
)
def test_other_text_names_nothing_in_a_path_and_is_invalid_elsewhere(text: str) -> None:
    with pytest.raises(NotFound) as missing:
        known_form("flow", text)
    assert (missing.value.kind, missing.value.identifier) == ("flow", text)
    with pytest.raises(InvalidInput) as refused:
        required_uuid("source_id", text)
    assert [(p.field, p.rule) for p in refused.value.problems] == [("source_id", "pattern")]
