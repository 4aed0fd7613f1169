//! Unpacks what `www/pack` has packed, as it arrives. A program of its own, because the application and
//! the worker are packed themselves.

use lzma_rust2::{Action, LzmaStream, Status};
use wasm_bindgen::prelude::wasm_bindgen;

/// Memory that one file may need to be unpacked, in KiB: its dictionary is as large as what it becomes
/// and what came before it.
const MAX_KIB: u32 = 96 << 10;
/// Bytes by which the output grows.
const STEP: usize = 64 << 10;

fn main() {}

/// Unpacks one file.
#[wasm_bindgen]
pub struct Unpacker {
    stream: LzmaStream,
}

#[wasm_bindgen]
impl Unpacker {
    /// For a file that was packed after `before`: the same bytes, or none.
    #[wasm_bindgen(constructor)]
    pub fn new(before: &[u8]) -> Unpacker {
        let before = (!before.is_empty()).then_some(before);
        let stream = LzmaStream::new_mem_limit(MAX_KIB, before);
        Unpacker { stream }
    }

    /// What the next bytes of the file unpack to; none: they are damaged.
    pub fn push(&mut self, packed: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut taken = 0;
        loop {
            let filled = bytes.len();
            bytes.resize(filled + STEP, 0);
            let action = Action::Run;
            let done = self
                .stream
                .process(&packed[taken..], &mut bytes[filled..], action)
                .ok()?;
            bytes.truncate(filled + done.bytes_produced);
            taken += done.bytes_consumed;
            // An output that was filled may be followed by more of the same input.
            let more = done.bytes_produced == STEP || taken < packed.len();
            if done.status == Status::StreamEnd || !more {
                return Some(bytes);
            }
        }
    }

    /// Whether the whole file has been unpacked.
    #[wasm_bindgen(getter)]
    pub fn finished(&self) -> bool {
        self.stream.is_finished()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(seed: u32) -> Vec<u8> {
        let number = |at: u32| (at.wrapping_mul(at).wrapping_add(seed) >> 7) as u8;
        (0..200_000).map(number).collect()
    }

    fn unpacked(packed: &[u8], before: &[u8], step: usize) -> Option<Vec<u8>> {
        let mut unpacker = Unpacker::new(before);
        let mut bytes = Vec::new();
        for part in packed.chunks(step) {
            bytes.extend(unpacker.push(part)?);
        }
        unpacker.finished().then_some(bytes)
    }

    #[test]
    fn what_is_packed_is_unpacked_in_any_steps() {
        let bytes = file(1);
        let packed = pack::pack(&bytes, &[]).expect("memory takes all");
        assert!(packed.len() < bytes.len());
        for step in [1, 7, 1_000, 1 << 20] {
            assert_eq!(
                unpacked(&packed, &[], step).as_ref(),
                Some(&bytes),
                "{step}"
            );
        }
    }

    #[test]
    fn what_came_before_makes_a_file_smaller_and_is_needed() {
        let (before, mut bytes) = (file(1), file(1));
        bytes.extend(file(2));
        let alone = pack::pack(&bytes, &[]).expect("memory takes all");
        let packed = pack::pack(&bytes, &before).expect("memory takes all");
        assert!(packed.len() < alone.len());
        assert_eq!(unpacked(&packed, &before, 4_096), Some(bytes.clone()));
        assert_ne!(unpacked(&packed, &[], 4_096), Some(bytes));
    }

    #[test]
    fn damaged_and_cut_files_are_told() {
        let packed = pack::pack(&file(1), &[]).expect("memory takes all");
        assert_eq!(unpacked(&packed[..packed.len() - 9], &[], 512), None);
        let mut header = packed.clone();
        header[0] = 255;
        assert_eq!(unpacked(&header, &[], 512), None);
        // A dictionary of 4 GiB.
        let mut huge = packed;
        huge[1..5].fill(255);
        assert_eq!(unpacked(&huge, &[], 512), None);
    }
}
