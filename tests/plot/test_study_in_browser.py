"""The page of a study in a real browser: what a reader does with mouse, touch and keys."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, DRIVER, LOW_CONTRAST, Browser
from study_pages import StudyPage

from kvopt import Instance, read_schedule, violations, write_instance
from kvopt.certificates.checker import verdicts_of_files
from kvopt.cli import main
from kvopt.generate import generate_random

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver"),
]

HOSTILE = "</script><img src=x onerror=document.hostile=1>"

ROWS = "return [...document.querySelectorAll('#ratios tbody tr:not([hidden])')]"
FOCUSED = "return document.activeElement.textContent"
STRETCH = (
    "return document.querySelector(arguments[0] + ' [role=toolbar] [role=status]').textContent"
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study with many requests, a hostile name and a file that cannot be read."""
    place = tmp_path_factory.mktemp("study")
    instances = place / "set"
    instances.mkdir()
    write_instance(instances / "a.json", Instance(9, [1, 1, 0], [4, 4, 1], "a", releases=[0, 2, 9]))
    small = Instance.from_groups(23, [(0, 17, 2), (0, 9, 7), (0, 5, 3)], "twelve")
    write_instance(instances / "b.json", small)
    many = generate_random("real:kind=chat:requests=1000:memory=20000", 1, 0)
    write_instance(instances / "c.json", many.renamed("many"))
    write_instance(instances / "d.json", Instance(5, [1, 1], [4, 4], HOSTILE, HOSTILE, HOSTILE))
    (instances / "e.json").write_text("{")
    arguments = ["--policy", "gsa:alpha=2,gba,fcfs", "--time-limit", "3"]
    assert main(["report", str(instances), "-o", str(place / "x.html"), *arguments]) == 2
    return place / "x.html"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    one = Browser(tmp_path_factory.mktemp("browser"))
    yield one
    one.close()


@pytest.fixture
def browser(started: Browser, study: Path) -> Iterator[Browser]:
    """The page, opened anew; whatever is done with it, nothing is loaded and nothing fails."""
    started.size(1200, 900)
    started.open("about:blank")
    started.console()
    started.requests()
    started.open(study.as_uri())
    yield started
    assert started.console() == []
    addresses = [a.partition("#")[0] for a in started.requests()]
    assert addresses[0] == study.as_uri()
    assert all(a.startswith("blob:") for a in addresses[1:]), addresses
    assert started.run("return document.hostile") is None
    assert started.run("return document.images.length") == 0


def texts(browser: Browser, column: str) -> list[str]:
    """Return the cells of a column that are shown."""
    script = (
        "const heads = [...document.querySelectorAll('#ratios thead th')].map(h => h.textContent);"
        f"{ROWS}.map(row => row.cells[heads.indexOf(arguments[0])].firstChild?.textContent ?? '')"
    )
    found: list[str] = browser.run(script, column)
    return found


def sort_by(browser: Browser, column: str) -> str:
    """Click on a head; return which way the column is sorted then."""
    browser.run(
        "for (const b of document.querySelectorAll('#ratios thead button'))"
        " b.id = `head-${b.textContent}`"
    )
    browser.click(f"#head-{column}")
    sorted_by: str = browser.run(
        f"return document.getElementById('head-{column}').parentNode.ariaSort"
    )
    assert browser.run("return document.querySelectorAll('[aria-sort$=ending]').length") == 1
    return sorted_by


def test_sorting(browser: Browser) -> None:
    before = texts(browser, "ratio")
    assert len(before) == 13
    assert sort_by(browser, "ratio") == "descending"
    lower_ends = [float(text.split("..")[0]) for text in texts(browser, "ratio") if text != "-"]
    assert lower_ends == sorted(lower_ends, reverse=True)
    assert texts(browser, "ratio")[-1] == "-"  # what has no ratio is last either way
    assert sort_by(browser, "ratio") == "ascending"
    assert texts(browser, "ratio")[:-1] != before[:-1]
    assert texts(browser, "ratio")[-1] == "-"
    assert sort_by(browser, "policy") == "ascending"
    assert texts(browser, "policy") == sorted(texts(browser, "policy"))


