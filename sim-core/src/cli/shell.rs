//! `podium shell`. A file of the disk that a line names is read when the line comes, and again at every
//! later line, as it may have changed; nothing is written.

use std::fs;
use std::io::{BufRead, IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;

use crate::base::limits::{MAX_DOCUMENT_BYTES, MAX_INPUT_FILES};
use crate::base::sorted::SortedMap;
use crate::console::{Output, Session, script};

use super::options::ShellOptions;
use super::{Stop, load, note, print};

pub(crate) fn run(options: &ShellOptions) -> Result<u8, Stop> {
    if options.setup.server_side {
        let message =
            "--server-side: the shell applies nothing by itself; write kubectl apply --server-side";
        return Err(Stop::usage(message));
    }
    let mut opened = load::experiment(&options.setup, options.orchestrator.as_deref())?;
    load::report(&opened)?;
    let show = |output: &Output| {
        print(&output.stdout);
        note(&output.stderr);
    };
    let mut disk = Disk::of(&opened.session);
    let mut run = |text: &str| {
        let code = disk.script(&mut opened.session, text, options.strict, &mut |output| {
            show(output);
        });
        Ok(exit(code))
    };
    if let Some(lines) = &options.command {
        return run(lines);
    }
    if std::io::stdin().is_terminal() {
        return interactive(&mut opened.session, &mut disk);
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Stop::input(format!("standard input: {error}")))?;
    run(&text)
}

fn interactive(session: &mut Session, disk: &mut Disk) -> Result<u8, Stop> {
    let mut code = 0;
    let mut pending = String::new();
    let mut input = std::io::stdin().lock();
    loop {
        print(&if pending.is_empty() {
            format!("[{}] $ ", session.history.now())
        } else {
            "> ".to_owned()
        });
        let mut bytes = Vec::new();
        let length = input
            .read_until(b'\n', &mut bytes)
            .map_err(|error| Stop::input(format!("standard input: {error}")))?;
        if length == 0 {
            break;
        }
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim_end_matches(['\n', '\r']);
        if pending.is_empty() && matches!(line.trim(), "exit" | "quit") {
            break;
        }
        pending.push_str(line);
        pending.push('\n');
        // A here-document or a quote that is still open goes on.
        if let Err(error) = crate::console::script::parse(&pending)
            && error.is_open()
        {
            continue;
        }
        let wrong = disk.take_up(session, &pending);
        let output = told(session.run(&std::mem::take(&mut pending)), &wrong);
        print(&output.stdout);
        note(&output.stderr);
        code = output.code;
    }
    Ok(exit(code))
}

/// Files of the disk, as they were read last.
struct Disk {
    read: SortedMap<String, Arc<str>>,
}

impl Disk {
    /// What a session has from the disk already.
    fn of(session: &Session) -> Self {
        let files = session.files.iter();
        let same =
            files.filter(|(name, text)| read(Path::new(name)).is_ok_and(|found| *found == ***text));
        Self {
            read: same
                .map(|(name, text)| (name.clone(), text.clone()))
                .collect(),
        }
    }

    /// Runs a script, each line with the files as they are when it comes.
    fn script(
        &mut self,
        session: &mut Session,
        text: &str,
        strict: bool,
        each: &mut dyn FnMut(&Output),
    ) -> i32 {
        let Ok(lines) = script::parse(text) else {
            return session.script(text, strict, &mut |_, output| each(output));
        };
        let mut code = 0;
        for line in &lines {
            let commands = line.pipelines.iter().flat_map(|one| &one.commands);
            let input = commands.filter_map(|one| one.input.as_deref());
            let words: Vec<&str> = std::iter::once(&*line.text).chain(input).collect();
            let wrong = self.take_up(session, &words.join("\n"));
            let output = told(session.line(line), &wrong);
            code = output.code;
            each(&output);
            if strict && code != 0 {
                break;
            }
        }
        code
    }

    /// Reads again what is known, and what words name that the session does not have yet; of a directory,
    /// its manifests. Tells what could not be read.
    fn take_up(&mut self, session: &mut Session, text: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        // What a command has written since is the session's own.
        self.read
            .retain(|name, text| session.files.get(name) == Some(text));
        let known: Vec<String> = self.read.keys().cloned().collect();
        for name in known {
            self.take(session, &name, &mut wrong);
        }
        for word in
            text.split(|letter: char| letter.is_whitespace() || "'\"=,;&<>()".contains(letter))
        {
            let name = word.trim_start_matches("./").trim_end_matches('/');
            if name.is_empty() || name.starts_with('-') || session.file(name).is_some() {
                continue;
            }
            let path = Path::new(name);
            if path.is_file() {
                self.take(session, name, &mut wrong);
            } else if path.is_dir() && word.contains(['/', '.']) {
                let listed = fs::read_dir(path).into_iter().flatten().flatten();
                let mut inside: Vec<_> = listed.map(|entry| entry.path()).collect();
                inside.sort();
                for path in inside {
                    let extension = path.extension().and_then(|extension| extension.to_str());
                    if let (Some("yaml" | "yml" | "json"), Some(name)) = (extension, path.to_str())
                        && path.is_file()
                        && !session.files.contains_key(name)
                    {
                        self.take(session, name, &mut wrong);
                    }
                }
            }
        }
        wrong
    }

    /// A file that cannot be read is as one that is not there.
    fn take(&mut self, session: &mut Session, name: &str, wrong: &mut Vec<String>) {
        self.read.remove(name);
        session.files.remove(name);
        let text = if session.files.len() >= MAX_INPUT_FILES {
            Err(format!("there are more than {MAX_INPUT_FILES} files"))
        } else {
            read(Path::new(name))
        };
        match text {
            Ok(text) => {
                let text: Arc<str> = text.into();
                self.read.insert(name.to_owned(), text.clone());
                session.files.insert(name.to_owned(), text);
            }
            Err(why) => wrong.push(format!("{name}: {why}")),
        }
    }
}

/// The text of a file, within the limit.
fn read(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > MAX_DOCUMENT_BYTES as u64 {
        return Err(format!(
            "the file has {size} bytes; at most {MAX_DOCUMENT_BYTES} are read"
        ));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("the file is not UTF-8: byte {at} is no part of a letter")
    })
}

