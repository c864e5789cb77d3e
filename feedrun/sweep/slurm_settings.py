"""The settings of `launcher=slurm`, and what submitit calls them."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from feedrun.experiment import Config, Count, Natural
from feedrun.runner import config

SHARED = ("timeout_min", "cpus_per_task", "gpus_per_node", "tasks_per_node", "mem_gb", "nodes",
          "name", "stderr_to_stdout")  # fmt: skip
"""Settings that submitit names alike for all clusters; it wants "slurm_" before the others."""


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError("should be a word, a number, true or null")


def _lines(given: Any) -> Any:
    return [given] if isinstance(given, str) else [] if given is None else given


Lines = Annotated[list[str], BeforeValidator(_lines)]
Plain = Annotated[Any, AfterValidator(_plain)]
"""One value, as an option of sbatch has it; true: the option alone; false and null: no option."""


class Settings(Config):
    """The settings of `launcher=slurm`: configs/hydra/launcher/slurm.yaml says what each means.

    They bear submitit's names. An account may be a number: it is read as a word.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    name: str
    comment: str | None
    account: str | None
    partition: str | None
    qos: str | None
    constraint: str | None
    nodelist: str | None
    exclude: str | None
    exclusive: Plain
    dependency: str | None
    nodes: Count
    tasks_per_node: Count
    cpus_per_task: Count | None
    cpus_per_gpu: Count | None
    gpus_per_node: Natural | None
    gpus_per_task: Natural | None
    gres: str | None
    mem_gb: Annotated[float, Field(gt=0)] | None
    mem_per_cpu: str | None
    mem_per_gpu: str | None
    timeout_min: Count
    signal_delay_s: Natural
    max_num_timeout: Natural
    array_parallelism: Count
    setup: Lines
    srun_args: Lines
    stderr_to_stdout: bool
    mail_user: str | None
    mail_type: str | None
    additional_parameters: dict[str, Plain]

    @property
    def tasks(self) -> int:
        """Processes of one job."""
        return self.nodes * self.tasks_per_node


class Chosen(Config):
    """The settings under the name that they have on a command line."""

    launcher: Settings


def settings(values: Mapping[str, Any]) -> Settings:
    """Validate the settings of `launcher=slurm`. Raises BadInput."""
    return config.validated(Chosen, {"launcher": values}, "launcher=slurm").launcher


def parameters(queue: Settings) -> dict[str, Any]:
    """What to tell submitit: a setting that is null, false or empty is left out."""
    given = _given(queue.model_dump(exclude={"max_num_timeout"}))
    given["additional_parameters"] = _given(queue.additional_parameters)
    return {k if k in SHARED else f"slurm_{k}": v for k, v in given.items()}


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that say something: 0 does, null, false and an empty list do not."""
    return {k: v for k, v in options.items() if not (v is None or v is False or v == [])}