def test_filtering(browser: Browser) -> None:
    def choose(name: str, value: str) -> str:
        script = (
            "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
            "e.dispatchEvent(new Event('input'));"
            "return document.getElementById('shown').textContent"
        )
        shown: str = browser.run(script, f"filter-{name}", value)
        return shown

    assert choose("policy", "gba") == "4 of 13 rows are shown"
    assert set(texts(browser, "policy")) == {"gba"}
    assert choose("verdict", "no claim") == "1 of 13 rows are shown"
    assert texts(browser, "instance") == ["a"]
    browser.click("#filter-none")
    assert len(texts(browser, "policy")) == 13
    browser.click("#filter-text")
    browser.press(*"Twel gsa")
    assert (texts(browser, "instance"), texts(browser, "policy")) == (["twelve"], ["gsa:alpha=2"])
    browser.click("#filter-none")
    browser.click("#filter-proved")
    assert set(texts(browser, "instance")) == {"a", "twelve", HOSTILE}


def test_by_keyboard_alone(browser: Browser) -> None:
    browser.press("Tab")
    assert browser.run("return document.activeElement.id") == "colours"
    for _ in range(30):  # to the first head of the table, past the filters
        browser.press("Tab")
        if browser.run(FOCUSED) == "instance":
            break
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert browser.run(outline) == "solid"
    browser.press("Enter")
    assert browser.run("return document.activeElement.parentNode.ariaSort") == "ascending"
    for _ in range(10):
        browser.press("Tab")
    assert browser.run("return document.activeElement.closest('tbody') !== null")
    browser.press("End", "Up", "Home", "Down")
    place = f"{ROWS}.indexOf(document.activeElement.closest('tr'))"
    assert browser.run(place) == texts(browser, "instance").index(HOSTILE) + 1
    assert browser.run(outline) == "solid"
    browser.press("Enter")
    instance = browser.run("return document.activeElement.parentNode.id")
    assert browser.run("return document.getElementById(arguments[0]).open", instance)
    browser.press("Enter")  # closes it again
    assert not browser.run("return document.getElementById(arguments[0]).open", instance)


def test_opening_an_instance_with_the_schedules_of_a_policy(browser: Browser) -> None:
    browser.run(f"{ROWS}.find(r => r.cells[1].textContent == 'fcfs').id = 'row'")
    browser.click("#row a")
    boxes = "#instance-1 [role=group] label"
    chosen = f"return [...document.querySelectorAll('{boxes}')].filter(b => b.firstChild.checked)"
    assert "fcfs" in browser.run(f"{chosen}.map(b => b.textContent)")
    shown = "return [...document.querySelectorAll('#instance-1 figure:not([hidden]) strong')]"
    labels = browser.wait(f"{shown}.map(s => s.textContent)")
    assert {"best schedule", "fcfs"} <= set(labels)
    assert (
        browser.run("return document.querySelectorAll('#instance-1 svg path.release').length") > 0
    )
    assert browser.run("return location.hash") == "#instance-1"


def open_instance(browser: Browser, number: int) -> str:
    """Open an instance with its summary, and return its selector."""
    place = f"#instance-{number}"
    browser.click(f"{place} > summary")
    browser.wait(f"return document.querySelector('{place} svg path.done')")
    return place


