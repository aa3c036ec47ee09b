# SPDX-License-Identifier: MIT
"""RCU around the real driver: what readers may look at stays until they have gone, and no longer.

A copy of the driver's probe tries it, in the kernel's own words.
"""

from pathlib import Path

import pytest

from guest.native.build import Build
from sim.choices import RandomChooser
from tests.guest.native.playing import needing

ORDERS = 12
BEFORE = """
struct thing { struct rcu_head head; int value; };
static int order[8], called;
static void first(struct rcu_head *head) { order[called++] = 1; }
static void second(struct rcu_head *head) { order[called++] = 2; }
static struct thing *shared;
static DEFINE_SPINLOCK(between);
static void read_it(struct work_struct *work)
{
	struct thing *thing;

	rcu_read_lock();
	thing = rcu_dereference_raw(shared);
	for (int moment = 0; moment < 8; moment++) {
		spin_lock(&between);
		spin_unlock(&between);
	}
	BUG_ON(thing && thing->value != 7);
	rcu_read_unlock();
}
static DECLARE_WORK(reading, read_it);
"""
CALLBACKS = """
static struct rcu_head one, two, three;
call_rcu(&one, first);
BUG_ON(called != 1);
rcu_read_lock();
rcu_read_lock();
call_rcu(&two, second);
call_rcu(&three, first);
rcu_read_unlock();
BUG_ON(called != 1);
rcu_read_unlock();
BUG_ON(called != 3 || order[1] != 2 || order[2] != 1);
synchronize_rcu();
"""
OBJECTS = """
struct thing *thing = kzalloc(sizeof(*thing), GFP_KERNEL);
rcu_read_lock();
kfree_rcu(thing, head);
thing->value = 1;
rcu_read_unlock();
"""
AFTERWARDS = OBJECTS + "thing->value = 2;"
ITSELF = "rcu_read_lock(); synchronize_rcu(); rcu_read_unlock();"
SLEEPABLE = """
static struct srcu_struct srcu;
int index;
BUG_ON(init_srcu_struct(&srcu));
index = srcu_read_lock(&srcu);
srcu_read_unlock(&srcu, index);
synchronize_srcu(&srcu);
"""
PUBLISHED = """
struct thing *old = kzalloc(sizeof(*old), GFP_KERNEL);
old->value = 7;
rcu_assign_pointer(shared, old);
schedule_work(&reading);
spin_lock(&between);
spin_unlock(&between);
rcu_assign_pointer(shared, NULL);
"""
WAITED_FOR = PUBLISHED + "synchronize_rcu(); kfree(old); flush_work(&reading);"
FREED_LATER = PUBLISHED + "kfree_rcu(old, head); flush_work(&reading);"
FREED_AT_ONCE = PUBLISHED + "kfree(old); flush_work(&reading);"


@pytest.mark.parametrize("tried", [CALLBACKS, OBJECTS, SLEEPABLE])
def test_what_waits_for_readers_comes_when_the_last_has_gone(
    built: Build, tmp_path: Path, tried: str
) -> None:
    verdict = needing(tried, built, tmp_path, before=BEFORE).world().run()
    assert verdict.verdict == "clean", verdict.violation


@pytest.mark.parametrize(("tried", "kind"), [(AFTERWARDS, "use-after-free"), (ITSELF, "hang")])
def test_what_no_reader_may_do_is_found(
    built: Build, tmp_path: Path, tried: str, kind: str
) -> None:
    violation = needing(tried, built, tmp_path, before=BEFORE).world().run().violation
    assert violation is not None
    assert violation.kind == kind


@pytest.mark.parametrize(
    ("tried", "kinds"),
    [(WAITED_FOR, {None}), (FREED_LATER, {None}), (FREED_AT_ONCE, {None, "use-after-free"})],
)
def test_a_reader_of_another_cpu_keeps_what_it_has_found(
    built: Build, tmp_path: Path, tried: str, kinds: set[str | None]
) -> None:
    lab = needing(tried, built, tmp_path, before=BEFORE)
    violations = [lab.world(RandomChooser(seed)).run().violation for seed in range(ORDERS)]
    assert {found and found.kind for found in violations} == kinds
