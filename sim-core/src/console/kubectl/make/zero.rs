//! What Go's encoder adds to an object that a generator made: members of structures that are written
//! even when nothing was put into them.

use crate::kube::render::zero as status;
use crate::manifest::value::Value;

/// The object as `--dry-run=client -o yaml` prints it.
pub fn filled(written: &Value) -> Value {
    let mut object = written.clone();
    let empty = Value::map;
    let template: &[&str] = match written.str_at(&["kind"]).unwrap_or("") {
        "Pod" => {
            object.set("status", empty());
            &[]
        }
        "Deployment" => {
            default(&mut object, &["spec", "strategy"], empty());
            object.set("status", empty());
            &["spec", "template"]
        }
        "Job" => {
            object.set("status", empty());
            &["spec", "template"]
        }
        "CronJob" => {
            default(&mut object, &["spec", "jobTemplate", "metadata"], empty());
            object.set("status", empty());
            &["spec", "jobTemplate", "spec", "template"]
        }
        kind => {
            others(kind, &mut object);
            return object;
        }
    };
    if !template.is_empty() {
        let metadata: Vec<&str> = template.iter().copied().chain(["metadata"]).collect();
        default(&mut object, &metadata, empty());
    }
    for list in ["initContainers", "containers"] {
        let path: Vec<&str> = template.iter().copied().chain(["spec", list]).collect();
        let containers = object.path_mut(&path).and_then(Value::as_list_mut);
        for container in containers.into_iter().flatten() {
            default(container, &["resources"], empty());
        }
    }
    object
}

fn others(kind: &str, object: &mut Value) {
    if kind == "Namespace" {
        default(object, &["spec"], Value::map());
        object.set("status", Value::map());
    }
    status::fill(kind, object);
}

fn default(object: &mut Value, path: &[&str], value: Value) {
    if object.path(path).is_none() {
        object.set_path(path, value);
    }
}
