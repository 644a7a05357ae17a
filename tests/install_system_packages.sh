#!/bin/sh
# The tests drive a real browser, whose Vulkan driver in software is also their GPU, compile doubles in C, and speak
# with a real sshd of their own.
# As root on Debian what is missing is installed; elsewhere this says so.
set -eu
missing=""
command -v chromium >/dev/null || missing="$missing chromium"
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
command -v ssh >/dev/null && [ -x /usr/sbin/sshd ] || missing="$missing openssh-server openssh-client"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >/dev/null
    # shellcheck disable=SC2086
    apt-get install -qq -y --no-install-recommends $missing >/dev/null
    exit 0
fi
echo "tests need$missing: install it (Debian: apt-get install$missing) and run again" >&2
exit 1
