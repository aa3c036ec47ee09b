# SPDX-License-Identifier: MIT
"""Several bugs at once: their mixins come together, unless two want the same function."""

import pytest

from guest.defects.record import Defect, DefectsClash, Mixin, mixins_by_part


class Clean:
    def open(self) -> str:
        return "clean"

    def close(self) -> str:
        return "clean"


class NeverOpens(Clean):
    def open(self) -> str:
        return "never"


class OpensTwice(Clean):
    def open(self) -> str:
        return "twice"


class Begins(Clean):
    def __init__(self) -> None:
        """Begins otherwise."""


class BeginsAnew(Clean):
    def __init__(self) -> None:
        """Begins otherwise, too."""


class NeverCloses(Clean):
    def close(self) -> str:
        return "never"


def a_bug(name: str, *mixins: Mixin) -> Defect:
    return Defect(
        id=name, subject="a subject", commit="0", commit_check="verified", cls="A",
        fixed="2020", scenario="arrival", expect=None, why="made up", mixins=mixins,
    )  # fmt: skip


def test_bugs_of_different_functions_come_together() -> None:
    first = a_bug("first", Mixin("driver", NeverOpens))
    second = a_bug("second", Mixin("driver", NeverCloses), Mixin("pci", NeverOpens))
    assert mixins_by_part((first, second)) == {
        "driver": (NeverOpens, NeverCloses),
        "pci": (NeverOpens,),
    }


def test_two_bugs_in_one_function_are_refused_by_name() -> None:
    first = a_bug("first", Mixin("driver", NeverOpens))
    second = a_bug("second", Mixin("driver", OpensTwice))
    with pytest.raises(DefectsClash, match=r"first and second both override open\(\); leave one"):
        mixins_by_part((first, second))


def test_a_mixin_that_changes_how_a_part_begins_counts_as_an_override_too() -> None:
    bugs = a_bug("first", Mixin("driver", Begins)), a_bug("second", Mixin("driver", BeginsAnew))
    with pytest.raises(DefectsClash, match=r"first and second both override __init__\(\)"):
        mixins_by_part(bugs)


def test_a_mixin_that_two_bugs_share_comes_once() -> None:
    shared = Mixin("driver", NeverOpens)
    assert mixins_by_part((a_bug("first", shared), a_bug("second", shared))) == {
        "driver": (NeverOpens,)
    }
