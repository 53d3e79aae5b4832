//! Logins: `approle`, the JWT of a Pipelines step, Kubernetes; and namespaces.

use std::fs;
use std::path::PathBuf;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};

use super::{
    Listener, Server, address, answer, app_role_lines, configure, error, get, has_openbao,
    world_of_app_role,
};
use crate::support::harness::{API_TOKEN, TestEnv, has, run};

#[test]
fn approle_takes_its_ids_from_files_or_from_the_environment() {
    let Some((mut env, server)) = world_of_app_role(&json!({})) else {
        return;
    };
    assert_eq!(get(&env).stdout, answer());
    configure(&env, &[&address(&server), "auth = \"approle\""]);
    assert_eq!(error(&env), "an id for the login with approle is missing");
    let id = |name: &str| fs::read_to_string(env.path().join(name)).unwrap();
    let (role_id, secret_id) = (id("role-id"), id("secret-id"));
    env.set("VAULT_ROLE_ID", "wrong");
    env.set("BAO_ROLE_ID", &role_id);
    assert_eq!(error(&env), "an id for the login with approle is missing");
    env.set("VAULT_SECRET_ID", &secret_id);
    assert_eq!(get(&env).stdout, answer());
    // The files come before them.
    fs::write(env.path().join("secret-id"), "").unwrap();
    let lines = app_role_lines(&env, &server);
    configure(&env, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(
        error(&env),
        format!(
            "'{}' is empty, or is not there",
            env.path().join("secret-id").display()
        )
    );
}

#[test]
fn an_approle_login_that_is_refused_says_so_in_one_line() {
    let Some((env, server)) = world_of_app_role(&json!({})) else {
        return;
    };
    fs::write(env.path().join("secret-id"), "canary-wrong").unwrap();
    let refusal = |mount: &str, status: &str| {
        format!(
            "Vault at '{}' refuses the login with approle at 'auth/{mount}' (status {status}): ",
            server.address
        )
    };
    assert_eq!(
        error(&env),
        refusal("approle", "400") + "invalid role or secret ID"
    );
    let mut lines = app_role_lines(&env, &server).to_vec();
    lines.push("auth_mount = \"elsewhere\"".to_owned());
    configure(&env, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(
        error(&env),
        refusal("elsewhere", "403") + "permission denied"
    );
}

#[test]
fn a_secret_id_that_is_good_for_one_login_serves_as_long_as_the_token_lives() {
    let Some((env, server)) = world_of_app_role(&json!({ "secret_id_num_uses": 1 })) else {
        return;
    };
    for _ in 0..3 {
        assert_eq!(get(&env).stdout, answer());
    }
    assert_eq!(server.logins(), 1);
}

/// Somebody who signs tokens as Bitbucket does: RS256.
struct Issuer {
    key: PathBuf,
    public: String,
}

const WORKSPACE: &str = "{0b0dd1e0-0000-4000-8000-000000000001}";
const REPOSITORY: &str = "{5ecc0000-0000-4000-8000-000000000002}";

impl Issuer {
    fn new(env: &TestEnv) -> Self {
        let key = env.path().join("issuer.pem");
        let openssl = |arguments: &[&str]| {
            let mut command = env.command("openssl");
            command.args(arguments).arg(&key);
            let outcome = run(command, b"");
            assert_eq!(outcome.status, 0, "{outcome:?}");
            outcome.stdout
        };
        let bits = "rsa_keygen_bits:2048";
        openssl(&[
            "genpkey",
            "-quiet",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            bits,
            "-out",
        ]);
        let public = openssl(&["pkey", "-pubout", "-in"]);
        Self { key, public }
    }

    fn name() -> &'static str {
        "https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc"
    }

    /// The token of a step, with the claims that Pipelines gives it:
    /// <https://support.atlassian.com/bitbucket-cloud/docs/integrate-pipelines-with-resource-servers-using-oidc/>.
    fn step(&self, env: &TestEnv, repository: &str, step: &str, lifetime: i64) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = i64::try_from(now.unwrap().as_secs()).unwrap();
        self.sign(
            env,
            &json!({
                "iss": Self::name(),
                "aud": audience(),
                "sub": format!("{repository}:{step}"),
                "iat": now.min(now + lifetime),
                "exp": now + lifetime,
                "repositoryUuid": repository,
                "workspaceUuid": WORKSPACE,
                "pipelineUuid": "{a1a10000-0000-4000-8000-000000000003}",
                "stepUuid": step,
                "branchName": "main",
            }),
        )
    }

    fn sign(&self, env: &TestEnv, claims: &Value) -> String {
        let part = |json: &Value| Base64UrlUnpadded::encode_string(json.to_string().as_bytes());
        let header = json!({ "alg": "RS256", "typ": "JWT" });
        let text = format!("{}.{}", part(&header), part(claims));
        let signature = env.path().join("signature");
        let mut command = env.command("openssl");
        command.args(["dgst", "-sha256", "-sign"]).arg(&self.key);
        command.arg("-out").arg(&signature);
        assert_eq!(run(command, text.as_bytes()).status, 0);
        let signature = Base64UrlUnpadded::encode_string(&fs::read(signature).unwrap());
        format!("{text}.{signature}")
    }
}

