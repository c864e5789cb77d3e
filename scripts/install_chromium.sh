#!/bin/sh
# Chromium for the browser tests: Debian's, where we may install it; else say what is missing.
for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core \
    >/dev/null && exit 0
fi
echo "no Chromium, and no right to install one: the browser tests will be skipped" >&2
echo "(on Debian: apt-get install chromium)" >&2
