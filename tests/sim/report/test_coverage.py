# SPDX-License-Identifier: MIT
"""What is told of a coverage: two lines, a document, and a page of the source."""

import re
from pathlib import Path

from guest.native.coverage import Coverage, Function, Line
from sim.report.coverage import coverage_dict, coverage_lines, page_text, write_page

SOURCE = 'int first(int a)\n{\n\tif (a < 1)\n\t\tputs("<&>");\n\treturn 0;\n}\n'
COVERAGE = Coverage(
    file="hv.c",
    lines=(Line(1, 2), Line(3, 2, (2, 0)), Line(4, 0), Line(5, 2)),
    functions=(Function("first", 1, 2), Function("later", 9, 0)),
)


def test_the_lines_say_how_many_and_which_functions_nobody_called() -> None:
    assert list(coverage_lines(COVERAGE)) == [
        "covered  3 of 4 lines; 1 of 2 branches",
        "uncalled later",
    ]


def test_the_document_has_the_same() -> None:
    assert coverage_dict(COVERAGE) == {
        "file": "hv.c",
        "lines": 4,
        "lines_run": 3,
        "branches": 2,
        "branches_run": 1,
        "functions_not_run": ("later",),
    }


def test_the_page_marks_every_line_of_the_source() -> None:
    kinds = re.findall(r'id="L(\d+)" class="(\w+)"', page_text(COVERAGE, SOURCE))
    assert [kind for _, kind in kinds] == ["run", "none", "half", "missed", "run", "none"]


def test_the_source_is_text_and_not_html() -> None:
    page = page_text(COVERAGE, SOURCE)
    assert "puts(&quot;&lt;&amp;&gt;&quot;)" in page
    assert "<&>" not in page


def test_a_page_is_written_into_a_folder_that_is_made_for_it(tmp_path: Path) -> None:
    source = tmp_path / "hv.c"
    source.write_text(SOURCE, encoding="utf-8")
    page = write_page(Coverage(str(source), (), ()), tmp_path / "far" / "down")
    assert page == tmp_path / "far/down/index.html"
    assert "Never called: none." in page.read_text(encoding="utf-8")
