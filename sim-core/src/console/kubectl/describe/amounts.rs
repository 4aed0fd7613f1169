//! What a pod asks for and may use at most, as the client adds it up.
//! Source: `k8s.io/component-helpers/resource/helpers.go` (`PodRequests`, `PodLimits`).

use crate::base::quantity::Quantity;
use crate::console::kubectl::pod_status::items;
use crate::manifest::value::Value;
use crate::object::jsonpath::text;

/// Which of the two, as the field is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `requests`.
    Requests,
    /// `limits`.
    Limits,
}

impl Side {
    const fn key(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Limits => "limits",
        }
    }
}

/// Amounts by resource, in no order of meaning.
#[derive(Clone, Debug, Default)]
pub struct Amounts(Vec<(String, Quantity)>);

impl Amounts {
    fn of(map: Option<&Value>) -> Self {
        let map = map.and_then(Value::as_map);
        let read = map.unwrap_or_default().iter();
        let read = read.filter_map(|(name, amount)| {
            Some((name.to_string(), Quantity::parse(&text(amount)).ok()?))
        });
        Self(read.collect())
    }

    /// The amount of one resource; zero if it is not named.
    pub fn get(&self, name: &str) -> Quantity {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or(Quantity::ZERO, |(_, amount)| amount.clone())
    }

    fn slot(&mut self, name: &str) -> Option<&mut Quantity> {
        let found = self.0.iter_mut().find(|(known, _)| known == name);
        found.map(|(_, amount)| amount)
    }

    fn put(&mut self, name: &str, amount: Quantity) {
        match self.slot(name) {
            Some(slot) => *slot = amount,
            None => self.0.push((name.to_owned(), amount)),
        }
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            match self.slot(name) {
                Some(slot) => slot.add(amount),
                None => self.put(name, amount.clone()),
            }
        }
    }

    /// Raises each to that of `other`.
    fn raise(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let known = self.slot(name).map(|slot| slot.nano_value());
            if known.is_none_or(|known| amount.nano_value() > known) {
                self.put(name, amount.clone());
            }
        }
    }
}

/// What a pod asks for, or may use at most. `reported` counts what its containers have got, too, which a resize
/// in place has not changed yet.
pub fn of_pod(pod: &Value, side: Side, reported: bool) -> Amounts {
    let mut sum = Amounts::default();
    for container in items(pod, &["spec", "containers"]) {
        sum.add(&of_container(pod, container, side, reported));
    }
    let (mut sidecars, mut most) = (Amounts::default(), Amounts::default());
    for container in items(pod, &["spec", "initContainers"]) {
        if container.str_at(&["restartPolicy"]) == Some("Always") {
            let own = of_container(pod, container, side, reported);
            sum.add(&own);
            sidecars.add(&own);
            most.raise(&sidecars);
        } else {
            let mut own = of_container(pod, container, side, false);
            own.add(&sidecars);
            most.raise(&own);
        }
    }
    sum.raise(&most);
    for (name, amount) in Amounts::of(pod.path(&["spec", "resources", side.key()])).0 {
        if matches!(name.as_str(), "cpu" | "memory") || name.starts_with("hugepages-") {
            sum.put(&name, amount);
        }
    }
    let overhead = Amounts::of(pod.path(&["spec", "overhead"]));
    match side {
        Side::Requests => sum.add(&overhead),
        Side::Limits => {
            for (name, amount) in &overhead.0 {
                if let Some(slot) = sum.slot(name).filter(|slot| !slot.is_zero()) {
                    slot.add(amount);
                }
            }
        }
    }
    sum
}

fn of_container(pod: &Value, container: &Value, side: Side, reported: bool) -> Amounts {
    let spec = Amounts::of(container.path(&["resources", side.key()]));
    let name = container.str_at(&["name"]);
    let lists = ["containerStatuses", "initContainerStatuses"];
    let mut all = lists.iter().flat_map(|list| items(pod, &["status", list]));
    let status = all.find(|status| reported && status.str_at(&["name"]) == name);
    let Some(status) = status.filter(|status| status.get("resources").is_some()) else {
        return spec;
    };
    let infeasible = items(pod, &["status", "conditions"]).iter().any(|one| {
        one.str_at(&["type"]) == Some("PodResizePending")
            && one.str_at(&["reason"]) == Some("Infeasible")
    });
    let mut most = if infeasible { Amounts::default() } else { spec };
    most.raise(&Amounts::of(status.path(&["resources", side.key()])));
    if side == Side::Requests {
        most.raise(&Amounts::of(status.get("allocatedResources")));
    }
    most
}
