//! The incremental pictures of the nodes against pictures made from scratch. For soak runs: it costs a
//! look at every node for every class of templates.

use crate::base::sorted::SortedSet;
use crate::base::symbol::Symbols;
use crate::kube::store::Store;
use crate::kube::template::TemplateId;

use super::Scheduler;
use super::columns::Column;
use super::filter::Candidate;
use super::matcher::Look;
use super::plan::Plan;
use super::volumes::VolumeNeeds;

impl Scheduler {
    /// What is kept otherwise than it would be found anew, one sentence each.
    pub fn breaches(&self, store: &Store, symbols: &Symbols) -> Vec<String> {
        let mut found = Vec::new();
        let mut cache = self.cache.clone();
        cache.tree.order();
        if !cache.priorities_agree() {
            found.push("scheduler: pods by priority are not those that are placed".to_owned());
        }
        let demand_of = |id: TemplateId| {
            let standing = self.standings.get(id.0 as usize)?.as_ref()?;
            Some(&*standing.demand)
        };
        if !cache.numbers_agree(demand_of) {
            found.push("scheduler: what nodes have left is not what their pods leave".to_owned());
        }
        // What belongs to another order of nodes is made anew before it is used again.
        if self.cache.tree.is_stale() {
            return found;
        }
        if !self.scratch.columns.pictures_agree(&self.cache) {
            found.push("scheduler: images by node are not those of the nodes".to_owned());
        }
        let (plan, volumes) = (Plan::default(), VolumeNeeds::default());
        let mut seen = SortedSet::new();
        for (id, class) in self.scratch.classes.all() {
            let (Some(column), Some(demand)) = (self.scratch.columns.get(class), demand_of(id))
            else {
                continue;
            };
            let template = store.template(id);
            let profile = self.profiles.iter();
            let mut profile = profile.filter(|it| it.name == template.spec.scheduler_name);
            let Some(profile) = profile.next() else {
                continue;
            };
            let candidate = Candidate {
                template,
                demand,
                profile,
                plan: &plan,
                volumes: &volumes,
                look: Look { store, symbols },
            };
            if !candidate.reads_numbers_only() || !seen.insert(class) {
                continue;
            }
            let mut kept = column.clone();
            kept.catch_up(&candidate, &self.cache);
            let mut fresh = Column::default();
            fresh.catch_up(&candidate, &self.cache);
            if !kept.agrees(&fresh) {
                found.push(format!(
                    "scheduler: what is kept of the nodes for class {class} is not what they are"
                ));
            }
        }
        found
    }
}
