# SPDX-License-Identifier: MIT
"""Every message whose bytes are known, in both directions."""

import pytest

from tests.protocol.facts import RECORDS, VECTORS, payload_of


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_known_message_parses_and_builds_back_to_the_same_bytes(vector: dict[str, str]) -> None:
    record = RECORDS[vector["struct"]]
    data = payload_of(vector)
    assert record.parse(data).build() == data
