#!/bin/sh
# Builds git-credential-bitbucket from the checkout this script lies in, or takes it from a tarball; installs it, and
# sets git up to use it. In an unpacked tarball it installs what lies beside it.
#
# For tests and packagers: INSTALL_BINARY=/path/to/git-credential-bitbucket installs that program and builds nothing.

set -eu

name=git-credential-bitbucket
files="
share/man/man1/$name.1
share/bash-completion/completions/$name
share/zsh/site-functions/_$name
share/fish/vendor_conf.d/$name.fish
bin/$name
"

usage() {
    cat <<'HELP'
usage: install.sh [--from TARBALL] [--prefix DIR] [--no-setup]
       install.sh --uninstall [--accounts] [--prefix DIR] [--no-setup]

Builds git-credential-bitbucket, installs it with its man page and the completions
for bash, zsh and fish, and puts it into your git configuration.

  --from TARBALL  build nothing: install what is in a tarball of a release, if its
                  checksum is the one in TARBALL.sha256 beside it
  --prefix DIR    where to install (default: ~/.local)
  --no-setup      leave git's configuration alone
  --uninstall     take the program out of git's configuration and remove its files;
                  accounts and secrets stay
  --accounts      with --uninstall: remove all accounts and their secrets first
  -h, --help      show this
HELP
}

main() {
    parse "$@"
    find_prefix
    if [ "$action" = uninstall ]; then
        uninstall
    else
        find_source
        install
    fi
}

parse() {
    action=install accounts=no setup=yes prefix='' prefix_given=no tarball='' tarball_given=no
    while [ $# -gt 0 ]; do
        case $1 in
        --from)
            [ $# -gt 1 ] || refuse "'--from' needs a tarball"
            tarball=$2 tarball_given=yes
            shift
            ;;
        --from=*) tarball=${1#--from=} tarball_given=yes ;;
        --prefix)
            [ $# -gt 1 ] || refuse "'--prefix' needs a folder"
            prefix=$2 prefix_given=yes
            shift
            ;;
        --prefix=*) prefix=${1#--prefix=} prefix_given=yes ;;
        --no-setup) setup=no ;;
        --uninstall) action=uninstall ;;
        --accounts) accounts=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) refuse "unknown argument '$1' (see 'install.sh --help')" ;;
        esac
        shift
    done
    [ "$accounts" = no ] || [ "$action" = uninstall ] || refuse "'--accounts' goes with '--uninstall'"
    [ "$prefix_given" = no ] || [ -n "$prefix" ] || refuse "'--prefix' needs a folder"
    [ "$tarball_given" = no ] || [ -n "$tarball" ] || refuse "'--from' needs a tarball"
    [ "$tarball_given" = no ] || [ "$action" = install ] || refuse "'--from' does not go with '--uninstall'"
}

# Where the program comes from: a tarball, what was unpacked from one, or this checkout.
find_source() {
    here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
    if [ -n "$tarball" ]; then
        source=tarball
        tarball=$(absolute "$tarball")
    elif [ -f "$here/Cargo.toml" ]; then
        source=checkout
    elif [ -f "$here/bin/$name" ]; then
        source=unpacked
    else
        fail "no Cargo.toml in '$here': run install.sh inside the checkout, or give '--from TARBALL'"
    fi
}

find_prefix() {
    # Accounts and git's configuration lie below HOME; only an installation that touches neither does without.
    if [ -z "${HOME:-}" ]; then
        [ "$prefix_given$setup$accounts" = yesnono ] ||
            fail "HOME is not set: set it, or give both '--prefix DIR' and '--no-setup'"
    fi
    # Some sudo keep the caller's HOME: root would own files in it that the caller must be able to write.
    if [ "$setup$accounts" != nono ] && [ "$(id -u)" -eq 0 ] && [ "${SUDO_UID:-0}" != 0 ] &&
        [ -n "$(find "$HOME/" -prune -user "$SUDO_UID" 2>/dev/null)" ]; then
        fail "you are root, but HOME is that of '${SUDO_USER:-$SUDO_UID}': leave out sudo, use 'sudo -H', or give '--no-setup'"
    fi

    [ "$prefix_given" = yes ] || prefix=$HOME/.local
    prefix=$(absolute "$prefix")
    if [ -d "$prefix" ]; then
        prefix=$(CDPATH='' cd "$prefix" && pwd)
    fi
    prefix=${prefix%/}
    program=$prefix/bin/$name
}

