"""The house: imports point down, configs are complete, a fifth paper is one folder."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import feedrun
from feedrun.experiment import Config
from feedrun.runner.config import RUN_KEYS, About, resolve

PACKAGE = Path(feedrun.__file__).parent
CONFIGS = PACKAGE.parent / "configs"
FLOORS = [
    "errors", "records", "runtime", "maths",
    "experiment", "plotting", "models", "tasks", "train",
    "papers",
    "runner", "sweep",
    "analysis", "report", "compare",
    "cli", "notebook", "__main__",
]  # fmt: skip
"""The ground first. A module imports from its own folder and from folders before it."""

LIBRARIES = {
    "hydra": {"cli", "notebook"},
    "omegaconf": {"cli", "notebook"},
    "wandb": {"runner", "report"},
    "wandb_workspaces": {"report"},
    "flax": {"models"},
}
"""Libraries that are kept in one place, and where."""

FACES = {"experiment", "train", "plotting", "cli"}
"""Folders whose names are imported from the folder itself: a user's own code relies on them."""

EXPERIMENTS = sorted((CONFIGS / "experiment").glob("*.yaml"))


def modules():
    return [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]


def folder(path):
    """The first part below the package: a folder, or a module of the root."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def floor(path):
    return FLOORS.index(folder(path))


def imports(path):
    """Dotted names of everything a module imports, at any depth of the code."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down_only(path):
    for name in imports(path):
        parts = name.split(".")
        if parts[0] in LIBRARIES:
            assert folder(path) in LIBRARIES[parts[0]], f"{path} imports {name}"
        if parts[0] != "feedrun" or len(parts) == 1:
            continue
        assert FLOORS.index(parts[1]) <= floor(path), f"{path} imports {name}"
        if parts[1] == "papers" and len(parts) > 3:  # into a paper: only from within
            assert path.is_relative_to(PACKAGE / Path(*parts[1:3])), f"{path} imports {name}"


def experiment_folders():
    """All folders of a paper that hold an experiment."""
    return sorted(path.parent for path in PACKAGE.glob("papers/*/*/experiment.py"))


