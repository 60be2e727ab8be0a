"""A study as one page that loads nothing: read, sort, look at schedules, take files away.

The page is `study/page.html` with a style sheet, four scripts and the study put into it.  Texts
and tables are in the page as they are, so that it can be read where scripts do not run; what
scripts draw or hand out is beside them as JSON.  A content security policy forbids everything
external, and every script and style but these.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from kvopt.comparison.study import Studied, Study
from kvopt.model.formats import schedule_to_json, text_of
from kvopt.model.text import NAME, counted, one_line
from kvopt.parallel.code_version import versions
from kvopt.plot.page import embedded, release_data, run_data
from kvopt.plot.shapes import Run
from kvopt.policies import spec_of
from kvopt.report import studies
from kvopt.report.tables import optimum_text, stage_rows

__all__ = ["BEST", "certificate_name", "file_name", "study_page"]

BEST = "best schedule"
"""What the cheapest schedule known is called."""

ALL_FILES = "kvopt-study.zip"
"""Name of the file that holds those of all instances."""

FOLDER = Path(__file__).with_name("study")

SCRIPTS = {"TABLE": "table.js", "SCHEDULES": "schedules.js", "ZIP": "zip.js", "PAGE": "page.js"}

CHECKING = (
    "A certificate proves its bracket to somebody who trusts neither kvopt nor a solver: it is"
    " checked by a program in plain Python, the folder proofs/checker of kvopt, which needs nothing"
    " else. Costs are those of schedules that independent code has checked; ratios are cost /"
    " (best schedule) to cost / (lower bound), compared with bounds in exact arithmetic, and shown"
    " rounded outwards. "
)

REPEATING = (
    "Costs are the same in every run: what is random in a policy comes from the seed among its"
    " parameters. The solver draws from fixed seeds and begins with the schedules of the policies;"
    " a bracket that is open depends on the time that it was given. SHA-256 is that of the memory"
    " and the requests of an instance; certificates name it."
)


def study_page(study: Study) -> str:
    """Return the page of a study."""
    title = studies.title(study)
    parts = {name: _asset(file) for name, file in SCRIPTS.items()}
    parts["STYLE"] = _asset("page.css")
    scripts = " ".join(_digest(parts[name]) for name in SCRIPTS)
    parts["POLICY"] = (
        f"default-src 'none'; script-src {scripts}; style-src {_digest(parts['STYLE'])};"
        " base-uri 'none'; form-action 'none'"
    )
    parts["TITLE"] = f"kvopt: {title.lower()}"
    parts["BODY"] = _body(study, title)
    # All at once, so that nothing in the study is taken for a place to fill.
    return re.sub(r"@([A-Z]+)@", lambda match: parts[match[1]], _asset("page.html"))


def certificate_name(number: int, one: Studied) -> str:
    """Return the file name of the certificate of an instance."""
    return file_name(number, one, "certificate")


def file_name(number: int, one: Studied, what: str) -> str:
    """Return the file name of something about an instance: plain letters, and no two alike."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", one.name)[:60].strip("-.") or "instance"
    return f"{number + 1:03}-{stem}.{what}.json"


