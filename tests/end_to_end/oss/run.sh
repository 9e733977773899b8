#!/usr/bin/env bash
# Fills the stores of the real, unmodified open-source Mem0, of both its major versions, and pulls from them. `make oss` runs
# this. It needs neither a key nor a network: a server on this machine stands for the embedder.
set -euo pipefail
cd "$(dirname "$0")/../../.."

[[ -x .venv/bin/python3 ]] || { echo "no .venv: run make setup first" >&2; exit 1; }

export PYTHONPATH=facade:engine:cli:generated:.
export MEM0_TELEMETRY=False ANONYMIZED_TELEMETRY=False

for version in 2 1; do
  # An environment of its own, which later runs reuse: Mem0 and its stores need some hundred packages.
  lock=tests/end_to_end/oss/mem0-$version.lock
  environment=.venv-oss-$version
  stamp=$environment/.installed.lock # a copy of the installed lock, written last
  if ! cmp -s "$lock" "$stamp"; then
    echo "setting up $environment (once for each lock)"
    .venv/bin/python3 -m venv --clear "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$lock"
    cp "$lock" "$stamp"
  fi
  # Without the settings and fixtures of the other tests, which need other packages.
  "$environment/bin/python" -m pytest -c /dev/null --rootdir . --noconftest -p no:cacheprovider -q --timeout 600 \
    tests/end_to_end/oss/check_sources.py "$@"
done
