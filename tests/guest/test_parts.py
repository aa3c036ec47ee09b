# SPDX-License-Identifier: MIT
"""What a guest is made of, and what may be put in front of it."""

from __future__ import annotations

import pytest

from guest.parts import PARTS, Parts, compose, with_mixins
from guest.pci_hyperv.eject import Eject


class OnePut(Eject):
    """Gives one reference back."""

    async def put_ejected(self, hpdev: object) -> None:
        """Nothing else."""


class Harmless:
    """Overrides nothing that anybody else does."""

    def harmless(self) -> str:
        return "none"


def test_a_mixin_goes_in_front_of_the_class_and_keeps_its_name() -> None:
    composed = compose(PARTS.driver, [OnePut, Harmless])
    assert composed.__name__ == "HvPciDriver"
    assert composed.__mro__[1:4] == (OnePut, Harmless, PARTS.driver)
    assert composed.put_ejected is OnePut.put_ejected
    assert PARTS.driver.put_ejected is Eject.put_ejected


def test_without_mixins_every_part_is_the_clean_class() -> None:
    assert compose(PARTS.driver, []) is PARTS.driver
    assert with_mixins({}) == PARTS


def test_a_part_that_no_guest_has_is_refused_with_those_it_has() -> None:
    with pytest.raises(ValueError, match="no part 'brakes'; there are driver, arch, "):
        with_mixins({"brakes": (OnePut,)})


@pytest.mark.parametrize("part", Parts._fields)
def test_every_part_takes_a_mixin(part: str) -> None:
    changed = with_mixins({part: (Harmless,)})
    assert issubclass(getattr(changed, part), (Harmless, getattr(PARTS, part)))
    assert changed._replace(**{part: getattr(PARTS, part)}) == PARTS
