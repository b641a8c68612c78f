import {
  commandLines,
  curlOf,
  type QuickPart,
  type QuickRequest,
  quickApps,
  quickCaller,
  quickControls,
  quickGateways,
  quickHost,
  quickInstanceRequests,
  quickQuestions,
  quickRequests,
  quickSidecars,
} from './world.ts';

/**
 * `run.sh`: a bash script that starts everything, waits until each entrance answers, prints the requests, and
 * ends everything when it is ended. `isthmus` and `node` are the command lines of the two.
 */
export function runScript(isthmus: readonly string[], node: string): string {
  return `#!/usr/bin/env bash
# Starts two IDCs on this machine: two control planes, two instances, seven Envoys. Ctrl-C ends all of them.
# Logs are in log/, process ids in run/.
set -u
cd "$(dirname "$0")" || exit 2

${names(isthmus, node)}
${functions}
echo 'Starting. Control planes compile the filters that prevent loops first: some ten seconds, more on a busy machine.'
${starts(quickControls)}
${starts(quickApps)}
${starts(quickSidecars)}
${waits(quickInstanceRequests)}
${starts(quickGateways)}
${starts([quickCaller])}
${waits(quickRequests)}
cat <<'END'
Ready. In another terminal:

${quickRequests.map((request) => `  # ${request.what}\n  ${curlOf(request)}`).join('\n')}

  # who serves the host, as the Envoys have it
  ${commandLines(quickQuestions[0]?.command ?? [])}

Ctrl-C ends all. If a process ends before, it is said here.
END
while ((\${#names[@]} > 0)); do
  sleep 1 &
  wait $!
  ended
done
echo 'run.sh: all have ended.' >&2
exit 1
`;
}

function names(isthmus: readonly string[], node: string): string {
  return `isthmus() { exec ${isthmus.map(quoted).join(' ')} "$@"; }
node() { exec ${quoted(node)} "$@"; }
envoy() { exec "$envoy" "$@"; }

envoy=\${ENVOY_BIN:-$(type -P envoy)} || {
  echo 'run.sh: there is no Envoy: put an Envoy 1.40 on PATH as envoy, or set ENVOY_BIN to it.' >&2
  exit 2
}
type -P curl > /dev/null || {
  echo 'run.sh: curl is missing: install it (Debian: apt-get install curl).' >&2
  exit 2
}
`;
}

const functions = `trap 'trap - EXIT; kill $(jobs -p) 2> /dev/null; wait' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Names of those that run, by process id.
declare -A names=()

# Starts a command in the background, by a name.
start() {
  local name=$1
  shift
  "$@" > "log/$name.log" 2>&1 &
  names[$!]=$name
  echo $! > "run/$name.pid"
}

# Says which processes have ended since the last time, if any has.
ended() {
  local pid name code any=1
  for pid in "\${!names[@]}"; do
    kill -0 "$pid" 2> /dev/null && continue
    wait "$pid" 2> /dev/null
    code=$?
    name=\${names[$pid]}
    unset "names[$pid]"
    echo "run.sh: $name has ended with exit code $code; the end of log/$name.log:" >&2
    tail -n 3 "log/$name.log" >&2
    any=0
  done
  return $any
}

# Waits until a URL answers.
answers() {
  local tries
  for ((tries = 0; tries < 240; tries++)); do
    curl -sf -o /dev/null -H 'Host: ${quickHost}' "$1" && return
    ended && exit 1
    sleep 0.25
  done
  echo "run.sh: $1 has not answered for a minute: see log/" >&2
  exit 1
}

rm -f run/*.pid
`;

function starts(parts: readonly QuickPart[]): string {
  return parts.map(({ name, command }) => `start ${name} ${command.join(' ')}`).join('\n');
}

function waits(requests: readonly QuickRequest[]): string {
  return requests.map(({ url }) => `answers ${url}`).join('\n');
}

/** A word for a shell. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