/// An output that failed, with the files that could not be read: a word may be the name of a file by
/// chance.
fn told(mut output: Output, wrong: &[String]) -> Output {
    if output.code != 0 {
        for line in wrong {
            output.stderr =
                format!("{}\npodium: {line}", output.stderr.trim_end_matches('\n')).into();
        }
    }
    output
}

fn exit(code: i32) -> u8 {
    u8::try_from(code.clamp(0, 255)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Seed;
    use crate::console::lab;
    use crate::engine::command::Orchestrator;
    use crate::engine::history::History;

    /// Runs lines in a directory of their own; `{}` stands for it.
    fn run(
        name: &str,
        files: &[(&str, &[u8])],
        act: impl FnOnce(&Path, &mut dyn FnMut(&str) -> Output),
    ) {
        let own = format!("podium-shell-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(own);
        fs::create_dir_all(&directory).expect("a directory");
        for (name, bytes) in files {
            fs::write(directory.join(name), bytes).expect("a file");
        }
        let mut session = Session::new(History::new(lab(&[Orchestrator::Kubernetes], Seed(1))));
        let mut disk = Disk::of(&session);
        act(&directory, &mut |text| {
            let text = text.replace("{}", directory.to_str().expect("a name"));
            let mut all = Output::default();
            all.code = disk.script(&mut session, &text, false, &mut |output| {
                all.stdout.push(&output.stdout);
                all.stderr.push(&output.stderr);
            });
            all
        });
        fs::remove_dir_all(&directory).expect("the directory");
    }

    fn config(value: &str) -> String {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: one}}\ndata: {{a: {value:?}}}\n"
        )
    }

    #[test]
    fn a_file_is_read_again_at_each_line() {
        run(
            "again",
            &[("a.yaml", config("1").as_bytes())],
            |directory, run| {
                let apply = "kubectl apply -f {}/a.yaml";
                assert_eq!(run(apply).stdout, "configmap/one created\n");
                assert_eq!(run(apply).stdout, "configmap/one unchanged\n");
                fs::write(directory.join("a.yaml"), config("2")).expect("a file");
                assert_eq!(run(apply).stdout, "configmap/one configured\n");
                // What the session wrote over it stays.
                let own = format!("cat > {{}}/a.yaml <<END\n{}END\n{apply}", config("3"));
                assert_eq!(run(&own).stdout, "configmap/one configured\n");
                assert_eq!(run(apply).stdout, "configmap/one unchanged\n");
            },
        );
    }

    #[test]
    fn a_name_ends_where_a_command_does() {
        run("ends", &[("a.yaml", config("1").as_bytes())], |_, run| {
            let made = run("kubectl apply -f {}/a.yaml; echo done");
            assert_eq!(made.stdout, "configmap/one created\ndone\n");
        });
    }

    #[test]
    fn an_error_names_the_limit_or_the_encoding() {
        let long = vec![b'#'; MAX_DOCUMENT_BYTES + 1];
        let files: [(&str, &[u8]); 2] = [("long.yaml", &long), ("latin.yaml", b"a: \xe9")];
        run("errors", &files, |_, run| {
            let said = run("kubectl apply -f {}/long.yaml");
            assert_eq!(said.code, 1);
            assert!(
                said.stderr.contains("at most 4194304 are read"),
                "{}",
                &*said.stderr
            );
            let said = run("kubectl apply -f {}/latin.yaml");
            assert!(
                said.stderr.contains("not UTF-8: byte 3"),
                "{}",
                &*said.stderr
            );
            assert_eq!(run("echo {}/long.yaml").stderr, "", "nothing failed");
        });
    }
}
