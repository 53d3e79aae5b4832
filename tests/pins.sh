#!/bin/sh
# Lists what is not pinned yet: each line that ends with the mark "pin" after a number sign.
#
#   tests/pins.sh [FOLDER]   ends with 0 if there is no mark, with 1 if there is one
#
# The mark stands behind a tag of an action or an image whose commit or digest still has to be looked up. Put the commit
# or the digest in the tag's place and keep the tag as the comment.

set -eu

main() {
    [ $# -le 1 ] || fail "usage: tests/pins.sh [FOLDER]" 2
    cd "${1:-$(dirname "$0")/..}"
    status=0
    grep -rnI --exclude-dir=.git --exclude-dir=target '# pin[[:space:]]*$' . || status=$?
    case $status in
    0) fail "these are not pinned: replace each tag by its commit or digest" 1 ;;
    1) ;;
    *) fail "cannot read every file" 2 ;;
    esac
}

fail() {
    printf 'tests/pins.sh: %s\n' "$1" >&2
    exit "$2"
}

{ main "$@"; exit; }
