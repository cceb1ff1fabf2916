#!/usr/bin/env bash
# Feeds a parser with inputs that libFuzzer invents, under the address sanitizer.
#
#   Fuzz/run.sh TARGET [SECONDS]     a name from Fuzz/targets; 60 seconds unless told otherwise
#
# The corpus grows in .build-fuzz/corpus/TARGET. An input that crashes, hangs or eats memory is written to
# Fuzz/FailCases/TARGET, where the tests replay it for good, and the exit status is 1.
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib/setup.sh"

if [ $# -lt 1 ] || [ $# -gt 2 ] || [[ "$1" == -* ]]; then
  sed -n '2,/^source/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  exit 2
fi
target=$1
seconds=${2:-60}
[[ "$seconds" =~ ^[0-9]+$ ]] || fail "\`$seconds\` is no number of seconds"
line=$(awk -v name="$target" '!/^#/ && $1 == name' Fuzz/targets)
[ -n "$line" ] || fail "there is no fuzz target \`$target\`" "Fuzz/targets has: $(awk '!/^#/ { printf "%s ", $1 }' Fuzz/targets)"
read -r _ harness modules <<<"$line"

prepare

out=.build-fuzz/$target
corpus=.build-fuzz/corpus/$target
failures=Fuzz/FailCases/$target
mkdir -p "$out/shims" "$corpus" "$failures"

# The settings of Package.swift; optimised, since speed finds more than debug checks do, and preconditions stay on.
flags=(-O -swift-version 6 -package-name meshrouter -parse-as-library -wmo -enable-upcoming-feature ExistentialAny
  -enable-experimental-feature Lifetimes -sanitize=fuzzer,address -I "$out")

printf 'module CMeshShims { header "%s/Sources/CMeshShims/include/CMeshShims.h" export * }\n' "$root" >"$out/shims/module.modulemap"
flags+=(-I "$out/shims" -I Sources/CNghttp2)
objects=()
for source in Sources/CMeshShims/*.c; do
  object=$out/$(basename "$source" .c).o
  clang -O1 -g -fsanitize=address -ISources/CMeshShims/include -c "$source" -o "$object"
  objects+=("$object")
done
for module in $modules; do
  say "building $module"
  find "Sources/$module" -name '*.swift' -print0 |
    xargs -0 swiftc "${flags[@]}" -emit-module -emit-module-path "$out/$module.swiftmodule" -module-name "$module" \
      -c -o "$out/$module.o"
  objects+=("$out/$module.o")
done
say "building the harness"
swiftc "${flags[@]}" -module-name "Fuzz_$target" ${harness//,/ } "${objects[@]}" -o "$out/fuzz"

options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1
  -artifact_prefix="$failures/")
[ ! -f "Fuzz/$target.dict" ] || options+=(-dict="Fuzz/$target.dict")
inputs=("$corpus")
for extra in "Fuzz/seeds/$target" "$failures"; do
  if [ -d "$extra" ]; then inputs+=("$extra"); fi
done

# libFuzzer prints the stack; Swift's own backtracer would wait for a process that is gone.
export SWIFT_BACKTRACE=enable=no
"$out/fuzz" "${options[@]}" "${inputs[@]}" || fail "$target failed" "The input is in $failures; mend the code and keep the file."