absolute() {
    case $1 in
    \~ | \~/*) printf '%s\n' "${HOME:?}${1#?}" ;; # '--prefix=~/x': no shell has expanded it
    /*) printf '%s\n' "$1" ;;
    *) printf '%s\n' "$PWD/$1" ;;
    esac
}

install() {
    check_tools
    check_writable
    [ "$source" != checkout ] || build
    stage
    for file in $files; do
        put "$file"
    done
    # Where 0.1 had them; fish would read both.
    rm -f "$prefix/share/fish/vendor_completions.d/$name.fish"
    report_path
    report_zsh
    set_up
}

# Names everything that is missing at once, one line each.
check_tools() {
    case $(uname -s) in
    MINGW* | MSYS* | CYGWIN*) fail "this script is for Unix; on Windows: 'cargo install --locked --path .'" ;;
    esac
    missing=0
    if [ "$source" = tarball ]; then
        check_unpacker
    elif [ "$source" = checkout ] && [ -z "${INSTALL_BINARY:-}" ]; then
        check_rust
        check_linker
    fi
    if [ "$setup" = yes ] && ! has git; then
        miss "git is missing: $(how_to_get git)"
    fi
    [ "$missing" -eq 0 ] || exit 1
}

check_unpacker() {
    for tool in tar gzip; do
        has "$tool" || miss "$tool is missing: $(how_to_get "$tool")"
    done
    has sha256sum || has shasum || miss "sha256sum is missing: $(how_to_get coreutils)"
}

check_rust() {
    wanted=$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' "$here/Cargo.toml")
    get_rust="install Rust $wanted or newer: https://rustup.rs, or your distribution's packages rustc and cargo"
    find_cargo
    choose_toolchain
    if ! has cargo; then
        miss "cargo is missing: $get_rust"
    elif ! has "${RUSTC:-rustc}"; then
        miss "rustc is missing: $get_rust"
    elif ! version=$(cd "$here" && "${RUSTC:-rustc}" --version); then
        miss "rustc does not run: $get_rust"
    else
        version=${version#rustc }
        version=${version%%[ -]*}
        at_least "$wanted" "$version" || miss "Rust $version is too old: $get_rust"
    fi
}

# rustup has just been installed, and this shell does not know it yet.
find_cargo() {
    cargo_bin=${CARGO_HOME:-${HOME:-}/.cargo}/bin
    if ! has cargo && [ -x "$cargo_bin/cargo" ]; then
        PATH=$cargo_bin:$PATH
    fi
}

# rust-toolchain.toml names the version that the tests use, and rustup would download it. The default version is as good
# here, if it is new enough.
choose_toolchain() {
    [ -z "${RUSTUP_TOOLCHAIN:-}" ] && [ -f "$here/rust-toolchain.toml" ] && has rustup || return 0
    named=$(sed -n 's/^channel *= *"\(.*\)".*/\1/p' "$here/rust-toolchain.toml")
    # Each line starts with a name.
    case "
$(rustup toolchain list 2>/dev/null)" in
    *"
$named-"*) RUSTUP_TOOLCHAIN=$named ;;
    *) RUSTUP_TOOLCHAIN=$(cd / && rustup show active-toolchain 2>/dev/null | sed 's/ .*//;q') ;;
    esac
    if [ -n "$RUSTUP_TOOLCHAIN" ]; then
        export RUSTUP_TOOLCHAIN
    else
        unset RUSTUP_TOOLCHAIN
    fi
}

