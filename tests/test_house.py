"""The house: imports point down, configs are complete, a fifth paper is one folder."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import feedrun
from feedrun.config import RUN_KEYS, About, resolve
from feedrun.experiment import Config

PACKAGE = Path(feedrun.__file__).parent
CONFIGS = PACKAGE.parent / "configs"
FLOORS = {
    "cli": 7, "app": 7, "grid": 7, "commands": 7, "complaints": 7, "words": 7, "__main__": 7,
    "report_command": 7, "workspace_command": 7, "notebook": 7, "compare": 7,
    "report": 6, "feed": 6, "claimtable": 6, "resultgrid": 6, "results": 6, "document": 6,
    "export": 6, "tables": 6, "dashboard": 6, "page": 6, "drawn": 6, "runlist": 6,
    "config": 5, "runner": 5, "journal": 5, "sinks": 5, "store": 5, "progress": 5,
    "provenance": 5, "process": 5, "sweep": 5, "conclusion": 5, "work": 5,
    "pool": 5, "worker": 5,
    "batches": 5, "live": 5, "jobs": 5, "slurm": 5, "gather": 5, "checked": 5, "grouping": 5,
    "pooling": 5, "published": 5, "workspace": 5, "thinning": 5, "slurm_settings": 5,
    "papers": 4,
    "train": 3, "tuning": 3, "streams": 3, "plotting": 3, "layout": 3, "experiment": 3,
    "together": 3, "threads": 3, "hosts": 3, "broadcast": 3, "machine": 3,
    "models": 2, "tasks": 2,
    "maths": 1, "choices": 1, "errors": 0,
}  # fmt: skip
LIBRARIES = {"hydra": {7}, "omegaconf": {7}, "wandb": {5}, "wandb_workspaces": {5}, "flax": {2}}
EXPERIMENTS = sorted((CONFIGS / "experiment").glob("*.yaml"))


def modules():
    return [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]


def floor(path):
    return FLOORS[path.relative_to(PACKAGE).parts[0].removesuffix(".py")]


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
            assert floor(path) in LIBRARIES[parts[0]], f"{path} imports {name}"
        if parts[0] != "feedrun" or len(parts) == 1:
            continue
        here, there = floor(path), FLOORS[parts[1]]
        if there == 4 and len(parts) > 3:  # into a paper: only from within
            assert path.is_relative_to(PACKAGE / Path(*parts[1:3])), f"{path} imports {name}"
        else:
            beside = here == there and here != 4
            assert there < here or beside or there == 4, f"floor {here} {path} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_library_code_neither_prints_nor_uses_pyplot_nor_old_keys(path):
    calls = {
        ast.unparse(n.func)
        for n in ast.walk(ast.parse(path.read_text()))
        if isinstance(n, ast.Call)
    }
    assert not any(call.endswith("PRNGKey") for call in calls)
    assert "matplotlib.pyplot" not in set(imports(path))
    if floor(path) < 7:
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
