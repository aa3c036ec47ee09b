# SPDX-License-Identifier: MIT
"""Outcomes as JUnit XML, which continuous integration reads: a suite for each version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import BinaryIO
from xml.etree import ElementTree

from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from sim.conformance.outcome import Outcome, Target, versions_of
from sim.report.conformance import outcome_lines


def write_junit(
    file: BinaryIO, target: Target, outcomes: Sequence[Outcome], theme_of: Mapping[str, str]
) -> None:
    """Write them to an open file; ``theme_of`` gives the theme of a case's id."""
    document = JUnitXml("vpcisim conformance")
    for version in versions_of(outcomes):
        suite = TestSuite(f"{target.peer} {version}")
        of_version = (outcome for outcome in outcomes if outcome.version == version)
        suite.add_testcases(_cases(of_version, target, theme_of))
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]  # the library has no types there
    written = BytesIO()
    document.write(written)
    root = ElementTree.fromstring(written.getvalue())
    del root.attrib["skipped"]  # which the schema has on suites only
    ElementTree.indent(root)
    file.write(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _cases(
    outcomes: Iterable[Outcome], target: Target, theme_of: Mapping[str, str]
) -> list[TestCase]:
    return [
        _case(outcome, f"{target.side}.{theme_of[outcome.case.id]}.{outcome.version}")
        for outcome in outcomes
    ]


def _case(outcome: Outcome, class_name: str) -> TestCase:
    case = TestCase(outcome.case.id, classname=class_name)
    if outcome.result == "failed":
        failure = Failure(outcome.why, type_=outcome.case.strength)
        failure.text = "\n".join(outcome_lines(outcome))
        case.result = [failure]
    elif outcome.result == "skipped":
        case.result = [Skipped(outcome.why)]
    elif outcome.result == "observed":
        case.system_out = outcome.why
    return case
