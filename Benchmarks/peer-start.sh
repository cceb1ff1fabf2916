#!/usr/bin/env bash
# Starts the router for the comparison benchmark: SCENARIO LISTEN_PORT BACKEND_PORT...
# One worker, and the ordinary features on: a dtab, the file namer, P2C with peak EWMA, all statistics.
# BENCH_FRONT and BENCH_BACK tell what callers and backends speak (h1, h2c, tls). Exit status 3 says that this scenario
# is not served yet. MESHROUTER names the binary.
set -e
scenario=$1 port=$2
shift 2
case "$BENCH_FRONT" in
  h1 | h2c) tls= ;;
  tls) tls="tls: {certPath: $BENCH_CERT, keyPath: $BENCH_KEY}" ;;
  *) exit 3 ;;
esac
case "$BENCH_BACK" in h1) protocol=http ;; h2c) protocol=h2 ;; *) exit 3 ;; esac
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
- protocol: $protocol
  label: $scenario
  dtab: /svc/* => /#/io.l5d.fs/web
  servers:
  - port: $port
    $tls
C
exec "$binary" run "$BENCH_TMP/meshrouter.yaml"
