# SPDX-License-Identifier: MIT
"""Domain numbers."""

from __future__ import annotations

from uuid import UUID

import pytest

from guest.pci_hyperv.domains import (
    HVPCI_DOM_INVALID,
    HVPCI_DOM_MAP_SIZE,
    DomainMap,
    requested_domain,
)

# In memory: 03 02 01 00  05 04  07 06  08 09 0a 0b 0c 0d 0e 0f
INSTANCE = UUID("00010203-0405-0607-0809-0a0b0c0d0e0f")


@pytest.mark.wire_note("7.6c")
def test_the_domain_is_bytes_four_and_five_of_the_instance_id() -> None:
    assert requested_domain(INSTANCE) == 0x0405


def test_a_free_domain_number_is_given_as_asked() -> None:
    domains = DomainMap()
    assert domains.hv_get_dom_num(0x1234) == 0x1234


@pytest.mark.wire_note("7.6d")
def test_a_collision_gives_the_lowest_free_number_but_never_zero() -> None:
    domains = DomainMap()
    assert domains.hv_get_dom_num(1) == 1
    assert domains.hv_get_dom_num(1) == 2
    assert domains.hv_get_dom_num(0) == 3


def test_a_number_that_was_put_back_can_be_had_again() -> None:
    domains = DomainMap()
    domains.hv_get_dom_num(7)
    domains.hv_put_dom_num(7)
    assert domains.hv_get_dom_num(7) == 7


def test_when_all_numbers_are_taken_the_answer_is_invalid() -> None:
    domains = DomainMap()
    for number in range(1, HVPCI_DOM_MAP_SIZE):
        domains.hv_get_dom_num(number)
    assert domains.hv_get_dom_num(5) == HVPCI_DOM_INVALID
