# SPDX-License-Identifier: MIT
"""What a test sees of a run is what ``vpcisim run`` tells of it, picked by name."""

from __future__ import annotations

import tomllib

import pytest

from sim.explore.delaying import DelayChooser
from sim.explore.delays import Delay
from sim.testing import Story, Violated, after, device, do, story, wait
from sim.testing.refused import Refused
from tests.house.sources import ROOT
from tests.sim.testing.benches import TWO, vpci, vpci_by


def test_a_run_is_told_by_messages_events_and_what_is_left() -> None:
    run = vpci().run(TWO)
    assert (run.verdict, run.violation, run.known, run.unplayed) == ("clean", None, (), None)
    assert run.protocol == "1.4"
    assert run.bus_state == {"nvme0": "installed"}
    assert [one["driver"] for one in run.devices] == ["nvme"]
    assert not run.errors
    assert not run.leaks
    assert run.ended_at_ns == run.result.ended_at_ns > 10**6
    assert run.log == tuple(text for _, _, text in run.result.log)
    assert "PCI_EJECTION_COMPLETE 12" in run.picture()
    assert repr(run) == "<run of story: clean>"


def test_messages_are_picked_by_name_and_bus() -> None:
    run = vpci().run(TWO)
    (eject,) = run.sent("PCI_EJECT")
    assert (eject.channel, eject.direction) == ("nvme0", "host-to-guest")
    assert run.sent("PCI_EJECT", "nvme0") == [eject]
    assert run.sent("PCI_EJECT", "nvme9") == []
    assert len(run.sent("OFFERCHANNEL")) == 1
    assert run.sent("VM_PKT_COMP")


def test_events_are_picked_by_name_and_function() -> None:
    run = vpci().run(TWO)
    assert len(run.events("driver-bound")) == 2
    assert len(run.events("driver-bound", "nvme0")) == 1  # by its PCI address
    assert [event.wslot for event in run.events("eject-completed", "nvme0")] == [0]
    assert run.events("eject-completed", "nvme1") == []
    assert len(run.events("channel-offered", "nvme1")) == 1  # of its whole bus


@pytest.mark.parametrize("pick", ["sent", "events"])
def test_a_slip_of_the_pen_is_no_empty_list(pick: str) -> None:
    run = vpci().run(TWO)
    with pytest.raises(Refused, match="did you mean"):
        getattr(run, pick)("driver-bond" if pick == "events" else "PCI_EJCT")


def test_a_violation_has_the_run_and_reads_like_a_kernels_report() -> None:
    with pytest.raises(Violated) as caught:
        vpci().run(TWO, defects=["eject-ref-leak"])
    error = caught.value
    assert (error.violation.kind, error.run.verdict) == ("leak", "violation")
    first, _, headline, *_ = str(error).splitlines()
    assert first.startswith("leak: left behind: ")
    assert headline == "BUG: memory leak"
    assert error.run.sent("PCI_EJECT")


RESCINDED = {"administrator": [do("offer", "nvme0"), wait("driver-bound", "nvme0")]}
RESCINDED["administrator"] += [do("rescind", "nvme0")]


def test_a_violation_names_the_open_items_that_account_for_it_and_how_to_expect_them() -> None:
    devices = [device("nvme0", vectors=1)]
    with pytest.raises(Violated) as caught:
        vpci().run(story(devices=devices, actors=RESCINDED))
    assert caught.value.run.excused_by == ("O9",)
    *_, named, in_python, in_a_file = str(caught.value).splitlines()
    assert named.startswith("open item O9 of the driver accounts for this")
    assert 'expect={"known": ["O9"]} in a story' in in_python
    assert 'known = ["O9"] under [expect]' in in_a_file
    run = vpci().run(story(devices=devices, actors=RESCINDED, expect={"known": ["O9"]}))
    assert (run.verdict, run.known, run.excused_by) == ("known", ("O9",), ())


def test_what_the_scenario_names_already_is_to_be_written_with_the_rest() -> None:
    text = (ROOT / "sim" / "scenarios" / "eject-before-linked.toml").read_text(encoding="utf-8")
    assert 'known = ["O4", "O9"]' in text
    tables = tomllib.loads(text) | {"expect": {"known": ["O4"]}}
    with pytest.raises(Violated) as caught:
        vpci().run(Story(tables))
    assert caught.value.run.excused_by == ("O9",)
    assert 'known = ["O4", "O9"] under' in str(caught.value)


def test_a_violation_of_somebody_elses_making_names_no_open_item() -> None:
    with pytest.raises(Violated) as caught:
        vpci().run(TWO, defects=["eject-ref-leak"])
    assert caught.value.run.excused_by == ()
    assert "open item" not in str(caught.value)


def test_an_order_that_leaves_a_step_undone_says_which() -> None:
    thief = story(
        devices=[device("nvme0", vectors=1)],
        guest={"vcpus": 1},
        expect={"known": ["O9"]},
        actors={
            "administrator": [do("offer", "nvme0"), wait("driver-bound", "nvme0")],
            "thief": [wait("channel-offered", "nvme0"), after(5_000_000), do("rescind", "nvme0")],
        },
    )
    assert vpci().run(thief).unplayed is None
    held = Delay("vmbus_add_channel_work/1/hv_pri_chan#1", "start", 1, "late 2")
    unplayed = vpci_by(DelayChooser([held])).run(thief).unplayed
    assert unplayed is not None
    assert "the event 'driver-bound' never happened" in unplayed
