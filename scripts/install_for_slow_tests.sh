#!/bin/sh
# What the slow tests use beside Python: Chromium and a SLURM of one node. Debian's, where we may
# install them; else say what is missing, and those tests are skipped.
wanted=""
command -v chromium >/dev/null || command -v chromium-browser >/dev/null ||
  command -v google-chrome >/dev/null || wanted="$wanted chromium fonts-dejavu-core"
PATH="$PATH:/usr/sbin:/sbin"
command -v slurmctld >/dev/null && command -v munged >/dev/null || wanted="$wanted slurm-wlm munge"
[ -n "$wanted" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  # shellcheck disable=SC2086  (one word a package)
  apt-get update -qq && apt-get install -y -qq --no-install-recommends $wanted >/dev/null && exit 0
fi
echo "missing, and no right to install it (on Debian: apt-get install$wanted);" >&2
echo "the tests that need it will be skipped" >&2
