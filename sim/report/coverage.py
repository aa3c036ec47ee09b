# SPDX-License-Identifier: MIT
"""What a campaign has run of the real driver: lines for people, a document, and a page."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from string import Template
from textwrap import wrap
from typing import Any, Final

from guest.native.coverage import Coverage, Line
from sim.closing import many

PAGE: Final = "index.html"
_WIDTH: Final = 100
_LEAD: Final = " " * 9
_PAGE: Final = Template("""\
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>$title</title>
<style>
body { font: 14px sans-serif; margin: 2em }
table { border-collapse: collapse; font: 13px/1.35 monospace }
td { padding: 0 .6em; white-space: pre; tab-size: 8 }
td:nth-child(-n+3) { text-align: right; color: #666 }
.run { background: #e2f5e2 } .half { background: #fff3c4 } .missed { background: #fbdcdc }
</style>
<h1>$title</h1>
<p>$lines. $branches.</p>
<p>Marked: <span class="run">run</span>, <span class="half">run, but not every branch taken</span>,
<span class="missed">never run</span>. Columns: line, how often it was run, branches taken.</p>
<p>Never called: $functions.</p>
<table>
$rows
</table>
</html>
""")


def coverage_dict(coverage: Coverage) -> dict[str, Any]:
    """What ``--json`` has under ``coverage``; numbers of lines and branches, names of functions."""
    return {
        "file": coverage.file,
        "lines": len(coverage.lines),
        "lines_run": coverage.lines_run,
        "branches": coverage.branches,
        "branches_run": coverage.branches_run,
        "functions_not_run": coverage.functions_not_run,
    }


def coverage_lines(coverage: Coverage) -> Iterator[str]:
    """The same for people."""
    yield f"covered  {_lines_told(coverage)}; {_branches_told(coverage)}"
    names = ", ".join(coverage.functions_not_run)
    if names:
        yield from wrap(f"uncalled {names}", _WIDTH, subsequent_indent=_LEAD)


def write_page(coverage: Coverage, folder: Path) -> Path:
    """A page of the driver's source, in a folder that is made. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(coverage.file).read_text(encoding="utf-8", errors="replace")
    page = folder / PAGE
    page.write_text(page_text(coverage, source), encoding="utf-8")
    return page


def page_text(coverage: Coverage, source: str) -> str:
    """The page in HTML, with what ``source`` has in each line."""
    known = {line.number: line for line in coverage.lines}
    texts = enumerate(source.splitlines(), 1)
    return _PAGE.substitute(
        title=escape(Path(coverage.file).name),
        lines=_lines_told(coverage),
        branches=_branches_told(coverage),
        functions=escape(", ".join(coverage.functions_not_run) or "none"),
        rows="\n".join(_row(number, known.get(number), text) for number, text in texts),
    )


def _row(number: int, line: Line | None, text: str) -> str:
    """One line of the source; ``line`` is None where there is no code."""
    count = "" if line is None else f"{line.count:,}"
    branches = f"{line.branches_run}/{len(line.branches)}" if line and line.branches else ""
    cells = "".join(f"<td>{cell}</td>" for cell in (number, count, branches, escape(text)))
    return f'<tr id="L{number}" class="{_kind(line)}">{cells}</tr>'


def _kind(line: Line | None) -> str:
    if line is None:
        return "none"
    if line.count <= 0:
        return "missed"
    return "run" if line.branches_run == len(line.branches) else "half"


def _lines_told(coverage: Coverage) -> str:
    return f"{coverage.lines_run:,} of {many(len(coverage.lines), 'line')}"


def _branches_told(coverage: Coverage) -> str:
    return f"{coverage.branches_run:,} of {coverage.branches:,} branches"
