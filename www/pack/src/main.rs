//! `pack IN OUT [BEFORE…]`: packs a file of the page as it is unpacked there (`www/unpack`), for a page
//! that has the files BEFORE already.

use std::fs;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, before @ ..] = arguments.as_slice() else {
        eprintln!("usage: pack IN OUT [BEFORE…]");
        return ExitCode::from(2);
    };
    match run(from, to, before) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("pack: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(from: &str, to: &str, before: &[String]) -> Result<(), String> {
    let read = |path: &String| fs::read(path).map_err(|error| format!("{path}: {error}"));
    let before = before.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let bytes = read(&from.to_string())?;
    let packed =
        pack::pack(&bytes, &before.concat()).map_err(|error| format!("{from}: {error}"))?;
    fs::write(to, packed).map_err(|error| format!("{to}: {error}"))
}
