//! Amounts of what machines have and workloads ask for.

use smallvec::SmallVec;

use crate::base::symbol::Symbol;

/// An amount of every resource. May be negative as a difference.
#[derive(Clone, Debug, Default)]
pub struct ResourceVector {
    /// CPU in thousandths of a core.
    pub milli_cpu: i64,
    /// Memory in bytes.
    pub memory: i64,
    /// Local scratch storage in bytes.
    pub ephemeral_storage: i64,
    /// Number of workload instances (Kubernetes counts pods).
    pub pods: i64,
    /// Others (GPUs, huge pages), by name, in the order they were first added.
    pub extended: SmallVec<[(Symbol, i64); 2]>,
}

impl ResourceVector {
    /// Nothing of anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// The amount of an extended resource; zero when it is not listed.
    pub fn extended(&self, name: Symbol) -> i64 {
        self.extended
            .iter()
            .find(|(other, _)| *other == name)
            .map_or(0, |(_, amount)| *amount)
    }

    /// Sets the amount of an extended resource.
    pub fn set_extended(&mut self, name: Symbol, amount: i64) {
        *self.extended_mut(name) = amount;
    }

    /// Adds `other`, stopping at the ends of the number range.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, i64::saturating_add);
    }

    /// Takes `other` away, stopping at the ends of the number range.
    pub fn sub(&mut self, other: &Self) {
        self.combine(other, i64::saturating_sub);
    }

    /// Raises every amount to that of `other` where `other` has more.
    pub fn max_with(&mut self, other: &Self) {
        self.combine(other, i64::max);
    }

    /// Whether `request` fits into this. Asking for nothing of a resource always fits, even where
    /// it is overcommitted.
    pub fn fits(&self, request: &Self) -> bool {
        let fits = |free: i64, asked: i64| asked <= 0 || asked <= free;
        fits(self.milli_cpu, request.milli_cpu)
            && fits(self.memory, request.memory)
            && fits(self.ephemeral_storage, request.ephemeral_storage)
            && fits(self.pods, request.pods)
            && request
                .extended
                .iter()
                .all(|(name, asked)| fits(self.extended(*name), *asked))
    }

    /// Whether every amount is zero.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    fn extended_mut(&mut self, name: Symbol) -> &mut i64 {
        let position = match self.extended.iter().position(|(other, _)| *other == name) {
            Some(position) => position,
            None => {
                self.extended.push((name, 0));
                self.extended.len() - 1
            }
        };
        &mut self.extended[position].1
    }

    fn combine(&mut self, other: &Self, operation: fn(i64, i64) -> i64) {
        self.milli_cpu = operation(self.milli_cpu, other.milli_cpu);
        self.memory = operation(self.memory, other.memory);
        self.ephemeral_storage = operation(self.ephemeral_storage, other.ephemeral_storage);
        self.pods = operation(self.pods, other.pods);
        for (name, amount) in &other.extended {
            let mine = self.extended_mut(*name);
            *mine = operation(*mine, *amount);
        }
    }
}

impl PartialEq for ResourceVector {
    /// An extended resource that is not listed equals one of amount zero.
    fn eq(&self, other: &Self) -> bool {
        self.milli_cpu == other.milli_cpu
            && self.memory == other.memory
            && self.ephemeral_storage == other.ephemeral_storage
            && self.pods == other.pods
            && self
                .extended
                .iter()
                .all(|(name, amount)| other.extended(*name) == *amount)
            && other
                .extended
                .iter()
                .all(|(name, amount)| self.extended(*name) == *amount)
    }
}

impl Eq for ResourceVector {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::symbol::Symbols;

    #[test]
    fn asking_for_nothing_fits_even_where_too_much_is_used() {
        let gpu = Symbols::new().intern("nvidia.com/gpu");
        let mut free = ResourceVector {
            milli_cpu: -100,
            memory: 10,
            ..ResourceVector::new()
        };
        let mut request = ResourceVector {
            memory: 10,
            ..ResourceVector::new()
        };
        assert!(free.fits(&request));
        request.milli_cpu = 1;
        assert!(!free.fits(&request));
        request.milli_cpu = 0;
        request.set_extended(gpu, 1);
        assert!(!free.fits(&request));
        free.set_extended(gpu, 1);
        assert!(free.fits(&request));
    }

    #[test]
    fn what_is_added_and_taken_away_leaves_an_equal_amount() {
        let mut symbols = Symbols::new();
        let [gpu, pages] = ["gpu", "hugepages-2Mi"].map(|name| symbols.intern(name));
        let mut amount = ResourceVector {
            milli_cpu: 500,
            pods: 1,
            ..ResourceVector::new()
        };
        amount.set_extended(gpu, 2);
        let before = amount.clone();
        let mut other = ResourceVector {
            memory: 7,
            ephemeral_storage: 9,
            ..ResourceVector::new()
        };
        other.set_extended(pages, 4);
        amount.add(&other);
        assert_ne!(amount, before);
        assert_eq!((amount.extended(gpu), amount.extended(pages)), (2, 4));
        amount.sub(&other);
        assert_eq!(amount, before);
        amount.sub(&before);
        assert!(amount.is_zero());
    }
}
