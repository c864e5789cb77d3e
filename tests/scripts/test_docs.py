"""README and docs say what the committed records say, and the tutorial works as it is printed."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from feedrun.experiment import estimate
from scripts import docs, docs_blocks, docs_sweeps

ROOT = Path(__file__).parents[2]
PAGES = docs.pages()
PAPERS = sorted((ROOT / "docs").glob("*/index.md"))
EXPERIMENTS = sorted(path.stem for path in (ROOT / "configs" / "experiment").glob("*.yaml"))

ABSENT = re.compile(
    r"\b(A|B|C|E|GT|O|T)\d{1,2}\b|\bW\d\.\d|\b[Ss]pec(ification)?\b|\b[Cc]laims? [A-Z]?\d"
)
"""Codes of documents that are not in the repository: a reader cannot look them up."""

CODE_NAMES = {"E2", "E8", "T4", "C1"}
"""What docstrings call so themselves: E[h^2], the root system, a GPU, a covariance."""

SETTINGS = {"0.1", "0.5", "0.9", "0.25", "0.99", "0.999"}
"""Decimals that define what was run: a temperature, a correlation, a variance, a threshold."""


def name(page):
    return str(page.relative_to(ROOT))


def links(page):
    """Addresses within the repository that a page has, pictures included."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not target.startswith(("http:", "https:")):
            yield target


def anchors(page):
    """What GitHub calls the headings of a page."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_generated_parts_are_what_the_records_give():
    done = subprocess.run(
        [sys.executable, "-m", "scripts.docs", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_and_pictures_exist(page):
    for target in links(page):
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("page", PAGES[1:], ids=name)
def test_every_page_can_be_reached_from_the_readme(page):
    seen, ahead = set(), [PAGES[0]]
    while ahead:
        here = ahead.pop()
        seen.add(here)
        there = {(here.parent / target.split("#")[0]).resolve() for target in links(here)}
        ahead += [one for one in there if one.suffix == ".md" and one not in seen]
    assert page.resolve() in seen


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_has_one_page_in_the_folder_of_its_paper(experiment):
    record = docs_blocks.published(experiment)
    assert docs_blocks.page_of(experiment).parent.name == record.run["paper"]


@pytest.mark.parametrize("page", PAPERS, ids=name)
def test_a_page_of_a_paper_is_short_with_five_numbers_and_four_figures(page):
    text = page.read_text()
    assert len(text.splitlines()) <= 150
    assert len(re.findall(r"!\[", text)) == 4
    (asked,) = re.findall(r"<!-- answers (.+?) -->", text)
    assert len(asked.split()) == 2 * 5


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) < 120


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "benchmarks.md"], ids=name)
def test_benchmarks_stand_on_their_own_page(page):
    assert "<!-- bench" not in page.read_text()


@pytest.mark.parametrize("page", [p for p in PAGES if p.parent.parent == ROOT / "docs"], ids=name)
def test_results_are_not_typed(page):
    for number, line in docs.typed(page):
        typed = set(re.findall(r"(?<![\d.])\d+\.\d+(?![\d.]*\))", re.sub(r"arXiv \S+", "", line)))
        assert typed <= SETTINGS, f"line {number}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pages_cite_no_absent_document(page):
    assert not (found := ABSENT.search(page.read_text())), found


@pytest.mark.parametrize("page", sorted((ROOT / "configs").rglob("*.yaml")), ids=name)
def test_configs_cite_no_absent_document(page):
    assert not (found := ABSENT.search(page.read_text())), found


@pytest.mark.parametrize("folder", docs_blocks.recorded(), ids=name)
def test_records_cite_no_absent_document(folder):
    for row in json.loads((folder / "claims.json").read_text()):
        assert not ABSENT.search(f"{row['statement']} {row['source']}"), row


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_claims_cite_no_absent_document(experiment):
    for claim in docs_blocks.claims(experiment):
        assert not ABSENT.search(f"{claim.statement} {claim.source}"), claim


def test_docstrings_of_papers_cite_no_absent_document():
    for path in (ROOT / "feedrun" / "papers").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                found = [one[0] for one in ABSENT.finditer(str(node.value.value))]
                assert set(found) <= CODE_NAMES, f"{path}:{node.lineno}: {found}"


TABLE = docs_blocks.RECORDS / "slay_lra_table"


def test_a_number_of_a_sweep_is_that_of_its_table():
    shown = docs_sweeps.cell(TABLE, "accuracy", "task=text", "attends=ssd")
    assert f"| text | ssd | 1 | {shown} |" in docs_sweeps.sweep_table(TABLE)


def accuracies(task):
    """Mechanism -> test accuracy of each seed."""
    runs = [run for run in docs_sweeps.load(TABLE)[1] if run.run["config"]["task"] == task]
    return {run.run["config"]["attends"]: run.summary["accuracy"] for run in runs}


def test_a_difference_is_of_repeats_side_by_side():
    seeds = accuracies("image")
    apart = [a - b for a, b in zip(seeds["slay"], seeds["yat"], strict=True)]
    shown = docs_sweeps.difference(TABLE, "accuracy", "attends=slay:yat", "task=image")
    numbers = [float(one) for one in re.findall(r"-?[\d.]+", shown)]
    assert numbers == pytest.approx(estimate(apart)[:3], abs=5e-4)  # three digits are shown


def test_extremes_are_over_all_that_fit():
    means = [
        sum(seeds) / len(seeds)
        for task in ("image", "text")
        for name, seeds in accuracies(task).items()
        if name != "uniform"
    ]
    shown = docs_sweeps.extremes(TABLE, "accuracy", "task=image,text", "attends=!uniform")
    assert shown == f"{min(means):.3g} to {max(means):.3g}"


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("value slay_lm nonsense", "slay_lm does not measure nonsense"),
        ("value nobody loss", "no record docs/records/nobody"),
        ("setting slay_lm nonsense", "have a key nonsense"),
        ("answers slay_lm nonsense", "slay_lm has no claim nonsense"),
        ("cell slay_lra_table accuracy task=text", "8 rows fit task=text"),
        ("cell slay_lra_table accuracy task=nonsense", "no run with accuracy fits"),
        ("published slay_lm nonsense", "0 published numbers fit slay_lm nonsense"),
    ],
)
def test_what_no_record_says_is_a_line(tmp_path, block, message):
    page = tmp_path / "page.md"
    page.write_text(f"<!-- {block} --><!-- end -->")
    with pytest.raises(ValueError, match=message):
        docs.rendered(page)


def test_pictures_are_light():
    for path in (ROOT / "docs").rglob("*"):
        limit = 3e6 if path.suffix == ".gif" else 4e5
        assert not path.is_file() or path.stat().st_size < limit, path


def test_the_tutorial_runs_as_it_is_printed(tmp_path):
    page = (ROOT / "docs" / "adding.md").read_text()
    printed = dict(re.findall(r"<!-- file tests/own/(\S+) -->\s+```\w+\n(.*?)```", page, re.DOTALL))
    assert set(printed) == {
        "line.py", "conf/experiment/line.yaml", "conf/scale/line/smoke.yaml",
    }  # fmt: skip
    for path, content in printed.items():
        assert content == (ROOT / "tests" / "own" / path).read_text()
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    words = ["--config-dir", "conf", "experiment=line", "wandb=disabled", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "feedrun", *words],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "line: 2 hold" in done.stdout
    assert list(tmp_path.glob("outputs/line/*/figures/errors.png"))
