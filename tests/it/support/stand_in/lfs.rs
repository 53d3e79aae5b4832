//! Large files: the batch protocol with the basic transfer (docs/api in the git-lfs sources).

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::access::Door;
use super::git;
use super::message::Response;
use super::routing::Question;
use super::server::Site;

/// Answers what lies below `info/lfs` of the repository `name`.
pub(super) fn answer(question: &mut Question<'_>, name: &str, rest: &[&str]) -> Response {
    let asked: Value = serde_json::from_str(&question.incoming.text()).unwrap_or_default();
    let write = match rest {
        ["objects", "batch"] => asked["operation"] == "upload",
        ["locks", "verify"] => true,
        _ => return Response::text(404, "Not found\n"),
    };
    if let Err(refusal) = question.admit(Door::Git, name, write) {
        return git::refuse(question, &refusal);
    }
    let answer = if rest == ["locks", "verify"] {
        json!({ "ours": [], "theirs": [] })
    } else {
        let objects = asked["objects"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let objects: Vec<Value> = objects
            .iter()
            .map(|object| offer(question, name, object, write))
            .collect();
        json!({ "transfer": "basic", "objects": objects })
    };
    Response::json(200, &answer).with("Content-Type", "application/vnd.git-lfs+json")
}

/// Takes or gives one object, at an address apart from the repository's, which wants a credential
/// just as well.
pub(super) fn answer_object(question: &mut Question<'_>, name: &str, object: &str) -> Response {
    let write = question.incoming.method == "PUT";
    if let Err(refusal) = question.admit(Door::Git, name, write) {
        return git::refuse(question, &refusal);
    }
    let Some(file) = object_file(question, object) else {
        return Response::text(422, "Not an object's name\n");
    };
    if write {
        let stored = store(question, &file);
        return stored.map_or_else(
            |error| Response::text(500, &error.to_string()),
            |()| Response::text(200, ""),
        );
    }
    match File::open(file) {
        Ok(file) => {
            let kind = (
                "Content-Type".to_owned(),
                "application/octet-stream".to_owned(),
            );
            Response::stream(200, vec![kind], file)
        }
        Err(_) => Response::text(404, "No such object\n"),
    }
}

/// What the batch answer says about one object: where to fetch it or put it, or nothing to do.
fn offer(question: &Question<'_>, name: &str, object: &Value, write: bool) -> Value {
    let id = object["oid"].as_str().unwrap_or_default();
    let exists = object_file(question, id).is_some_and(|file| file.exists());
    let path = match &question.host.site {
        Site::DataCenter(instance) => format!("{}/rest/git-lfs/storage", instance.context()),
        Site::Cloud | Site::CloudRest => "/lfs-storage".to_owned(),
    };
    let address = format!("{}{path}/{name}/{id}", question.host.origin());
    let mut offer = json!({ "oid": id, "size": object["size"] });
    match (write, exists) {
        (true, true) => {}
        (true, false) => offer["actions"] = json!({ "upload": { "href": address } }),
        (false, true) => offer["actions"] = json!({ "download": { "href": address } }),
        (false, false) => offer["error"] = json!({ "code": 404, "message": "No such object" }),
    }
    offer
}

fn object_file(question: &Question<'_>, id: &str) -> Option<PathBuf> {
    let is_hash = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| question.server.objects().join(id))
}

/// Written beside and renamed, as two pushes may bring the same object at once.
fn store(question: &mut Question<'_>, file: &Path) -> io::Result<()> {
    let mut beside = tempfile::NamedTempFile::new_in(question.server.objects())?;
    if let Some(mut body) = question.incoming.body.take() {
        io::copy(&mut body, &mut beside)?;
    }
    let (_, path) = beside.keep().map_err(|error| error.error)?;
    fs::rename(path, file)
}