def test_zooming(browser: Browser) -> None:
    place = open_instance(browser, 2)
    whole = browser.run(STRETCH, place)
    bars = f"return document.querySelector('{place} svg path.done').getAttribute('d')"
    drawn = browser.run(bars)
    browser.drag(f"{place} svg.chart", 0.2, 0.4)
    browser.wait(f"{STRETCH} !== arguments[1]", place, whole)
    assert browser.run(bars) != drawn
    browser.run(f"document.querySelector('{place} svg.chart').focus()")
    browser.press("0")
    browser.wait(f"{STRETCH} === arguments[1]", place, whole)
    assert browser.run(bars) == drawn
    browser.press("+", "Right")
    browser.wait(f"{STRETCH} !== arguments[1]", place, whole)
    browser.click(f"{place} [aria-label='show everything']")
    browser.wait(f"{STRETCH} === arguments[1]", place, whole)
    assert browser.run(bars) == drawn


def test_the_bars_are_the_schedule(browser: Browser, study: Path) -> None:
    """The sum of their ends is the optimum, as it is in the page."""
    place = open_instance(browser, 2)
    script = (
        f"const svg = document.querySelectorAll('{place} figure:not([hidden]) svg.chart')[1];"
        "const d = svg.querySelector('path.done').getAttribute('d');"
        "return [svg.clientWidth - 76 - 10,"
        "  [...d.matchAll(/M([0-9.]+) [0-9.]+h([0-9.]+)v/g)].map(m => +m[1] + +m[2] - 76)]"
    )
    inner, ends = browser.run(script)
    makespans = [
        run["makespan"] for run in StudyPage(study.read_text()).of_class("schedules")[1]["runs"]
    ]
    rounds = [round(end / inner * 1.01 * max(makespans), 1) for end in ends]
    assert len(rounds) == 12
    assert abs(sum(rounds) - 200) < 2


def test_no_peak_of_the_memory_is_lost_in_a_pixel(browser: Browser, study: Path) -> None:
    place = open_instance(browser, 3)
    d = browser.run(f"return document.querySelector('{place} svg path.range').getAttribute('d')")
    highest = min(float(y) for y in re.findall(r"L[0-9.-]+ ([0-9.]+)H", d))
    data = StudyPage(study.read_text()).of_class("schedules")[2]
    peak = data["runs"][0]["peak"]
    expected = 8 + 150 * (1 - peak / (1.08 * data["memory"]))
    assert abs(highest - expected) < 0.1


def test_a_thousand_requests_are_drawn_at_once(browser: Browser) -> None:
    place = open_instance(browser, 3)
    browser.run(
        f"for (const b of document.querySelectorAll('{place} [role=group] input'))"
        " if (!b.checked) b.click()"
    )
    seconds = browser.run(
        f"const chart = document.querySelector('{place} svg.chart'), begin = performance.now();"
        "for (let i = 0; i < 5; i++) {"
        "  chart.dispatchEvent(new KeyboardEvent('keydown', {key: '+'}));"
        "}"
        "return new Promise(done => requestAnimationFrame(() => requestAnimationFrame("
        "  () => done((performance.now() - begin) / 1000))))"
    )
    assert seconds < 3
    count = browser.run(f"return document.querySelectorAll('{place} svg *').length")
    assert 50 < count < 5000


def test_downloads_are_what_the_checker_takes(browser: Browser, study: Path) -> None:
    page = StudyPage(study.read_text())
    names = files_of(page, "certificate")
    for number, name in enumerate(names):
        browser.click(f"#instance-{number + 1} > summary")
        browser.click(f"[data-file='{name}']")
    files = browser.downloaded(names)
    assert [file.read_text() for file in files] == page.of_class("certificate")
    assert all(verdict.holds for verdict in verdicts_of_files(files))
    assert json.loads(files[1].read_text())["lower_bound"] == 200


def files_of(page: StudyPage, what: str) -> list[str]:
    names = [str(a["data-file"]) for _, a in page.tags if "data-file" in a]
    return [name for name in names if name.endswith(f".{what}.json")]


