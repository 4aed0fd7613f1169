//! The little of a shell that health checks and sample commands use.
//!
//! Understood: words and quotes, the container's variables, `;`, newline, `&&`, `||`, `if` over what
//! `test` compares, `sh -c`, `exec`, redirection into a file, and the commands `sleep`, `exit`, `true`,
//! `false`, `echo`, `printf`, `touch`, `rm`, `cat`, `ls`, `test`, `[`, `tail -f`, `stress`, endless
//! loops. Every other command stands for the image's own program (as a process) or for a client that
//! asks it (as a health check).

use std::sync::Arc;

use crate::base::time::SimDuration;

/// Longest script that is looked at, in commands; the rest is cut. Bounds the work of a probe.
const COMMANDS_MAX: usize = 256;

/// How the commands before ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// With this exit code.
    Ended(i32),
}

/// How a command hangs together with the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joint {
    /// Runs in any case.
    Always,
    /// Runs after a success: `&&`.
    And,
    /// Runs after a failure: `||`.
    Or,
}

/// What a command does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Something else: the image's program.
    Program,
    /// Never ends.
    Forever,
    /// Waits.
    Sleep(SimDuration),
    /// Ends the script.
    Exit(i32),
    /// Prints a line.
    Echo(Arc<str>),
    /// Makes a file.
    Touch(Arc<str>),
    /// Makes a file of so many bytes.
    Write(Arc<str>, u64),
    /// Removes a file.
    Remove(Arc<str>),
    /// Succeeds if the file is there.
    Test(Arc<str>),
    /// Ends at once with a code.
    Status(i32),
}

/// One command of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    joint: Joint,
    /// Its first word as written.
    pub name: Arc<str>,
    /// What it does.
    pub word: Word,
    /// For [`Word::Program`]: whether it is known as one that does something and ends.
    pub one_shot: bool,
}

impl Command {
    /// Whether it runs when the ones before ended so.
    pub fn runs_after(&self, status: Status) -> bool {
        let Status::Ended(code) = status;
        match self.joint {
            Joint::Always => true,
            Joint::And => code == 0,
            Joint::Or => code != 0,
        }
    }
}

/// A command line taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Its commands in order.
    pub commands: Vec<Command>,
    /// Whether a shell must be in the image.
    pub needs_shell: bool,
}

impl Script {
    /// Takes a command apart; an empty one is the image's own program. A shell knows these variables.
    pub fn of_command(words: &[&str], environment: &[(Arc<str>, Arc<str>)]) -> Self {
        let base = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
        let first = words.first().map(|word| base(word)).unwrap_or_default();
        if matches!(first.as_str(), "tini" | "dumb-init" | "--") {
            return Self::of_command(&words[1..], environment);
        }
        let is_shell = matches!(first.as_str(), "sh" | "bash" | "ash" | "dash");
        if is_shell
            && words
                .get(1)
                .is_some_and(|flag| flag.starts_with('-') && flag.ends_with('c'))
        {
            let text = words.get(2).copied().unwrap_or_default();
            return Self {
                commands: parse(text, environment),
                needs_shell: true,
            };
        }
        let mut commands = Vec::new();
        if is_shell && words.len() > 1 {
            // A script file: its content is not known, so it stands for the program.
            commands.push(Command {
                joint: Joint::Always,
                name: Arc::from(words[1]),
                word: Word::Program,
                one_shot: false,
            });
        } else {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            push(&mut commands, Joint::Always, &words);
        }
        if commands.is_empty() {
            commands.push(Command {
                joint: Joint::Always,
                name: Arc::from(""),
                word: Word::Program,
                one_shot: false,
            });
        }
        Self {
            commands,
            needs_shell: false,
        }
    }
}

/// The value of the variable whose name follows a `$`, and what follows it: `NAME`, `{NAME}`,
/// `{NAME:-other}`. None: what the script sets by itself is not known, and stays as it is written.
fn variable<'t>(
    rest: &'t str,
    environment: &'t [(Arc<str>, Arc<str>)],
) -> Option<(&'t str, &'t str)> {
    let (name, other, after) = match rest.strip_prefix('{') {
        Some(inner) => {
            let (inner, after) = inner.split_once('}')?;
            match inner.split_once(":-") {
                Some((name, other)) => (name, Some(other), after),
                None => (inner, None, after),
            }
        }
        None => {
            let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            (&rest[..length], None, &rest[length..])
        }
    };
    let mut known = environment.iter();
    let found = known.find(|(known, _)| **known == *name);
    let value = found
        .map(|(_, value)| &**value)
        .filter(|value| other.is_none() || !value.is_empty());
    Some((value.or(other)?, after))
}

