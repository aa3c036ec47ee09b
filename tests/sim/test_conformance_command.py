# SPDX-License-Identifier: MIT
"""``vpcisim conformance guest`` and ``host``: what they take, print and write."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sim.cli import BAD_INPUT, FOUND, INTERRUPTED, LACKING, OK, main
from sim.conformance import lives, suite, wrong_hosts
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.catalogue import GUEST_CASES
from sim.conformance.guest_play import Played, play
from sim.conformance.host_bench import HostBench
from sim.conformance.wrong_guests import catalogue as wrong_guests
from sim.conformance.wrong_hosts.row import WrongHost

CASE = "relations-query-listed"
GUEST_CASE = GUEST_CASES[0].id


def test_one_case_at_one_version_is_one_row(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["conformance", "host", "--case", CASE, "--protocol", "1.4"])
    out = capsys.readouterr().out
    assert status == OK
    assert CASE in out
    assert "1 case: 1 passed, 0 failed, 0 skipped, 0 observed" in out


@pytest.mark.parametrize(("side", "case"), [("host", CASE), ("guest", GUEST_CASE)])
def test_json_is_the_documented_document(
    side: str, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["conformance", side, "--case", case, "--protocol", "1.3", "--json"]) == OK
    document = json.loads(capsys.readouterr().out)
    assert document["target"] == side
    assert document["cases"] == [
        {"id": case, "version": "1.3", "strength": "must", "result": "passed", "why": ""}
    ]
    assert document.keys() >= {"peer", "profile", "passed", "failed", "skipped"}
    assert not document["interrupted"]


def test_a_case_that_fails_is_told_and_written_and_ends_in_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class WrongBench(HostBench):
        def ready(self) -> None:
            raise Nonconforming("the host says nothing")

    monkeypatch.setattr(suite, "HostBench", WrongBench)
    junit, page = tmp_path / "host.xml", tmp_path / "host.html"
    arguments = ["--case", CASE, "--protocol", "1.4", "--junit", str(junit), "--html", str(page)]
    assert main(["conformance", "host", *arguments]) == FOUND
    out = capsys.readouterr().out
    assert f"failed: {CASE}, version 1.4 (must)" in out
    assert "  seen   the host says nothing" in out
    assert "the host says nothing" in junit.read_text(encoding="utf-8")
    assert "the host says nothing" in page.read_text(encoding="utf-8")


def test_what_was_found_is_shown_where_a_file_has_no_room(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["conformance", "host", "--case", CASE, "--junit", "/dev/full"]) == LACKING
    shown = capsys.readouterr()
    assert "4 cases: 4 passed" in shown.out
    assert shown.err.count("\n") == 1


def test_ctrl_c_keeps_what_was_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Impatient(HostBench):
        def ready(self) -> None:
            if self.dialect.name == "1.3":
                raise KeyboardInterrupt
            super().ready()

    monkeypatch.setattr(suite, "HostBench", Impatient)
    assert main(["conformance", "host", "--case", CASE]) == INTERRUPTED
    shown = capsys.readouterr()
    assert "2 cases: 2 passed" in shown.out
    assert shown.err == "interrupted: the cases behind these were not run\n"
    assert main(["conformance", "host", "--case", CASE, "--json"]) == INTERRUPTED
    document = json.loads(capsys.readouterr().out)
    assert document["interrupted"]
    assert document["passed"] == 2


def test_ctrl_c_keeps_what_was_run_of_a_guest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def impatient(case: GuestCase, version: str, **opposite: Any) -> Played:
        if version == "1.3":
            raise KeyboardInterrupt
        return play(case, version, **opposite)

    monkeypatch.setattr(lives, "play", impatient)
    assert main(["conformance", "guest", "--case", GUEST_CASE]) == INTERRUPTED
    shown = capsys.readouterr()
    assert "2 cases: 2 passed" in shown.out
    assert shown.err == "interrupted: the cases behind these were not run\n"


def test_ctrl_c_keeps_the_wrong_peers_that_were_put_to_the_suite(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def caught_by(wrong: WrongHost) -> tuple[str, ...]:
        if wrong is not wrong_hosts.WRONG_HOSTS[0]:
            raise KeyboardInterrupt
        return (CASE,)

    monkeypatch.setattr(wrong_hosts, "caught_by", caught_by)
    assert main(["conformance", "host", "--wrong-peers"]) == INTERRUPTED
    shown = capsys.readouterr()
    assert shown.out == f"a host that {wrong_hosts.WRONG_HOSTS[0].does}  {CASE}\n"
    assert shown.err == "interrupted: the peers behind these were not run\n"
    assert main(["conformance", "host", "--wrong-peers", "--json"]) == INTERRUPTED
    document = json.loads(capsys.readouterr().out)
    assert document["interrupted"]
    assert len(document["wrong_peers"]) == 1


@pytest.mark.parametrize(("side", "case"), [("host", CASE), ("guest", GUEST_CASE)])
def test_a_peer_that_dies_fails_its_case_and_is_no_traceback(
    side: str, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--spawn", "false", "--case", case, "--protocol", "1.4"]
    assert main(["conformance", side, *arguments]) == FOUND
    captured = capsys.readouterr()
    assert "  seen   the peer died: exit status 1" in captured.out
    assert captured.err == ""


@pytest.mark.parametrize(("options", "worlds"), [((), 1), (("--spawn", "false"), 2)])
def test_a_guest_in_another_process_lives_afresh_for_each_case_of_a_world(
    options: tuple[str, ...], worlds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = []

    def counted(case: GuestCase, version: str, **opposite: Any) -> Played:
        played.append(case.id)
        return play(case, version, **opposite)

    monkeypatch.setattr(lives, "play", counted)
    cases = ("--case", GUEST_CASE, "--case", "d0-entered-once")
    main(["conformance", "guest", *options, *cases, "--protocol", "1.4"])
    assert len(played) == worlds


@pytest.mark.parametrize(
    ("side", "place", "name"),
    [("host", wrong_hosts, "WRONG_HOSTS"), ("guest", wrong_guests, "WRONG_GUESTS")],
)
def test_the_table_of_wrong_peers_says_what_each_does_and_what_catches_it(
    side: str,
    place: ModuleType,
    name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    two = getattr(place, name)[:2]
    monkeypatch.setattr(place, name, two)
    if side == "guest":  # whose rows take the table once and for all
        all_rows = wrong_guests.rows
        monkeypatch.setattr(place, "rows", lambda: all_rows(two))
    assert main(["conformance", side, "--wrong-peers"]) == OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("  ")[0] for line in lines] == [f"a {side} that {w.does}" for w in two]
    assert main(["conformance", side, "--wrong-peers", "--json"]) == OK
    document = json.loads(capsys.readouterr().out)
    assert [peer["does"] for peer in document["wrong_peers"]] == [wrong.does for wrong in two]
    assert all(peer["caught_by"] for peer in document["wrong_peers"])


def test_a_guest_is_ours_or_somebody_elses(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--spawn", "false", "--driver", "kernel", "--tree", "linux"]
    assert main(["conformance", "guest", *arguments]) == BAD_INPUT
    assert "--driver names a guest of ours; leave it out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--case", "no-such-case"], "no case 'no-such-case'; without --case all are run"),
        (["--case", "version-acepted"], "did you mean 'version-accepted'"),
        (["--protocol", "2.0"], "no protocol '2.0'; there are 1.1, 1.2, 1.3, 1.4"),
        (["--strength", "should"], "no strength 'should'; there are must, linux"),
        (["--profile", "xen"], "no profile 'xen'; there are hyperv, openvmm"),
        (["--case", CASE, "--strength", "unknown"], "no case is left"),
        (["--junit", "/nowhere/host.xml"], "/nowhere/host.xml: there is no such folder"),
        (["--html", "/nowhere/host.html"], "/nowhere/host.html: there is no such folder"),
        (["--spawn", "no-such-program"], "no-such-program: No such file or directory"),
        (["--connect", "tcp:1"], "'tcp:1' is no address; write unix:PATH"),
        (["--spawn", "true", "--connect", "unix:x"], "name two peers; leave one out"),
        (["--wrong-peers", "--profile", "openvmm"], "leave all but --json out"),
    ],
)
def test_bad_use_is_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["conformance", "host", *arguments]) == BAD_INPUT
    out, error = capsys.readouterr()
    assert said in error
    assert (out, error.count("\n")) == ("", 1)
