"""One command line from Hydra's composed config to a run or a sweep, and what is shown of it."""

import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

from feedrun.cli import errors
from feedrun.cli.errors import say
from feedrun.errors import BadInput, first_line, os_line
from feedrun.runtime import distributed


def start(words: list[str], folders: list[Path]) -> int:
    """Let Hydra compose, and call `App` for a run or a launcher for a sweep; the exit code."""
    import hydra
    import yaml
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from feedrun.cli import plugins

    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions come to us instead of being printed
    words = [launcher_word(word) for word in words]
    settings = [w for w in words if ("=" in w and not w.startswith("--")) or w.startswith("~")]
    options = [w for w in words if w not in settings]
    ours = [w for w in settings if not w.lstrip("+").startswith(("hydra.", "hydra/"))]
    if _sweeps(options, settings):
        options = ["--multirun", *[w for w in options if w not in ("-m", "--multirun")]]
        settings = [w for w in settings if w not in ours or w.startswith("sweep=")]
    sys.argv = ["feedrun", *options, *settings]  # options first
    sys.path.insert(0, os.getcwd())  # where a user's own experiments live
    signal.signal(signal.SIGTERM, _terminated)
    plugins.register()
    app = App(ours)
    try:
        hydra.main(version_base="1.3", config_path=str(folders[0]), config_name="config")(app)()
    except yaml.YAMLError as error:
        return say(errors.yaml_line(error), 2)
    except (HydraException, OmegaConfBaseException, BadInput, ValueError) as error:
        return say(errors.hydra_line(error, words, folders), 2)
    except OSError as error:
        return say(os_line(error, "outputs"), 2)
    return app.code


def launcher_word(word: str) -> str:
    """`launcher=slurm`, `launcher.workers=2` and `batch=8` as Hydra spells them.

    Hydra wants ++ before a key that no yaml has, as those of additional_parameters are.
    """
    key, equals, value = word.partition("=")
    key = key.lstrip("+")
    if equals and key == "launcher":
        return f"hydra/launcher={value}"
    if equals and (key == "batch" or key.startswith("launcher.")):
        name = key.removeprefix("launcher.")
        plus = "++" if name.startswith("additional_parameters") else ""
        return f"{plus}hydra.launcher.{name}={_quoted(value)}"
    return word


def _quoted(value: str) -> str:
    """A launcher's value, or each of a list, in quotes where Hydra needs them.

    It would take END,FAIL for a sweep, and node[1-3] or A=1 for a slip. Dicts, interpolations and
    what has quotes already stay as they are.
    """
    if re.search(r"""['"(){}]""", value):
        return value
    if value.startswith("[") and value.endswith("]"):
        return f"[{','.join(_quoted(item.strip()) for item in value[1:-1].split(','))}]"
    return f'"{value}"' if re.search(r"[^\w/\\+.$%*@?|: -]", value) else value


def _sweeps(options: list[str], settings: list[str]) -> bool:
    """Whether several runs are asked for: -m, or a launcher or a named sweep, which imply it."""
    implied = ("hydra/launcher=", "hydra.launcher.", "++hydra.launcher.", "sweep=")
    return bool({"-m", "--multirun"} & set(options)) or any(w.startswith(implied) for w in settings)


class App:
    """What Hydra calls: with the config of a single run, or for a sweep with how it ended.

    `words` are the settings of the runs: the sweeper makes points of them (the config that Hydra
    composes for a sweep as a whole knows no experiment, since there may be several).
    """

    def __init__(self, words: list[str]):
        self.words, self.code = words, 0

    def __call__(self, cfg: Any) -> None:
        self.code = distributed.ended(_ran(cfg))

    def sweep_ended(self, swept: Any) -> None:
        """Say how a sweep ended: its table, its figures, a line for each job that failed."""
        from rich.console import Console

        from feedrun.records import store
        from feedrun.report.results import results_table
        from feedrun.sweep import launch

        console, done = Console(), [j for j in swept.sweep.jobs if store.finished(j.folder)]
        if done:
            try:
                records = [store.load(job.folder) for job in done]
                console.print(results_table(records, swept.sweep.table))
            except ValueError as error:  # the table asks for what no run has
                say(first_line(error), 1)
        print(f"{swept.sweep.folder.name}: {swept.board.tally()}")
        places = [("sweep", swept.sweep.folder), *(("figure", path) for path in launch.draw(swept))]
        for what, path in places:
            print(f"{what:8s} {path}")
        for line in swept.failures.values():
            self.code = say(line, 1)


def _terminated(number: int, frame: Any) -> None:
    raise KeyboardInterrupt("terminated; the same command goes on")


def _ran(cfg: Any) -> int:
    """One composed config: run it and show its verdicts; exit code 0, 1 or 2."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from rich.console import Console

    from feedrun.cli.progress import progress
    from feedrun.runner import attempt
    from feedrun.runner.config import RunSpec
    from feedrun.runner.execute import Failed, Interrupted

    job, aside = HydraConfig.get(), Console(stderr=True)

    def tell(line: str) -> None:
        aside.print(line, style="dim", highlight=False, soft_wrap=True)

    try:
        name = errors.chosen_experiment(cfg.scale, job)
        composed: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
        spec, quiet = RunSpec(composed, name, list(job.overrides.task)), bool(cfg.quiet)
        with progress(aside, quiet=quiet) as show:
            outcomes = attempt.run([spec], say=tell, show=show, hello=not quiet)
        for outcome in outcomes:  # a process beside process 0 has none
            _show(outcome, Console())
        return 0
    except (BadInput, OmegaConfBaseException) as error:
        return say(errors.hydra_line(error, [], []), 2)
    except Failed as error:
        return say(f"{error}", 1)
    except Interrupted as stop:
        raise KeyboardInterrupt(f"interrupted at {stop}; the same command resumes") from stop
    except OSError as error:
        return say(os_line(error, f"writing under {cfg.outputs}"), 2)


def _show(outcome: Any, console: Any) -> None:
    """The verdict table, then where everything is."""
    from feedrun.report.verdicts import verdict_table

    record = outcome.record
    console.print(verdict_table(record))
    if outcome.existed:
        sha = record.run["code"]["sha"]
        console.print(
            f"finished before, at {record.run['started']}, code {(sha or 'unknown')[:8]}; "
            "force=true runs it anew",
            style="dim",
            soft_wrap=True,
        )
    places = [("record", record.folder), ("figures", record.folder / "figures")]
    places += [("W&B", path) for path in sorted(record.folder.glob("wandb/*run-*"))[-1:]]
    for what, path in places:
        console.print(f"{what:8s} {path}", soft_wrap=True, highlight=False)
