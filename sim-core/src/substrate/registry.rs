//! Images and where they come from.
//!
//! A pull takes a round trip for token and manifests, then the transfer of the compressed layers,
//! which a machine does one after another. Pulls of one image on one machine share, and a layer that
//! the machine has, or is getting for another image, is not transferred again. A disk that is full
//! fails the pull at its end.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::base::arrange::Arrange;
use crate::base::hash::FxHashMap;
use crate::base::id::Id;
use crate::base::sorted::SortedMap;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::{SimDuration, SimTime};

use super::catalogue;
use super::catalogue::platform::{self, Platform};
use super::image::ImageRef;
use super::layer::{self, Layer};
use super::order::{MachineId, Owner, PullError, PullPolicy, Upcall};
use super::program::Program;
use super::{Event, Scope, Substrate};

/// Token, index, manifest and configuration: a few requests over the open net. Our own figure.
pub const REGISTRY_ROUND_TRIP: SimDuration = SimDuration::from_millis(400);

/// Transfer and unpacking of compressed layers, in bytes per second. Our own figure: what makes a
/// pull of nginx (72 MB) take the three seconds that kubelets in clouds commonly report.
pub const PULL_BYTES_PER_SECOND: u64 = 25_000_000;

/// Names a pull.
pub type PullId = Id<Pull>;

/// One image being pulled to one machine.
#[derive(Clone, Debug)]
pub struct Pull {
    machine: MachineId,
    image: u32,
    /// Who waits, each with the reference as it wrote it.
    waiters: SmallVec<[(Owner, Symbol); 2]>,
}

/// An image that somebody has named.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its reference; none if what was written is not a valid one.
    pub reference: Option<ImageRef>,
    /// What its process does.
    pub program: Arc<Program>,
    /// Whether there is such a tag, as far as the catalogue knows.
    pub has_tag: bool,
    /// Its layers by number, the lowest first.
    pub layers: Arc<[u32]>,
    /// Processes that its first one starts.
    pub workers: catalogue::Workers,
}

/// All images that have been named, and what scenarios declare about images.
#[derive(Clone, Debug, Default)]
pub struct Images {
    rows: Vec<Image>,
    layers: Vec<Layer>,
    by_layer: FxHashMap<String, u32>,
    by_text: FxHashMap<Symbol, u32>,
    by_canonical: FxHashMap<String, u32>,
    declared: SortedMap<String, Arc<Program>>,
}

impl Images {
    /// The image's number; a new one is looked up in what scenarios declare, then the catalogue.
    fn number(&mut self, text: Symbol, symbols: &Symbols) -> u32 {
        if let Some(number) = self.by_text.get(&text) {
            return *number;
        }
        let written = symbols.text(text);
        let reference = ImageRef::parse(written);
        let key = reference
            .as_ref()
            .map_or_else(|| format!("!{written}"), ImageRef::canonical);
        let number = match self.by_canonical.get(&key) {
            Some(number) => *number,
            None => {
                let number =
                    u32::try_from(self.rows.len()).expect("references are bounded by input");
                self.by_canonical.insert(key, number);
                let image = self.look_up(reference);
                let image = self.with_layers(image);
                self.rows.push(image);
                number
            }
        };
        self.by_text.insert(text, number);
        number
    }

    /// What is known of a reference, but for its layers.
    fn look_up(&self, reference: Option<ImageRef>) -> Image {
        let declared = reference
            .as_ref()
            .and_then(|reference| self.declared.get(&reference.repository()));
        let program = match (declared, &reference) {
            (Some(program), _) => program.clone(),
            (None, Some(reference)) => Arc::new(catalogue::program(reference)),
            (None, None) => Arc::new(catalogue::stranger(false)),
        };
        let has_tag = reference
            .as_ref()
            .is_some_and(|reference| match &reference.tag {
                Some(tag) if reference.digest.is_none() => catalogue::has_tag(program.tags, tag),
                Some(_) | None => true,
            });
        let workers = reference
            .as_ref()
            .map_or(catalogue::NO_WORKERS, |reference| {
                catalogue::workers(&reference.repository())
            });
        Image {
            reference,
            program,
            has_tag,
            workers,
            layers: Arc::from([]),
        }
    }

    /// An image with its layers, which are kept once each.
    fn with_layers(&mut self, image: Image) -> Image {
        let layers = image
            .reference
            .as_ref()
            .map(|reference| layer::layers(reference, &image.program))
            .unwrap_or_default();
        Image {
            layers: layers
                .into_iter()
                .map(|layer| self.layer_number(layer))
                .collect(),
            ..image
        }
    }