/// How a comparison of `test` ends; none: it is about a file, or not known.
fn compared(words: &[String]) -> Option<i32> {
    let words = match words {
        [rest @ .., last] if last == "]" => rest,
        all => all,
    };
    if words.iter().any(|word| word.contains('$')) {
        return None;
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let holds = match words.as_slice() {
        [left, "=" | "==", right] => left == right,
        [left, "!=", right] => left != right,
        ["-n", text] => !text.is_empty(),
        ["-z", text] => text.is_empty(),
        [left, sign, right] => {
            let (left, right) = (left.parse::<i64>().ok()?, right.parse::<i64>().ok()?);
            match *sign {
                "-eq" => left == right,
                "-ne" => left != right,
                "-lt" => left < right,
                "-le" => left <= right,
                "-gt" => left > right,
                "-ge" => left >= right,
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(i32::from(!holds))
}

/// Whether the condition of an `if` holds; none: not known.
fn holds(words: &[String]) -> Option<bool> {
    match words {
        [first, rest @ ..] if first == "[" || first == "test" => {
            compared(rest).map(|code| code == 0)
        }
        [only] if only == "true" || only == "false" => Some(only == "true"),
        _ => None,
    }
}

/// An `if` that is open.
struct Branches {
    /// Whether the commands that are being read run; none: not known.
    run: Option<bool>,
    /// Whether some of its branches ran.
    ran: bool,
}

impl Branches {
    /// The next branch begins.
    fn next(&mut self, holds: Option<bool>) {
        self.run = match self.run {
            None => None,
            Some(_) if self.ran => Some(false),
            Some(_) => holds,
        };
        self.ran |= self.run == Some(true);
    }
}

/// Parses the text of a `sh -c`.
fn parse(text: &str, environment: &[(Arc<str>, Arc<str>)]) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut joint = Joint::Always;
    let mut words: Vec<String> = Vec::new();
    let mut open: Vec<Branches> = Vec::new();
    for token in tokens(text, environment)
        .into_iter()
        .chain([Token::Semicolon])
    {
        let next = match token {
            Token::Word(word) => {
                words.push(word);
                continue;
            }
            Token::Semicolon => Joint::Always,
            Token::And => Joint::And,
            Token::Or => Joint::Or,
        };
        let mut own: &[String] = &words;
        // What a word of the language begins may begin with the next: `then if …`.
        while let Some(word) = own.first() {
            let known = holds(&own[1..]);
            match word.as_str() {
                "if" if open.len() < COMMANDS_MAX => open.push(Branches {
                    run: known,
                    ran: known == Some(true),
                }),
                "elif" | "else" => {
                    let next = if word == "else" { Some(true) } else { known };
                    if let Some(branches) = open.last_mut() {
                        branches.next(next);
                    }
                }
                "fi" => drop(open.pop()),
                "then" | "do" => {}
                _ => break,
            }
            own = match word.as_str() {
                "if" | "elif" if known.is_some() => &[],
                _ => &own[1..],
            };
        }
        if open.iter().all(|branches| branches.run != Some(false)) {
            if is_endless(own) {
                push_word(&mut commands, joint, "while", Word::Forever);
                return commands;
            }
            push(&mut commands, joint, own);
        }
        words.clear();
        joint = next;
        if commands.len() >= COMMANDS_MAX {
            return commands;
        }
    }
    commands
}

/// `while true`, `while :`, `while sleep …` and `until false`.
fn is_endless(words: &[String]) -> bool {
    match words {
        [first, second, ..] => {
            (first == "while" && matches!(second.as_str(), "true" | ":" | "sleep" | "[" | "test"))
                || (first == "until" && second == "false")
        }
        _ => false,
    }
}

enum Token {
    Word(String),
    Semicolon,
    And,
    Or,
}

/// Splits text into words and joints, with the values of variables that are known. A pipe ends what we
/// look at of a command: its first part decides.
fn tokens(text: &str, environment: &[(Arc<str>, Arc<str>)]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let mut in_pipe = false;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '\'' => {
                let (inner, after) = rest.split_once('\'').unwrap_or((rest, ""));
                word.get_or_insert_default().push_str(inner);
                rest = after;
            }
            '"' => rest = quoted(rest, environment, word.get_or_insert_default()),
            '\\' => rest = escaped(rest, word.get_or_insert_default()),
            '$' => match variable(rest, environment) {
                Some((value, after)) => {
                    rest = after;
                    // Blanks in it part words; nothing in it is a joint.
                    for (place, part) in value.split([' ', '\t', '\n']).enumerate() {
                        if place > 0
                            && let Some(word) = word.take()
                            && !in_pipe
                        {
                            tokens.push(Token::Word(word));
                        }
                        if !part.is_empty() {
                            word.get_or_insert_default().push_str(part);
                        }
                    }
                }
                None => word.get_or_insert_default().push('$'),
            },
            ' ' | '\t' | ';' | '\n' | '&' | '|' => {
                if let Some(word) = word.take()
                    && !in_pipe
                {
                    tokens.push(Token::Word(word));
                }
                let twice = rest.strip_prefix(character);
                let joint = match character {
                    ';' | '\n' => Some(Token::Semicolon),
                    '&' if twice.is_some() => Some(Token::And),
                    '&' => Some(Token::Semicolon),
                    '|' if twice.is_some() => Some(Token::Or),
                    '|' => {
                        in_pipe = true;
                        None
                    }
                    _ => None,
                };
                if let Some(joint) = joint {
                    if matches!(joint, Token::And | Token::Or) {
                        rest = twice.unwrap_or(rest);
                    }
                    in_pipe = false;
                    tokens.push(joint);
                }
            }
            '>' if !in_pipe => {
                if let Some(word) = word.take() {
                    tokens.push(Token::Word(word));
                }
                tokens.push(Token::Word(">".to_owned()));
                rest = rest.trim_start_matches(['>', '&']);
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    if let Some(word) = word
        && !in_pipe
    {
        tokens.push(Token::Word(word));
    }
    tokens
}

/// Adds what stands in double quotes; returns what follows them.
fn quoted<'t>(
    mut rest: &'t str,
    environment: &'t [(Arc<str>, Arc<str>)],
    word: &mut String,
) -> &'t str {
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '"' => break,
            '\\' => rest = escaped(rest, word),
            '$' => match variable(rest, environment) {
                Some((value, after)) => {
                    word.push_str(value);
                    rest = after;
                }
                None => word.push('$'),
            },
            other => word.push(other),
        }
    }
    rest
}

