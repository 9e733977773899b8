#!/usr/bin/env bash
# The official mem0ai client, unmodified, against `mem0-exports serve`; `make interop` runs this.
set -euo pipefail
cd "$(dirname "$0")/../.."

lock=tests/interop/requirements.lock
environment=.venv-mem0ai
stamp=$environment/.installed.lock # a copy of the lock that was installed, written last

[[ -x .venv/bin/mem0-exports ]] || { echo "there is no .venv yet: run make setup" >&2; exit 1; }

if ! cmp -s "$lock" "$stamp"; then
  echo "setting up $environment (once for each lock)"
  # The project's python3, which is known to be new enough.
  .venv/bin/python3 -m venv --clear "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$lock"
  cp "$lock" "$stamp"
fi

temporary=$(mktemp -d)
server=

clean_up() {
  if [[ -n $server ]]; then
    kill "$server" 2>/dev/null || true
    for _ in {1..50}; do # a server that does not end must not make this hang
      kill -0 "$server" 2>/dev/null || break
      sleep 0.1
    done
    kill -9 "$server" 2>/dev/null || true
  fi
  rm -rf "$temporary"
}
trap clean_up EXIT

key=$(.venv/bin/python3 -c 'import secrets; print("m0-" + secrets.token_hex(16))')
: >"$temporary/stdout" # here already, for the job may be slower than the first look into it
.venv/bin/mem0-exports serve --store "$temporary/store.db" --port 0 --api-key "$key" \
  >"$temporary/stdout" 2>"$temporary/stderr" &
server=$!

url=
for _ in {1..200}; do
  url=$(sed -n 's/^listening on //p' "$temporary/stdout")
  [[ -z $url ]] && kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done
if [[ -z $url ]]; then
  echo "the server did not start within 20 s:" >&2
  cat "$temporary/stdout" "$temporary/stderr" >&2
  exit 1
fi

code=0
# No telemetry, and nothing written to the home folder. No proxy either: this must not leave the machine.
env MEM0_TELEMETRY=False MEM0_DIR="$temporary/mem0" NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 \
  "$environment/bin/python" tests/interop/official_client.py "$url" "$key" || code=$?

if [[ -s $temporary/stderr ]]; then
  echo "the server said:" >&2
  cat "$temporary/stderr" >&2
fi
exit "$code"
