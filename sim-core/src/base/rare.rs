//! Values that nearly all of their owners have none of.

use std::ops::Deref;

/// What a [`Rare`] reads as before it is written.
pub trait Nothing: Default + 'static {
    /// The default, where it can be pointed at.
    const NOTHING: &'static Self;
}

/// Eight bytes in a row that is kept by the hundred thousand, for what few of these rows have: reads
/// as the default until it is written.
#[derive(Clone, Debug, Default)]
pub struct Rare<T>(Option<Box<T>>);

impl<T: Nothing> Rare<T> {
    /// The value, for writing.
    pub fn write(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }

    /// The value, for taking something back: none where nothing was ever written.
    pub fn written(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// Back to the default.
    pub fn clear(&mut self) {
        self.0 = None;
    }
}

impl<T: Nothing> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::NOTHING)
    }
}

impl<T: Nothing + PartialEq> PartialEq for Rare<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Nothing + Eq> Eq for Rare<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    struct Few {
        number: u32,
    }

    impl Nothing for Few {
        const NOTHING: &'static Self = &Self { number: 0 };
    }

    #[test]
    fn it_reads_as_nothing_until_it_is_written() {
        let mut rare: Rare<Few> = Rare::default();
        assert!(rare.number == 0 && rare.written().is_none());
        rare.write().number = 3;
        assert_eq!(rare.number, 3);
        rare.write().number = 0;
        assert_eq!(rare, Rare::default());
        rare.clear();
        assert!(rare.written().is_none());
        assert_eq!(size_of::<Rare<Few>>(), 8);
    }
}
