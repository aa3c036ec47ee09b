# SPDX-License-Identifier: MIT
"""What is found while no context runs: the call that found it returns, and says so."""

from tests.guest.native.core.toy_build import Toy


def test_a_finding_outside_of_every_context_ends_the_call(toy: Toy) -> None:
    library = toy.library
    library.call.vx_reset()
    library.call.toy_deliver(5000)
    trap = library.shared.trap
    assert library.shared.found_outside
    assert trap.what == b"hang"
    assert trap.text == b"more than 4096 notes without a trap"


def test_a_call_that_finds_nothing_says_nothing(toy: Toy) -> None:
    toy.library.call.vx_reset()
    toy.library.call.toy_deliver(4000)
    assert not toy.library.shared.found_outside


def test_the_next_run_knows_nothing_of_it(toy: Toy) -> None:
    toy.library.call.vx_reset()
    toy.library.call.toy_deliver(5000)
    assert toy.run("says_twice") is None
    assert toy.log == ["once", "twice"]
    assert not toy.library.shared.found_outside


def test_a_finding_in_a_context_is_that_contexts_after_a_call_has_found_something(toy: Toy) -> None:
    toy.library.call.vx_reset()
    toy.library.call.toy_deliver(5000)
    found = toy.run("reads_null")
    assert found is not None
    assert found.context == "reads_null"
