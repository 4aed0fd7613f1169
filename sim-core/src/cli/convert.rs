//! `podium convert`: drafts of files, and what they do not say.

use crate::console::convert::{Target, convert};

use super::options::ConvertOptions;
use super::{Stop, load, note, print};

/// Prints the draft; the list goes to standard error.
///
/// # Errors
/// Usage (2) where there is nothing to draft from, input (3) for broken files.
pub(crate) fn run(options: &ConvertOptions) -> Result<u8, Stop> {
    if options.paths.is_empty() {
        return Err(Stop::usage("podium convert needs files or directories"));
    }
    let Some(target) = Target::parse(&options.to) else {
        return Err(Stop::usage("--to is kubernetes, stack or compose"));
    };
    let mut read = load::Files::default();
    for path in &options.paths {
        read.read(path, true)?;
    }
    let files = read.files;
    let draft = convert(target, &files).map_err(Stop::usage)?;
    let mut text = String::new();
    for (source, problem) in &draft.problems {
        text.push_str(&problem.render(Some(source)));
    }
    if !text.is_empty() {
        return Err(Stop::input(text));
    }
    print(&draft.text);
    if !draft.lost.is_empty() {
        let mut list = String::from("not carried over:\n");
        for lost in &draft.lost {
            list.push_str(&format!(
                "  {}:{}: {}: {}\n",
                lost.file, lost.line, lost.what, lost.why
            ));
        }
        note(&list);
    }
    Ok(0)
}