# Whether version $2 is $1 or later, by major and minor number.
at_least() {
    wanted_minor=${1#*.}
    minor=${2#*.}
    [ "${2%%.*}" -gt "${1%%.*}" ] ||
        { [ "${2%%.*}" -eq "${1%%.*}" ] && [ "${minor%%.*}" -ge "${wanted_minor%%.*}" ]; }
}

check_linker() {
    if [ "$(uname -s)" = Darwin ]; then
        # There is always a /usr/bin/cc, which only says that there is none.
        xcode-select -p >/dev/null 2>&1 || miss "the linker cc is missing: xcode-select --install"
    elif ! has cc; then
        miss "the linker cc is missing: $(how_to_get gcc)"
    fi
}

how_to_get() {
    if [ "$(uname -s)" = Darwin ]; then
        echo "xcode-select --install"
    elif has apt-get; then
        echo "apt-get install $1"
    elif has dnf; then
        echo "dnf install $1"
    elif has pacman; then
        echo "pacman -S $1"
    elif has zypper; then
        echo "zypper install $1"
    elif has apk; then
        [ "$1" != gcc ] || set -- "gcc musl-dev"
        echo "apk add $1"
    else
        echo "install your system's package $1"
    fi
}

# Says so before the build, which takes minutes.
check_writable() {
    for file in $files; do
        folder=$(dirname "$prefix/$file")
        [ ! -d "$prefix/$file" ] || fail "cannot install '$prefix/$file': there is a folder of that name"
        while [ ! -e "$folder" ]; do
            folder=$(dirname "$folder")
        done
        [ -d "$folder" ] || fail "cannot install below '$folder': it is not a folder"
        [ -w "$folder" ] || fail "cannot write to '$folder': choose another '--prefix', or run as root"
    done
}

build() {
    [ -z "${INSTALL_BINARY:-}" ] || return 0
    choose_target
    choose_flags
    say "building, which takes a few minutes the first time"
    (cd "$here" && cargo build --release --locked ${target:+--target "$target"} --config "$flags") ||
        fail "the build failed"
}

# A static program answers in half the time, and git starts this one with every command. So that is what is built where
# Rust has the target for it, or rustup can add it.
choose_target() {
    target=''
    [ -z "${CARGO_BUILD_TARGET:-}" ] || return 0
    case $(rustc -vV | sed -n 's/^host: //p') in
    x86_64-unknown-linux-gnu) static=x86_64-unknown-linux-musl ;;
    aarch64-unknown-linux-gnu) static=aarch64-unknown-linux-musl ;;
    *) return 0 ;;
    esac
    sysroot=$(cd "$here" && rustc --print sysroot)
    [ -d "$sysroot/lib/rustlib/$static/lib" ] || add_target || return 0
    target=$static
    # The little C in it needs no library of that target.
    case $static in
    x86_64-*) export CC_x86_64_unknown_linux_musl="${CC_x86_64_unknown_linux_musl:-cc}" ;;
    aarch64-*) export CC_aarch64_unknown_linux_musl="${CC_aarch64_unknown_linux_musl:-cc}" ;;
    esac
}

# rustup adds it to its own Rust only, not to a distribution's.
add_target() {
    has rustup && used=$(cd "$here" && rustup which rustc 2>/dev/null) &&
        [ "$(real_folder "$used")" = "$(real_folder "$sysroot/bin/rustc")" ] || return 1
    say "adding Rust's target $static, which makes the program static and twice as fast"
    (cd "$here" && rustup -q target add "$static") || {
        say "rustup cannot add it; building the dynamic program instead"
        return 1
    }
}

# What cargo has no place for in Cargo.toml; whoever sets RUSTFLAGS keeps to those.
#
# To ask the processor what it can do (cpuid) stops a virtual machine for longer than the portable code takes for the
# few bytes of a secret. And of libgcc only what unwinds the stack is linked to: gcc has that as an archive too, and a
# dynamic program has one library less to load.
choose_flags() {
    flags="'--cfg=chacha20_backend=\"soft\"', '--cfg=poly1305_backend=\"soft\"'"
    if [ -z "$target${CARGO_BUILD_TARGET:-}" ] &&
        echo 'int main(void) { return 0; }' | cc -x c -o /dev/null - -lgcc_eh 2>/dev/null; then
        flags="$flags, '-lgcc_eh'"
    fi
    flags="target.'cfg(all())'.rustflags=[$flags]"
}

# Collects all files in one folder, so that nothing is installed unless everything can be. The folder lies below the
# prefix because programs may not run in /tmp.
stage() {
    make_folder "$prefix/bin"
    staging=$(mktemp -d "$prefix/.$name.XXXXXX") || fail "cannot write to '$prefix'"
    temporary=''
    trap 'rm -rf "$staging" ${temporary:+"$temporary"}' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    for file in $files; do
        make_folder "$(dirname "$staging/$file")"
    done

    case $source in
    tarball) unpack ;;
    unpacked) collect "$here" ;;
    checkout) collect_built ;;
    esac
    chmod 755 "$staging/bin/$name"
    "$staging/bin/$name" --version >/dev/null || fail "the program does not run here: is it for another kind of machine?"
}

# Only of the files that are installed.
collect() {
    for file in $files; do
        if [ ! -f "$1/$file" ] || [ -L "$1/$file" ]; then
            fail "there is no file '$file' in it: this is no tarball of $name"
        fi
        cp "$1/$file" "$staging/$file" || fail "cannot write to '$staging'"
    done
}

