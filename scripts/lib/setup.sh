# shellcheck shell=bash
# Set-up shared by scripts/test, scripts/demo and scripts/bench: sourced, not run.
#
# mimi_setup GROUP… installs what is missing by apt, as root or by sudo, and does nothing, quickly,
# when everything is there. Groups: build, lab, test, arm64. Package names are those of Debian 12
# and 13 and Ubuntu 24.04. On other systems it only checks that the tools are there.

mimi_packages() {
  case $1 in
    build)
      echo g++ cmake ninja-build pkg-config python3 \
        libabsl-dev libfmt-dev libcereal-dev libuv1-dev libtomlplusplus-dev \
        nlohmann-json3-dev libcli11-dev doctest-dev libre2-dev libhiredis-dev libssl-dev
      ;;
    lab) echo util-linux procps iproute2 nftables wrk lighttpd python3 python3-matplotlib ;;
    test)
      mimi_packages lab
      echo clang llvm ccache frr iptables ulogd2 bsdutils redis-server redis-tools openssl \
        "$(mimi_clang_runtime)" "$(mimi_os_packages)"
      ;;
    arm64)
      echo g++-aarch64-linux-gnu gcc-aarch64-linux-gnu qemu-user libabsl-dev:arm64 libfmt-dev:arm64
      ;;
    *) echo "mimi_packages: no group $1" >&2; return 1 ;;
  esac
}

# The sanitizers' and libFuzzer's runtime belongs to one version of clang.
mimi_clang_runtime() {
  local version
  version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p')
  echo "${version:+libclang-rt-$version-dev}"
}

# The ABI baseline and the code format are those of Debian 12's tools; elsewhere their stages are
# skipped.
mimi_os_packages() {
  if mimi_is_debian 12; then
    echo abigail-tools clang-format
  fi
}

mimi_is_debian() {
  [ -r /etc/os-release ] && [ "$(. /etc/os-release && echo "$ID $VERSION_ID")" = "debian $1" ]
}

mimi_as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -- "$@"
  else
    echo "set-up: need root or sudo for: $*" >&2
    return 1
  fi
}

mimi_apt() {
  # DPkg::Lock::Timeout: another apt may be at work on a machine that has just started.
  mimi_as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}

# Prints the packages among its arguments that are not installed.
mimi_missing() {
  local package
  for package in "$@"; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
      installed*) ;;
      *) echo "$package" ;;
    esac
  done
}

mimi_check_version() {  # NAME SEEN WANTED
  if [ "$(printf '%s\n%s\n' "$3" "$2" | sort -V | head -n 1)" != "$3" ]; then
    echo "set-up: $1 $3 or newer is needed, this is ${2:-missing}" >&2
    return 1
  fi
}

mimi_check_tools() {
  local cxx=${CXX:-c++} ok=0
  mimi_check_version cmake "$(cmake --version 2>/dev/null | sed -n '1s/.* //p')" 3.25 || ok=1
  mimi_check_version ninja "$(ninja --version 2>/dev/null)" 1.10 || ok=1
  case $("$cxx" --version 2>/dev/null | head -n 1) in
    *clang*) mimi_check_version clang++ "$("$cxx" -dumpversion)" 14 || ok=1 ;;
    *) mimi_check_version g++ "$("$cxx" -dumpfullversion 2>/dev/null)" 12 || ok=1 ;;
  esac
  return $ok
}

# The web server's package starts one as a service; the laboratory runs its own.
mimi_quiet_services() {
  if [[ " $* " = *" lighttpd "* ]] && [ -d /run/systemd/system ]; then
    mimi_as_root systemctl --quiet disable --now lighttpd || true
  fi
}

mimi_setup() {
  local group log missing wanted=()
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "set-up: no apt here; looking only whether the tools are there" >&2
    mimi_check_tools
    return
  fi
  for group in "$@"; do
    read -r -a missing <<<"$(mimi_packages "$group" | tr '\n' ' ')"
    wanted+=("${missing[@]}")
  done
  mapfile -t missing < <(mimi_missing "${wanted[@]}")
  if [ ${#missing[@]} -gt 0 ]; then
    echo "set-up: installing ${missing[*]}"
    log=$(mktemp)
    if ! { mimi_apt update && mimi_apt install -y --no-install-recommends "${missing[@]}"; } \
      >"$log" 2>&1; then
      cat "$log" >&2
      rm -f "$log"
      echo "set-up: apt could not install: ${missing[*]} (its words are above)" >&2
      return 1
    fi
    rm -f "$log"
    mimi_quiet_services "${missing[@]}"
  fi
  # clang's version is known only once apt knows of clang: on a bare machine its runtime was not
  # among the names above.
  if [[ " $* " = *" test "* ]]; then
    mapfile -t missing < <(mimi_missing "$(mimi_clang_runtime)")
    if [ ${#missing[@]} -gt 0 ] && ! mimi_apt install -y "${missing[@]}" >/dev/null; then
      echo "set-up: apt could not install ${missing[*]}" >&2
      return 1
    fi
  fi
  mimi_check_tools
}

# Makes the arm64 packages available, or prints why that cannot be and fails.
mimi_setup_arm64() {
  local missing
  if [ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ]; then
    echo "the build machine is not amd64"
    return 1
  fi
  read -r -a missing <<<"$(mimi_packages arm64)"
  mapfile -t missing < <(mimi_missing "${missing[@]}")
  if [ ${#missing[@]} -eq 0 ]; then
    return 0
  fi
  # Ubuntu keeps arm64 on another server than amd64; editing the sources of somebody's machine is
  # not for a test run.
  if [ "$(. /etc/os-release && echo "$ID")" != debian ]; then
    echo "not Debian; install ${missing[*]} to have it"
    return 1
  fi
  if ! { mimi_as_root dpkg --add-architecture arm64 && mimi_apt update &&
    mimi_apt install -y --no-install-recommends "${missing[@]}"; } >/dev/null 2>&1; then
    echo "apt could not install ${missing[*]}"
    return 1
  fi
}
