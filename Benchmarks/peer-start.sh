#!/usr/bin/env bash
# Starts the router for the comparison benchmark: SCENARIO LISTEN_PORT BACKEND_PORT...
# One worker, and the ordinary features on: a dtab, the file namer, P2C with peak EWMA, all statistics.
# Exit status 3 says that this scenario is not served yet. MESHROUTER names the binary.
set -e
scenario=$1 port=$2
shift 2
[ "$BENCH_FRONT" = h1 ] && [ "$BENCH_BACK" = h1 ] || exit 3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binary=${MESHROUTER:-$here/.build/release/meshrouter}
[ -x "$binary" ] || { echo "no $binary: swift build -c release --static-swift-stdlib --product meshrouter" >&2; exit 1; }
mkdir -p "$BENCH_TMP/disco"
for backend; do echo "127.0.0.1 $backend"; done >"$BENCH_TMP/disco/web"
cat >"$BENCH_TMP/meshrouter.yaml" <<C
workers: 1
admin: {port: $((port + 20000))}
namers:
- kind: io.l5d.fs
  rootDir: $BENCH_TMP/disco
routers:
- protocol: http
  label: $scenario
  dtab: /svc/* => /#/io.l5d.fs/web
  servers:
  - port: $port
C
exec "$binary" run "$BENCH_TMP/meshrouter.yaml"
