//! `kubectl create secret docker-registry`, `kubectl create token`.
//! Source: `k8s.io/kubectl/pkg/cmd/create/{create_secret_docker,create_token}.go`.

use crate::base::base64;
use crate::base::rng::stable_hash_parts;
use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::{Call, apply, kind_of};
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json};

use super::{data, finish};

/// What a registry's configuration is called in a Secret (`DockerConfigJsonKey`).
const KEY: &str = ".dockerconfigjson";

/// Life of a token when none is asked for. Source: `pkg/registry/core/serviceaccount/storage/token.go`.
const TOKEN_LIFE_S: u64 = 3_600;
/// Shortest life. Source: `pkg/apis/authentication/validation/validation.go`.
const TOKEN_LIFE_MIN_S: u64 = 600;

/// `create secret docker-registry NAME`.
///
/// # Errors
/// Flags that are missing, files that are not there, the server's refusal.
pub fn docker_registry(call: &mut Call<'_>, name: &str) -> Result<(), Problem> {
    let flag = |flag: &str| call.arguments.flag(flag).unwrap_or("").to_owned();
    // A file without a key of its own is the whole configuration.
    let files = call.arguments.all("from-file").into_iter();
    let files: Vec<String> = files
        .map(|file| {
            if file.contains('=') {
                file
            } else {
                format!("{KEY}={file}")
            }
        })
        .collect();
    let (user, password, mail) = (
        flag("docker-username"),
        flag("docker-password"),
        flag("docker-email"),
    );
    let server = call.arguments.flag("docker-server");
    let server = server.unwrap_or("https://index.docker.io/v1/").to_owned();
    if files.is_empty() && (user.is_empty() || password.is_empty() || server.is_empty()) {
        return Err(Problem::error(
            "either --from-file or the combination of --docker-username, --docker-password and --docker-server is required",
        ));
    }
    let mut object = data::of_files(call, name, &files)?;
    if files.is_empty() {
        let mut entry = Value::object([
            ("username", Value::from(user.as_str())),
            ("password", password.as_str().into()),
        ]);
        if !mail.is_empty() {
            entry.set("email", mail.into());
        }
        let pair = format!("{user}:{password}");
        entry.set("auth", base64::encode(pair.as_bytes()).into());
        let mut auths = Value::map();
        auths.set(&server, entry);
        let content = json(&Value::object([("auths", auths)]), KeyOrder::Stored);
        object.set_path(&["data", KEY], base64::encode(content.as_bytes()).into());
    }
    object.set("type", "kubernetes.io/dockerconfigjson".into());
    let object = data::hashed(call, object);
    finish(call, kind_of("secrets")?, object)
}

/// `create token NAME`: a token whose claims are real and whose signature is not.
///
/// # Errors
/// A service account that is not there, a life that is too short.
pub fn token(call: &mut Call<'_>, name: &str) -> Result<(), Problem> {
    let kind = kind_of("serviceaccounts")?;
    // The account `default` of every namespace is made by a controller and not kept as an object.
    let account = match call.object(kind, name) {
        Ok(object) => Some(object),
        Err(_) if name == "default" => None,
        Err(problem) => {
            let said = problem.text.split_once("): ");
            let said = said.map_or(&*problem.text, |(_, said)| said);
            return Err(Problem::error(format!("failed to create token: {said}")));
        }
    };
    let life = match call.arguments.flag("duration") {
        None | Some("0" | "0s") => TOKEN_LIFE_S,
        Some(text) => apply::duration(text)?.as_secs(),
    };
    if life < TOKEN_LIFE_MIN_S {
        return Err(Problem::said(
            format!(
                "error: failed to create token: TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: {life}: may not specify a duration less than 10 minutes"
            ),
            "Invalid",
        ));
    }
    let issued = crate::base::time::EPOCH_UNIX_SECONDS + call.now().whole_seconds();
    let number = |seconds: u64| Value::Int(i64::try_from(seconds).unwrap_or(i64::MAX));
    let uid = account
        .as_ref()
        .and_then(|object| object.str_at(&["metadata", "uid"]))
        .unwrap_or("")
        .to_owned();
    let mut audiences = call.arguments.all("audience");
    if audiences.is_empty() {
        audiences.push("https://kubernetes.default.svc.cluster.local".to_owned());
    }
    let audiences = audiences.iter().map(|one| one.as_str().into()).collect();
    let mut claims = Value::object([
        ("aud", Value::list(audiences)),
        ("exp", number(issued + life)),
        ("iat", number(issued)),
        ("iss", "https://kubernetes.default.svc.cluster.local".into()),
    ]);
    let namespace = call.namespace.clone();
    claims.set_path(&["kubernetes.io", "namespace"], namespace.as_str().into());
    claims.set_path(&["kubernetes.io", "serviceaccount", "name"], name.into());
    if !uid.is_empty() {
        claims.set_path(&["kubernetes.io", "serviceaccount", "uid"], uid.into());
    }
    claims.set("nbf", number(issued));
    let subject = format!("system:serviceaccount:{namespace}:{name}");
    claims.set("sub", subject.as_str().into());
    let head = Value::object([("alg", Value::from("RS256")), ("kid", "podium".into())]);
    let part = |value: &Value| base64::encode_url(json(value, KeyOrder::Stored).as_bytes());
    let signed = format!("{}.{}", part(&head), part(&claims));
    let sign = stable_hash_parts(&[signed.as_str()]).to_be_bytes();
    call.say(&format!("{signed}.{}", base64::encode_url(&sign)));
    Ok(())
}