    /// The number of a layer; equal ones share it.
    fn layer_number(&mut self, layer: Layer) -> u32 {
        let key = format!("{} {}", layer.key, layer.bytes);
        if let Some(number) = self.by_layer.get(&key) {
            return *number;
        }
        let number = u32::try_from(self.layers.len()).expect("a few for each reference");
        self.by_layer.insert(key, number);
        self.layers.push(layer);
        number
    }
}

impl Substrate {
    /// What the registry tells a client about an image without pulling it: its platform, if it is
    /// made for one only.
    ///
    /// # Errors
    /// Why the registry does not tell.
    pub fn inspect_distribution(&self, text: &str) -> Result<Option<Platform>, PullError> {
        let reference = ImageRef::parse(text).ok_or(PullError::InvalidName)?;
        if let Some(error) = self.pull_objection(&reference) {
            return Err(error);
        }
        let platform = platform::platform(&reference);
        let image = self.images.look_up(Some(reference));
        if !image.program.exists {
            return Err(PullError::Denied);
        }
        if !image.has_tag {
            return Err(PullError::ManifestUnknown);
        }
        Ok(platform)
    }

    /// Declares what the images of a repository do, over what the catalogue says. Containers that
    /// run keep what they have. False if `repository` is not a valid reference.
    pub fn set_program(&mut self, repository: &str, program: Program) -> bool {
        let Some(reference) = ImageRef::parse(repository) else {
            return false;
        };
        let images = Arc::make_mut(&mut self.images);
        images
            .declared
            .insert(reference.repository(), Arc::new(program));
        for number in 0..images.rows.len() {
            let reference = images.rows[number].reference.clone();
            let image = images.look_up(reference);
            images.rows[number] = images.with_layers(image);
        }
        self.behaviours = Arc::default();
        let machines: Vec<MachineId> = self.machines().map(|(id, _)| id).collect();
        for machine in machines {
            self.images_changed(machine);
        }
        true
    }

    /// What an image's process does, as far as it is known now.
    pub fn image(&mut self, text: Symbol, symbols: &Symbols) -> &Image {
        let number = self.image_number(text, symbols);
        &self.images.rows[number as usize]
    }

    /// Images that a machine has, in the order in which they were first named anywhere.
    pub fn images_on(&self, machine: MachineId) -> impl Iterator<Item = &Image> {
        let present = self.machines.get(machine).map(|row| &row.images);
        self.images
            .rows
            .iter()
            .zip(0..)
            .filter(move |(_, number)| present.is_some_and(|present| present.contains(*number)))
            .map(|(image, _)| image)
    }

    /// Images that a machine has, each with the time at which it came.
    pub fn images_since(&self, machine: MachineId) -> impl Iterator<Item = (&Image, SimTime)> {
        let row = self.machines.get(machine);
        self.images
            .rows
            .iter()
            .zip(0..)
            .filter(move |(_, number)| row.is_some_and(|row| row.images.contains(*number)))
            .map(move |(image, number)| {
                let since = row.and_then(|row| row.images_since.get(&number));
                (image, since.copied().unwrap_or(SimTime::ZERO))
            })
    }

    /// Adds an image to a machine, or takes it away, without a registry.
    #[inline(never)]
    pub(super) fn keep_image(
        &mut self,
        machine: MachineId,
        text: Symbol,
        present: bool,
        scope: &Scope<'_>,
    ) {
        let number = self.image_number(text, scope.symbols);
        if let Some(row) = self.machines.get_mut(machine) {
            if present {
                row.images.insert(number);
                Arc::make_mut(&mut row.images_since)
                    .entry(number)
                    .or_insert(scope.now);
            } else {
                row.images.remove(number);
                Arc::make_mut(&mut row.images_since).remove(&number);
            }
        }
        self.images_changed(machine);
    }

    /// Whether a machine has an image, however its reference is written.
    pub fn has_image(&self, machine: MachineId, text: &str, symbols: &Symbols) -> bool {
        match symbols.get(text) {
            Some(text) => self.has_image_as(machine, text, symbols),
            None => self.holds(machine, self.number_by_meaning(text)),
        }
    }

    /// The same of a reference that is written so.
    pub fn has_image_as(&self, machine: MachineId, text: Symbol, symbols: &Symbols) -> bool {
        let known = self.images.by_text.get(&text).copied();
        let number = known.or_else(|| self.number_by_meaning(symbols.text(text)));
        self.holds(machine, number)
    }

    /// Whether what is written is a valid reference.
    pub fn is_reference(&self, text: Symbol, symbols: &Symbols) -> bool {
        match self.image_named(text) {
            Some(image) => image.reference.is_some(),
            None => ImageRef::parse(symbols.text(text)).is_some(),
        }
    }

