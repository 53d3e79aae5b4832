#!/bin/sh
# Writes what a version of the program leaves behind: tests/upgrade/make.sh PROGRAM FOLDER
#
# FOLDER/home is a user's home, with git's file and the keyring, which the tests' password opens. FOLDER/data is the
# folder of the program. In text, @HOME@ and @PROGRAM@ stand for the places. No secret in here is a real one.
#
# tests/upgrade/0.1.0 was made with the debug build of the last commit of 0.1.0, 5b57124:
#   git worktree add ../0.1 5b57124 && (cd ../0.1 && cargo build --locked)
#   tests/upgrade/make.sh ../0.1/target/debug/git-credential-bitbucket tests/upgrade/0.1.0

set -eu

[ $# = 2 ] || { echo "usage: tests/upgrade/make.sh PROGRAM FOLDER" >&2; exit 2; }
folder=$2
work=$(mktemp -d)
trap 'kill $server 2>/dev/null || :; rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/home/.local/share/keyrings" "$work/run"
chmod 700 "$work/run"
cp "$1" "$work/bin/git-credential-bitbucket"
program=$work/bin/git-credential-bitbucket
printf '[user]\n\tname = Ada\n[alias]\n\tst = status\n' >"$work/home/.gitconfig"

# A Bitbucket that gives everybody tokens for ten years.
cat >"$work/server.py" <<'END'
import http.server, json, ssl, sys

class Bitbucket(http.server.BaseHTTPRequestHandler):
    def do_CONNECT(self):
        self.connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[1], sys.argv[2])
        self.connection = tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.close_connection = False

    def do_GET(self):
        self.answer({"type": "user", "username": "ada", "account_id": "1"})

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        token = {"access_token": "canary-access", "token_type": "bearer", "expires_in": 315360000, "scopes": "repository:write account"}
        if b"authorization_code" in asked:
            token["refresh_token"] = "canary-refresh"
        self.answer(token)

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bitbucket)
print(server.server_port, flush=True)
server.serve_forever()
END
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bitbucket.org \
    -addext 'subjectAltName=DNS:bitbucket.org,DNS:api.bitbucket.org' -addext 'basicConstraints=critical,CA:FALSE' \
    -keyout "$work/key.pem" -out "$work/ca.pem" 2>/dev/null
python3 "$work/server.py" "$work/ca.pem" "$work/key.pem" >"$work/port" &
server=$!
while [ ! -s "$work/port" ]; do sleep 0.1; done
# The browser of somebody who says yes.
cat >"$work/browser" <<'END'
#!/bin/sh
state=${1##*state=}
curl -s --noproxy '*' "http://127.0.0.1:23418/callback?code=c&state=${state%%&*}"
END
chmod 755 "$work/browser"

ours() {
    env -i PATH="$PATH" HOME="$work/home" GIT_CONFIG_NOSYSTEM=1 GIT_CREDENTIAL_BITBUCKET_HOME="$work/data" \
        HTTPS_PROXY="http://127.0.0.1:$(cat "$work/port")" SSL_CERT_FILE="$work/ca.pem" BROWSER="$work/browser" \
        XDG_RUNTIME_DIR="$work/run" ${DBUS_SESSION_BUS_ADDRESS:+DBUS_SESSION_BUS_ADDRESS="$DBUS_SESSION_BUS_ADDRESS"} "$@"
}

# Signs in with a secret; the other arguments are the command's.
login() {
    secret=$1
    shift
    printf '%s\n' "$secret" | ours "$program" login --with-token "$@"
}

ours "$program" setup
ours "$program" setup --guard
login 'ATATT3xFfGF0canary-api-token-0000000000000000=0A1B2C3D' work --no-verify --store file \
    --email ada@example.com --for acme --for beta/app --expires 2030-01-31
login 'ATCTT3xFfGN0canary-access-token-00000000000000=0A1B2C3D' site --no-verify --store file --for gamma/site
login 'ATCTT3xFfGN0canary-refused-token-0000000000000=0A1B2C3D' refused --no-verify --store file --for gamma/old
login 'BBDC-canary-http-access-token' corp --no-verify --store file --kind http-access-token \
    --host git.corp.example:7990/bitbucket --username 'jürgen'
login 'canary-client' machine --store file --kind oauth --client-id KEY --client-credentials --for machines
login 'canary-client' person --store file --kind oauth --client-id KEY --for people
git_says() {
    printf 'protocol=https\nhost=bitbucket.org\npath=%s\nusername=%s\npassword=%s\n' "$2" "$3" "$4" | ours "$program" "$1"
}
git_says store delta/x.git eve ATBBcanaryapppassword00000000000000
git_says erase gamma/old.git x-token-auth 'ATCTT3xFfGN0canary-refused-token-0000000000000=0A1B2C3D'

# The same in a keyring, on a bus of its own.
cat >"$work/keyring" <<'END'
printf 'pw\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null
gdbus wait --session --timeout 10 org.freedesktop.secrets
printf '%s\n' 'ATATT3xFfGF0canary-in-the-keyring-00000000000=0A1B2C3D' |
    "$0" login desktop --with-token --no-verify --store keyring --for desktop
END
ours dbus-run-session -- sh -e -c "$(cat "$work/keyring")" "$program"

rm -rf "$folder"
mkdir -p "$folder"
cp -R "$work/home" "$work/data" "$folder"
find "$folder" '(' -name '*.lock' -o -name user.keystore ')' -exec rm {} +
for file in "$folder/home/.gitconfig" "$folder/data/setup.toml"; do
    sed -i "s|$program|@PROGRAM@|g; s|$work/home|@HOME@|g" "$file"
done
