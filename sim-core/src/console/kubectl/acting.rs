//! Acting as somebody else: `--as`, `--as-group`. What the command reads and writes is asked for in that
//! name, and refused before anything changes.
//! Source: `staging/src/k8s.io/client-go/tools/clientcmd/validation.go`.

use std::sync::Arc;

use crate::kube::apiserver::Request;
use crate::kube::apiserver::rbac::{self, Who, Wish};
use crate::kube::kinds::{self, Kind};
use crate::manifest::value::Value;

use super::arguments::Arguments;
use super::problem::Problem;
use super::{Call, config, name_of};

/// Whom the flags name; none: the administrator.
///
/// # Errors
/// Groups without a user.
pub fn who(arguments: &Arguments) -> Result<Option<Arc<Who>>, Problem> {
    let groups: Vec<String> = arguments.all("as-group");
    let Some(user) = arguments.flag("as").filter(|user| !user.is_empty()) else {
        let more = !groups.is_empty()
            || ["as-uid", "as-user-extra"]
                .iter()
                .any(|flag| arguments.flag(flag).is_some());
        return if more {
            Err(Problem::error(format!(
                "invalid configuration: requesting uid, groups or user-extra for {} without impersonating a user",
                config::USER
            )))
        } else {
            Ok(None)
        };
    };
    Ok(Some(Arc::new(Who::acting(user, groups))))
}

impl Call<'_> {
    /// Whether the command may do something with an object, or with all of a kind.
    ///
    /// # Errors
    /// `Error from server (Forbidden): …`.
    pub fn may(&self, verb: &str, kind: &Kind, namespace: &str, name: &str) -> Result<(), Problem> {
        self.may_part(verb, kind, "", namespace, name)
    }

    /// As [`Self::may`], for a subresource.
    ///
    /// # Errors
    /// As above.
    pub fn may_part(
        &self,
        verb: &str,
        kind: &Kind,
        part: &str,
        namespace: &str,
        name: &str,
    ) -> Result<(), Problem> {
        let slash = if part.is_empty() { "" } else { "/" };
        self.may_wish(&Wish {
            verb,
            group: kind.group(),
            resource: &format!("{}{slash}{part}", kind.plural),
            namespace: rbac::place(kind, namespace, name),
            name,
        })
    }

    /// Whether the command may do what is wished.
    ///
    /// # Errors
    /// As above.
    pub fn may_wish(&self, wish: &Wish<'_>) -> Result<(), Problem> {
        match &self.who {
            None => Ok(()),
            Some(who) => {
                rbac::judge(&self.view()?, who, wish).map_err(|refusal| Problem::server(&refusal))
            }
        }
    }

    /// One object, if it is there.
    ///
    /// # Errors
    /// Whoever may not read it.
    pub fn read(&self, kind: &Kind, namespace: &str, name: &str) -> Result<Option<Value>, Problem> {
        self.may("get", kind, namespace, name)?;
        Ok(self.view()?.get(kind, namespace, name))
    }

    /// All of a kind in one namespace or in all.
    ///
    /// # Errors
    /// Whoever may not list them.
    pub fn listing(&self, kind: &Kind, namespace: Option<&str>) -> Result<Vec<Value>, Problem> {
        self.may("list", kind, namespace.unwrap_or(""), "")?;
        Ok(self.view()?.list(kind, namespace))
    }

    /// A request in the name of whom the command acts as.
    ///
    /// # Errors
    /// Whoever may not ask for it.
    pub(super) fn acting(&self, request: Request) -> Result<Request, Problem> {
        let Some(who) = &self.who else {
            return Ok(request);
        };
        self.permitted(&request)?;
        Ok(Request::By {
            who: who.clone(),
            request: Arc::new(request),
        })
    }

    fn permitted(&self, request: &Request) -> Result<(), Problem> {
        let of = |object: &Value| -> Result<Option<&'static Kind>, Problem> {
            let text = |field: &str| object.str_at(&[field]).unwrap_or("");
            let (version, kind) = (text("apiVersion"), text("kind"));
            let stored = self.view()?.store.kind_of_object(version, kind);
            Ok(kinds::also(version, kind).or(stored))
        };
        let write = if self.verb == "replace" {
            "update"
        } else {
            "patch"
        };
        match request {
            Request::As { request, .. } | Request::By { request, .. } => self.permitted(request),
            Request::Create { object, namespace } => match of(object)? {
                Some(kind) => self.may("create", kind, namespace, ""),
                None => Ok(()),
            },
            Request::Update { object, namespace }
            | Request::UpdateStatus { object, namespace }
            | Request::Resize { object, namespace }
            | Request::Ephemeral { object, namespace }
            | Request::Apply {
                object, namespace, ..
            } => {
                let Some(kind) = of(object)? else {
                    return Ok(());
                };
                let part = match request {
                    Request::UpdateStatus { .. } if self.verb == "certificate" => "approval",
                    Request::UpdateStatus { .. } | Request::Apply { status: true, .. } => "status",
                    Request::Resize { .. } => "resize",
                    Request::Ephemeral { .. } => "ephemeralcontainers",
                    _ => "",
                };
                let own = object.str_at(&["metadata", "namespace"]);
                let namespace = own.unwrap_or(namespace);
                let name = name_of(object);
                self.may_part(write, kind, part, namespace, name)?;
                let there = self.view()?.get(kind, namespace, name).is_some();
                if matches!(request, Request::Apply { .. }) && !there {
                    return self.may("create", kind, namespace, name);
                }
                Ok(())
            }
            Request::Finalize(object) => {
                let kind = super::kind_of("namespaces")?;
                self.may_part(write, kind, "finalize", "", name_of(object))
            }
            Request::Scale {
                kind,
                namespace,
                name,
                ..
            } => self.may_part(write, self.kind_of(kind)?, "scale", namespace, name),
            Request::Evict {
                namespace, name, ..
            } => self.may_part(
                "create",
                super::kind_of("pods")?,
                "eviction",
                namespace,
                name,
            ),
            Request::Bind {
                namespace, name, ..
            } => self.may_part(
                "create",
                super::kind_of("pods")?,
                "binding",
                namespace,
                name,
            ),
            Request::Delete {
                kind,
                namespace,
                name,
                ..
            } => self.may("delete", self.kind_of(kind)?, namespace, name),
            Request::Load { .. } => Ok(()),
        }
    }
}
