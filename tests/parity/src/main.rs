//! `parity FILE…`: plays scenario files natively, one line of JSON for each.

use std::process::ExitCode;

fn main() -> ExitCode {
    for path in std::env::args().skip(1) {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                eprintln!("parity: {path}: {error}");
                return ExitCode::from(2);
            }
        };
        let name = path.rsplit(['/', '\\']).next().unwrap_or(&path);
        println!("{}", parity::play(name, &text));
    }
    ExitCode::SUCCESS
}
