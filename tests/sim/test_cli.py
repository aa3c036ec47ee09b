# SPDX-License-Identifier: MIT
"""The command line as people and programs meet it: statuses, one-line errors, JSON, quick help."""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sim.cli import BAD_INPUT, COMMANDS, FOUND, INTERRUPTED, LACKING, NOBODY_READS, OK, main
from tests.house.sources import ROOT

MAIN = "import sys; from sim.cli import main; sys.exit(main(sys.argv[1:]))"
HEAVY = ("rich", "simpy", "numpy", "construct")
CAPTURE = """\
01:00.0 Non-Volatile memory controller [0108]: Device [144d:a80a] (prog-if 02 [NVM Express])
\tRegion 0: Memory at fe000000 (64-bit, non-prefetchable) [size=16K]
00: 4d 14 0a a8 06 04 00 00 00 02 08 01 10 00 00 00
10: 04 00 00 fe 00 00 00 00 00 00 00 00 00 00 00 00
20: 00 00 00 00 00 00 00 00 00 00 00 00 4d 14 01 a8
30: 00 00 00 00 00 00 00 00 00 00 00 00 ff 01 00 00
""" + "".join(f"{at:02x}:{' 00' * 16}\n" for at in range(0x40, 0x100, 16))


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on standard error of a command that refuses its input."""
    assert main(arguments) == BAD_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1
    return err.strip()


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> object:
    """What a command prints with --json."""
    assert main([*arguments, "--json"]) == OK
    return json.loads(capsys.readouterr().out)


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


# --- help ---


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == OK
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)
    assert main([]) == OK
    assert capsys.readouterr().out == text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*name.split(), "--help"]) == OK
    text = capsys.readouterr().out
    assert main([*name.split(), "-h"]) == OK
    assert capsys.readouterr().out == text
    assert f"Usage: vpcisim {name} " in text
    assert f"vpcisim {name}" in text.partition("Example:")[2]
    assert "--json" in text


def imported(*arguments: str) -> set[str]:
    """Which of the large libraries a command line has imported when it is done."""
    script = (
        "import sys; from sim.cli import main; main(sys.argv[1:]); "
        f"print(*(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)"
    )
    return set(python("-c", script, *arguments).stderr.split())


def test_the_overview_imports_no_large_library() -> None:
    assert imported("--help") == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_for_one_command_imports_neither_the_engine_nor_the_screen(name: str) -> None:
    assert not imported(*name.split(), "--help") & {"rich", "simpy"}


def test_help_costs_at_most_ten_times_an_empty_program() -> None:
    def seconds(*arguments: str) -> float:
        began = time.perf_counter()
        assert python(*arguments).returncode == 0
        return time.perf_counter() - began

    # Best of several, side by side: other work on the machine meets both.
    pairs = [(seconds("-c", "pass"), seconds("-c", MAIN, "--help")) for _ in range(7)]
    assert min(help_s for _, help_s in pairs) <= 10 * min(empty_s for empty_s, _ in pairs)


def test_the_version_is_the_distribution_s(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("importlib.metadata")
    from importlib.metadata import PackageNotFoundError, version

    try:
        known = version("vpcisim")
    except PackageNotFoundError:
        pytest.skip("vpcisim is not installed here, only its source is there")
    assert main(["--version"]) == OK
    assert capsys.readouterr().out == f"vpcisim {known}\n"


# --- refusals ---


def test_a_wrong_command_lists_the_valid_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "rnu").startswith("vpcisim: no command 'rnu'; there are scenarios, ")
    assert told(capsys, "device") == "vpcisim: no command 'device'; there are device import"
    assert told(capsys, "device", "x") == "vpcisim: no command 'device x'; there are device import"


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_is_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, *name.split(), "--nonsense").startswith(f"vpcisim {name}: No such option")


def test_ctrl_c_ends_with_its_own_status_and_no_traceback() -> None:
    # The benchmark goes on for seconds; wherever in it the signal comes, the answer is the same.
    script = (
        "import signal, sys; from sim.cli import main; "
        "signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT)); "
        "signal.setitimer(signal.ITIMER_REAL, 0.4); sys.exit(main(['bench', 'codec']))"
    )
    done = python("-c", script)
    assert done.returncode == INTERRUPTED
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments", ["run sixty-four-devices", "devices", "--help", "run --help", "scenarios --json"]
)
def test_a_reader_that_has_gone_is_no_violation(arguments: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)  # before a word is written, so that no race decides what the test sees
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *arguments.split()],
        cwd=ROOT,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (NOBODY_READS, "")


def into(output: str, arguments: str) -> subprocess.CompletedProcess[str]:
    """The command with its standard output redirected by a shell."""
    return subprocess.run(
        f"{sys.executable} -c '{MAIN}' {arguments} {output}",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", ["scenarios --json", "run arrival"])
def test_a_full_disk_is_one_line_with_the_remedy(arguments: str) -> None:
    done = into(">/dev/full", arguments)
    assert done.returncode == LACKING
    assert done.stderr == ("vpcisim: standard output: No space left on device; make room for it\n")


@pytest.mark.parametrize("arguments", ["run arrival", "devices --json", "--help"])
def test_no_standard_output_is_one_line_with_the_remedy(arguments: str) -> None:
    done = into(">&-", arguments)
    assert done.returncode == LACKING
    assert done.stderr == "vpcisim: there is no standard output; do not close it, or use >FILE\n"


@pytest.mark.parametrize("name", ["run", "bench lifecycle", "scenarios"])
def test_an_encoding_that_lacks_characters_costs_no_traceback(name: str) -> None:
    arguments = ["run", "arrival"] if name == "run" else [*name.split(), "--help"]
    done = python("-c", MAIN, *arguments, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (OK, "")
    assert name != "run" or done.stdout.isascii()  # help is click's, which insists on UTF-8


# --- lists ---


def test_scenarios_as_json_have_the_promised_keys(capsys: pytest.CaptureFixture[str]) -> None:
    scenarios = document(capsys, "scenarios")
    assert isinstance(scenarios, list)
    keys = {"name", "story", "actors", "devices", "protocols", "drivers"}
    assert all(keys <= scenario.keys() for scenario in scenarios)
    assert len({scenario["name"] for scenario in scenarios}) == len(scenarios)


def test_the_grammar_is_printed_from_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios", "--grammar"]) == OK
    out = capsys.readouterr().out
    assert "do = 'surprise-remove'  (host)" in out
    # Knobs as every other row: what it may be, the default, whose it differs from, the meaning.
    assert (
        "\n  max_interrupts: a whole number from 0 to 2_048; default 2048 (openvmm: 494). " in out
    )


def test_devices_as_json_have_the_promised_keys(capsys: pytest.CaptureFixture[str]) -> None:
    devices = document(capsys, "devices")
    assert isinstance(devices, list)
    gpu = next(device for device in devices if device["name"] == "gpu")
    assert gpu["bars"] == [
        {"index": 0, "size_bytes": 16 << 20, "bits": 32, "prefetchable": False},
        {"index": 1, "size_bytes": 128 << 30, "bits": 64, "prefetchable": True},
        {"index": 3, "size_bytes": 32 << 20, "bits": 64, "prefetchable": True},
    ]
    keys = {"name", "vendor", "device", "class", "bars", "msi", "msix"}
    assert all(device.keys() == keys for device in devices)


# --- the wire ---


def test_bytes_are_taken_apart_by_field_path(capsys: pytest.CaptureFixture[str]) -> None:
    assert document(capsys, "decode", "pci_version_request", "00 30 49 42 04 00 01 00") == {
        "struct": "pci_version_request",
        "size": 8,
        "fields": {"message_type.type": 0x42493000, "protocol_version": 0x10004},
    }


@pytest.mark.parametrize(
    "data",
    [
        "0030494204000100",
        "0x0030494204000100",
        "00:30:49:42:04:00:01:00",
        "0x00 0x30 0x49 0X42 04000100",
        "00304942\n04000100",
    ],
)
def test_bytes_are_read_as_tools_print_them(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    fields = document(capsys, "decode", "pci_version_request", data)
    assert fields == document(capsys, "decode", "pci_version_request", "00 30 49 42 04 00 01 00")


def test_fields_are_put_together_and_missing_ones_are_zero(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def given(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    given('{"protocol_version": 65540}')
    assert document(capsys, "encode", "pci_version_request") == {
        "struct": "pci_version_request",
        "size": 8,
        "hex": "0000000004000100",
    }
    for text in ("", "[1]", '{"protocol_version": 1.5}', '{"nothing": 1}', "[" * 10_000):
        given(text)
        assert told(capsys, "encode", "pci_version_request").startswith("vpcisim encode: ")


def test_bytes_that_are_no_such_structure_are_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for data, wrong in (("00zz", "'z' is no hexadecimal digit"), ("0x0", "'0' has an odd number")):
        line = told(capsys, "decode", "pci_version_request", data)
        assert line.startswith(f"vpcisim decode: HEX: {wrong}")
        assert line.endswith("; write two for each byte, as in 00ff, 00:ff or 0x00ff")
    assert "there are packet, " in told(capsys, "decode", "pci_versoin", "00")
    short = told(capsys, "decode", "pci_version_request", "00")
    assert "pci_version_request.message_type.type at offset 0" in short


# --- device import ---


def test_a_capture_becomes_a_profile_file_that_can_be_imported_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture, profile = tmp_path / "disk.txt", tmp_path / "disk.json"
    capture.write_text(CAPTURE)
    first = document(capsys, "device", "import", str(capture), "--output", str(profile))
    again = document(capsys, "device", "import", str(profile))
    assert isinstance(first, dict)
    assert first["bars"] == [{"index": 0, "size_bytes": 16384, "bits": 64, "prefetchable": False}]
    assert first["file"] == str(profile)
    assert first == again


def test_a_profile_goes_to_standard_output_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    capture, profile = tmp_path / "disk.txt", tmp_path / "disk.json"
    capture.write_text(CAPTURE)
    first = document(capsys, "device", "import", str(capture))
    assert main(["device", "import", str(capture), "--output", "-"]) == OK
    profile.write_text(capsys.readouterr().out)
    again = document(capsys, "device", "import", str(profile))
    assert isinstance(first, dict)
    assert isinstance(again, dict)
    assert [again[key] for key in ("name", "bars")] == [first[key] for key in ("name", "bars")]
    assert not (tmp_path / "-").exists()
    both = told(capsys, "device", "import", str(capture), "--output", "-", "--json")
    assert "drop one of them" in both


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_lacking_for_every_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = tmp_path / "disk.txt"
    capture.write_text(CAPTURE)
    for arguments in (
        ["run", "arrival", "--trace", "/dev/full"],
        ["device", "import", str(capture), "--output", "/dev/full"],
    ):
        assert main(arguments) == LACKING
        assert capsys.readouterr().err.endswith(
            ": /dev/full: No space left on device; make room for it\n"
        )


def test_a_capture_that_cannot_be_used_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_text("no capture\n")
    assert str(bad) in told(capsys, "device", "import", str(bad))
    assert "cannot be read" in told(capsys, "device", "import", str(tmp_path / "absent.txt"))
    good = tmp_path / "good.txt"
    good.write_text(CAPTURE)
    assert "--bar-size" in told(capsys, "device", "import", str(good), "--bar-size", "9=4K")
    nowhere = str(tmp_path / "absent" / "x.json")
    assert nowhere in told(capsys, "device", "import", str(good), "--output", nowhere)


# --- run and lspci ---

LEAKING = """
name = "leaking"
story = "The host rescinds, and nobody says that Linux leaks then."
[[device]]
name = "nvme0"
profile = "nvme-ssd"
[[actor]]
name = "administrator"
steps = [
  { do = "offer", device = "nvme0" },
  { wait = "driver-bound" },
  { do = "rescind", device = "nvme0" },
]
"""


def test_a_run_as_json_has_the_promised_keys(capsys: pytest.CaptureFixture[str]) -> None:
    run = document(capsys, "run", "eject-idle", "--protocol", "1.2")
    assert isinstance(run, dict)
    assert run.keys() >= {
        *("scenario", "driver", "seed", "protocol", "profile", "verdict", "violation", "known"),
        *("errors", "messages", "final", "ended_at_ns"),
    }
    assert (run["verdict"], run["protocol"], run["driver"]) == ("clean", "1.2", "model")
    keys = {"seq", "at_ns", "direction", "channel", "name", "size", "transaction_id"}
    assert all(message.keys() >= keys for message in run["messages"])
    assert {"PCI_BUS_D0ENTRY", "OFFERCHANNEL"} <= {message["name"] for message in run["messages"]}
    assert run["final"].keys() == {"bus_state", "devices", "leaks"}


def test_a_run_for_people_ends_with_its_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "rescind-without-eject"]) == OK
    assert capsys.readouterr().out.splitlines()[-1] == "verdict  known: O9"


def test_a_violation_is_exit_status_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = tmp_path / "leaking.toml"
    scenario.write_text(LEAKING)
    assert main(["run", str(scenario), "--json"]) == FOUND
    run = json.loads(capsys.readouterr().out)
    keys = {"kind", "law", "message", "context", "at_ns", "stacks", "whose"}
    assert run["violation"].keys() == keys
    assert (run["verdict"], run["violation"]["kind"]) == ("violation", "leak")
    assert main(["run", str(scenario)]) == FOUND
    assert "violation leak" in capsys.readouterr().out
    assert main(["lspci", str(scenario)]) == FOUND
    out, err = capsys.readouterr()
    assert out == ""
    assert "ended in a violation, leak" in err


def test_names_that_are_wrong_list_the_valid_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert ", arrival, " in told(capsys, "run", "arival")
    assert "there are 1.4, 1.3, 1.2, 1.1" in told(capsys, "run", "arrival", "--protocol", "2")
    assert "there are hyperv, openvmm" in told(capsys, "run", "arrival", "--profile", "kvm")
    assert "there are model" in told(capsys, "lspci", "arrival", "--driver", "windows")
    assert "the openvmm profile never ejects" in told(
        capsys, "run", "eject-idle", "--profile", "openvmm"
    )


def test_a_wait_that_never_comes_true_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = tmp_path / "waiting.toml"
    scenario.write_text(LEAKING.replace("driver-bound", "d0-exited"))
    assert f"{scenario}: actor[0].steps[1]" in told(capsys, "run", str(scenario))


@pytest.mark.parametrize("name", ["eject-in-use", "multi-function"])
def test_a_trace_is_the_same_file_in_another_process_with_another_hash_seed(
    name: str, tmp_path: Path
) -> None:
    for seed in ("0", "4711"):
        done = python("-c", MAIN, "run", name, "--trace", str(tmp_path / seed), PYTHONHASHSEED=seed)
        assert done.returncode == OK
    first, second = ((tmp_path / seed).read_bytes() for seed in ("0", "4711"))
    assert first == second


def test_two_runs_are_the_same_and_two_versions_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(tmp_path / name) for name in ("a", "b", "c")]
    for path, version in zip(paths, ("1.4", "1.4", "1.3"), strict=True):
        assert main(["run", "arrival", "--protocol", version, "--trace", path]) == OK
    capsys.readouterr()
    assert document(capsys, "diff", *paths[:2]) == {
        "equal": True,
        "at": None,
        "left": None,
        "right": None,
        "named": {},
    }
    assert main(["diff", paths[0], paths[2], "--json"]) == FOUND
    found = json.loads(capsys.readouterr().out)
    assert not found["equal"]
    assert found["left"]["seq"] == found["right"]["seq"] == found["at"]
    assert main(["diff", paths[0], paths[2]]) == FOUND
    assert "first difference at event" in capsys.readouterr().out


def test_a_trace_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = str(tmp_path / "absent" / "trace.jsonl")
    assert nowhere in told(capsys, "run", "arrival", "--trace", nowhere)


def test_lspci_prints_what_can_be_imported_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = document(capsys, "lspci", "arrival")
    assert isinstance(seen, list)
    assert [function.keys() for function in seen] == [{"address", "text"}]
    (tmp_path / "seen.txt").write_text(seen[0]["text"])
    again = document(capsys, "device", "import", str(tmp_path / "seen.txt"), "--name", "nvme-ssd")
    assert isinstance(again, dict)
    devices = document(capsys, "devices")
    assert isinstance(devices, list)
    assert {key: again[key] for key in devices[0]} in devices


def test_a_device_file_takes_the_place_of_the_scenario_s_device(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = tmp_path / "disk.txt"
    capture.write_text(CAPTURE)
    seen = document(capsys, "lspci", "arrival", "--device", str(capture))
    assert isinstance(seen, list)
    assert "[size=16K]" in seen[0]["text"]
    absent = str(tmp_path / "absent.txt")
    assert absent in told(capsys, "run", "arrival", "--device", absent)


@pytest.mark.parametrize(
    ("scenario", "lack"),
    [
        ("config-blocks", "it has neither MSI-X nor MSI, so no interrupts and no function driver"),
        ("multi-msi", "it has neither MSI-X nor MSI"),
    ],
)
def test_a_device_that_cannot_play_a_scenario_is_blamed_itself(
    scenario: str, lack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = tmp_path / "disk.txt"
    capture.write_text(CAPTURE)
    line = told(capsys, "run", scenario, "--device", str(capture))
    assert line.startswith(f"vpcisim run: {capture}: does not suit {scenario}: {lack}")


def test_a_scenario_s_missing_capture_is_told_with_its_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = tmp_path / "mine.toml"
    scenario.write_text(LEAKING.replace('profile = "nvme-ssd"', 'capture = "absent.txt"'))
    line = told(capsys, "run", str(scenario))
    assert line.startswith(
        f"vpcisim run: {scenario}: device[0].capture: {tmp_path / 'absent.txt'}: file: cannot be"
    )


def test_lspci_without_a_device_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no device is left" in told(capsys, "lspci", "eject-idle")


def test_ctrl_c_before_a_coroutine_has_begun_says_nothing_of_it() -> None:
    code = (
        "import sys; from sim import cli\n"
        "async def begins(): pass\n"
        "def interrupted(given):\n"
        "    begun = begins()\n"
        "    raise KeyboardInterrupt\n"
        "cli._dispatch = interrupted\n"
        "sys.exit(cli.main(['run']))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (INTERRUPTED, "interrupted\n")
