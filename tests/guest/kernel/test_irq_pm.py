# SPDX-License-Identifier: MIT
"""No handler of a device runs while the machine hibernates; what came is handled afterwards."""

from __future__ import annotations

from guest.kernel.irq_pm import resume_device_irqs, suspend_device_irqs
from tests.guest.kernel.line import Line


def test_an_interrupt_that_comes_meanwhile_is_handled_when_its_line_is_resumed() -> None:
    line = Line()
    line.request()
    line.rig.run(suspend_device_irqs(line.irqs))
    line.fire()
    assert line.handled == []
    line.rig.run(resume_device_irqs(line.irqs))
    line.rig.engine.run()
    assert len(line.handled) == 1
    line.fire()
    assert len(line.handled) == 2


def test_a_line_without_a_handler_is_left_alone() -> None:
    line = Line()
    line.rig.run(suspend_device_irqs(line.irqs))
    assert not line.data.suspended
    line.rig.run(resume_device_irqs(line.irqs))
    line.request()
    line.fire()
    assert len(line.handled) == 1


def test_a_line_that_was_disabled_before_stays_so() -> None:
    line = Line()
    line.request()
    line.data.depth, line.data.disabled = 1, True
    line.rig.run(suspend_device_irqs(line.irqs))
    line.rig.run(resume_device_irqs(line.irqs))
    assert line.data.disabled
    assert line.data.depth == 1


def test_a_managed_line_that_is_suspended_does_not_start_with_its_cpu_but_when_it_is_resumed() -> (
    None
):
    line = Line(managed=True, vectors=2)
    second = 25
    line.request(second)
    line.rig.run(suspend_device_irqs(line.irqs))
    assert line.rig.run(line.rig.kernel.hotplug.cpu_down(1)) == 0
    assert line.rig.run(line.rig.kernel.hotplug.cpu_up(1)) == 0
    assert line.irqs.descs[second].managed_shutdown
    line.rig.run(resume_device_irqs(line.irqs))
    assert not line.irqs.descs[second].managed_shutdown
    assert line.irqs.descs[second].started
