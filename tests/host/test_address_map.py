# SPDX-License-Identifier: MIT
"""Who answers where."""

from host.address_map import ROUTES_KEPT, AddressMap, Route, all_ones
from protocol.hypercall import HV_HYP_PAGE_SHIFT


class Answers:
    """Remembers what it was asked; reads give its number."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.written: list[tuple[int, int, int]] = []

    def read(self, offset: int, size: int) -> int:
        return self.number << 16 | offset << 4 | size

    def write(self, offset: int, size: int, value: int) -> int:
        self.written.append((offset, size, value))
        return self.number


class Addresses(AddressMap):
    """Reads and writes as a partition does: known pages first, then regions."""

    def route(self, gpa: int, size: int) -> Route | None:
        return self.routes.get(gpa >> HV_HYP_PAGE_SHIFT) or self.find(gpa, size)

    def read(self, gpa: int, size: int) -> int | None:
        route = self.route(gpa, size)
        return route.read(gpa - route.start, size) if route else None

    def write(self, gpa: int, size: int, value: int) -> int | None:
        route = self.route(gpa, size)
        return route.write(gpa - route.start, size, value) if route else None


def test_pages_and_regions_are_found_by_address() -> None:
    addresses = Addresses()
    page, region = Answers(1), Answers(2)
    assert addresses.claim_page(0xF8000, page.read, page.write)
    assert addresses.claim_region(0xF800_4000, 0x4000, region.read, region.write)
    assert addresses.read(0xF800_0010, 4) == 1 << 16 | 0x10 << 4 | 4
    assert addresses.read(0xF800_7FFC, 4) == 2 << 16 | 0x3FFC << 4 | 4
    assert addresses.write(0xF800_4008, 8, 5) == 2
    assert region.written == [(8, 8, 5)]
    for nobody in (0, 0xF800_1000, 0xF800_3FFC, 0xF800_8000, 1 << 60):
        assert addresses.read(nobody, 4) is None
        assert addresses.write(nobody, 4, 0) is None


def test_an_access_that_runs_over_a_regions_end_is_nobodys() -> None:
    addresses = Addresses()
    region = Answers(2)
    addresses.claim_region(0x1000, 0x10, region.read, region.write)
    assert addresses.read(0x100C, 8) is None
    assert addresses.write(0x100C, 8, 0) is None


def test_of_two_overlapping_claims_the_first_stays() -> None:
    addresses = Addresses()
    first, second = Answers(1), Answers(2)
    assert addresses.claim_region(0x4000, 0x4000, first.read, first.write)
    for start, size in ((0x4000, 0x1000), (0x7000, 0x2000), (0x2000, 0x2001), (0x0, 0x10_0000)):
        assert not addresses.claim_region(start, size, second.read, second.write)
    assert addresses.claim_region(0x8000, 0x1000, second.read, second.write)
    assert addresses.claim_region(0x3000, 0x1000, second.read, second.write)
    assert addresses.claim_page(1, first.read, first.write)
    assert not addresses.claim_page(1, second.read, second.write)


def test_what_is_released_can_be_claimed_again() -> None:
    addresses = Addresses()
    first, second = Answers(1), Answers(2)
    addresses.claim_region(0x4000, 0x1000, first.read, first.write)
    addresses.claim_page(9, first.read, first.write)
    addresses.release_region(0x4000)
    addresses.release_page(9)
    assert addresses.read(0x4000, 4) is None
    assert addresses.read(0x9000, 4) is None
    assert addresses.claim_region(0x3000, 0x2000, second.read, second.write)


def test_a_page_beats_a_region() -> None:
    addresses = Addresses()
    page, region = Answers(1), Answers(2)
    addresses.claim_region(0x0, 0x10_0000, region.read, region.write)
    addresses.claim_page(4, page.read, page.write)
    assert addresses.read(0x4000, 1) == 1 << 16 | 1


def test_a_page_of_a_region_is_found_once_and_forgotten_with_the_region() -> None:
    addresses = Addresses()
    region, page = Answers(2), Answers(1)
    addresses.claim_region(0x4000, 0x4000, region.read, region.write)
    for gpa in (0x4000, 0x5FFF, 0x7FFC):
        assert addresses.read(gpa, 1) == 2 << 16 | gpa - 0x4000 << 4 | 1
    # An access from the last page could run over the end, so that one is looked up each time.
    assert addresses.routes.keys() == {4, 5}
    assert addresses.read(0x7FFC, 8) is None
    assert addresses.claim_page(5, page.read, page.write)
    addresses.release_region(0x4000)
    assert addresses.routes.keys() == {5}
    addresses.release_page(5)
    assert addresses.read(0x5000, 1) is None


def test_a_page_given_up_shows_the_region_below_again() -> None:
    addresses = Addresses()
    region, page = Answers(2), Answers(1)
    addresses.claim_region(0x0, 0x10_0000, region.read, region.write)
    assert addresses.read(0x4000, 1) == 2 << 16 | 0x4000 << 4 | 1
    addresses.claim_page(4, page.read, page.write)
    assert addresses.read(0x4000, 1) == 1 << 16 | 1
    addresses.release_page(4)
    assert addresses.read(0x4000, 1) == 2 << 16 | 0x4000 << 4 | 1


def test_pages_kept_of_a_huge_region_are_bounded() -> None:
    addresses = Addresses()
    region = Answers(2)
    addresses.claim_region(0, 1 << 40, region.read, region.write)
    for page in range(ROUTES_KEPT + 10):
        assert addresses.write(page << HV_HYP_PAGE_SHIFT, 4, 1) == 2
    assert len(addresses.routes) == ROUTES_KEPT


def test_all_ones_are_as_wide_as_the_read() -> None:
    assert [all_ones(size) for size in (1, 2, 4, 8)] == [
        0xFF,
        0xFFFF,
        0xFFFF_FFFF,
        0xFFFF_FFFF_FFFF_FFFF,
    ]
