# SPDX-License-Identifier: MIT
"""The page about the peer port says which orders the suite gives."""

from __future__ import annotations

import re

from protocol.peer_orders import GUEST_ORDERS, HOST_ORDERS
from sim.conformance.catalogue import GUEST_CASES
from tests.house.sources import ROOT

PAGE = (ROOT / "docs" / "peer-port.md").read_text(encoding="utf-8")
STEP = re.compile(r'do = "([a-z-]+)"')
GIVEN_BY_STEP = {"unbind-bus": "remove"}
ALWAYS = {"offer-versions"}  # before a guest's first channel is opened


def told(side: str) -> set[str]:
    """The orders that the page says the suite gives to this side."""
    found = re.search(rf"The suite gives a {side} ([^.;]*)[.;]", PAGE)
    assert found is not None
    return set(re.findall(r"`([a-z-]+)`", found[1]))


def test_the_orders_told_of_a_guest_are_those_that_its_cases_give() -> None:
    steps = {step for case in GUEST_CASES for step in STEP.findall(case.scenario)}
    given = {GIVEN_BY_STEP.get(step, step) for step in steps}
    assert told("guest") == (given & set(GUEST_ORDERS)) | ALWAYS


def test_the_orders_told_of_a_host_are_those_that_its_cases_give() -> None:
    folder = ROOT / "sim" / "conformance"
    files = [*folder.glob("host_*.py"), *folder.glob("host_cases/*.py")]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    named = {name for name in HOST_ORDERS if f'"{name}"' in source}
    assert told("host") == named | {"configure", "pass-time"}