def test_the_best_schedule_is_downloaded_by_keyboard(browser: Browser, study: Path) -> None:
    page = StudyPage(study.read_text())
    names = files_of(page, "schedule")
    assert [name[:3] for name in names] == ["001", "002", "003", "004"]
    browser.run("document.querySelector('#instance-2 > summary').focus()")
    browser.press("Enter")
    browser.wait("return document.querySelector('#instance-2').open")
    browser.press("Tab")
    assert browser.run(FOCUSED).startswith("Download schedule (")
    browser.press("Enter")
    (file,) = browser.downloaded(names[1:2])
    schedule = read_schedule(file)
    assert not violations(schedule)
    assert schedule.total_completion_time() == 200
    assert file.read_text() == page.of_class("schedule")[1]


def test_everything_is_downloaded_at_once_by_keyboard(browser: Browser, study: Path) -> None:
    """A ZIP that programs other than browsers read, and `kvopt verify` accepts."""
    page = StudyPage(study.read_text())
    browser.run("document.getElementById('download-all').focus()")
    assert browser.run(FOCUSED) == "Download all: 8 files in a ZIP"
    browser.press("Space")
    (file,) = browser.downloaded(["kvopt-study.zip"])
    place = file.parent / "all"
    with zipfile.ZipFile(file) as packed:
        assert packed.testzip() is None
        names = packed.namelist()
        assert names == [str(a["data-file"]) for _, a in page.tags if "data-file" in a]
        packed.extractall(place)
    for what in ("schedule", "certificate"):
        texts = [(place / name).read_text() for name in files_of(page, what)]
        assert texts == page.of_class(what)
    assert main(["verify", *(str(place / name) for name in names)]) == 0
    assert not browser.run("return document.querySelector('details.instance[open]')")


@pytest.mark.parametrize("width", [400, 800, 1600])
def test_colours_and_widths(browser: Browser, width: int) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    dark, light = "rgb(22, 24, 29)", "rgb(255, 255, 255)"
    browser.size(width, 900, dark=True)
    assert browser.run(ground) == dark
    script = (
        "const e = document.getElementById('colours'); e.value = arguments[0];"
        "e.dispatchEvent(new Event('change'))"
    )
    browser.run(script, "light")
    assert browser.run(ground) == light
    browser.size(width, 900)
    browser.run(script, "dark")
    assert browser.run(ground) == dark
    browser.run(script, "")
    assert browser.run(ground) == light
    open_instance(browser, 2)
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("dark", [False, True])
def test_texts_have_enough_contrast(browser: Browser, dark: bool) -> None:
    browser.size(1600, 900, dark=dark)
    open_instance(browser, 2)
    assert browser.run(LOW_CONTRAST) == []
    grey = "#aaa" if not dark else "#555"
    browser.run(f"document.querySelector('h1').style.color = '{grey}'")
    assert len(browser.run(LOW_CONTRAST)) == 1


def test_names_are_told_apart_on_a_phone(browser: Browser) -> None:
    """The number of an instance of a family is at the end of its name."""
    browser.size(400, 900)
    name = "model1-requests=8-memory=16-arrivals=poisson-load=0.9-9-000"
    script = (
        "const a = document.querySelector('#ratios tbody th a'); a.textContent = arguments[0];"
        "const cell = document.querySelector('#ratios td.policy'); cell.textContent = arguments[1];"
        "const words = document.createRange(); words.selectNodeContents(cell);"
        "return [a.scrollHeight <= a.clientHeight + 1, words.getClientRects().length]"
    )
    assert browser.run(script, name, "svf-batches") == [True, 1]
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")


def test_the_policy_of_the_page_forbids_what_is_not_its_own(browser: Browser) -> None:
    """Even what somebody managed to put into it."""
    browser.run(
        "const s = document.createElement('script'); s.textContent = 'document.hostile = 1';"
        "document.body.append(s);"
        "const d = document.createElement('p');"
        "d.innerHTML = '<a id=bad onclick=document.hostile=1>x</a>';"
        "document.body.append(d); document.getElementById('bad').click();"
    )
    refused = browser.console()
    assert len(refused) == 2
    assert all("Content Security Policy" in line for line in refused)