def _asset(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """Return how a content security policy names a script or style that may be used."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _add(parent: Element, tag: str, text: str = "", **attributes: str) -> Element:
    """Add an element; an attribute is written as in Python: class_, data_key."""
    names = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    element = SubElement(parent, tag, names)
    element.text = text
    return element


def _body(study: Study, title: str) -> str:
    """Return the body of the page; what comes from files is escaped as it is written."""
    body = Element("body")
    header = _add(body, "header")
    _add(header, "h1", title)
    _add(header, "p", f"made by kvopt on {study.made}, in {study.seconds:.0f} s")
    label = _add(header, "label", "Colours ")
    colours = _add(label, "select", id="colours")
    for value, text in (("", "as the system"), ("light", "light"), ("dark", "dark")):
        _add(colours, "option", text, value=value)
    main = _add(body, "main")
    _add_summary(main, study)
    _add_table(main, study)
    _add(main, "h2", "Instances")
    _add_download_of_all(main, study)
    for number, one in enumerate(study.studied):
        _add_instance(main, study, number, one)
    _add_making(main, study)
    texts = [tostring(child, encoding="unicode", method="html") for child in body]
    return "\n".join(texts)


def _add_summary(main: Element, study: Study) -> None:
    _add(main, "h2", "Summary")
    for sentence in studies.summary(study):
        kind = {"class_": "problem"} if sentence.startswith("PROBLEMS") else {}
        _add(main, "p", sentence, **kind)
    if worst := study.worst():
        _add(main, "h3", "The largest ratio of each policy")
        _add_list(main, [(one.policy, studies.worst_sentence(one)) for one in worst])
    if standing := study.standings():
        _add(main, "h3", "Against bounds for all instances")
        _add_list(main, [(one.policy, studies.standing_sentence(one)) for one in standing])


def _add_list(parent: Element, facts: Iterable[tuple[str, str]]) -> None:
    """Add a list of names and what is said of them."""
    found = _add(parent, "dl")
    for name, text in facts:
        if name:  # else it is said of the name before
            _add(found, "dt", name)
        _add(found, "dd", text)


def _add_table(main: Element, study: Study) -> None:
    """Add the table of ratios, and what filters it."""
    _add(main, "h2", "Ratios", id="ratios-head")
    rows = studies.rows(study)
    controls = _add(main, "div", class_="controls", role="search")
    label = _add(controls, "label", "Search")
    _add(label, "input", type="search", id="filter-text", placeholder="words", autocomplete="off")
    verdicts = dict.fromkeys(row.verdict for row in rows)
    for name, values in (("policy", study.specs), ("verdict", list(verdicts))):
        label = _add(controls, "label", name.capitalize())
        select = _add(label, "select", id=f"filter-{name}", autocomplete="off")
        for value in ("", *values):
            _add(select, "option", value or "all", value=value)
    label = _add(controls, "label", class_="box")
    box = _add(label, "input", type="checkbox", id="filter-proved", autocomplete="off")
    box.tail = "proved optima only"
    _add(controls, "button", "Show all", type="button", id="filter-none")
    _add(main, "p", class_="note", role="status", id="shown")
    _add(
        main,
        "p",
        "Ratios and optima are brackets where they are not known exactly. The head of a column"
        " sorts by it; the name of an instance opens the schedules of the policy on it.",
        class_="note",
        id="ratios-note",
    )
    names = {"aria_labelledby": "ratios-head", "aria_describedby": "ratios-note"}
    place = _add(main, "div", class_="scroll", role="region", tabindex="0", **names)
    table = _add(place, "table", id="ratios", **names)
    head = _add(_add(table, "thead"), "tr")
    for name, numbers in studies.COLUMNS:
        kind = _classes(name, numbers)
        cell = _add(head, "th", scope="col", aria_sort="none", **kind)
        _add(cell, "button", name, type="button")
    body = _add(table, "tbody")
    for row in rows:
        _add_row(body, row)


def _classes(column: str, numbers: bool, *more: str) -> dict[str, str]:
    """Return the attribute "class" of a cell; a narrow screen does without some columns."""
    return {"class_": " ".join((column, *(["number"] if numbers else []), *more))}


def _add_row(body: Element, row: studies.Row) -> None:
    attributes = {"data_policy": row.policy, "data_verdict": row.verdict}
    if row.proved:
        attributes["data_proved"] = ""
    line = _add(body, "tr", **attributes)
    for (column, numbers), cell in zip(studies.COLUMNS, row.cells, strict=True):
        more = [row.verdict.replace(" ", "-")] if column == "verdict" else []
        kind = _classes(column, numbers, *more)
        if cell.key is not None:
            kind["data_key"] = repr(cell.key)
        if column == "instance":
            name = _add(line, "th", scope="row", **kind)
            if row.instance is None:
                name.text = cell.text
            else:
                _add(name, "a", cell.text, href=f"#instance-{row.instance + 1}")
            continue
        place = _add(line, "td", cell.text, **kind)
        if column == "verdict" and row.reason:
            _add(place, "small", row.reason)


def _add_instance(main: Element, study: Study, number: int, one: Studied) -> None:
    """Add an instance: its schedules, its certificate, and how its numbers were made."""
    instance, optimum = one.comparison.instance, one.comparison.optimum
    details = _add(main, "details", class_="instance", id=f"instance-{number + 1}")
    summary = _add(details, "summary")
    _add(summary, "strong", one_line(one.name, NAME))
    _add(
        summary,
        "span",
        f"{len(instance)} requests, memory {instance.memory}, optimum {optimum_text(optimum)}",
    )
    content = _add(details, "div")
    for problem in one.problems:
        _add(content, "p", one_line(problem), class_="problem")
    line = _add(content, "p", class_="downloads")
    file = file_name(number, one, "schedule")
    _add_download(line, "schedule", file, text_of(schedule_to_json(optimum.schedule)))
    file = certificate_name(number, one)
    if one.certificate is not None:
        _add_download(line, "certificate", file, one.certificate.text)
        _add(content, "p", f"Certificate: {one_line(studies.certified_text(one.certificate))}")
    charts = _add(content, "div", class_="charts", data_number=str(number + 1))
    _add(charts, "noscript", "Schedules are drawn by a script.")
    _add_data(content, "schedules", _schedules(one))
    _add(content, "h3", "Optimum")
    _add_list(content, studies.optimum_facts(one))
    stages = stage_rows(optimum)
    lines = [[str(stage[key]) for key in stage] for stage in stages]
    inner = _add(content, "details")
    _add(inner, "summary", "What each stage of the solver did")
    _add_plain_table(inner, "stages of the solver", list(stages[0]) if stages else [], lines)
    _add(content, "h3", "Policies")
    heads = ["policy", "cost", "kills", "seconds", "ratio exactly", "bound", "proof", "verdict"]
    _add_plain_table(content, "policies", heads, studies.policy_facts(one))
    _add(content, "h3", "Do it again")
    for what, command in studies.commands(study, one, file):
        _add(_add(content, "p", f"{what}: "), "code", command)


def _add_download(parent: Element, what: str, file: str, text: str) -> None:
    """Add a button that hands out a file, and its content behind it."""
    size = f"{-(-len(text.encode()) // 1024)} kB"
    _add(parent, "button", f"Download {what} ({size})", type="button", data_file=file)
    _add_data(parent, what, text)


def _add_download_of_all(main: Element, study: Study) -> None:
    """Add a button that hands out the files of all instances at once."""
    if not study.studied:
        return
    files = len(study.studied) + sum(one.certificate is not None for one in study.studied)
    line = _add(main, "p", class_="downloads")
    text = f"Download all: {counted(files, 'file')} in a ZIP"
    _add(line, "button", text, type="button", id="download-all", data_name=ALL_FILES)
    _add(
        main,
        "p",
        "Of each instance the best schedule, which holds the instance, and the certificate of its"
        " bracket. kvopt verify checks all of them.",
        class_="note",
    )


def _add_plain_table(
    parent: Element, name: str, heads: Sequence[str], lines: Iterable[Sequence[str]]
) -> None:
    """Add a table; its first column names the rows."""
    place = _add(parent, "div", class_="scroll", role="region", tabindex="0", aria_label=name)
    table = _add(place, "table")
    head = _add(_add(table, "thead"), "tr")
    for text in heads:
        _add(head, "th", text.replace("_", " "), scope="col")
    body = _add(table, "tbody")
    for line in lines:
        row = _add(body, "tr")
        _add(row, "th", line[0], scope="row")
        for text in line[1:]:
            _add(row, "td", text)


def _add_data(parent: Element, name: str, data: Any) -> None:
    """Add data for a script; written as it is, for which `embedded` makes it fit."""
    _add(parent, "script", embedded(data), type="application/json", class_=name)


def _schedules(one: Studied) -> dict[str, Any]:
    """Return what is drawn of an instance: the best schedule, and that of each policy."""
    comparison = one.comparison
    runs = [Run(BEST, comparison.optimum.schedule)]
    pairs = zip(comparison.ratios, comparison.schedules, strict=True)
    runs += [Run(ratio.policy, schedule) for ratio, schedule in pairs]
    rows = [run_data(run) for run in runs]
    worst = max(comparison.ratios, key=lambda ratio: ratio.low, default=None)
    instance = comparison.instance
    return {
        "memory": instance.memory,
        "groups": instance.groups() if any("bars" in row for row in rows) else [],
        "runs": rows,
        "shown": [BEST, *([] if worst is None else [worst.policy])],
        **release_data(instance),
    }


def _add_making(main: Element, study: Study) -> None:
    """Add how all of it was made."""
    _add(main, "h2", "How this was made")
    _add(_add(main, "p", "Command: "), "code", one_line(study.command))
    limit = f"{study.time_limit:g} s for an instance, the policies included"
    policies = [(spec_of(policy), studies.parameters_text(policy)) for policy in study.policies]
    _add(main, "p", f"Time limit: {limit}. {CHECKING}{REPEATING}")
    _add(main, "h3", "Versions")
    _add_list(main, versions())
    _add(main, "h3", "Parameters of the policies")
    _add_list(main, policies)
