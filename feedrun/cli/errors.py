"""What is wrong with the user's input, in one line, with the nearest valid name."""

import re
import sys
from pathlib import Path
from typing import Any

from feedrun.errors import BadInput, first_line, nearest


def hint(word: str, folders: list[Path]) -> str:
    """' (did you mean experiment=x?)' for a word that is nearly an experiment's name."""
    return nearest(word, names(folders, "experiment"), as_given="experiment=")


def names(folders: list[Path], group: str) -> list[str]:
    """The choices of a config group in these folders."""
    return [path.stem for folder in folders for path in sorted((folder / group).glob("*.yaml"))]


def hydra_line(error: Exception, words: list[str], folders: list[Path]) -> str:
    """What Hydra found wrong, in one line, with the nearest valid name."""
    text = str(error)
    for ours in (error, error.__cause__):
        if isinstance(ours, BadInput):
            return first_line(ours)
    if found := re.search(r"Could not find '([\w/]+)/([^'/]*)'", text):
        group, name = found.groups()
        there = names(folders, group)
        what = group.removeprefix("hydra/")
        return f"no {what} {name}{nearest(name, there)}; there is {', '.join(there) or 'none'}"
    unexpected = re.search(r"Launcher.*unexpected keyword argument '(\w+)'", text, re.S)
    if found := unexpected or re.search(r"Could not override 'hydra\.launcher\.([^']+)'", text):
        there = [key for key in _keys(words, folders) if key.startswith("launcher.")]
        there = [key.removeprefix("launcher.") for key in there]
        near = nearest(found[1], there, as_given="launcher.")
        return f"unknown key launcher.{found[1]}{near}"
    if found := re.search(r"Could not override '([^']+)'", text):
        return f"unknown key {found[1]}{nearest(found[1], _keys(words, folders))}"
    if found := re.search(r"Missing mandatory value: (\S+)", text):
        return f"the key {found[1]} has no value (it is ??? in the yaml)"
    if given := getattr(error, "override", None):
        return f"cannot read {given}: {first_line(error)}"
    return first_line(error)


def _keys(words: list[str], folders: list[Path]) -> list[str]:
    """Dotted names of all keys of config.yaml and of the chosen experiment's and launcher's."""
    import yaml

    chosen = [w.removeprefix("experiment=") for w in words if w.startswith("experiment=")]
    launcher = [w.split("=")[1] for w in words if w.startswith("hydra/launcher=")] or ["local"]
    files = [folders[0] / "config.yaml"]
    files += [folder / "experiment" / f"{name}.yaml" for folder in folders for name in chosen]
    keys: list[str] = ["experiment"]
    for path in files:
        if path.exists():
            keys += _flat(yaml.safe_load(path.read_text()))
    path = folders[0] / "hydra" / "launcher" / f"{launcher[0]}.yaml"
    if path.exists():
        keys += _flat(yaml.safe_load(path.read_text()), "launcher.")
    return [key for key in keys if not key.startswith(("hydra", "defaults", "about", "_"))]


def _flat(tree: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key, value in tree.items():
        found.append(f"{prefix}{key}")
        if isinstance(value, dict):
            found += _flat(value, f"{prefix}{key}.")
    return found


def chosen_experiment(scale: str, job: Any) -> str:
    """The experiment of a composed config. Raises BadInput where there is none, or not this scale.

    Every scale but laptop (the experiment's own yaml) needs its small yaml.
    """
    sources = [Path(s.path) for s in job.runtime.config_sources if s.schema == "file"]
    name = job.runtime.choices.get("experiment")
    if name is None:
        raise BadInput(f"which experiment? experiment={'|'.join(names(sources, 'experiment'))}")
    have = names(sources, f"scale/{name}")
    if scale not in ("laptop", *have):
        raise BadInput(
            f"experiment {name} has no scale {scale}; it has {', '.join(['laptop', *have])}"
        )
    return str(name)


def yaml_line(error: Any) -> str:
    """file:line: what the YAML parser stumbled over."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = f"{mark.name}:{mark.line + 1}: " if mark else ""
    return f"{where}not valid YAML: {getattr(error, 'problem', None) or first_line(error)}"


def say(line: str, code: int) -> int:
    """One line on stderr, and the exit code."""
    print(f"feedrun: {line}", file=sys.stderr)
    return code