    /// The number of an image that may have been written in another way so far.
    fn number_by_meaning(&self, text: &str) -> Option<u32> {
        let reference = ImageRef::parse(text)?;
        let images = &self.images;
        images.by_canonical.get(&reference.canonical()).copied()
    }

    fn holds(&self, machine: MachineId, number: Option<u32>) -> bool {
        let present = self.machines.get(machine).map(|row| &row.images);
        number
            .zip(present)
            .is_some_and(|(number, present)| present.contains(number))
    }

    pub(super) fn image_number(&mut self, text: Symbol, symbols: &Symbols) -> u32 {
        match self.images.by_text.get(&text) {
            Some(number) => *number,
            None => Arc::make_mut(&mut self.images).number(text, symbols),
        }
    }

    /// What is known of an image, without noting that somebody asked.
    pub(super) fn known_program(&self, text: Symbol, symbols: &Symbols) -> Arc<Program> {
        let images = &self.images;
        match images.by_text.get(&text) {
            Some(number) => images.rows[*number as usize].program.clone(),
            None => images.look_up(ImageRef::parse(symbols.text(text))).program,
        }
    }

    pub(super) fn program_of(&mut self, text: Symbol, symbols: &Symbols) -> Arc<Program> {
        let number = self.image_number(text, symbols);
        self.images.rows[number as usize].program.clone()
    }

    #[inline(never)]
    pub(super) fn pull(
        &mut self,
        owner: Owner,
        machine: MachineId,
        text: Symbol,
        policy: PullPolicy,
        scope: &mut Scope<'_>,
    ) {
        if !self.is_on(machine) {
            return;
        }
        let number = self.image_number(text, scope.symbols);
        let present = self.machines[machine].images.contains(number);
        let fail = |error| Upcall::PullFailed {
            owner,
            image: text,
            error,
        };
        if self.images.rows[number as usize].reference.is_none() {
            scope.out.order(fail(PullError::InvalidName));
            return;
        }
        match (policy, present) {
            (PullPolicy::Never | PullPolicy::IfNotPresent, true) => {
                scope.out.order(Upcall::Pulled { owner, image: text });
                return;
            }
            (PullPolicy::Never, false) => {
                scope.out.order(fail(PullError::NotPresent));
                return;
            }
            (PullPolicy::Always, _) | (PullPolicy::IfNotPresent, false) => {}
        }
        for index in 0..self.machines[machine].pulls.len() {
            let id = self.machines[machine].pulls[index];
            let pull = &mut self.pulls[id];
            if pull.image == number {
                pull.waiters.push((owner, text));
                return;
            }
        }
        let mut span = self.registry_round_trip(machine);
        if !present && self.objection(machine, number).is_none() {
            span = self.transfer(machine, number, scope);
        }
        let waiters = SmallVec::from_slice(&[(owner, text)]);
        let pull = self.pulls.insert(Pull {
            machine,
            image: number,
            waiters,
        });
        self.machines[machine].pulls.push(pull);
        scope.out.after(span, Event::Pull { pull });
    }

    /// Time until a registry has said what an image consists of: two connections with TLS, and a
    /// token, an index, a manifest and a configuration.
    fn registry_round_trip(&self, machine: MachineId) -> SimDuration {
        const ROUND_TRIPS: u64 = 8;
        let way = self.wire(Some(machine), None).delay + self.wire(None, Some(machine)).delay;
        REGISTRY_ROUND_TRIP + way * ROUND_TRIPS
    }

    /// Time until the layers that an image lacks on a machine are there. Layers that come for
    /// another image, too, are waited for: transfers of one machine end in the order in which they
    /// began.
    fn transfer(&mut self, machine: MachineId, number: u32, scope: &Scope<'_>) -> SimDuration {
        let mut there = self.layers_on(machine);
        let coming: Vec<u32> = self.machines[machine]
            .pulls
            .iter()
            .map(|pull| self.pulls[*pull].image)
            .collect();
        let mut waits = false;
        for layer in &*self.images.rows[number as usize].layers {
            let shared = |other: &u32| self.images.rows[*other as usize].layers.contains(layer);
            if !there.contains(layer) && coming.iter().any(shared) {
                waits = true;
                there.push(*layer);
            }
        }
        let (mut bytes, mut unpacked, mut layers) = (0, 0, 0);
        for layer in &*self.images.rows[number as usize].layers {
            if !there.contains(layer) {
                let layer = &self.images.layers[*layer as usize];
                bytes += layer.bytes;
                unpacked += layer.unpacked();
                layers += 1;
            }
        }
        let line = self
            .wire(None, Some(machine))
            .throughput(self.wire(Some(machine), None));
        let rate = self.pull_rate().unwrap_or(PULL_BYTES_PER_SECOND);
        let rate = rate.min(line).max(1);
        // What comes is unpacked as it comes.
        let transfer = SimDuration::from_secs(1)
            .scaled(bytes, rate)
            .max(self.unpack_time(machine, unpacked, layers));
        let round_trip = self.registry_round_trip(machine);
        let asked = scope.now + round_trip;
        let row = &mut self.machines[machine];
        if bytes == 0 && !waits {
            return round_trip;
        }
        row.downlink_free = row.downlink_free.max(asked) + transfer;
        row.downlink_free.since(scope.now)
    }

