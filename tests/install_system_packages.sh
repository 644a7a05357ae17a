#!/bin/sh
# The tests drive a real browser. As root on Debian it is installed; elsewhere this says what is missing.
set -eu
command -v chromium >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >/dev/null
    apt-get install -qq -y --no-install-recommends chromium >/dev/null
    exit 0
fi
echo "tests need the program chromium: install it (Debian: apt-get install chromium) and run again" >&2
exit 1
