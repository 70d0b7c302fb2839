# Shared by the scripts of this folder, which source it: . "$(dirname "$0")/lib.sh"
# POSIX sh. Everything that is there already is left alone.

px_root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
px_build_dir=${PX_BUILD_DIR:-$px_root/build}

# What a build needs, and what the tests need besides. prometheus is for promtool, which Debian has in
# no package of its own: where there is an init, its service starts with the installation.
px_packages_build="build-essential cmake ninja-build pkg-config libwebsockets-dev libssl-dev
    zlib1g-dev libsimdjson-dev libinih-dev libncurses-dev libsqlite3-dev libcmocka-dev python3"
px_packages_test="python3-pytest python3-websockets clang clang-format clang-tidy
    libclang-rt-14-dev mandoc tmux openssl node-ws universal-ctags shellcheck procps
    prometheus python3-prometheus-client valgrind chromium"

px_die() {
    echo "$(basename -- "$0"): $*" >&2
    exit 1
}

# px_need_packages PACKAGE...: install those that are missing, with apt.
px_need_packages() {
    missing=
    for package in "$@"; do
        case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) in
        *" installed") ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || px_die "packages: missing, and no apt-get here:$missing"
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || px_die "packages: install as root:$missing"
        as_root=sudo
    fi
    echo "installing$missing"
    # shellcheck disable=SC2086 # a list of words is meant
    { $as_root apt-get update -q && DEBIAN_FRONTEND=noninteractive $as_root apt-get install \
        -q -y --no-install-recommends $missing; } >&2 || px_die "packages: apt-get failed"
}

# px_build [TARGET...]: configure once, build what is out of date. Quiet when all goes well.
px_build() {
    mkdir -p "$px_build_dir"
    if [ ! -f "$px_build_dir/CMakeCache.txt" ]; then
        cmake -S "$px_root" -B "$px_build_dir" -G Ninja >"$px_build_dir/configure.log" 2>&1 ||
            { cat "$px_build_dir/configure.log" >&2; px_die "cmake: configuring failed"; }
    fi
    set -- ${1:+--target "$@"}
    cmake --build "$px_build_dir" -j "$(nproc)" "$@" >"$px_build_dir/build.log" 2>&1 ||
        { tail -n 40 "$px_build_dir/build.log" >&2; px_die "build: failed, see build.log"; }
}
