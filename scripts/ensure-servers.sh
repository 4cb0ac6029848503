#!/bin/sh
# Sees to it that the servers are there which tests and benchmarks start for themselves.
set -eu
missing=""

command -v redis-server >/dev/null || missing="$missing redis-server"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$missing postgresql"
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing="$missing rabbitmq-server"

[ -z "$missing" ] || exec "$(dirname "$0")/install-packages.sh" $missing
