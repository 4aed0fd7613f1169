//! Counts of pods by node and by topology domain, kept up to date pod by pod.
//!
//! A *source* is a set of pods: those of one template, or those that match a term. A *tally* counts
//! a source by the values of one node label. *Domains* are a tally that leaves out nodes which a pod
//! may not use, and knows the emptiest one. All of it follows from where the pods are, so that it is
//! not part of a snapshot: a clone starts empty and counts anew when it is first asked.
//!
//! Cost: a pod that comes or goes touches the sources that its template feeds, usually one or two.

use std::sync::Arc;

use crate::base::hash::FxHashMap;
use crate::base::sorted::SortedMap;
use crate::kube::selector::label;
use crate::kube::template::TemplateId;
use crate::store::paged::Paged;

use super::cache::NodeFacts;
use super::counts::Counts;
use super::matcher::{Look, PodMatcher, Term};
use super::node_tree::NodeTree;
use super::plan::Plan;
use super::plugins::{affinity, taints};

/// Plans kept; past that everything is counted anew.
const PLANS_MAX: usize = 4_096;

/// Values of a label, none among them, up to which the nodes of each are kept as bits.
const HOLDERS_MAX: usize = 16;

/// The nodes, as the index sees them.
#[derive(Clone, Copy, Debug)]
pub struct Nodes<'a> {
    /// By slot.
    pub facts: &'a Paged<NodeFacts>,
    /// Slots of the nodes that are there.
    pub slots: &'a [u32],
}

/// What a source is the set of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SourceKey {
    /// Pods of a template.
    Template(u32),
    /// Pods that match; `true`: those that are being deleted do not count.
    Pods(PodMatcher, bool),
}

#[derive(Debug)]
struct Source {
    key: SourceKey,
    nodes: Counts,
    tallies: Vec<u32>,
    domains: Vec<u32>,
}

/// Values of one node label, by slot, as small numbers; 0: the node has no such label.
#[derive(Debug)]
struct Column {
    key: Arc<str>,
    values: Vec<u32>,
    names: FxHashMap<Arc<str>, u32>,
    /// The same in the order of search, and which version of that order; 0: of none.
    by_place: Arc<Vec<u32>>,
    order: u32,
    /// By value, where there are few: one bit for each node that has it, by place.
    holders: Vec<Vec<u64>>,
    /// Whether every node has the label.
    on_all: bool,
}

impl Column {
    fn at(&self, slot: u32) -> u32 {
        self.values.get(slot as usize).copied().unwrap_or(0)
    }

    fn read(&mut self, slot: u32, facts: &NodeFacts) {
        let text = facts.id.and_then(|_| label(&facts.labels, &self.key));
        let value = match text {
            None => 0,
            Some(text) => {
                let next = self.names.len() as u32 + 1;
                *self.names.entry(text.clone()).or_insert(next)
            }
        };
        let index = slot as usize;
        if index >= self.values.len() {
            self.values.resize(index + 1, 0);
        }
        if std::mem::replace(&mut self.values[index], value) != value {
            self.order = 0;
        }
    }

    fn arrange(&mut self, tree: &NodeTree) {
        if self.order == tree.version() {
            return;
        }
        self.order = tree.version();
        let value = |slot: &u32| self.values.get(*slot as usize).copied().unwrap_or(0);
        let by_place: Vec<u32> = tree.slots().iter().map(value).collect();
        self.on_all = !by_place.contains(&0);
        self.holders.clear();
        let different = self.names.len() + 1;
        if different <= HOLDERS_MAX {
            let none = vec![0; by_place.len().div_ceil(64)];
            self.holders.resize(different, none);
            for (place, value) in by_place.iter().enumerate() {
                self.holders[*value as usize][place / 64] |= 1 << (place % 64);
            }
        }
        self.by_place = Arc::new(by_place);
    }
}

#[derive(Debug)]
struct Tally {
    source: u32,
    column: u32,
    counts: Vec<u32>,
    total: u64,
}

/// Which nodes are domains for a constraint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Eligible {
    /// The template whose affinity and tolerations are asked.
    pub template: TemplateId,
    /// Nodes that its affinity excludes are none.
    pub honor_affinity: bool,
    /// Nodes whose taints it does not tolerate are none.
    pub honor_taints: bool,
    /// Labels that a node must have.
    pub columns: Vec<u32>,
}

