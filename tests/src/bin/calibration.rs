//! `calibration FILE`: holds the model of the kernel's CPU sharing against a file of measurements.
//!
//! Prints what each row deviates and a verdict. Exit code 0: all rows are within their bounds; 1:
//! one is out; 2: usage; 3: the file cannot be read as such a file.

use std::process::ExitCode;

use tests::calibration::{judge, report};

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (Some(file), None) = (words.next(), words.next()) else {
        eprintln!("usage: calibration FILE");
        return ExitCode::from(2);
    };
    let verdicts = std::fs::read_to_string(&file)
        .map_err(|error| error.to_string())
        .and_then(|text| judge(&text));
    match verdicts {
        Ok(verdicts) => {
            let (text, ok) = report(&verdicts);
            print!("{text}");
            ExitCode::from(u8::from(!ok))
        }
        Err(message) => {
            eprintln!("{file}: {message}");
            ExitCode::from(3)
        }
    }
}
