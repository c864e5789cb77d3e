"""`feedrun workspace PATH…`: a Weights & Biases workspace for the runs there."""

import sys
from collections.abc import Sequence
from pathlib import Path

from feedrun.analysis.results import Wanted
from feedrun.cli import commands
from feedrun.records import store
from feedrun.records.find import Gathered, gather
from feedrun.report import document, workspace

DESCRIPTION = """\
Build a W&B workspace for runs that are (or will be) mirrored to W&B: curves by metric group, runs
grouped by what differs in their configs, the claims as a table. Needs the extra
feedrun[wandb-workspaces], and an account for anything but --json.

  feedrun workspace outputs/sweeps/NAME --json view.json   what W&B would get, offline
  feedrun workspace outputs/sweeps/NAME                    save it and print its URL

The runs themselves get there with wandb=online, or later with:
  wandb sync outputs/NAME/*/wandb/offline-run-*
"""


def main(words: Sequence[str]) -> int:
    """Write or save the workspace; 0, 1 where W&B refuses, 2 for bad input."""
    parser = commands.parser("workspace", DESCRIPTION)
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write its JSON; nothing is sent")
    parser.add_argument("--entity", help="user or team (else: the account's own)")
    parser.add_argument("--project", help="W&B project (else: WANDB_PROJECT, or feedrun)")
    parser.add_argument("--name", help="of the workspace (else: of the sweep or experiment)")
    asked = parser.parse_args(words)
    gathered = gather(asked.paths)
    for fault in gathered.faults:
        _say(fault, 2)
    if not gathered.records:
        return _say("no records, no workspace", 2)
    text = document.markdown(document.document(gathered, gathered.sweeps, Wanted()))
    about = {"project": asked.project or workspace.default_project()}
    about["name"] = asked.name or _name(gathered)
    try:
        entity = asked.entity or "" if asked.json else workspace.account(asked.entity)
        made = workspace.workspace(gathered.records, text, entity=entity, **about)
        if asked.json is None:
            print(f"workspace {workspace.save(made)}")
            return 0
        content = workspace.as_json(made)
        store.write_whole(asked.json, lambda part: part.write_text(content, encoding="utf-8"))
    except ImportError as error:
        return _say(str(error), 2)
    except ConnectionError as error:
        return _say(f"W&B: {error}; --json FILE writes the workspace without an account", 1)
    except OSError as error:
        return _say(f"{asked.json}: {error.strerror}", 2)
    print(f"workspace {asked.json}")
    return 0


def _name(gathered: Gathered) -> str:
    if len(gathered.sweeps) == 1:
        return gathered.sweeps[0].name
    return ", ".join(dict.fromkeys(record.run["experiment"] for record in gathered.records))


def _say(line: str, code: int) -> int:
    print(f"feedrun: {line}", file=sys.stderr)
    return code
