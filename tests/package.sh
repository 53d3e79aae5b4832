#!/bin/sh
# Makes the packages of a release and tries them out, and checks the program for systems that are not this one.
#
#   tests/package.sh tarball     the static program with all that belongs to it, and its checksum
#   tests/package.sh deb         a Debian package: built, held against lintian, installed, run, removed
#   tests/package.sh notices     the licences of all that is compiled into the program, on standard output
#   tests/package.sh sbom        the same as a bill of materials in the form of CycloneDX
#   tests/package.sh platforms   the compiler and its lints for Windows, macOS and the static program
#   tests/package.sh wine        the Windows program and its tests under Wine
#
# What is made lies in target/package, with its bill of materials beside it, and SHA256SUMS over all. For tests:
# PACKAGE_BINARY=/path/to/git-credential-bitbucket puts that program into the tarball, and nothing is built or listed;
# PACKAGE_FOLDER says where it goes. DEBFULLNAME and DEBEMAIL name who packs.

set -eu

name=git-credential-bitbucket

main() {
    cd "$(CDPATH='' cd "$(dirname "$0")" && pwd)/.."
    folder=${PACKAGE_FOLDER:-$PWD/target/package}
    built=${CARGO_TARGET_DIR:-target}
    version=$(sed -n 's/^version *= *"\(.*\)".*/\1/p' Cargo.toml)
    mkdir -p "$folder"
    work=$(mktemp -d "$folder/.work.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    case $#${1:-} in
    1tarball) make_tarball ;;
    1deb)
        make_deb
        try_deb
        ;;
    1notices) notices "$(host)" ;;
    1sbom) sbom "$(host)" ;;
    1platforms) check_platforms ;;
    1wine) try_wine ;;
    *) fail "usage: tests/package.sh tarball|deb|notices|sbom|platforms|wine" 2 ;;
    esac
}

make_tarball() {
    find_own_target
    top=$name-$version-$target
    if [ -z "${PACKAGE_BINARY:-}" ]; then
        add_target "$target"
        compiler=CC_$(echo "$target" | tr - _)
        # The little C in it needs no library of that target.
        # With the flags of install.sh, which says why.
        flags="'--cfg=chacha20_backend=\"soft\"', '--cfg=poly1305_backend=\"soft\"'"
        env "$compiler=${CC:-cc}" cargo build --release --locked --target "$target" \
            --config "target.'cfg(all())'.rustflags=[$flags]"
        PACKAGE_BINARY=$built/$target/release/$name
        # The tests' way to shorten the waits is for debug builds.
        ! grep -q GIT_CREDENTIAL_BITBUCKET_HURRY "$PACKAGE_BINARY" || fail "a release build reads a test's variable"
        sbom "$target" >"$folder/$top.cdx.json"
    fi
    # What the installer would install, in the same places.
    lay_out "$work/$top"
    cp install.sh README.md LICENSE docs/CHANGELOG.md "$work/$top"
    notices "$target" >"$work/$top/NOTICES"
    (cd "$work" && pack "$top") >"$work/$top.tar"
    gzip -9 -n "$work/$top.tar"
    (cd "$work" && checksum "$top.tar.gz") >"$work/$top.tar.gz.sha256"
    mv "$work/$top.tar.gz" "$work/$top.tar.gz.sha256" "$folder"
    sum_up
    say "made $folder/$top.tar.gz"
}

# One file with the checksums of all that lies in the folder.
sum_up() (
    cd "$folder"
    set --
    for file in *.tar.gz *.deb *.cdx.json; do
        [ ! -f "$file" ] || set -- "$@" "$file"
    done
    checksum "$@" >SHA256SUMS
)

find_own_target() {
    case $(uname -s)-$(uname -m) in
    Linux-x86_64) target=x86_64-unknown-linux-musl ;;
    Linux-aarch64) target=aarch64-unknown-linux-musl ;;
    Darwin-x86_64) target=x86_64-apple-darwin ;;
    Darwin-arm64) target=aarch64-apple-darwin ;;
    *) fail "there is no tarball for $(uname -s) on $(uname -m)" ;;
    esac
}

lay_out() {
    INSTALL_BINARY=$PACKAGE_BINARY ./install.sh --no-setup --prefix "$1" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        fail "the program cannot be laid out"
    }
}

# The licences of what is compiled into the program, whose texts have to go along with it. Where the MIT licence is among
# them it is the one that counts.
notices() {
    cargo tree --locked --edges normal --prefix none --target "$1" --format '{p} {l}' >"$work/tree"
    sed 's/ (\*)$//; s/ (proc-macro)//' "$work/tree" | sort -u >"$work/crates"
    while read -r crate number licence; do
        [ "$crate" != "$name" ] || continue
        printf -- '-------- %s %s: %s\n\n' "$crate" "${number#v}" "$licence"
        source=$(echo "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$crate-${number#v}")
        set -- "$source"/LICENSE-MIT*
        [ -e "$1" ] || set -- "$source"/LICEN[CS]E* "$source"/licen[cs]e* "$source"/COPYING* "$source"/NOTICE*
        for text in "$@"; do
            [ ! -f "$text" ] || cat "$text"
        done
    done <"$work/crates"
}