#[derive(Debug)]
struct Domains {
    source: u32,
    column: u32,
    rule: Eligible,
    /// Value that a node counts for, by slot; 0: none.
    values: Vec<u32>,
    nodes: Vec<u32>,
    counts: Vec<u32>,
    /// Domains by their count.
    histogram: SortedMap<u32, u32>,
    present: u32,
}

#[derive(Debug, Default)]
struct Base {
    /// Pods that are not being deleted.
    live: Counts,
    /// Pods that are.
    going: Counts,
    used: bool,
}

/// Which sources and templates can have to do with one another, as far as a value says.
#[derive(Debug, Default)]
struct Valued {
    /// Templates with a label of the value.
    templates: Vec<u32>,
    /// Sources of pods that have such a label.
    sources: Vec<u32>,
}

/// The counts.
#[derive(Debug, Default)]
pub struct Index {
    built: bool,
    base: Vec<Base>,
    links: Vec<Option<Vec<u32>>>,
    sources: Vec<Source>,
    source_ids: FxHashMap<SourceKey, u32>,
    /// Templates that are used.
    used: Vec<u32>,
    /// By a label's value, whatever its key, the place of what has it.
    values: FxHashMap<Arc<str>, u32>,
    valued: Vec<Valued>,
    /// Sources of pods that need not have some label's value.
    loose: Vec<u32>,
    columns: Vec<Column>,
    tallies: Vec<Tally>,
    tally_ids: FxHashMap<(u32, u32), u32>,
    domains: Vec<Domains>,
    /// By template.
    plans: Vec<Option<Box<Plan>>>,
    /// Templates of which a plan was made.
    planned: usize,
    /// Templates with terms about other pods, in the order in which they were first placed.
    affine: Vec<u32>,
    /// Whether some rule asks for the labels of namespaces.
    reads_namespaces: bool,
}

impl Clone for Index {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Index {
    /// Whether it is up to date.
    pub const fn is_built(&self) -> bool {
        self.built
    }

    /// Whether some rule asks for the labels of namespaces.
    pub const fn reads_namespaces(&self) -> bool {
        self.reads_namespaces
    }

    /// Starts counting: the caller adds every pod that is placed.
    pub fn start(&mut self) {
        *self = Self {
            built: true,
            ..Self::default()
        };
    }

    /// Forgets everything: some rule that it was counted by has changed.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Some pods of a template came to a node or went: all of them, and those that are not being
    /// deleted.
    pub fn add(&mut self, template: u32, slot: u32, all: i32, live: i32, look: Look<'_>) {
        if !self.built {
            return;
        }
        let index = template as usize;
        if index >= self.base.len() {
            self.base.resize_with(index + 1, Base::default);
            self.links.resize(index + 1, None);
        }
        if !self.base[index].used {
            self.base[index].used = true;
            self.meet(template, look);
        }
        if live != 0 {
            self.base[index].live.add(slot, live);
        }
        if all != live {
            self.base[index].going.add(slot, all - live);
        }
        let links = self.links[index].take().unwrap_or_default();
        for source in &links {
            let by = match self.sources[*source as usize].key {
                SourceKey::Pods(_, true) => live,
                SourceKey::Pods(_, false) | SourceKey::Template(_) => all,
            };
            if by != 0 {
                self.bump(*source, slot, by);
            }
        }
        self.links[index] = Some(links);
    }

    /// A template is placed for the first time.
    fn meet(&mut self, template: u32, look: Look<'_>) {
        let pods = look.store.template(TemplateId(template));
        let affinity = &pods.spec.affinity;
        let affine = !(affinity.anti_required.is_empty()
            && affinity.pod_required.is_empty()
            && affinity.pod_preferred.is_empty()
            && affinity.anti_preferred.is_empty());
        if affine {
            self.affine.push(template);
            let preferred = affinity
                .pod_preferred
                .iter()
                .chain(&affinity.anti_preferred);
            let terms = affinity
                .pod_required
                .iter()
                .chain(&affinity.anti_required)
                .chain(preferred.map(|wish| &wish.term));
            for term in terms {
                self.reads_namespaces |= term.namespace_selector.is_some();
            }
        }
        self.used.push(template);
        let own = self.source_ids.get(&SourceKey::Template(template));
        let mut links: Vec<u32> = own.into_iter().copied().collect();
        let sources = &self.sources;
        let matches = |source: &&u32| match &sources[**source as usize].key {
            SourceKey::Template(_) => false,
            SourceKey::Pods(matcher, _) => matcher.matches(pods, look),
        };
        links.extend(self.loose.iter().filter(matches));
        for (at, (_, value)) in pods.labels.iter().enumerate() {
            if pods.labels[..at].iter().any(|(_, before)| before == value) {
                continue;
            }
            let valued = valued(&mut self.values, &mut self.valued, value);
            valued.templates.push(template);
            links.extend(valued.sources.iter().filter(matches));
        }
        self.links[template as usize] = Some(links);
    }

