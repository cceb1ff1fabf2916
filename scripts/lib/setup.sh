# Sourced by the scripts beside it; not run by itself.
#
# Finds out what is missing for a build and installs only that: Debian packages, by apt-get, with sudo when the
# caller is not root. Nothing is printed when nothing is missing.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

say() { printf '%s\n' "$*" >&2; }

fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '       %s\n' "$@" >&2
  exit 1
}

# Packages found missing, filled by need_library and need_command.
missing=()

# need_library PKG_CONFIG_NAME DEBIAN_PACKAGE
need_library() {
  if ! command -v pkg-config >/dev/null || ! pkg-config --exists "$1"; then missing+=("$2"); fi
}

# need_command COMMAND DEBIAN_PACKAGE
need_command() {
  # Daemons live in /usr/sbin, which is not on every user's path.
  PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null || missing+=("$2")
}

# need_python_module MODULE DEBIAN_PACKAGE
need_python_module() {
  python3 -c "import $1" 2>/dev/null || missing+=("$2")
}

# Installs what the need_* calls found.
install_missing() {
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null ||
    fail "these packages are missing and there is no apt-get to install them: ${missing[*]}" \
      "Install them with the system's package manager (names as in Debian 12) and run this again."
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      fail "these packages are missing: ${missing[*]}" "Run as root: apt-get install ${missing[*]}"
    sudo=(sudo)
  fi
  say "installing: ${missing[*]}"
  local log
  log=$(mktemp)
  local environment=(env DEBIAN_FRONTEND=noninteractive)
  local install=(apt-get install -y -q --no-install-recommends "${missing[@]}")
  # The package lists of a fresh machine are empty or old: fetch them when the first attempt fails.
  if ! "${sudo[@]}" "${environment[@]}" "${install[@]}" >"$log" 2>&1 &&
    ! { "${sudo[@]}" "${environment[@]}" apt-get update -q >>"$log" 2>&1 &&
      "${sudo[@]}" "${environment[@]}" "${install[@]}" >>"$log" 2>&1; }; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    fail "could not install ${missing[*]}" \
      "Is there a network, and a Debian mirror in /etc/apt? The lines above are the end of apt-get's output."
  fi
  rm -f "$log"
  missing=()
}

# Everything a build needs. Swift itself is the one thing expected to be there.
prepare() {
  command -v swift >/dev/null ||
    fail "swift is not on the PATH" "Install Swift 6.2 or later from https://www.swift.org/install/linux/"
  need_command git git
  need_command ld binutils
  [ -e /usr/include/stdlib.h ] || missing+=(libc6-dev)
  compgen -G '/usr/lib/gcc/*/*/libstdc++.so' >/dev/null || missing+=(libstdc++-12-dev)
  need_command pkg-config pkg-config
  need_library libnghttp2 libnghttp2-dev
  need_library openssl libssl-dev
  need_library libcares libc-ares-dev
  need_library yaml-0.1 libyaml-dev
  need_library zlib zlib1g-dev
  install_missing
}

# build_release: builds the product as it is shipped and sets `meshrouter` to its path. The Swift runtime is linked
# into it; OpenSSL, nghttp2, c-ares, libyaml and zlib are not, so that the system's security updates reach them.
build_release() {
  # The linker warns of a call inside the Swift runtime, about which nothing can be done here.
  swift build -c release --static-swift-stdlib --product meshrouter --quiet 2>&1 | { grep -v 'is dangerous, better use' || true; } >&2
  meshrouter=$(swift build -c release --static-swift-stdlib --show-bin-path)/meshrouter
}

# build ARGUMENTS: `swift build`, without what the linker says of the address sanitizer's own symbols.
build() { swift build "$@" --quiet 2>&1 | { grep -v "warning: Cannot export local symbol '__asan_" || true; } >&2; }

# sanitizer_options [LOG]: for the sanitized programs started from here. What they find goes to LOG.PID, without LOG to
# standard error.
sanitizer_options() {
  local log=${1:+log_path=$1:}
  # Else each program sleeps a second before it ends, to find races at its end.
  export TSAN_OPTIONS="${log}atexit_sleep_ms=0:${TSAN_OPTIONS:-}"
  # Leaks are told by flat-memory checks, of EndToEndTests and of the soak. The sanitizer takes what is alive for a leak:
  # a reference in an enum carries the case in its upper bits, so it does not know that for a pointer.
  export ASAN_OPTIONS="${log}detect_leaks=0:${ASAN_OPTIONS:-}"
  # On a crash Swift's runtime forks for a backtrace, in which the thread sanitizer's runtime crashes in turn.
  export SWIFT_BACKTRACE="${SWIFT_BACKTRACE:-enable=no}"
}
