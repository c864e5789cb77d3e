"""The command line: `feedrun experiment=…`. Hydra lives here and nowhere else.

Neither jax, flax nor wandb is imported before a run starts: `feedrun --help` stays quick.
"""

import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import feedrun
from feedrun.cli import app, commands, errors
from feedrun.cli.help import HELP
from feedrun.errors import first_line
from feedrun.runtime import distributed

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code: 0, 1 (an experiment raised), 2 or 130."""
    words = ["quiet=true" if w in ("-q", "--quiet") else w for w in argv or sys.argv[1:]]
    if argv is None and any(w.startswith(("experiment=", "sweep=")) for w in words):
        _restart(words)
    try:
        return _command(words)
    except KeyboardInterrupt as stop:
        line = f"{stop}" if str(stop) else "interrupted"
        return distributed.ended(
            errors.say(line, INTERRUPTED) if distributed.first() else INTERRUPTED
        )
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _restart(words: list[str]) -> None:
    """Begin again with malloc tuned, unless the words say otherwise."""
    from feedrun.runtime import setup

    if "process.malloc=false" not in words:
        setup.restart()


def config_folder() -> Path:
    """configs/ beside the package in a checkout, inside it in a wheel."""
    package = Path(feedrun.__file__).parent
    inside = package / "configs"
    return inside if inside.exists() else package.parent / "configs"


def _command(words: list[str]) -> int:
    if "--version" in words:
        from importlib.metadata import version

        print(version("feedrun"))
        return 0
    if words and words[0] in commands.COMMANDS:
        return commands.COMMANDS[words[0]](words[1:])
    if "-h" in words or "--help" in words:
        return _help(words)
    folders = [config_folder(), *_own_folders(words)]
    fault = _fault(words, folders)
    if fault:
        return errors.say(fault, 2)
    if not any("=" in word or word in _HYDRA_ONLY for word in words):
        return _feed(folders)
    return app.start(words, folders)


_HYDRA_ONLY = {"-m", "--multirun", "--cfg", "-c", "--info", "-i", "--hydra-help", "--resolve"}


def _own_folders(words: list[str]) -> list[Path]:
    """The folder that --config-dir names."""
    named = [b for a, b in itertools.pairwise(words) if a in ("--config-dir", "-cd")]
    named += [w.split("=", 1)[1] for w in words if w.startswith("--config-dir=")]
    return [Path(folder) for folder in named]


def _fault(words: list[str], folders: list[Path]) -> str | None:
    """What is wrong with the words themselves, before Hydra sees them."""
    from hydra._internal.utils import get_args_parser

    from feedrun.errors import nearest

    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        return f"--config-dir {missing[0]}: no such folder"
    parser = get_args_parser()
    parser.error = _raise  # pyright: ignore[reportAttributeAccessIssue]
    try:
        known, unknown = parser.parse_known_intermixed_args(words)
    except ValueError as error:
        return str(error)
    flags = [flag for action in parser._actions for flag in action.option_strings]
    for word in unknown:
        return f"unknown option {word}{nearest(word, [*flags, '--quiet'])}"
    for word in known.overrides:
        if "=" not in word and not word.startswith("~"):
            return f"{word}: expected key=value{errors.hint(word, folders)}"
    return None


def _raise(message: str) -> None:
    raise ValueError(message)


def _help(words: list[str]) -> int:
    """The general help, or with experiment=, sweep= or launcher= the commented yaml of each."""
    folders = [*_own_folders(words), config_folder()]
    pairs = [word.split("=", 1) for word in words if "=" in word]
    asked = [pair for pair in pairs if pair[0] in ("experiment", "sweep", "launcher")]
    if asked:
        return max(_help_on(group, name, folders) for group, name in asked)
    named = [errors.names(folders, group) for group in ("experiment", "sweep")]
    names, sweeps = (" | ".join(found) for found in named)
    print(HELP.format(names=names, sweeps=sweeps))
    return 0


def _help_on(group: str, name: str, folders: list[Path]) -> int:
    from feedrun.errors import nearest

    place = {"launcher": "hydra/launcher"}.get(group, group)
    for folder in folders:
        path = folder / place / f"{name}.yaml"
        if path.exists():
            text = path.read_text()
            print(text.replace("# @package _global_\n", "").strip() + "\n")
            return _claims_of(text) if group == "experiment" else 0
    there = errors.names(folders, place)
    return errors.say(f"no {group} {name}{nearest(name, there)}; there is {', '.join(there)}", 2)


def _claims_of(text: str) -> int:
    """What the experiment with this yaml claims; nothing where its claims are not in a yaml."""
    import yaml
    from rich.console import Console

    from feedrun.cli import claims

    sys.path.insert(0, os.getcwd())  # where a user's own experiments live
    try:
        claimed = claims.claims((yaml.safe_load(text) or {}).get("_target_", ""))
    except yaml.YAMLError as error:
        return errors.say(errors.yaml_line(error), 2)
    except ValueError as error:
        return errors.say(first_line(error), 2)
    if claimed:
        print(f"claims: {len(claimed)}\n")
        Console(highlight=False).print(claims.table(claimed))
    return 0


def _feed(folders: list[Path]) -> int:
    import yaml
    from rich.console import Console

    from feedrun.cli.feed import feed

    try:
        feed(Console(), folders, Path("outputs"))
    except yaml.YAMLError as error:
        return errors.say(errors.yaml_line(error), 2)
    return 0