# cargo-cyclonedx writes beside Cargo.toml, and names the folder: hence another one.
sbom() {
    if ! cargo cyclonedx --version >/dev/null 2>&1; then
        cargo install --locked --debug cargo-cyclonedx@0.5.9 >&2
    fi
    mkdir "$work/source"
    cp -R Cargo.toml Cargo.lock src "$work/source"
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0} cargo cyclonedx --quiet --manifest-path "$work/source/Cargo.toml" \
        --format json --spec-version 1.5 --no-build-deps --target "$1" --override-filename sbom >&2
    sed "s|file://$work/source|file:///$name|g" "$work/source/sbom.json"
    rm -r "$work/source"
}

host() {
    rustc -vV | sed -n 's/^host: //p'
}

# The same files make the same tarball, whoever packs them and when.
pack() {
    chmod -R u=rwX,go=rX "$1"
    if tar --version 2>/dev/null | grep -q GNU; then
        tar --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-0}" -cf - "$1"
    else
        tar --format ustar --uid 0 --gid 0 -cf - "$1"
    fi
}

checksum() {
    if has sha256sum; then
        sha256sum "$@"
    else
        shasum -a 256 "$@"
    fi
}

make_deb() {
    need lintian dpkg-deb
    if ! cargo deb --version >/dev/null 2>&1; then
        cargo install --locked --debug cargo-deb@3.8.0
    fi
    cargo build --release --locked
    PACKAGE_BINARY=$built/release/$name
    rm -rf target/package/deb
    lay_out "$PWD/target/package/deb"
    notices "$(host)" >target/package/deb/NOTICES
    maintainer=''
    [ -z "${DEBFULLNAME:-}" ] || maintainer="$DEBFULLNAME <${DEBEMAIL:?}>"
    deb=$(cargo deb --locked --no-build --output "$folder/" ${maintainer:+--maintainer "$maintainer"})
    sbom "$(host)" >"${deb%.deb}.cdx.json"
    sum_up
    say "made $deb"
    lintian --allow-root --fail-on error,warning "$deb"
}

# Through dpkg itself, and through git; no user's configuration may change, and nothing may be left behind.
try_deb() {
    ! dpkg -s "$name" >/dev/null 2>&1 || fail "$name is installed as a package: remove it first"
    export HOME="$work/home" GIT_CONFIG_NOSYSTEM=1 GIT_CREDENTIAL_BITBUCKET_HOME="$work/own" GIT_TERMINAL_PROMPT=0
    mkdir "$HOME"
    printf '[user]\n\tname = Ada\n' >"$HOME/.gitconfig"
    cp "$HOME/.gitconfig" "$work/before"
    trap 'as_root dpkg -P "$name"; rm -rf "$work"' EXIT # whatever fails from here on
    as_root dpkg -i "$deb"
    cmp "$HOME/.gitconfig" "$work/before"
    dpkg -L "$name" >"$work/files"
    program=/usr/bin/$name
    [ "$("$program" --version)" = "$name $version" ] || fail "the installed program does not run"
    "$program" setup
    printf 'protocol=https\nhost=bitbucket.org\n\n' |
        BITBUCKET_API_TOKEN=of-the-package git credential fill | grep -q '^password=of-the-package$' ||
        fail "git does not get an answer from the installed program"
    "$program" setup --undo
    cmp "$HOME/.gitconfig" "$work/before"
    as_root dpkg -r "$name"
    as_root dpkg -P "$name"
    trap 'rm -rf "$work"' EXIT
    while read -r file; do
        [ ! -e "$file" ] || dpkg -S "$file" >/dev/null 2>&1 || fail "'$file' is left"
    done <"$work/files"
    say "the Debian package can be installed, used and removed"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# zig brings a C compiler and the headers for each of them, which the cryptography in it needs.
check_platforms() {
    need python3 rustup
    if [ ! -x target/zig/bin/cargo-zigbuild ]; then
        python3 -m venv target/zig
        target/zig/bin/pip -q --disable-pip-version-check install --no-deps --only-binary :all: --require-hashes \
            -r tests/package/requirements.txt
    fi
    PATH=$PWD/target/zig/bin:$PATH
    for target in x86_64-pc-windows-gnu x86_64-apple-darwin aarch64-apple-darwin x86_64-unknown-linux-musl; do
        say "$target"
        add_target "$target"
        cargo-zigbuild clippy --all-targets --locked --target "$target" -- -D warnings
    done
}

try_wine() {
    need wine x86_64-w64-mingw32-gcc
    add_target x86_64-pc-windows-gnu
    WINEPREFIX=$work/wine
    # Neither .NET nor a browser is needed, and the library of ours comes before Wine's.
    WINEDLLOVERRIDES='mscoree,mshtml=;bcryptprimitives=n,b'
    export WINEPREFIX WINEDLLOVERRIDES WINEDEBUG=-all
    wine wineboot -i
    x86_64-w64-mingw32-gcc -shared -o "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" \
        tests/package/bcryptprimitives.c -ladvapi32
    # Left out is what asks git, which is not there for Wine.
    CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=wine cargo test --locked --target x86_64-pc-windows-gnu -- \
        --skip a_configuration_file_is_read_as_git_reads_it || failed=yes
    wineserver -k || : # it may have ended by itself
    [ -z "${failed:-}" ] || fail "the Windows program fails"
}

add_target() {
    if has rustup; then
        rustup -q target add "$1"
    fi
}

need() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null || fail "$tool is missing: tests/run.sh --all installs what is needed on Debian and its kin"
    done
}

has() {
    command -v "$1" >/dev/null 2>&1
}

say() {
    printf 'tests/package.sh: %s\n' "$1"
}

fail() {
    printf 'tests/package.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

{ main "$@"; exit; }
