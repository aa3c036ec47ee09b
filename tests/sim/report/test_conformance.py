# SPDX-License-Identifier: MIT
"""How the outcomes of a conformance run are told: table, failures, JSON, JUnit XML, page."""

from __future__ import annotations

import io
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from xmlschema import XMLSchema

from sim.conformance.catalogue import HOST_CASES, HOST_THEMES
from sim.conformance.outcome import BINDING, Outcome, Target
from sim.conformance.own_host import hosts_of
from sim.conformance.suite import plan, run_host_case
from sim.report.conformance import (
    conformance_dict,
    observed_lines,
    outcome_lines,
    summary_line,
    table_lines,
)
from sim.report.conformance_page import page_text
from sim.report.junit import write_junit

SCHEMA = XMLSchema(str(Path(__file__).parents[2] / "data" / "junit.xsd"))
TARGET = Target("host", "a host that refuses oddly", "hyperv", BINDING["hyperv"])
WRONG = {"version_refusal_status": 0xC0000001, "versions": ["1.2", "1.3", "1.4"]}
THEMES = {"negotiation": HOST_THEMES["negotiation"]}
THEME_OF = {case.id: theme for theme, cases in HOST_THEMES.items() for case in cases}


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """Of the theme of negotiation: some passed, some failed, one was skipped."""
    outcomes = [
        run_host_case(case, version, TARGET, hosts_of("hyperv", WRONG))
        for case, version in plan(THEMES["negotiation"])
    ]
    skipped = outcomes[0]._replace(result="skipped", why="the host has none")
    return [*outcomes, skipped._replace(version="1.5")]


def test_the_table_has_a_row_for_each_case_and_a_column_for_each_version(
    outcomes: list[Outcome],
) -> None:
    heading, *rows = table_lines(THEMES, outcomes)
    assert heading.split() == ["negotiation", "strength", "1.1", "1.2", "1.3", "1.4", "1.5"]
    assert [row.split()[0] for row in rows] == [case.id for case in THEMES["negotiation"]]
    assert any("FAIL" in row for row in rows)


def test_versions_are_in_the_order_of_the_protocol_whichever_case_comes_first(
    outcomes: list[Outcome],
) -> None:
    disordered = outcomes[::-1]
    heading, *_ = table_lines(THEMES, disordered)
    assert heading.split()[2:] == ["1.1", "1.2", "1.3", "1.4", "1.5"]
    page = page_text(TARGET, THEMES, disordered)
    assert re.findall(r"<th>(1\..)</th>", page)[:5] == heading.split()[2:]
    file = io.BytesIO()
    write_junit(file, TARGET, disordered, THEME_OF)
    names = [suite.get("name", "") for suite in ElementTree.fromstring(file.getvalue())]
    assert [name.split()[-1] for name in names] == heading.split()[2:]


def test_a_failure_shows_the_lanes_up_to_the_first_message_that_differs(
    outcomes: list[Outcome],
) -> None:
    failed = next(outcome for outcome in outcomes if outcome.result == "failed")
    *lanes, last = outcome_lines(failed)
    assert any("(PCI_QUERY_PROTOCOL_VERSION)" in line for line in lanes)
    assert last.endswith("<== the first that differs")
    assert f"  seen   {failed.why}" in lanes


def test_what_was_observed_alike_at_several_versions_is_one_line(outcomes: list[Outcome]) -> None:
    one = outcomes[0]._replace(result="observed", why="it sends nothing", version="1.2")
    lines = list(observed_lines([one, one._replace(version="1.3"), outcomes[0]]))
    assert lines == [f"observed {one.case.id} 1.2, 1.3: it sends nothing"]


def test_the_document_counts_what_its_cases_say(outcomes: list[Outcome]) -> None:
    document = conformance_dict(TARGET, outcomes)
    for result in ("passed", "failed", "skipped", "observed"):
        assert document[result] == sum(case["result"] == result for case in document["cases"])
    assert document["failed"] > 0
    assert summary_line(TARGET, outcomes).startswith("a host that refuses oddly: ")


def test_the_junit_file_keeps_to_the_schema(outcomes: list[Outcome]) -> None:
    file = io.BytesIO()
    write_junit(file, TARGET, outcomes, THEME_OF)
    SCHEMA.validate(file.getvalue().decode())
    suites = ElementTree.fromstring(file.getvalue())
    assert suites.get("failures") == str(sum(o.result == "failed" for o in outcomes))
    assert len(suites.findall(".//testcase")) == len(outcomes)


def test_the_schema_refuses_what_no_reader_knows(outcomes: list[Outcome]) -> None:
    file = io.BytesIO()
    write_junit(file, TARGET, outcomes, THEME_OF)
    damaged = file.getvalue().decode().replace("classname=", "class=")
    assert not SCHEMA.is_valid(damaged)


def test_the_page_escapes_what_a_peer_sent_and_leads_to_each_failure(
    outcomes: list[Outcome],
) -> None:
    failed = next(outcome for outcome in outcomes if outcome.result == "failed")
    page = page_text(TARGET, HOST_THEMES, [*outcomes, failed._replace(why="<script>")])
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert f'href="#{failed.case.id}-{failed.version}"' in page
    assert f'id="{failed.case.id}-{failed.version}"' in page


def test_the_page_leaves_out_what_was_not_run(outcomes: list[Outcome]) -> None:
    last = HOST_CASES[-1].id
    page = page_text(TARGET, HOST_THEMES, outcomes[:1])
    assert outcomes[0].case.id in page
    assert f"<td>{last}</td>" not in page