/// Adds the character that follows a backslash; returns what follows it.
fn escaped<'t>(rest: &'t str, word: &mut String) -> &'t str {
    let mut characters = rest.chars();
    word.extend(characters.next());
    characters.as_str()
}

fn push_word(commands: &mut Vec<Command>, joint: Joint, name: &str, word: Word) {
    commands.push(Command {
        joint,
        name: Arc::from(name),
        word,
        one_shot: false,
    });
}

/// The file that `dd of=F bs=1M count=N` or `fallocate -l SIZE F` makes, and its size in bytes.
fn written(base: &str, words: &[String]) -> Option<(String, u64)> {
    if base == "fallocate" {
        let at = words
            .iter()
            .position(|word| word == "-l" || word == "--length")?;
        let path = words.last()?.clone();
        return Some((path, size(words.get(at + 1)?)?));
    }
    let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    let path = value("of=").filter(|path| !path.starts_with("/dev/"))?;
    let block = value("bs=").map_or(Some(512), size)?;
    let count: u64 = value("count=")?.parse().ok()?;
    Some((path.to_owned(), block.checked_mul(count)?))
}

/// `512`, `4k`, `1M`, `2G` and with `iB`, in bytes.
fn size(text: &str) -> Option<u64> {
    let text = text.trim_end_matches("iB").trim_end_matches('B');
    let shift = match text.as_bytes().last()?.to_ascii_lowercase() {
        b'k' => 10,
        b'm' => 20,
        b'g' => 30,
        _ => 0,
    };
    let digits = if shift == 0 {
        text
    } else {
        &text[..text.len() - 1]
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Adds the command that these words make.
fn push(commands: &mut Vec<Command>, joint: Joint, words: &[String]) {
    let Some(first) = words.first() else { return };
    let base = first.rsplit('/').next().unwrap_or_default();
    let rest = &words[1..];
    let redirected = rest
        .iter()
        .position(|word| word == ">")
        .and_then(|at| rest.get(at + 1));
    let operands = || {
        rest.iter()
            .filter(|word| !word.starts_with('-') && *word != "]")
    };
    let operand = || operands().next_back().map_or("", String::as_str);
    let is_test = matches!(base, "test" | "[");
    if let Some(code) = is_test.then(|| compared(rest)).flatten() {
        push_word(commands, joint, first, Word::Status(code));
        return;
    }
    match base {
        "exec" | "time" | "nohup" => push(commands, joint, rest),
        "sleep" => {
            let word = sleep_span(rest).map_or(Word::Forever, Word::Sleep);
            push_word(commands, joint, first, word);
        }
        "exit" | "return" => {
            let code = rest
                .first()
                .and_then(|code| code.parse::<i32>().ok())
                .unwrap_or(0);
            push_word(commands, joint, first, Word::Exit(code & 0xff));
        }
        "true" | ":" => push_word(commands, joint, first, Word::Status(0)),
        "false" => push_word(commands, joint, first, Word::Status(1)),
        "echo" | "printf" | "cat" | "date"
            if redirected.is_some_and(|file| !file.starts_with("/dev/")) =>
        {
            let file = redirected.map_or("", String::as_str);
            push_word(commands, joint, first, Word::Touch(Arc::from(file)));
        }
        "echo" | "printf" => {
            let words: Vec<&str> = rest
                .iter()
                .map(String::as_str)
                .take_while(|word| *word != ">")
                .filter(|word| *word != "-n")
                .collect();
            push_word(
                commands,
                joint,
                first,
                Word::Echo(Arc::from(words.join(" "))),
            );
        }
        "dd" | "fallocate" if written(base, rest).is_some() => {
            let (path, bytes) = written(base, rest).unwrap_or_default();
            push_word(commands, joint, first, Word::Write(path.into(), bytes));
        }
        "touch" | "mkdir" | "rm" | "rmdir" => {
            for path in operands() {
                let path: Arc<str> = Arc::from(path.as_str());
                let word = if base.starts_with("rm") {
                    Word::Remove(path)
                } else {
                    Word::Touch(path)
                };
                push_word(commands, joint, first, word);
            }
        }
        "cat" | "ls" | "stat" | "test" | "[" if !operand().is_empty() => {
            push_word(commands, joint, first, Word::Test(Arc::from(operand())));
        }
        "tail"
            if rest
                .iter()
                .any(|word| word.starts_with("-f") || word.starts_with("-F")) =>
        {
            push_word(commands, joint, first, Word::Forever);
        }
        "top" | "yes" => push_word(commands, joint, first, Word::Forever),
        "stress" | "stress-ng" => {
            let at = rest
                .iter()
                .position(|word| matches!(word.as_str(), "-t" | "--timeout"));
            let span = at
                .and_then(|at| rest.get(at + 1))
                .and_then(|span| one_span(span));
            push_word(
                commands,
                joint,
                first,
                span.map_or(Word::Forever, Word::Sleep),
            );
        }
        "set" | "export" | "cd" | "trap" | "chmod" | "chown" | "cp" | "mv" | "ln" | "ls"
        | "env" | "printenv" | "id" | "whoami" | "hostname" | "uname" | "pwd" | "date"
        | "umask" | "sync" | "wait" | "then" | "fi" | "do" | "done" | "else" => {
            push_word(commands, joint, first, Word::Status(0))
        }
        _ => {
            let one_shot =
                ONE_SHOT.contains(&base) || (INTERPRETERS.contains(&base) && is_inline(rest));
            push_word(commands, joint, first, Word::Program);
            if let Some(command) = commands.last_mut() {
                command.one_shot = one_shot;
            }
        }
    }
}

/// Commands that do something and end; without a terminal, shells too.
const ONE_SHOT: [&str; 36] = [
    "sh", "bash", "ash", "dash", "nslookup", "dig", "wget", "curl", "nc", "apt", "apt-get", "apk",
    "yum", "dnf", "npm", "pip", "pip3", "git", "tar", "sed", "grep", "awk", "find", "head", "wc",
    "sort", "dd", "df", "free", "ps", "mount", "kubectl", "openssl", "seq", "expr", "ping",
];

/// Programs that run the text they are given.
const INTERPRETERS: [&str; 7] = ["perl", "python", "python3", "node", "ruby", "php", "java"];

/// Whether an interpreter is given its program in the command line, or asked for its version.
fn is_inline(rest: &[String]) -> bool {
    rest.first().is_some_and(|flag| {
        flag.starts_with("--v")
            || (flag.starts_with('-')
                && !flag.starts_with("--")
                && !matches!(flag.as_str(), "-m" | "-u" | "-jar"))
    })
}

/// Sum of the operands of `sleep`; none: for ever.
fn sleep_span(words: &[String]) -> Option<SimDuration> {
    let mut sum = SimDuration::ZERO;
    for word in words {
        sum += one_span(word)?;
    }
    Some(sum)
}

/// `5`, `0.5`, `5s`, `2m`, `1h`, `1d`; none for `infinity`, for what cannot be read (upstream's
/// `sleep` fails at once then; a variable is far more likely) and for what exceeds a century.
fn one_span(text: &str) -> Option<SimDuration> {
    let (number, unit_us) = match text.as_bytes().last()? {
        b's' => (&text[..text.len() - 1], 1_000_000_u64),
        b'm' => (&text[..text.len() - 1], 60_000_000),
        b'h' => (&text[..text.len() - 1], 3_600_000_000),
        b'd' => (&text[..text.len() - 1], 86_400_000_000),
        _ => (text, 1_000_000),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut digits = fraction.to_owned();
    digits.truncate(6);
    let millionths: u64 = if digits.is_empty() {
        0
    } else {
        format!("{digits:0<6}").parse().ok()?
    };
    let span = whole
        .checked_mul(unit_us)?
        .checked_add(millionths * (unit_us / 1_000_000))?;
    (span < 100 * 365 * 86_400_000_000).then(|| SimDuration::from_micros(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> Vec<Word> {
        let environment: [(Arc<str>, Arc<str>); 3] = [
            ("MODE".into(), "prod".into()),
            ("TWO".into(), "a; b".into()),
            ("NONE".into(), "".into()),
        ];
        let script = Script::of_command(&["sh", "-c", text], &environment);
        script
            .commands
            .into_iter()
            .map(|command| command.word)
            .collect()
    }

    fn echo(text: &str) -> Word {
        Word::Echo(text.into())
    }

    #[test]
    fn variables_stand_where_a_shell_puts_them() {
        assert_eq!(
            run("echo $MODE-${MODE}s '$MODE' \\$MODE"),
            [echo("prod-prods $MODE $MODE")]
        );
        assert_eq!(run("echo \"it's $MODE\""), [echo("it's prod")]);
        assert_eq!(
            run("echo ${NONE:-other} ${MODE:-other}"),
            [echo("other prod")]
        );
        // Blanks of a value part words, but it holds no commands; quoted it is one word.
        assert_eq!(
            run("echo $TWO; [ \"$TWO\" = 'a; b' ]"),
            [echo("a; b"), Word::Status(0)]
        );
        // What the script sets by itself is not known.
        assert_eq!(
            run("OTHER=1; echo $OTHER $").last(),
            Some(&echo("$OTHER $"))
        );
        let words = ["echo", "a", "$MODE"];
        let command = Script::of_command(&words, &[("MODE".into(), "prod".into())]);
        assert_eq!(
            command.commands[0].word,
            echo("a $MODE"),
            "no shell, no variables"
        );
    }

    #[test]
    fn a_branch_runs_where_its_condition_holds() {
        let chosen = |mode: &str| {
            run(&format!(
                "if [ {mode} = prod ]; then echo 1; elif [ {mode} = test ]; then echo 2; else echo 3; fi; echo 4"
            ))
        };
        assert_eq!(chosen("$MODE"), [echo("1"), echo("4")]);
        assert_eq!(chosen("test"), [echo("2"), echo("4")]);
        assert_eq!(chosen("else"), [echo("3"), echo("4")]);
        // What cannot be known is run through, both ways.
        let unknown = run("if grep x y; then echo 1; else echo 2; fi");
        assert_eq!(unknown, [Word::Program, echo("1"), echo("2")]);
        let inner = run("if false; then if true; then echo 1; else echo 2; fi; echo 3; fi; echo 4");
        assert_eq!(inner, [echo("4")]);
    }
}
