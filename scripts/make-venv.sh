#!/bin/sh
# Makes a virtual environment: make-venv.sh PYTHON DIRECTORY. Exit status 2 where the Python will not do.
set -eu
python=$1
directory=$2

if ! command -v "$python" >/dev/null; then
  echo "NetWORX Monitor needs Python 3.11 or newer, and there is no $python: install it, or run make PYTHON=/path/to/python." >&2
  exit 2
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  version=$("$python" -c 'import platform; print(platform.python_version())')
  echo "NetWORX Monitor needs Python 3.11 or newer, and $python is $version: run make PYTHON=/path/to/a/newer/python." >&2
  exit 2
fi

# Debian's python3 comes without ensurepip.
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
  "$(dirname "$0")/install-packages.sh" "$("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info.minor)')"
fi

exec "$python" -m venv --clear "$directory"