@pytest.mark.parametrize("here", experiment_folders(), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_no_experiment_imports_another_and_no_shared_room_imports_one(here):
    dotted = ".".join(("feedrun", *here.relative_to(PACKAGE).parts))
    for path in here.parent.rglob("*.py"):
        if not path.is_relative_to(here):
            assert not any(f"{name}.".startswith(f"{dotted}.") for name in imports(path)), path


@pytest.mark.parametrize("here", experiment_folders(), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_every_experiment_has_the_same_files(here):
    names = {path.name for path in here.iterdir()}
    assert {"__init__.py", "experiment.py", "figures.py", "claims.yaml"} <= names
    assert "claims.py" not in names


@pytest.mark.parametrize("here", experiment_folders(), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_every_experiment_draws_by_functions_of_the_same_names(here):
    experiment = resolve(target(here))
    drawn = {"figures": experiment.figures, "sweep_figures": experiment.reduce}
    for name, entry in drawn.items():
        assert (here / f"{name}.py").exists() == (entry is not None)
        assert entry is None or (entry.__name__ == name and entry.__module__.endswith(f".{name}"))


@pytest.mark.parametrize(
    "path",
    [path for path in PACKAGE.rglob("*.py") if folder(path) not in ("plotting", "compare")],
    ids=lambda p: str(p.relative_to(PACKAGE)),
)
def test_colours_and_places_of_legends_stand_in_plotting_alone(path):
    text = path.read_text()
    assert not re.search(r"""["']#[0-9a-fA-F]{3,8}["']""", text)
    for word in ("outside lower", "outside right", "outside upper", "get_legend_handles_labels"):
        assert word not in text, f"{path}: {word}"


def target(here):
    return ".".join(("feedrun", *here.relative_to(PACKAGE).parts, "EXPERIMENT"))


def test_the_root_holds_four_modules_and_no_folder_is_full():
    assert {path.stem for path in PACKAGE.glob("*.py")} == {
        "__init__", "__main__", "notebook", "errors"
    }  # fmt: skip
    for place in [PACKAGE, *(path for path in PACKAGE.rglob("*") if path.is_dir())]:
        own = [p for p in place.glob("*.py") if p.name != "__init__.py"]
        assert len(own) <= (14 if place.name != "maths" else 40), f"{place}: {len(own)} files"


def test_imports_go_round_in_no_circle():
    files = {dotted(path): path for path in [PACKAGE / "__init__.py", *modules()]}
    down = {name: {n for n in needed(path, files) if n != name} for name, path in files.items()}
    while free := [name for name, others in down.items() if not others & set(down)]:
        for name in free:
            del down[name]
    assert not down, f"these import each other: {sorted(down)}"


def dotted(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def needed(path, files):
    """The modules of feedrun that a module imports when it is imported itself."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("feedrun."):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in files else node.module


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_library_code_neither_prints_nor_uses_pyplot_nor_old_keys(path):
    calls = {
        ast.unparse(n.func)
        for n in ast.walk(ast.parse(path.read_text()))
        if isinstance(n, ast.Call)
    }
    assert not any(call.endswith("PRNGKey") for call in calls)
    assert "matplotlib.pyplot" not in set(imports(path))
    if folder(path) != "cli":
        assert "print" not in calls


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_are_short_and_public_functions_have_docstrings(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300, "a module past 250 lines is two modules"
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path}: {node.name} has no docstring"


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_experiment_yaml_is_complete_and_its_config_has_no_defaults(path):
    content = yaml.safe_load(path.read_text())
    About.model_validate(content["about"])
    assert f"experiment={path.stem}" in content["about"]["command"]
    experiment = resolve(content["_target_"])
    own = {key: value for key, value in content.items() if key not in RUN_KEYS}
    assert set(own) == set(experiment.config.model_fields)
    for model in configs(experiment.config):
        for name, field in model.model_fields.items():
            assert field.is_required(), f"{model.__name__}.{name} has a default"
    names = [claim.name for claim in experiment.claims]
    assert len(set(names)) == len(names)


def configs(model):
    """A config class and all config classes nested in it."""
    yield model
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Config):
            yield from configs(field.annotation)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_scales_change_sizes_only(path):
    full = yaml.safe_load(path.read_text())
    folder = CONFIGS / "scale" / path.stem
    assert {p.stem for p in folder.glob("*.yaml")} >= {"smoke", "gpu", "paper"}
    for small in folder.glob("*.yaml"):
        assert_below(yaml.safe_load(small.read_text()) or {}, full, small)


def assert_below(part, whole, where):
    """Every key of a scale's yaml exists in the experiment's own."""
    for key, value in part.items():
        assert key in whole and key not in RUN_KEYS, f"{where}: {key}"
        if isinstance(value, dict):
            assert_below(value, whole[key], where)


def test_a_fifth_paper_is_one_folder_and_one_yaml(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "feedrun", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(CONFIGS, tmp_path / "configs")
    paper = tmp_path / "feedrun" / "papers" / "fifth"
    paper.mkdir()
    (paper / "__init__.py").write_text(
        '"""A fifth paper.\n\narXiv: 0000.00000\nTitle: On Adding One\n"""\n'
    )
    own = Path(__file__).parent / "own"
    shutil.copy(own / "lab.py", paper / "adding.py")
    text = (own / "conf/experiment/lab.yaml").read_text()
    text = text.replace("lab.EXPERIMENT", "feedrun.papers.fifth.adding.EXPERIMENT")
    text = text.replace("my_paper", "fifth")
    (tmp_path / "configs/experiment/fifth_adding.yaml").write_text(text)

    def run(*words):
        return subprocess.run(
            [sys.executable, "-m", "feedrun", *words],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
        )

    done = run("experiment=fifth_adding", "wandb=disabled", "-q")
    assert done.returncode == 0, done.stderr
    assert "SGD finds the line" in done.stdout
    feed = run().stdout
    assert "On Adding One" in feed and "fifth_adding" in feed and "1 holds; rivals: 1 fails" in feed