    fn bump(&mut self, source: u32, slot: u32, by: i32) {
        let source = &mut self.sources[source as usize];
        source.nodes.add(slot, by);
        for tally in &source.tallies {
            let tally = &mut self.tallies[*tally as usize];
            let value = self.columns[tally.column as usize].at(slot);
            tally.add(value, by);
        }
        for domains in &source.domains {
            let domains = &mut self.domains[*domains as usize];
            let value = domains.values.get(slot as usize).copied().unwrap_or(0);
            domains.add(value, by);
        }
    }

    /// The source of a key, counted if it is new.
    pub fn source(&mut self, key: SourceKey, look: Look<'_>) -> u32 {
        if let Some(id) = self.source_ids.get(&key) {
            return *id;
        }
        let id = self.sources.len() as u32;
        let members: Vec<u32> = match &key {
            SourceKey::Template(template) => {
                let base = self.base.get(*template as usize);
                let used = base.is_some_and(|base| base.used);
                used.then_some(*template).into_iter().collect()
            }
            SourceKey::Pods(matcher, _) => {
                self.reads_namespaces |= matcher.reads_namespaces();
                let templates = match matcher.value() {
                    Some(value) => {
                        let valued = valued(&mut self.values, &mut self.valued, value);
                        valued.sources.push(id);
                        &valued.templates
                    }
                    None => {
                        self.loose.push(id);
                        &self.used
                    }
                };
                let pods = |id: u32| look.store.template(TemplateId(id));
                let templates = templates.iter().copied();
                templates
                    .filter(|id| matcher.matches(pods(*id), look))
                    .collect()
            }
        };
        let mut nodes = Counts::default();
        for template in members {
            let template = template as usize;
            let base = &self.base[template];
            let mut add = |slot, count| nodes.add(slot, i32::try_from(count).unwrap_or(i32::MAX));
            base.live.for_each(&mut add);
            if !matches!(key, SourceKey::Pods(_, true)) {
                base.going.for_each(&mut add);
            }
            self.links[template].get_or_insert_default().push(id);
        }
        self.sources.push(Source {
            key: key.clone(),
            nodes,
            tallies: Vec::new(),
            domains: Vec::new(),
        });
        self.source_ids.insert(key, id);
        id
    }

    /// The column of a node label.
    pub fn column(&mut self, key: &str, nodes: Nodes<'_>) -> u32 {
        if let Some(id) = self.columns.iter().position(|column| &*column.key == key) {
            return id as u32;
        }
        let mut column = Column {
            key: key.into(),
            values: Vec::new(),
            names: FxHashMap::default(),
            by_place: Arc::default(),
            order: 0,
            holders: Vec::new(),
            on_all: false,
        };
        for slot in nodes.slots {
            column.read(*slot, nodes.facts.get(*slot));
        }
        self.columns.push(column);
        self.columns.len() as u32 - 1
    }

    /// The tally of a source by a column.
    pub fn tally(&mut self, source: u32, column: u32) -> u32 {
        if let Some(id) = self.tally_ids.get(&(source, column)) {
            return *id;
        }
        let id = self.tallies.len() as u32;
        let mut tally = Tally {
            source,
            column,
            counts: Vec::new(),
            total: 0,
        };
        let values = &self.columns[column as usize];
        let owner = &mut self.sources[source as usize];
        owner.nodes.for_each(|slot, count| {
            tally.add(values.at(slot), i32::try_from(count).unwrap_or(i32::MAX));
        });
        owner.tallies.push(id);
        self.tallies.push(tally);
        self.tally_ids.insert((source, column), id);
        id
    }

    /// Domains of a source by a column, for one rule.
    pub fn domains(
        &mut self,
        source: u32,
        column: u32,
        rule: Eligible,
        nodes: Nodes<'_>,
        look: Look<'_>,
    ) -> u32 {
        let owner = &self.sources[source as usize];
        let known = owner.domains.iter().find(|id| {
            let domains = &self.domains[**id as usize];
            domains.column == column && domains.rule == rule
        });
        if let Some(id) = known {
            return *id;
        }
        let id = self.domains.len() as u32;
        let mut domains = Domains {
            source,
            column,
            rule,
            values: Vec::new(),
            nodes: Vec::new(),
            counts: Vec::new(),
            histogram: SortedMap::new(),
            present: 0,
        };
        for slot in nodes.slots {
            let value = self.eligible_value(&domains, *slot, nodes.facts.get(*slot), look);
            domains.join(*slot, value, owner.nodes.get(*slot));
        }
        self.domains.push(domains);
        self.sources[source as usize].domains.push(id);
        id
    }

