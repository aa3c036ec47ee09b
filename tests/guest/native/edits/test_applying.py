# SPDX-License-Identifier: MIT
"""Edits of a source: each changes what it says, keeps the lines, and says when it does not fit."""

import pytest

from guest.native.edits.applying import applied
from guest.native.edits.record import EVERY, LAST, Drop, Edit, EditDoesNotFit, Force, Move, Swap

SOURCE = """\
/* drop(a) in a comment; */
#define LOUD(x) do { drop(x); } while (0)
static void other(void) { drop(other); }
static void work(int a);
static void work(int a)
{
    char *text = "drop(text); {";

    if (a == ready && b)
        take(a,
             second);
    for_each_thing(a, list)
        drop(a); // not drop(b);
out:
    drop(late);
    give(a);
}
"""


def changed(edit: Edit) -> list[str]:
    """The lines that an edit changes, as they are then."""
    before, after = SOURCE.splitlines(), applied(SOURCE, [edit]).splitlines()
    assert len(before) == len(after)
    return [new.strip() for old, new in zip(before, after, strict=True) if old != new]


@pytest.mark.parametrize(
    ("edit", "lines"),
    [
        (Drop("work", ("drop",)), ["; // not drop(b);"]),
        (Drop("work", ("drop",), LAST), [";"]),
        (Drop("work", ("drop",), EVERY), ["; // not drop(b);", ";"]),
        (Drop("work", ("take", "second")), [";", ""]),
        (Force("work", ("ready",)), ["if (0)"]),
        (Force("work", ("ready", "b"), 1), ["if (1)"]),
        (Swap("work", ("give",), "a", "b->a"), ["give(b->a);"]),
        (Swap("work", ("b",), "ready", "late || ready"), ["if (a == late || ready && b)"]),
        (Move("work", ("drop", "late"), behind=("give",)), [";", "give(a); drop(late);"]),
    ],
)
def test_an_edit_changes_the_place_that_it_names(edit: Edit, lines: list[str]) -> None:
    assert changed(edit) == lines


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (Drop("work", ("text_of",)), "work() has no statement with text_of"),
        (Drop("work", ("drop",), 3), "work() has no statement number 3 with drop"),
        (Force("work", ("late",)), "work() has no condition with late"),
        (Drop("gone", ("drop",)), "gone() has no statement with drop"),
    ],
)
def test_an_edit_that_does_not_fit_says_what_was_sought_where(edit: Edit, told: str) -> None:
    with pytest.raises(EditDoesNotFit) as error:
        applied(SOURCE, [edit])
    assert str(error.value) == told


def test_a_driver_that_somebody_has_edited_still_has_the_place() -> None:
    theirs = SOURCE.replace("drop(late);", "drop(  /* why */\n late ); trace(late);")
    assert "trace(late);" in applied(theirs, [Drop("work", ("drop", "late"))])
    assert "late )" not in applied(theirs, [Drop("work", ("drop", "late"))])


def test_a_definition_for_another_architecture_is_passed_over() -> None:
    two = SOURCE + "static void work(int a) { only(here); }\n"
    assert "only" not in applied(two, [Drop("work", ("only",))])