    /// Numbers of the layers that a machine's images are made of, each once.
    fn layers_on(&self, machine: MachineId) -> Vec<u32> {
        let mut all: Vec<u32> = self
            .images_on(machine)
            .flat_map(|image| image.layers.iter().copied())
            .collect();
        all.arrange();
        all.dedup();
        all
    }

    /// A machine's images, or their layers, are others than before.
    fn images_changed(&mut self, machine: MachineId) {
        let bytes = self
            .layers_on(machine)
            .into_iter()
            .map(|layer| self.images.layers[layer as usize].unpacked())
            .sum();
        if let Some(row) = self.machines.get_mut(machine) {
            row.images_bytes = bytes;
        }
    }

    /// Layers of an image, the lowest first, each with the number of the machine's images that are
    /// made of it.
    pub fn image_layers(&self, machine: MachineId, image: &Image) -> Vec<(&Layer, usize)> {
        image
            .layers
            .iter()
            .map(|layer| {
                let uses = self
                    .images_on(machine)
                    .filter(|other| other.layers.contains(layer))
                    .count();
                (&self.images.layers[*layer as usize], uses)
            })
            .collect()
    }

    /// Bytes of an image on disk, shared layers included.
    pub fn image_bytes(&self, image: &Image) -> u64 {
        image
            .layers
            .iter()
            .map(|layer| self.images.layers[*layer as usize].unpacked())
            .sum()
    }

    /// Bytes of an image's layers as registries have them, compressed.
    pub fn image_content(&self, image: &Image) -> u64 {
        let layers = image.layers.iter();
        layers
            .map(|layer| self.images.layers[*layer as usize].bytes)
            .sum()
    }

    /// An image by its reference as somebody wrote it; none: nobody has named it yet.
    pub fn image_named(&self, text: Symbol) -> Option<&Image> {
        let number = self.images.by_text.get(&text)?;
        self.images.rows.get(*number as usize)
    }

    /// Bytes that an image would add to a machine's disk.
    fn image_needs(&self, machine: MachineId, number: u32) -> u64 {
        let there = self.layers_on(machine);
        self.images.rows[number as usize]
            .layers
            .iter()
            .filter(|layer| !there.contains(layer))
            .map(|layer| self.images.layers[*layer as usize].unpacked())
            .sum()
    }

    /// The pull is over, one way or the other.
    pub(super) fn pull_ends(&mut self, id: PullId, scope: &mut Scope<'_>) {
        let Some(pull) = self.pulls.remove(id) else {
            return;
        };
        let mut error = self.objection(pull.machine, pull.image);
        let present = self.machines[pull.machine].images.contains(pull.image);
        if error.is_none()
            && !present
            && self.image_needs(pull.machine, pull.image) > self.disk_free(pull.machine, scope.now)
        {
            error = Some(PullError::NoSpace);
        }
        let row = &mut self.machines[pull.machine];
        row.pulls.retain(|other| *other != id);
        if error.is_none() {
            row.images.insert(pull.image);
            if !present {
                Arc::make_mut(&mut row.images_since).insert(pull.image, scope.now);
                self.images_changed(pull.machine);
            }
        }
        for (owner, image) in pull.waiters {
            scope.out.order(match error {
                Some(error) => Upcall::PullFailed {
                    owner,
                    image,
                    error,
                },
                None => Upcall::Pulled { owner, image },
            });
        }
    }

    /// Why the image cannot be had now: fault rules first, then what the registry holds.
    fn objection(&self, machine: MachineId, number: u32) -> Option<PullError> {
        let image = &self.images.rows[number as usize];
        let Some(reference) = &image.reference else {
            return Some(PullError::InvalidName);
        };
        if let Some(error) = self.pull_objection(reference) {
            return Some(error);
        }
        let (there, back) = (
            self.wire(Some(machine), None),
            self.wire(None, Some(machine)),
        );
        if !there.connects(back) {
            return Some(PullError::RegistryDown);
        }
        if !image.program.exists {
            return Some(PullError::Denied);
        }
        (!image.has_tag).then_some(PullError::ManifestUnknown)
    }
}
