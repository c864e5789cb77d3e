#!/bin/sh
# Upload the offline W&B runs of all records under the given paths (default: outputs) with one
# command. What was uploaded before is skipped.
#
#   scripts/sync_wandb.sh [PATH...]          needs a key: wandb login, or WANDB_API_KEY
#
# A run that was interrupted left a folder for each time it was resumed, all with its id. Each begins
# with all rows there were, so the newest of them is the whole run; the others are left out. A
# process killed at once leaves a file of nothing but its 7-byte header, at which wandb would give up.
set -eu
[ $# -gt 0 ] || set -- outputs
here=$(cd "$(dirname "$0")/.." && pwd)
wandb=wandb
[ ! -x "$here/.venv/bin/wandb" ] || wandb="$here/.venv/bin/wandb"

newest() {
  find "$@" -path '*/offline-run-*' -name 'run-*.wandb' -size +7c -exec dirname {} \; | sort |
    awk '{ record = $0; sub("/[^/]*$", "", record); last[record] = $0 }
         END { for (record in last) print last[record] }' | sort
}

count=$(newest "$@" | wc -l)
if [ "$count" -eq 0 ]; then
  echo "no offline W&B runs under $*" >&2
  exit 1
fi
echo "$count offline runs under $*"
newest "$@" | tr '\n' '\0' | xargs -0 -s 1000000 "$wandb" sync --yes