collect_built() {
    if [ -n "${INSTALL_BINARY:-}" ]; then
        cp "$INSTALL_BINARY" "$staging/bin/$name" || fail "cannot read INSTALL_BINARY"
    else
        # Copies what was built; cargo knows where it is, whatever CARGO_TARGET_DIR, CARGO_BUILD_TARGET and its
        # configuration files say.
        (cd "$here" && cargo install --quiet --locked --no-track --path . --root "$staging" \
            ${target:+--target "$target"} --config "$flags") ||
            fail "cannot find what was built"
    fi
    chmod 755 "$staging/bin/$name"
    cp "$here/docs/$name.1" "$staging/share/man/man1/$name.1"
    write_completions bash "share/bash-completion/completions/$name"
    write_completions zsh "share/zsh/site-functions/_$name"
    write_completions fish "share/fish/vendor_conf.d/$name.fish"
}

# What is verified is a copy, and the copy is what is unpacked: nobody exchanges the file in between.
unpack() {
    copy=$staging/tarball
    cp "$tarball" "$copy" || fail "cannot read '$tarball'"
    verify
    list_safely
    mkdir "$staging/unpacked"
    # From standard input, because tar takes a name with a colon for another machine's.
    tar -xzof - -C "$staging/unpacked" <"$copy" || fail "cannot unpack '$tarball'"
    collect "$staging/unpacked/$top"
}

verify() {
    [ -f "$tarball.sha256" ] || fail "there is no '$tarball.sha256': download it too, from where the tarball came from"
    wanted=''
    read -r wanted _ <"$tarball.sha256" || : # a last line without its end is one all the same
    case $wanted in
    *[!0-9a-f]* | '') wanted='' ;;
    esac
    [ ${#wanted} -eq 64 ] || fail "'$tarball.sha256' holds no SHA-256 checksum: download it again"
    if has sha256sum; then
        sum=$(sha256sum <"$copy")
    else
        sum=$(shasum -a 256 <"$copy")
    fi
    [ "${sum%% *}" = "$wanted" ] ||
        fail "'$tarball' is not what its checksum says: download both again, and install neither if that does not help"
}

# One folder, with plain files and folders in it, and nothing that could be written beside it.
list_safely() {
    listing=$(tar -tzf - <"$copy") || fail "'$tarball' is no tarball: download it again"
    top=${listing%%/*}
    case $top in
    '' | . | .. | -* | *[!A-Za-z0-9._-]*) fail "'$tarball' does not hold one folder: this is no tarball of $name" ;;
    esac
    if printf '%s\n' "$listing" | grep -Eqv "^$top/" || printf '%s\n' "$listing" | grep -Eq '(^|/)\.\.(/|$)'; then
        fail "'$tarball' has files outside its folder: this is no tarball of $name"
    fi
    if tar -tvzf - <"$copy" | grep -Eqv '^[-d]'; then
        fail "'$tarball' holds links: this is no tarball of $name"
    fi
}

write_completions() {
    "$staging/bin/$name" completions "$1" >"$staging/$2" || fail "the program just built does not run here"
}

# Moves a complete file into place in one step: git may be running the old program.
put() {
    folder=$(dirname "$prefix/$1")
    make_folder "$folder"
    temporary=$(mktemp "$folder/.$name.XXXXXX") || fail "cannot write to '$folder'"
    cp "$staging/$1" "$temporary" || fail "cannot write to '$folder'"
    case $1 in
    bin/*) chmod 755 "$temporary" ;;
    *) chmod 644 "$temporary" ;;
    esac
    mv -f "$temporary" "$prefix/$1" || fail "cannot replace '$prefix/$1'"
    temporary=''
    say "installed $prefix/$1"
}

make_folder() {
    (umask 022 && mkdir -p "$1") || fail "cannot make '$1'"
}

# 'git credential-bitbucket' and 'man' go by PATH; git's configuration has the absolute path and does not.
report_path() {
    call="git credential-bitbucket"
    found=$(command -v "$name") || found=''
    if [ -n "$found" ] && [ "$(real_folder "$found")" = "$(real_folder "$program")" ]; then
        return
    fi
    call=$(quoted "$program")
    if [ -n "$found" ]; then
        warn "another $name comes first on PATH, and 'git credential-bitbucket' is that one: $found"
        return
    fi
    warn "$prefix/bin is not on PATH, which 'git credential-bitbucket' needs: $(where_to_add)"
    case ${SHELL:-} in
    */fish) echo "    fish_add_path $(quoted "$prefix/bin")" >&2 ;;
    *) echo "    export PATH=$(quoted "$prefix/bin"):\"\$PATH\"" >&2 ;;
    esac
}