fn audience() -> String {
    format!(
        "ari:cloud:bitbucket::workspace/{}",
        WORKSPACE.trim_matches(['{', '}'])
    )
}

/// A server that trusts an issuer, with a role for one repository's steps.
fn world_of_jwt(method: &str) -> Option<(TestEnv, Server, Issuer)> {
    if !has_openbao() || !has(&["openssl"]) {
        return None;
    }
    let server = Server::start(Listener::Plain);
    let env = TestEnv::new();
    let issuer = Issuer::new(&env);
    server.put("bitbucket/acme/app", &json!({ "password": API_TOKEN }));
    server.policy("git", &["secret/data/bitbucket/acme/app"]);
    server.change(&format!("sys/auth/{method}"), &json!({ "type": "jwt" }));
    let config = json!({
        "jwt_validation_pubkeys": [issuer.public],
        "bound_issuer": Issuer::name(),
    });
    server.change(&format!("auth/{method}/config"), &config);
    let role = json!({
        "role_type": "jwt",
        "user_claim": "repositoryUuid",
        "bound_audiences": [audience()],
        "bound_claims": { "repositoryUuid": REPOSITORY },
        "token_policies": ["git"],
        "token_ttl": "10m",
    });
    server.change(&format!("auth/{method}/role/acme-app"), &role);
    Some((env, server, issuer))
}

#[test]
fn a_step_of_pipelines_comes_in_with_its_own_token_and_anothers_does_not() {
    let Some((mut env, server, issuer)) = world_of_jwt("jwt") else {
        return;
    };
    configure(
        &env,
        &[&address(&server), "auth = \"jwt\"", "role = \"acme-app\""],
    );
    assert_eq!(error(&env), "there is no JWT to log in to Vault with");
    let trace = env.path().join("trace.log");
    env.set("GIT_CREDENTIAL_BITBUCKET_TRACE", trace.to_str().unwrap());
    let mine = issuer.step(&env, REPOSITORY, "{1}", 600);
    env.set("BITBUCKET_STEP_OIDC_TOKEN", &mine);
    for _ in 0..3 {
        assert_eq!(get(&env).stdout, answer());
    }
    assert_eq!(server.count("update", "auth/jwt/login"), 1);

    // The next step of the same runner has a token of its own, and so it logs in itself.
    env.set(
        "BITBUCKET_STEP_OIDC_TOKEN",
        &issuer.step(&env, REPOSITORY, "{2}", 600),
    );
    assert_eq!(get(&env).stdout, answer());
    assert_eq!(server.count("update", "auth/jwt/login"), 2);

    let refusal = format!(
        "Vault at '{}' refuses the login with jwt at 'auth/jwt' (status ",
        server.address
    );
    let other = issuer.step(&env, "{another}", "{3}", 600);
    let over = issuer.step(&env, REPOSITORY, "{4}", -600);
    for token in [&other, &over, "canary-no-token", &mine[..mine.len() - 9]] {
        env.set("BITBUCKET_STEP_OIDC_TOKEN", token);
        let error = error(&env);
        assert!(
            error.starts_with(&refusal) && error.contains("): "),
            "{error}"
        );
        assert!(!error.contains("canary"), "{error}");
    }
    // The last part of a token is what makes it good.
    let trace = fs::read_to_string(trace).unwrap();
    for token in [&mine, &other, &over] {
        let signature = token.rsplit('.').next().unwrap();
        assert!(!trace.contains(signature), "{trace}");
    }
}

