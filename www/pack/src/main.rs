//! `pack IN OUT`: packs a file as the page's worker unpacks it (`app::link::unpack`).
//!
//! Hosts compress with gzip, which looks back 32 KiB; LZMA looks back over a whole part of the worker
//! and needs a fifth less.

use std::fs;
use std::io::Write;
use std::process::ExitCode;

use lzma_rust2::{LzmaOptions, LzmaWriter};

/// The slowest preset of LZMA: what is packed once is sent many times.
const PRESET: u32 = 9;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        eprintln!("usage: pack IN OUT");
        return ExitCode::from(2);
    };
    let packed = fs::read(from).and_then(|bytes| pack(&bytes));
    match packed.and_then(|bytes| fs::write(to, bytes)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pack: {from}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn pack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut options = LzmaOptions::with_preset(PRESET);
    // Instructions begin at any byte. Measured: a KiB of a part of 2.6 MB.
    options.pb = 0;
    let size = bytes.len() as u64;
    let mut writer = LzmaWriter::new_use_header(Vec::new(), &options, Some(size))?;
    writer.write_all(bytes)?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let bytes: Vec<u8> = (0..200_000_u32)
            .map(|at| (at.wrapping_mul(at) >> 7) as u8)
            .collect();
        let packed = pack(&bytes).expect("memory takes all");
        assert!(packed.len() < bytes.len());
        let mut again = Vec::new();
        lzma_rust2::LzmaReader::new_mem_limit(packed.as_slice(), u32::MAX, None)
            .and_then(|mut reader| reader.read_to_end(&mut again))
            .expect("it was just packed");
        assert!(again == bytes);
    }
}
