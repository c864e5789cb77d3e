"""Claims as data: every claims.yaml reads, and a bad one says in a line what is wrong with it."""

import subprocess
import sys
from pathlib import Path

import pytest

import feedrun
from feedrun.experiment import Claim
from feedrun.experiment.catalogue import claims_beside, claims_in

FILES = sorted(Path(feedrun.__file__).parent.glob("papers/*/*/claims.yaml"))

GOOD = """\
# a note
- {name: order, origin: derived, source: "the method, sec. 2",
   statement: "Euler converges
     at order 1: slope",
   metric: part/order, low: 0.95, high: 1.05}
- {name: error, origin: paper, source: Thm 1, statement: it is exact, metric: error, high: 1e-14}
- {name: rise, origin: rival, source: none, statement: it rises, metric: rise, low: 0, high: null}
"""


def written(folder, text):
    path = folder / "claims.yaml"
    path.write_text(text)
    return path


def test_a_yaml_is_a_tuple_of_claims_in_its_order(tmp_path):
    path = written(tmp_path, GOOD)
    expected = (
        Claim("order", "Euler converges at order 1: slope", "the method, sec. 2", "derived",
              "part/order", low=0.95, high=1.05),
        Claim("error", "it is exact", "Thm 1", "paper", "error", high=1e-14),
        Claim("rise", "it rises", "none", "rival", "rise", low=0),
    )  # fmt: skip
    assert claims_in(path) == claims_beside(str(tmp_path / "experiment.py")) == expected
    assert isinstance(expected[1].high, float)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("metric: error, ", "", "error: lacks the key metric"),
        ("name: error, ", "", "claim 2: lacks the key name"),
        ("statement: it is exact, ", "", "error: lacks the key statement"),
        ("metric: error", "mettric: error", "error: unknown key mettric (did you mean metric?)"),
        ("high: 1e-14", "hihg: 1e-14", "error: unknown key hihg (did you mean high?)"),
        ("high: 1e-14", "above: 1e-14", "error: unknown key above"),
        ("name: rise", "name: order", "order: two claims have this name"),
        ("high: 1.05", "high: 0.5", "order: low 0.95 is above high 0.5"),
        ("low: 0.95, high: 1.05", "low: 1.05, high: 0.95", "order: low 1.05 is above high 0.95"),
        (", high: 1e-14", "", "error: neither low nor high: nothing could refute it"),
        ("low: 0, ", "", "rise: neither low nor high: nothing could refute it"),
        ("high: 1e-14", "high: small", "error: high: input should be a valid number"),
        ("high: 1e-14", "high: .nan", "error: high: input should be a finite number, got nan"),
        ("high: 1e-14", "high: .inf", "error: high: input should be a finite number, got inf"),
        ("origin: paper", "origin: papper", "error: origin: input should be 'paper', 'derived' or"),
        ("source: Thm 1", "source: 1", "error: source: input should be a valid string, got 1"),
        ("source: Thm 1", "source: null", "error: source: input should be a valid string, got Non"),
        ("source: none", "source: sec. 1: a", "but got ':' in line 7"),
        ("# a note", "x: 1", "expected"),
        (GOOD, "", "expected a list of claims, got NoneType"),
        (GOOD, "order: {low: 1}", "expected a list of claims, got dict"),
        (GOOD, "- order", "claim 1: "),
    ],
)
def test_a_bad_yaml_is_one_line_with_file_and_claim(old, new, line, tmp_path):
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ValueError) as caught:
        claims_in(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and line in text and "\n" not in text


def test_a_yaml_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"claims\.yaml: No such file"):
        claims_beside(tmp_path / "experiment.py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.parent.name}/{p.parent.name}")
def test_every_claims_yaml_reads_and_names_are_unique(path):
    claims = claims_in(path)
    names = [claim.name for claim in claims]
    assert names and len(set(names)) == len(names)
    assert all(claim.statement and claim.source and claim.metric for claim in claims)


def test_claims_are_read_without_jax():
    code = "import sys; from feedrun.experiment import claims_beside;"
    code += "print(len(claims_beside(sys.argv[1])), 'jax' in sys.modules)"
    words = [sys.executable, "-c", code, str(FILES[0])]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(claims_in(FILES[0]))), "False"]