#[test]
fn a_jwt_may_lie_in_a_file_which_others_change() {
    let Some((env, server, issuer)) = world_of_jwt("runners") else {
        return;
    };
    let file = env.path().join("jwt");
    let line = format!("jwt_file = \"{}\"", file.display());
    configure(
        &env,
        &[
            &address(&server),
            "auth = \"jwt\"",
            "auth_mount = \"runners\"",
            "role = \"acme-app\"",
            &line,
        ],
    );
    assert_eq!(
        error(&env),
        format!("'{}' is empty, or is not there", file.display())
    );
    for step in ["{1}", "{2}"] {
        let token = issuer.step(&env, REPOSITORY, step, 600);
        fs::write(&file, format!("{token}\n")).unwrap();
        assert_eq!(get(&env).stdout, answer());
    }
    assert_eq!(server.count("update", "auth/runners/login"), 2);
}

/// The method `kubernetes` asks the cluster about each token, and there is none here; its login is the same request as
/// that of `jwt`, which is therefore mounted in its place.
#[test]
fn a_service_account_of_kubernetes_comes_in() {
    let Some((env, server, issuer)) = world_of_jwt("kubernetes") else {
        return;
    };
    let file = env.path().join("serviceaccount");
    fs::write(&file, issuer.step(&env, REPOSITORY, "{1}", 600)).unwrap();
    let line = format!("jwt_file = \"{}\"", file.display());
    configure(&env, &[&address(&server), "auth = \"kubernetes\"", &line]);
    assert_eq!(
        error(&env),
        "no role is named for the login with kubernetes"
    );
    configure(
        &env,
        &[
            &address(&server),
            "auth = \"kubernetes\"",
            "role = \"acme-app\"",
            &line,
        ],
    );
    assert_eq!(get(&env).stdout, answer());
    assert_eq!(server.count("update", "auth/kubernetes/login"), 1);
    configure(
        &env,
        &[&address(&server), "auth = \"kubernetes\"", "role = \"x\""],
    );
    assert_eq!(
        error(&env),
        "'/var/run/secrets/kubernetes.io/serviceaccount/token' is empty, or is not there"
    );
}

#[test]
fn a_namespace_has_logins_and_secrets_of_its_own() {
    if !has_openbao() {
        return;
    }
    let server = Server::start(Listener::Plain);
    let mut env = TestEnv::new();
    server.change("sys/namespaces/team", &json!({}));
    let own = |path: &str, body: &Value| {
        let (status, answer) = server.ask_in("team", "POST", path, body);
        assert!(matches!(status, 200 | 204), "{path}: {status} {answer}");
        answer
    };
    own(
        "sys/mounts/secret",
        &json!({ "type": "kv", "options": { "version": "2" } }),
    );
    own(
        "secret/data/bitbucket/acme/app",
        &json!({ "data": { "password": API_TOKEN } }),
    );
    let rule = "path \"secret/data/bitbucket/*\" { capabilities = [\"read\"] }";
    own("sys/policies/acl/git", &json!({ "policy": rule }));
    own("sys/auth/approle", &json!({ "type": "approle" }));
    own(
        "auth/approle/role/git",
        &json!({ "token_policies": "git", "token_ttl": "1h" }),
    );
    let (_, id) = server.ask_in("team", "GET", "auth/approle/role/git/role-id", &Value::Null);
    env.set("VAULT_ROLE_ID", &super::text(&id, "/data/role_id"));
    let id = own("auth/approle/role/git/secret-id", &Value::Null);
    env.set("VAULT_SECRET_ID", &super::text(&id, "/data/secret_id"));

    let app_role = "auth = \"approle\"";
    configure(&env, &[&address(&server), app_role, "namespace = \"team\""]);
    assert_eq!(get(&env).stdout, answer());
    configure(&env, &[&address(&server), app_role]);
    assert!(
        error(&env).contains(" refuses the login "),
        "another namespace"
    );
    env.set("BAO_NAMESPACE", "team");
    assert_eq!(get(&env).stdout, answer());
    configure(
        &env,
        &[&address(&server), app_role, "namespace = \"nobodys\""],
    );
    let error = error(&env);
    assert!(error.contains("namespace not found"), "{error}");
}