where_to_add() {
    case ${SHELL:-} in
    */fish) echo "run this line once" ;;
    */zsh) echo "add this line to ~/.zshrc and open a new terminal" ;;
    */bash) echo "add this line to ~/.bashrc and open a new terminal" ;;
    *) echo "add this line to ~/.profile and log in again" ;;
    esac
}

# bash and fish look below ~/.local by themselves.
report_zsh() {
    case ${SHELL:-}:$prefix in
    */zsh:/usr | */zsh:/usr/local) ;;
    */zsh:*)
        say "for completion in zsh, add this line to ~/.zshrc, before compinit"
        echo "    fpath+=($(quoted "$prefix/share/zsh/site-functions"))"
        ;;
    esac
}

set_up() {
    if [ "$setup" = no ]; then
        say "next: $call setup && $call login"
        return
    fi
    "$program" setup || fail "git is not set up: mend that, then run $call setup"
    if for_all_users; then
        say "git is set up for this user; every other user runs once: $call setup"
    fi
    say "next: $call login"
}

# Stops before the first file is removed when git would be left with a helper that does not exist, which git
# complains about at each command, or secrets with nothing to remove them.
uninstall() {
    if [ -x "$program" ]; then
        if [ "$accounts" = yes ]; then
            "$program" logout --all ||
                fail "accounts are left, so nothing was removed: mend that and try again, or leave out '--accounts'"
        fi
        if [ "$setup" = yes ]; then
            "$program" setup --undo ||
                fail "git's configuration still has the helper, so nothing was removed: mend that and try again, or give '--no-setup'"
        fi
    elif [ "$accounts" = yes ]; then
        fail "there is no '$program' to remove accounts with"
    fi
    [ "$setup" = no ] || check_git_is_free
    remove
    if [ "$setup" = yes ] && for_all_users; then
        say "other users who ran 'setup' still have the helper in their git configuration"
    fi
}

# 'setup --undo' takes back what this user's 'setup' wrote; '--system' and a hand may have written more.
check_git_is_free() {
    has git || return 0
    ours=$(printf '%s\n' "$program" "$(real_folder "$program")/$name" | unquote)
    left=$(git -C / config --show-origin --get-regexp '^credential\..*helper$' 2>/dev/null | unquote |
        grep -F "$ours") || return 0
    warn "git's configuration still has the helper, so nothing was removed:"
    printf '%s\n' "$left" | sed 's/^/    /' >&2
    fail "take that out ('setup --system --undo' as root for the system's file) and try again, or give '--no-setup'"
}

remove() {
    removed=0
    for file in $files; do
        if [ -e "$prefix/$file" ] || [ -L "$prefix/$file" ]; then
            rm -f "$prefix/$file" || fail "cannot remove '$prefix/$file'"
            say "removed $prefix/$file"
            removed=1
        fi
    done
    [ "$removed" -eq 1 ] || say "nothing to remove below '${prefix:-/}'"
}

for_all_users() {
    case $prefix/ in
    "$HOME"/*) return 1 ;;
    *) [ "$(id -u)" -eq 0 ] ;;
    esac
}

real_folder() {
    (CDPATH='' cd "$(dirname "$1")" 2>/dev/null && pwd -P) || dirname "$1"
}

# The text as one word of the shell.
quoted() {
    case $1 in
    *[!A-Za-z0-9_./@%+=,-]*) printf "'%s'\n" "$(printf '%s\n' "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf '%s\n' "$1" ;;
    esac
}

# So that a path is found however it was quoted.
unquote() {
    tr -d "\"'\\\\"
}

has() {
    command -v "$1" >/dev/null 2>&1
}

say() {
    printf 'install.sh: %s\n' "$1"
}

warn() {
    printf 'install.sh: %s\n' "$1" >&2
}

miss() {
    warn "$1"
    missing=1
}

fail() {
    warn "$1"
    exit 1
}

refuse() {
    warn "$1"
    exit 2
}

# The last line: a script that was only half downloaded does nothing.
{ main "$@"; exit; }