    fn eligible_value(
        &self,
        domains: &Domains,
        slot: u32,
        facts: &NodeFacts,
        look: Look<'_>,
    ) -> u32 {
        let rule = &domains.rule;
        if facts.id.is_none()
            || rule
                .columns
                .iter()
                .any(|column| self.columns[*column as usize].at(slot) == 0)
        {
            return 0;
        }
        if rule.honor_affinity || rule.honor_taints {
            let template = look.store.template(rule.template);
            let excluded = rule.honor_affinity
                && !affinity::allowed(&template.spec, &facts.text, &facts.labels)
                || rule.honor_taints && !taints::tolerated(&facts.taints, &template.tolerations);
            if excluded {
                return 0;
            }
        }
        self.columns[domains.column as usize].at(slot)
    }

    /// A node came, changed or went.
    pub fn node_changed(&mut self, slot: u32, facts: &NodeFacts, look: Look<'_>) {
        if !self.built {
            return;
        }
        let mut moved = Vec::new();
        for (id, column) in self.columns.iter_mut().enumerate() {
            let before = column.at(slot);
            column.read(slot, facts);
            if column.at(slot) != before {
                moved.push((id as u32, before, column.at(slot)));
            }
        }
        for (column, before, after) in moved {
            for tally in self
                .tallies
                .iter_mut()
                .filter(|tally| tally.column == column)
            {
                let count = self.sources[tally.source as usize].nodes.get(slot);
                let count = i32::try_from(count).unwrap_or(i32::MAX);
                tally.add(before, -count);
                tally.add(after, count);
            }
        }
        for index in 0..self.domains.len() {
            let value = self.eligible_value(&self.domains[index], slot, facts, look);
            let count = self.sources[self.domains[index].source as usize]
                .nodes
                .get(slot);
            let domains = &mut self.domains[index];
            if domains.values.get(slot as usize).copied().unwrap_or(0) != value {
                domains.part(slot, count);
                domains.join(slot, value, count);
            }
        }
    }

    /// Takes out the plan of a template.
    pub fn take_plan(&mut self, template: TemplateId) -> Option<Box<Plan>> {
        self.plans.get_mut(template.0 as usize)?.take()
    }

    /// Puts a plan back.
    pub fn keep_plan(&mut self, template: TemplateId, plan: Box<Plan>) {
        let index = template.0 as usize;
        if index >= self.plans.len() {
            self.plans.resize(index + 1, None);
        }
        self.plans[index] = Some(plan);
    }

    /// Counts a template of which no plan was made before.
    pub const fn count_plan(&mut self) {
        self.planned += 1;
    }

    /// Whether there are so many plans that it is better to start anew.
    pub const fn is_full(&self) -> bool {
        self.planned >= PLANS_MAX
    }

    /// Templates with terms about other pods, from the given one on.
    pub fn affine_from(&self, from: usize) -> &[u32] {
        self.affine.get(from..).unwrap_or_default()
    }

    /// How many different values a column has had.
    pub fn different(&self, column: u32) -> u32 {
        self.columns[column as usize].names.len() as u32
    }

    /// Lays a column out in the order of search.
    pub fn arrange(&mut self, column: u32, tree: &NodeTree) {
        self.columns[column as usize].arrange(tree);
    }

    /// Values of a column by place, as they were last laid out.
    pub fn by_place(&self, column: u32) -> &Arc<Vec<u32>> {
        &self.columns[column as usize].by_place
    }

    /// The nodes that have a value, one bit each, by place, for each of a column's values, [`HOLDERS_MAX`]
    /// at most; nothing where there are more.
    pub fn holders(&self, column: u32) -> &[Vec<u64>] {
        &self.columns[column as usize].holders
    }

    /// Whether every node has the label of a column.
    pub fn is_on_all(&self, column: u32) -> bool {
        self.columns[column as usize].on_all
    }

    /// Pods of a source by node.
    pub fn counts(&self, source: u32) -> &Counts {
        &self.sources[source as usize].nodes
    }

