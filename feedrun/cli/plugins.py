"""Sweeps as Hydra sees them: a sweeper and launchers behind Hydra's own interfaces.

Hydra finds plugins in the namespace package `hydra_plugins`; `register` puts this module there.
"""

import copy
import functools
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig, OmegaConf, open_dict
from rich.console import Console

from feedrun.cli import errors
from feedrun.errors import BadInput
from feedrun.runner.config import RunSpec
from feedrun.sweep import launch as jobs
from feedrun.sweep import local, slurm, slurm_settings
from feedrun.sweep.launch import Execute

MODULE = "hydra_plugins.feedrun"


class GridSweeper(Sweeper):
    """Every combination of the lists given; the launcher composes and checks all points at once.

    (Hydra's own sweeper composes each point to check it, 40 ms a point, before any launcher does.)
    """

    def __init__(self, *, params: Mapping[str, str] | None):
        self.params = params or {}

    def setup(self, *, hydra_context: Any, task_function: Any, config: DictConfig) -> None:
        """Hydra hands over what it knows."""
        self.loader, self.words = hydra_context.config_loader, task_function.words
        self.launcher: Any = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Hand all points to the launcher."""
        from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

        words = [f"{key}={value}" for key, value in self.params.items()] + self.words
        parser = OverridesParser.create(config_loader=self.loader)
        (points,) = BasicSweeper.split_arguments(parser.parse_overrides(words), None)
        return self.launcher.launch(points, initial_job_idx=0)


class _Launcher(Launcher):
    """What all launchers share: compose the points, launch, tell the task function how it ended.

    (Hydra's interface is a class to inherit from; it hands over settings as somebody typed them.)
    """

    def __init__(self, *, retries: Any, batch: Any):
        self.retries, self.batch = _at_least("retries", retries, 0), _at_least("batch", batch, 1)

    def setup(self, *, hydra_context: Any, task_function: Any, config: DictConfig) -> None:
        """Hydra hands over what it knows."""
        self.loader, self.config = hydra_context.config_loader, config
        self.ended: Callable[[jobs.Swept], None] = task_function.sweep_ended
        self.words: list[str] = task_function.words

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[Any]:
        """Run the sweep to its end."""
        points = list(composed(self.loader, self.config, job_overrides))
        self.check(points)
        choices = self.config.hydra.runtime.choices
        swept = jobs.launch(
            points,
            name=choices.get("sweep") or "+".join(dict.fromkeys(p.name for p in points))[:60],
            words=self.words,
            execute=self.execute(),
            retries=self.retries,
            batch=self.batch,
            console=Console(stderr=True),
        )
        self.ended(swept)
        return []

    def execute(self) -> Execute:
        """How units are worked off."""
        raise NotImplementedError

    def check(self, points: Sequence[RunSpec]) -> None:
        """Raise BadInput where this launcher cannot do what a point asks for."""
        if any(distributed(point) for point in points):
            raise BadInput("process.distributed needs launcher=slurm, or no sweep at all")


class LocalLauncher(_Launcher):
    """Worker processes on this machine."""

    def __init__(self, *, workers: Any, timeout: Any, retries: Any, batch: Any):
        super().__init__(retries=retries, batch=batch)
        automatic = 1 if batch > 1 else None  # a batch spreads over all devices by itself
        self.workers = automatic if workers == "auto" else _at_least("workers", workers, 1)
        if timeout is not None and not timeout > 0:
            raise BadInput(f"launcher.timeout: expected seconds above 0, or null, got {timeout}")
        self.timeout = timeout

    def execute(self) -> Execute:
        """See `local.run`."""
        return functools.partial(local.run, workers=self.workers, timeout=self.timeout)


class InlineLauncher(_Launcher):
    """This process, one run after the other."""

    def execute(self) -> Execute:
        """See `launch.inline`."""
        return jobs.inline


class SlurmLauncher(_Launcher):
    """A SLURM cluster; for the settings of its queue see `slurm_settings.Settings`."""

    def __init__(self, *, retries: Any, batch: Any, **queue: Any):
        super().__init__(retries=retries, batch=batch)
        if not importlib.util.find_spec("submitit"):
            raise BadInput("launcher=slurm needs one more package: pip install 'feedrun[slurm]'")
        self.queue = slurm_settings.settings(
            {k: OmegaConf.to_object(v) if OmegaConf.is_config(v) else v for k, v in queue.items()}
        )

    def execute(self) -> Execute:
        """See `slurm.run`."""
        return functools.partial(slurm.run, queue=self.queue)

    def check(self, points: Sequence[RunSpec]) -> None:
        """Several tasks are one run over several processes, or none of them knows of the others."""
        tasks = self.queue.tasks
        if tasks > 1 and any(distributed(point) != "auto" for point in points):
            raise BadInput(f"{tasks} tasks a job need process.distributed=auto")


def distributed(point: RunSpec) -> Any:
    """What a point says of several processes; checked with all the rest of it later."""
    return (point.composed.get("process") or {}).get("distributed")


def _at_least(name: str, value: Any, least: int) -> int:
    if not isinstance(value, int) or value < least:
        raise BadInput(f"launcher.{name}: expected a whole number of {least} or more, got {value}")
    return value


def register() -> None:
    """Make the sweeper and the launchers known to Hydra."""
    if "hydra_plugins" not in sys.modules:
        try:
            importlib.import_module("hydra_plugins")  # other plugins are installed
        except ImportError:
            package = types.ModuleType("hydra_plugins")
            package.__path__ = []
            sys.modules["hydra_plugins"] = package
    sys.modules[MODULE] = sys.modules[__name__]
    for plugin in (GridSweeper, LocalLauncher, InlineLauncher, SlurmLauncher):
        plugin.__module__ = MODULE
        Plugins.instance().register(plugin)


def composed(
    loader: ConfigLoaderImpl, master: DictConfig, points: Sequence[Sequence[str]]
) -> Iterator[RunSpec]:
    """The config of each point.

    Hydra composes one config a choice of files (experiment, scale: 40 ms each); values are set in
    copies of it (2 ms each), as Hydra itself sets them.
    """
    parse = functools.cache(OverridesParser.create(config_loader=loader).parse_override)
    based: dict[tuple[str, ...], tuple[DictConfig, str]] = {}
    for words in points:
        parsed = [parse(word) for word in words]
        files = tuple(str(o.input_line) for o in parsed if _chooses_files(loader, o))
        if files not in based:
            based[files] = _base(loader, master, files)
        base, name = based[files]
        cfg = copy.deepcopy(base)
        ConfigLoaderImpl._apply_overrides_to_config(
            [o for o in parsed if o.input_line not in files], cfg
        )
        plain: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
        yield RunSpec(plain, name, list(words))


def _chooses_files(loader: ConfigLoaderImpl, override: Any) -> bool:
    return override.package is not None or loader.repository.group_exists(override.key_or_group)


def _base(
    loader: ConfigLoaderImpl, master: DictConfig, files: tuple[str, ...]
) -> tuple[DictConfig, str]:
    """The config that a choice of files gives, without Hydra's own part, and its experiment."""
    cfg = loader.load_sweep_config(master, list(files))
    name = errors.chosen_experiment(cfg.scale, cfg.hydra)
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg, name
