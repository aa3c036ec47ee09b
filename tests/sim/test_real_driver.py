# SPDX-License-Identifier: MIT
"""A world with the real driver in it: told, seen and played again as one with the model is."""

import msgspec
import pytest

from guest.native.contexts import NativeFault
from guest.native.library import NOTES_MAX
from protocol.ids import Vector, VpIndex
from sim.choices import RandomChooser
from sim.explore.delaying import DelayChooser
from sim.explore.delays import Delay
from sim.guests import NativeGuests
from sim.pci_view import guest_view
from sim.report.lspci import print_functions
from sim.setup import Lab, Setup, against, read_setup
from sim.source_hashes import changed
from tests.kernel_trees import tree_of


@pytest.fixture(scope="module")
def arrival() -> Setup:
    tree = str(tree_of("6.12"))
    return msgspec.structs.replace(read_setup("arrival"), driver="kernel", tree=tree)


def test_a_user_of_the_real_driver_sees_what_a_user_of_the_model_sees(arrival: Setup) -> None:
    seen = []
    for setup in (arrival, read_setup("arrival")):
        world = Lab(setup).world()
        world.run()
        seen.append(print_functions(guest_view(world)))
    assert "Non-Volatile memory controller" in seen[0]
    assert seen[0] == seen[1]


def test_two_runs_of_the_real_driver_are_equal(arrival: Setup) -> None:
    lab = Lab(arrival)
    traces = []
    for _ in range(2):
        world = lab.world()
        world.run()
        traces.append(world.trace())
    assert traces[0] == traces[1]


def test_a_schedule_is_against_the_driver_that_was_built(arrival: Setup) -> None:
    assert changed(against(read_setup("arrival")), against(arrival)) == ("the real driver",)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_callback_that_never_returns_is_found_in_any_order(arrival: Setup, seed: int) -> None:
    setup = msgspec.structs.replace(
        read_setup("hostile-write-index"), driver="kernel", tree=arrival.tree
    )
    verdict = Lab(setup).world(RandomChooser(seed)).run()
    assert (verdict.verdict, verdict.known) == ("known", ("O30",))


def test_what_the_driver_core_loses_is_not_the_drivers_leak(arrival: Setup) -> None:
    """In this order the driver registers while VMBus adds the device."""
    setup = msgspec.structs.replace(
        read_setup("eject-during-probe"), driver="kernel", tree=arrival.tree
    )
    assert Lab(setup).world(RandomChooser(156)).run().leaks == ()


def test_what_the_pci_core_loses_is_not_the_drivers_leak(arrival: Setup) -> None:
    """In this order the function goes while the scan of its bus reads it."""
    setup = msgspec.structs.replace(
        read_setup("rescind-during-probe"), driver="kernel", tree=arrival.tree
    )
    held = Delay("administrator", "pause", 32, "ended sysvec_hyperv_callback#10")
    chooser = DelayChooser([held])
    world = Lab(setup).world(chooser)
    verdict = world.run()
    assert not chooser.unapplied
    assert any("unknown header type" in line for _, _, line in world.machine.guest.kernel.log_lines)
    assert [(leak.what, leak.known) for leak in verdict.leaks] == [("HvPciDev", "O9")]


def test_what_a_delivery_finds_is_a_fault_of_the_guest(arrival: Setup) -> None:
    lab = Lab(arrival)
    world = lab.world()
    world.run()
    assert isinstance(lab.guests, NativeGuests)
    for _ in range(NOTES_MAX):  # interrupts that nobody has fetched
        lab.guests.library().call.vx_device_interrupt(0, 0x40)
    with pytest.raises(NativeFault, match="more than 4096 notes"):
        world.machine.guest.deliver_vector(VpIndex(0), Vector(0x40))