    /// Value of a node in a column; 0: none.
    pub fn value(&self, column: u32, slot: u32) -> u32 {
        self.columns[column as usize].at(slot)
    }

    /// Pods of a source on a node.
    pub fn on_node(&self, source: u32, slot: u32) -> u32 {
        self.sources[source as usize].nodes.get(slot)
    }

    /// Pods of a tally in the domain of a node.
    pub fn near(&self, tally: u32, slot: u32) -> u32 {
        let tally = &self.tallies[tally as usize];
        tally.get(self.columns[tally.column as usize].at(slot))
    }

    /// Pods of a tally in the domain of a value.
    pub fn in_domain(&self, tally: u32, value: u32) -> u32 {
        self.tallies[tally as usize].get(value)
    }

    /// Whether a node has the label of a tally.
    pub fn has_label(&self, tally: u32, slot: u32) -> bool {
        let column = self.tallies[tally as usize].column;
        self.columns[column as usize].at(slot) != 0
    }

    /// Pods of a tally on nodes that have its label.
    pub fn total(&self, tally: u32) -> u64 {
        self.tallies[tally as usize].total
    }

    /// Pods in the domain of a value.
    pub fn eligible_in(&self, domains: u32, value: u32) -> u32 {
        let counts = &self.domains[domains as usize].counts;
        counts.get(value as usize).copied().unwrap_or(0)
    }

    /// Pods in the emptiest domain; 0 if there are fewer domains than this.
    pub fn emptiest(&self, domains: u32, min_domains: u32) -> u32 {
        let domains = &self.domains[domains as usize];
        if domains.present < min_domains {
            return 0;
        }
        domains
            .histogram
            .first_key_value()
            .map_or(0, |(count, _)| *count)
    }
}

impl Tally {
    fn get(&self, value: u32) -> u32 {
        self.counts.get(value as usize).copied().unwrap_or(0)
    }

    fn add(&mut self, value: u32, by: i32) {
        if value == 0 || by == 0 {
            return;
        }
        let index = value as usize;
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] = self.counts[index].saturating_add_signed(by);
        self.total = self.total.saturating_add_signed(by.into());
    }
}

impl Domains {
    fn add(&mut self, value: u32, by: i32) {
        if value == 0 || by == 0 {
            return;
        }
        let index = value as usize;
        let before = self.counts[index];
        self.counts[index] = before.saturating_add_signed(by);
        let after = self.counts[index];
        if self.nodes[index] > 0 && before != after {
            self.unlist(before);
            *self.histogram.entry(after).or_insert(0) += 1;
        }
    }

    fn unlist(&mut self, count: u32) {
        if let Some(domains) = self.histogram.get_mut(&count) {
            *domains -= 1;
            if *domains == 0 {
                self.histogram.remove(&count);
            }
        }
    }

    /// A node becomes part of a domain, with its pods.
    fn join(&mut self, slot: u32, value: u32, pods: u32) {
        let index = slot as usize;
        if index >= self.values.len() {
            self.values.resize(index + 1, 0);
        }
        self.values[index] = value;
        if value == 0 {
            return;
        }
        let index = value as usize;
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
            self.nodes.resize(index + 1, 0);
        }
        self.nodes[index] += 1;
        if self.nodes[index] == 1 {
            self.present += 1;
            *self.histogram.entry(self.counts[index]).or_insert(0) += 1;
        }
        self.add(value, i32::try_from(pods).unwrap_or(i32::MAX));
    }

    /// A node leaves its domain, with its pods.
    fn part(&mut self, slot: u32, pods: u32) {
        let value = self.values.get(slot as usize).copied().unwrap_or(0);
        if value == 0 {
            return;
        }
        self.add(value, -i32::try_from(pods).unwrap_or(i32::MAX));
        self.values[slot as usize] = 0;
        let index = value as usize;
        self.nodes[index] -= 1;
        if self.nodes[index] == 0 {
            self.present -= 1;
            self.unlist(self.counts[index]);
        }
    }
}

/// What has a label of that value.
fn valued<'a>(
    values: &mut FxHashMap<Arc<str>, u32>,
    all: &'a mut Vec<Valued>,
    value: &Arc<str>,
) -> &'a mut Valued {
    let next = all.len() as u32;
    let place = *values.entry(value.clone()).or_insert(next);
    if place == next {
        all.push(Valued::default());
    }
    &mut all[place as usize]
}

/// A source of the pods that one term means.
pub fn pods_of(term: Term, live: bool) -> SourceKey {
    SourceKey::Pods(PodMatcher(vec![term]), live)
}
