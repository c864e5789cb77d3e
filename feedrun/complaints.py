"""What is wrong with the user's input, in one line, with the nearest valid name."""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any


def hint(word: str, folders: list[Path]) -> str:
    """' (did you mean experiment=x?)' for a word that is nearly an experiment's name."""
    close = get_close_matches(word, names(folders, "experiment"), n=1)
    return f" (did you mean experiment={close[0]}?)" if close else ""


def names(folders: list[Path], group: str) -> list[str]:
    """The choices of a config group in these folders."""
    return [path.stem for folder in folders for path in sorted((folder / group).glob("*.yaml"))]


def hydra_line(error: Exception, words: list[str], folders: list[Path]) -> str:
    """What Hydra found wrong, in one line, with the nearest valid name."""
    from feedrun.config import nearest

    text = str(error)
    if "must specify 'experiment'" in text:
        return f"which experiment? experiment={'|'.join(names(folders, 'experiment'))}"
    if found := re.search(r"Could not find '(\w+)/([^']*)'", text):
        group, name = found.groups()
        there = names(folders, group)
        return f"no {group} {name}{nearest(name, there)}; there is {', '.join(there)}"
    if found := re.search(r"Could not override '([^']+)'", text):
        return f"unknown key {found[1]}{nearest(found[1], _keys(words, folders))}"
    if found := re.search(r"Missing mandatory value: (\S+)", text):
        return f"the key {found[1]} has no value (it is ??? in the yaml)"
    if given := getattr(error, "override", None):
        return f"cannot read {given}: {first(error)}"
    return first(error)


def _keys(words: list[str], folders: list[Path]) -> list[str]:
    """Dotted names of all keys of the chosen experiment's yaml and of config.yaml."""
    import yaml

    chosen = [w.removeprefix("experiment=") for w in words if w.startswith("experiment=")]
    files = [folders[0] / "config.yaml"]
    files += [folder / "experiment" / f"{name}.yaml" for folder in folders for name in chosen]
    keys: list[str] = ["experiment"]
    for path in files:
        if path.exists():
            keys += _flat(yaml.safe_load(path.read_text()))
    return [key for key in keys if not key.startswith(("hydra", "defaults", "about", "_"))]


def _flat(tree: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key, value in tree.items():
        found.append(f"{prefix}{key}")
        if isinstance(value, dict):
            found += _flat(value, f"{prefix}{key}.")
    return found


def check_scale(scale: str, name: str, job: Any) -> None:
    """Every scale but laptop (the experiment's own yaml) needs its small yaml."""
    from feedrun.config import BadInput

    sources = [source.path for source in job.runtime.config_sources if source.schema == "file"]
    have = [p.stem for s in sources for p in sorted((Path(s) / "scale" / name).glob("*.yaml"))]
    if scale not in ("laptop", *have):
        raise BadInput(
            f"experiment {name} has no scale {scale}; it has {', '.join(['laptop', *have])}"
        )


def yaml_line(error: Any) -> str:
    """file:line: what the YAML parser stumbled over."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = f"{mark.name}:{mark.line + 1}: " if mark else ""
    return f"{where}not valid YAML: {getattr(error, 'problem', None) or first(error)}"


def os_line(error: OSError, place: str) -> str:
    """What the disk refused, and where: its own words, or `place` where it does not say."""
    if error.strerror is None:  # raised by us, with a sentence
        return first(error)
    return f"{error.strerror}: {error.filename or place}"


def first(error: BaseException) -> str:
    """The first line of an exception's text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
