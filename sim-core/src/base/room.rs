//! Room for a run that grows.
//!
//! The standard library's allocator asks WebAssembly's host for more memory 64 KiB at a time, and the
//! host looks for garbage at many of those calls: a fourth of the time of a large run went there.

/// Looks whether the program has outgrown the room that was set aside, and sets more aside: an eighth of
/// what it has. To be called now and then while a run goes on. Natively the allocator sees to that itself.
#[cfg(not(target_arch = "wasm32"))]
pub fn keep() {}

/// Looks whether the program has outgrown the room that was set aside, and sets more aside: an eighth of
/// what it has. To be called now and then while a run goes on.
#[cfg(target_arch = "wasm32")]
pub fn keep() {
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Size of the memory after the last time, in pages of 64 KiB.
    static SET_ASIDE: AtomicUsize = AtomicUsize::new(0);
    const PAGE: usize = 65_536;
    /// Steps are small anyway while the memory is.
    const LEAST: usize = 16 << 20;

    let pages = core::arch::wasm32::memory_size::<0>();
    if pages <= SET_ASIDE.load(Ordering::Relaxed) {
        return;
    }
    if pages * PAGE >= LEAST {
        // What is freed at the memory's end is kept by the allocator for what comes next. A host that
        // has no more is no error here: the run may do with what it has.
        let mut block: Vec<u8> = Vec::new();
        if block.try_reserve_exact(pages * PAGE / 8).is_ok() {
            std::hint::black_box(block.as_mut_ptr());
        }
    }
    SET_ASIDE.store(core::arch::wasm32::memory_size::<0>(), Ordering::Relaxed);
}
