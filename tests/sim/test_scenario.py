# SPDX-License-Identifier: MIT
"""Scenario files: the built-ins are what they should be, and every mistake is told in one line."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.scenario import (
    Do,
    Pause,
    Scenario,
    ScenarioError,
    Wait,
    drivers_of,
    why_unplayable,
)
from sim.scenario_grammar import STEPS, TABLES, grammar_lines
from sim.scenario_kinds import RANGE_SAYS
from sim.scenario_reader import (
    BUILT_IN,
    built_in_names,
    load_scenario,
    parse_scenario,
    read_scenario,
)

PROMISED = (
    *("arrival", "eject-idle", "eject-in-use", "eject-during-probe", "eject-overdue"),
    *("rescind-without-eject", "rescind-during-probe", "relations-shrink", "relations-grow"),
    *("relations-repeated", "eject-two-devices", "unload", "reoffer", "sixty-four-devices"),
    *("config-blocks", "multi-function", "retarget", "multi-msi"),
    *("rescind-during-query", "rescind-during-eject", "eject-during-unload"),
    *("eject-overdue-shared", "eject-unbound", "hibernate"),
)

HEAD = """
name = "mine"
story = "Something happens."
[[device]]
name = "nvme0"
profile = "nvme-ssd"
"""
ACTOR = """
[[actor]]
name = "administrator"
"""
STEP = 'steps = [{ do = "offer", device = "nvme0" }]\n'
WHOLE = HEAD + ACTOR + STEP


def read(text: str) -> Scenario:
    return parse_scenario(text, source="mine.toml", folder=Path())


def refused(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        read(text)
    line = str(caught.value)
    assert line.startswith("mine.toml: ")
    assert "\n" not in line
    return line.removeprefix("mine.toml: ")


def complaint(text: str) -> str:
    """What is said of a text; nothing if it is a scenario."""
    try:
        read(text)
    except ScenarioError as error:
        return str(error)
    return ""


def with_steps(*steps: str) -> str:
    return HEAD + ACTOR + f"steps = [{', '.join(steps)}]\n"


# --- the built-ins ---


def test_every_promised_scenario_is_built_in() -> None:
    assert set(PROMISED) <= set(built_in_names())


@pytest.mark.parametrize("name", built_in_names())
def test_a_built_in_is_called_as_its_file_and_tells_a_story(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert len(scenario.story.split()) > 8


def test_a_scenario_fills_in_whatever_its_file_leaves_out() -> None:
    scenario = read(WHOLE)
    assert scenario.guest.protocol == ("1.4", "1.3", "1.2", "1.1")
    assert scenario.guest.vp_numbers == (0, 1)
    assert scenario.host.profile == "hyperv"
    assert scenario.expect.verdict == "clean"
    assert scenario.device("nvme0").bus == "nvme0"
    assert scenario.actors[0].steps == (
        Do(verb="offer", side="host", device="nvme0", path="actor[0].steps[0]"),
    )


def test_arm64_is_for_the_model_alone() -> None:
    arm64 = HEAD + '[guest]\narch = "arm64"\n' + ACTOR + STEP
    assert "drivers: the real driver cannot play arm64" in refused(arm64)
    confidential = arm64.replace('"arm64"', '"arm64"\nisolation = "cvm"')
    assert "guest.isolation: must be 'none'" in refused('drivers = ["model"]' + confidential)
    scenario = read('drivers = ["model"]' + arm64)
    assert scenario.guest.arch == "arm64"
    reason = why_unplayable(scenario, protocol="1.4", profile="hyperv", driver="kernel")
    assert reason == "it can be played by model only"


def test_the_ranges_of_addresses_are_put_in_order() -> None:
    high, low = "[0x10000000000, 0x1FFFFFFFFFF]", "[0xF8000000, 0xFBFFFFFF]"
    scenario = read(WHOLE + f"[guest]\nmmio = [{high}, {low}]\n")
    assert scenario.guest.mmio == ((0xF800_0000, 0xFBFF_FFFF), (1 << 40, (1 << 41) - 1))


# --- what is written out ---


def test_a_counted_device_becomes_that_many_and_a_step_on_it_one_for_each() -> None:
    scenario = read(WHOLE.replace('"nvme-ssd"', '"nvme-ssd"\ncount = 3'))
    assert [device.name for device in scenario.devices] == ["nvme00", "nvme01", "nvme02"]
    assert [device.serial for device in scenario.devices] == [1, 2, 3]
    assert [getattr(s, "device", "") for s in scenario.actors[0].steps] == [
        "nvme00",
        "nvme01",
        "nvme02",
    ]


def test_repeats_are_written_out_and_waits_in_them_are_for_the_next_event() -> None:
    again = '{ repeat = 3, steps = [{ wait = "rescinded", device = "nvme0" }, { after_ns = 5 }] }'
    rescind = '{ do = "rescind", device = "nvme0" }'
    steps = read(with_steps('{ do = "offer", device = "nvme0" }', rescind, again)).actors[0].steps
    waits = [step.count for step in steps if isinstance(step, Wait)]
    assert waits == [1, 2, 3]
    assert [step.ns for step in steps if isinstance(step, Pause)] == [5, 5, 5]


def test_a_wait_counts_on_from_the_number_it_was_given() -> None:
    offer = '{ do = "offer", device = "nvme0" }'
    steps = read(with_steps(offer, '{ wait = "d0-entered", count = 4 }', '{ wait = "d0-entered" }'))
    counts = [step.count for step in steps.actors[0].steps if isinstance(step, Wait)]
    assert counts == [4, 5]


def test_functions_of_one_card_share_a_bus_and_differ_in_their_slot() -> None:
    scenario = load_scenario("multi-function")
    ((bus, functions),) = scenario.buses().items()
    assert bus == "nic0"
    assert [function.wslot for function in functions] == [0, 1 << 5]


# --- mistakes ---

SLIPS = {
    "unknown top key": ("nmae = 1\n" + WHOLE, "nmae: unknown key; did you mean 'name'?"),
    "missing story": (WHOLE.replace("story", "#"), "story: is missing"),
    "name of the wrong type": (WHOLE.replace('"mine"', "7"), "name: must be a name"),
    "no device": ('name = "a"\nstory = "b"\n' + ACTOR + STEP, "device: must be a list"),
    "no actor": (HEAD, "actor: must be a list"),
    "device table of the wrong shape": (
        'name = "a"\nstory = "b"\ndevice = 3\n',
        "device: must be a list",
    ),
    "unknown device profile": (
        WHOLE.replace("nvme-ssd", "nvme-sdd"),
        "device[0].profile: no device profile 'nvme-sdd'; did you mean 'nvme-ssd'?",
    ),
    "unknown function driver": (
        WHOLE.replace('"nvme-ssd"', '"nvme-ssd"\ndriver = "nvmee"'),
        "device[0].driver: no function driver 'nvmee'; did you mean 'nvme'?",
    ),
    "neither profile nor capture": (
        WHOLE.replace('profile = "nvme-ssd"', ""),
        "device[0]: device 'nvme0' needs either a profile or a capture",
    ),
    "device named twice": (
        HEAD + '[[device]]\nname = "nvme0"\nprofile = "gpu"\n' + ACTOR + STEP,
        "device[1].name: the device 'nvme0' is named twice; rename one",
    ),
    "two functions in one slot": (
        HEAD + '[[device]]\nname = "b"\nprofile = "gpu"\nbus = "nvme0"\n' + ACTOR + STEP,
        "device[1].slot: 'nvme0' is there already",
    ),
    "bus of nobody": (
        WHOLE.replace('"nvme-ssd"', '"nvme-ssd"\nbus = "nvme9"'),
        "device[0].bus: no device 'nvme9'",
    ),
    "actor named twice": (WHOLE + ACTOR + STEP, "actor[1].name: the actor"),
    "actor without steps": (HEAD + ACTOR, "actor[0].steps: must be a list"),
    "unknown step": (
        WHOLE.replace('"offer"', '"ofer"'),
        "actor[0].steps[0].do: unknown step 'ofer'; did you mean 'offer'?",
    ),
    "step on nobody": (
        WHOLE.replace('device = "nvme0"', 'device = "nvme1"'),
        "actor[0].steps[0].device: no device 'nvme1'; did you mean 'nvme0'?",
    ),
    "step with a foreign key": (
        WHOLE.replace('device = "nvme0" }', 'device = "nvme0", mask = 1 }'),
        "actor[0].steps[0].mask: unknown key",
    ),
    "step that is no table": (with_steps("3"), "actor[0].steps[0]: must be a table"),
    "step that does nothing": (with_steps("{ count = 1 }"), "actor[0].steps[0]: must have one of"),
    "wait for nothing known": (
        with_steps('{ wait = "resources-asigned" }'),
        "actor[0].steps[0].wait: no event 'resources-asigned'; did you mean 'resources-assigned'?",
    ),
    "wait that nothing causes": (
        with_steps('{ do = "offer", device = "nvme0" }', '{ wait = "eject-sent" }'),
        "actor[0].steps[1].wait: can never come true: no actor does eject",
    ),
    "device that is never offered": (
        with_steps('{ do = "eject", device = "nvme0" }'),
        "actor[0].steps[0]: can never be reached: no actor offers 'nvme0'",
    ),
    "boot without a crash": (
        with_steps('{ do = "boot" }'),
        "actor[0].steps[0]: can never be reached: no actor does crash",
    ),
    "moment with a foreign key": (
        with_steps("{ within_ns = 5, after_ns = 1 }"),
        "actor[0].steps[0].within_ns: unknown key",
    ),
    "repeat of nothing": (
        with_steps("{ repeat = 2, steps = [] }"),
        "actor[0].steps[0].steps: must be a list",
    ),
    "repeat without end": (
        with_steps("{ repeat = 0, steps = [{ after_ns = 1 }] }"),
        "actor[0].steps[0].repeat: must be a whole number from 1 to 1_000",
    ),
    "vCPU that is not there": (
        with_steps(
            '{ do = "offer", device = "nvme0" }',
            '{ do = "set-affinity", device = "nvme0", cpus = [2] }',
        ),
        "actor[0].steps[1]: vCPUs are numbered 0 to 1",
    ),
    "protocol in the wrong order": (
        WHOLE + '[guest]\nprotocol = ["1.1", "1.4"]\n',
        "guest.protocol: must be written highest first",
    ),
    "VP numbers that do not fit": (
        WHOLE + "[guest]\nvp_numbers = [0, 0]\n",
        "guest.vp_numbers: must be one number for each vCPU",
    ),
    "one address for a range": (
        WHOLE + "[guest]\nmmio = [0xF8000000]\n",
        "guest.mmio: must be a pair [first, last] of addresses",
    ),
    "range that ends before it begins": (
        WHOLE + "[guest]\nmmio = [[0xF8000000, 0xF7FFFFFF]]\n",
        "guest.mmio: must be a pair [first, last] of addresses, whole pages from 0x80000000 on",
    ),
    "range of half a page": (
        WHOLE + "[guest]\nmmio = [[0xF8000000, 0xF8001000]]\n",
        "guest.mmio: must be a pair [first, last] of addresses, whole pages",
    ),
    "range in the guest's memory": (
        WHOLE + "[guest]\nmmio = [[0x1000000, 0x1FFFFFF]]\n",
        f"guest.mmio: must be {RANGE_SAYS}, not ['0x1000000', '0x1ffffff']",
    ),
    "ranges that overlap": (
        WHOLE + "[guest]\nmmio = [[0xF8100000, 0xF8FFFFFF], [0xF8000000, 0xF81FFFFF]]\n",
        "guest.mmio: 0xf8100000 is in the range before it; ranges must not overlap",
    ),
    "framebuffer above 4 GiB": (
        WHOLE + "[guest]\nframebuffer = [0x10000000000, 0x100007FFFFF]\n",
        "guest.framebuffer: must begin in the lowest range of mmio",
    ),
    "framebuffer without any address": (
        WHOLE + "[guest]\nmmio = []\nframebuffer = [0xF8000000, 0xF87FFFFF]\n",
        "guest.framebuffer: must begin in the lowest range of mmio",
    ),
    "flag instead of a number": (
        WHOLE + "[guest]\nvcpus = true\n",
        "guest.vcpus: must be a whole number",
    ),
    "unknown knob": (
        WHOLE + "[host.knobs]\neject_befor_resources_assigned = true\n",
        "host.knobs.eject_befor_resources_assigned: unknown knob; did you mean",
    ),
    "knob of the wrong type": (
        WHOLE + '[host.knobs]\nmax_vectors = "many"\n',
        "host.knobs.max_vectors: must be a whole number from 1 to 32, not 'many'",
    ),
    "knob beyond its bounds": (
        WHOLE + "[host.knobs]\nversion_refusal_status = 4294967296\n",
        "host.knobs.version_refusal_status: must be a whole number from 1 to 4_294_967_295",
    ),
    "knob with an unknown version": (
        WHOLE + '[host.knobs]\nversions = ["1.9"]\n',
        "host.knobs.versions: must be a list, each one of 1.1, 1.2,",
    ),
    "unknown latency": (
        WHOLE + "[host.latency_ns]\nrepli = 3\n",
        "host.latency_ns.repli: unknown key; did you mean 'reply'?",
    ),
    "window that ends before it begins": (
        WHOLE + "[host.latency_ns]\nreply = [5, 4]\n",
        "host.latency_ns.reply: must be nanoseconds",
    ),
    "eject by a host that never ejects": (
        with_steps('{ do = "offer", device = "nvme0" }', '{ do = "eject", device = "nvme0" }')
        + '[host]\nprofile = "openvmm"\n',
        "host.profile: the openvmm profile never ejects",
    ),
    "unknown open item": (
        WHOLE + '[expect]\nknown = ["O99"]\n',
        "expect.known: must be one of O1, O2",
    ),
    "needs without a reason": (
        WHOLE + '[needs]\nprofile = ["hyperv"]\n',
        "needs.why: is missing",
    ),
    "no TOML": ("name = ", "is not TOML: "),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_mistake_is_told_with_its_key_and_a_remedy(slip: str) -> None:
    text, told = SLIPS[slip]
    assert refused(text).startswith(told)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"absent\.toml: cannot be read: No such file"):
        read_scenario(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ScenarioError, match=r"binary\.toml: is not UTF-8 at byte 8; save it"):
        read_scenario(tmp_path / "binary.toml")
    with pytest.raises(ScenarioError, match="cannot be read"):
        read_scenario(tmp_path)


def test_a_wrong_name_lists_the_built_ins() -> None:
    with pytest.raises(ScenarioError, match=r"no such built-in; there are .*, arrival, "):
        load_scenario("arival")


# --- what cannot be played ---


def test_a_scenario_says_why_a_host_or_a_version_cannot_play_it() -> None:
    arrival, eject = load_scenario("arrival"), load_scenario("eject-idle")

    def why(scenario: Scenario, protocol: str, profile: str) -> str | None:
        return why_unplayable(scenario, protocol=protocol, profile=profile, driver="model")

    assert why(arrival, "1.1", "hyperv") is None
    assert why(arrival, "1.4", "openvmm") is None
    assert why(arrival, "1.1", "openvmm") == "the openvmm profile refuses protocol 1.1"
    assert why(eject, "1.4", "openvmm") == "the openvmm profile never ejects"


@pytest.mark.parametrize("name", built_in_names())
def test_a_built_in_that_some_host_cannot_play_says_so_itself(name: str) -> None:
    scenario = load_scenario(name)
    for profile in ("hyperv", "openvmm"):
        newest = scenario.needs.protocol[0]
        reason = why_unplayable(scenario, protocol=newest, profile=profile, driver="model")
        assert (reason is None) == (profile in scenario.needs.profile)


# --- the grammar ---


def test_the_grammar_shows_every_key_and_step() -> None:
    text = "\n".join(grammar_lines())
    assert all(f"  {key.name}: " in text for keys in TABLES.values() for key in keys)
    assert all(f"do = {verb!r}" in text for verb in STEPS)


# --- anything at all ---

_LEAVES = (
    st.integers(-3, 2**65)
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.sampled_from(("nvme0", "nvme-ssd", "offer", "rescinded", "1.4", "hyperv", "", "a b"))
    | st.text(max_size=5)
)
_WORDS = st.sampled_from(
    sorted(
        {key.name for keys in TABLES.values() for key in keys}
        | {key.name for row in STEPS.values() for key in row.keys}
        | {"do", "wait", "repeat", "steps", "guest", "host", "device", "actor", "knobs", "needs"}
    )
)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=4),
    max_leaves=12,
)


def _toml(value: object) -> str:
    """A value as inline TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return (
            '"' + "".join(f"\\U{ord(c):08x}" for c in value if not 0xD800 <= ord(c) < 0xE000) + '"'
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    return repr(value)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(_WORDS, _VALUES, max_size=6))
def test_whatever_stands_in_a_file_is_a_scenario_or_one_line(table: dict[str, object]) -> None:
    text = "\n".join(f"{key} = {_toml(value)}" for key, value in table.items())
    assert "\n" not in complaint(text)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_scenario_is_a_scenario_or_one_line(data: st.DataObject) -> None:
    text = bytearray((BUILT_IN / "eject-in-use.toml").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(9, 126))
    assert "\n" not in complaint(text.decode())


def test_a_crash_kernel_is_the_models_alone() -> None:
    crash = '{ do = "crash" }'
    crashes, boots = (
        read(HEAD + f'[[actor]]\nname = "fate"\nsteps = [{steps}]\n')
        for steps in (crash, f'{crash}, {{ do = "boot" }}')
    )
    assert drivers_of(crashes) == ("model", "kernel")
    assert drivers_of(boots) == ("model",)
    reason = why_unplayable(boots, protocol="1.4", profile="hyperv", driver="kernel")
    assert reason is not None
    assert "boots none" in reason
