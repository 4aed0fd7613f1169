//! What a command does, by its words.

use std::sync::Arc;

use crate::base::time::SimDuration;

use super::client::Client;
use super::value::printf;
use super::{Command, Script, Word};

fn is_sign(word: &str) -> bool {
    matches!(word, "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge")
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
        // Nothing stands where a number should.
        [sign, _] if is_sign(sign) => return Some(2),
        [] => false,
        [text] => !text.is_empty(),
        [left, sign, right] => {
            let numbers = (left.parse::<i64>(), right.parse::<i64>());
            let (Ok(left), Ok(right)) = numbers else {
                // What is no number is a mistake.
                return is_sign(sign).then_some(2);
            };
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

/// The command that these words make.
pub(super) fn command(words: &[String]) -> Option<Command> {
    let prefix = |word: &&String| matches!(word.as_str(), "exec" | "time" | "nohup" | "command");
    let words = &words[words.iter().take_while(prefix).count()..];
    let first = words.first()?;
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
    let known = |word| Some(Command::new(first, word));
    if let Some(code) = is_test.then(|| compared(rest)).flatten() {
        return known(Word::Status(code));
    }
    let turns = rest.iter().take_while(|word| *word == "!").count();
    if is_test && turns > 0 {
        let mut plain = vec![first.clone()];
        plain.extend_from_slice(&rest[turns..]);
        let word = command(&plain)?.word;
        return known(match word {
            Word::Status(code @ (0 | 1)) if turns % 2 == 1 => Word::Status(1 - code),
            Word::Test(path) if turns % 2 == 1 => Word::Lacks(path),
            other => other,
        });
    }
    // Several tests in one.
    let joined = |word: &String| matches!(word.as_str(), "-a" | "-o");
    if is_test && rest.len() > 3 && rest.iter().any(joined) {
        return known(Word::Unknown);
    }
    if is_test && rest.iter().any(|word| word.contains('$')) {
        return known(Word::Unknown);
    }
    if let Some(client) = Client::of(words) {
        return known(Word::Ask(client));
    }
    match base {
        "sleep" => known(sleep_span(rest).map_or(Word::Forever, Word::Sleep)),
        "exit" | "return" => {
            let code = rest.first().and_then(|code| code.parse::<i32>().ok());
            known(Word::Exit(code.map(|code| code & 0xff)))
        }
        "true" | ":" => known(Word::Status(0)),
        "false" => known(Word::Status(1)),
        "set" => {
            let is_e = |word: &String| !word.starts_with("--") && word.contains('e');
            known(match rest.iter().find(|word| is_e(word)) {
                Some(word) => Word::ErrorExit(word.starts_with('-')),
                None => Word::Status(0),
            })
        }
        "sh" | "bash" | "ash" | "dash" if rest.iter().any(|word| word.ends_with('c')) => {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let script = Script::of_command(&words, &[]);
            if script.needs_shell {
                known(Word::Nested(script))
            } else {
                known(Word::Program)
            }
        }
        "timeout" => {
            let mut at = 0;
            while let Some(flag) = rest.get(at).filter(|word| word.starts_with('-')) {
                // `-k SPAN`, `-s SIGNAL`.
                at += 1 + usize::from(matches!(flag.as_str(), "-k" | "-s"));
            }
            if rest.get(at).is_none_or(|span| one_span(span).is_none()) {
                return known(Word::Unknown);
            }
            let (span, own) = (one_span(&rest[at])?, rest[at + 1..].to_vec());
            known(Word::Timeout(span, own))
        }
        "echo" | "printf" | "cat" | "date"
            if redirected.is_some_and(|file| !file.starts_with("/dev/")) =>
        {
            let file = redirected.map_or("", String::as_str);
            known(Word::Files([(Arc::from(file), true)].into()))
        }
        "echo" | "printf" if redirected.is_some_and(|file| file == "/dev/null") => {
            known(Word::Status(0))
        }
        "echo" | "printf" => {
            let words: Vec<&str> = rest
                .iter()
                .map(String::as_str)
                .take_while(|word| *word != ">")
                .filter(|word| *word != "-n" && *word != "-e")
                .collect();
            let text = match base {
                "printf" => printf(&words),
                _ => words.join(" "),
            };
            known(Word::Echo(text.strip_suffix('\n').unwrap_or(&text).into()))
        }
        "dd" | "fallocate" if written(base, rest).is_some() => {
            let (path, bytes) = written(base, rest).unwrap_or_default();
            known(Word::Write(path.into(), bytes))
        }
        "touch" | "mkdir" | "rm" | "rmdir" => {
            let there = !base.starts_with("rm");
            let files = operands().map(|path| (Arc::from(path.as_str()), there));
            known(Word::Files(files.collect()))
        }
        "cat" | "ls" | "stat" | "test" | "[" if !operand().is_empty() => {
            known(Word::Test(Arc::from(operand())))
        }
        "tail"
            if rest
                .iter()
                .any(|word| word.starts_with("-f") || word.starts_with("-F")) =>
        {
            known(Word::Forever)
        }
        "top" | "yes" => known(Word::Forever),
        "stress" | "stress-ng" => {
            let at = rest
                .iter()
                .position(|word| matches!(word.as_str(), "-t" | "--timeout"));
            let span = at
                .and_then(|at| rest.get(at + 1))
                .and_then(|span| one_span(span));
            known(span.map_or(Word::Forever, Word::Sleep))
        }
        "cd" | "trap" | "chmod" | "chown" | "cp" | "mv" | "ln" | "ls" | "env" | "printenv"
        | "id" | "whoami" | "hostname" | "uname" | "pwd" | "date" | "umask" | "sync" | "wait"
        | "unset" | "shift" => known(Word::Status(0)),
        _ => {
            let one_shot =
                ONE_SHOT.contains(&base) || (INTERPRETERS.contains(&base) && is_inline(rest));
            let mut command = Command::new(first, Word::Program);
            command.one_shot = one_shot;
            Some(command)
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
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
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
    use super::super::client::Answer;
    use super::super::{Shell, Status};
    use super::*;

    fn run(text: &str) -> Vec<Word> {
        let environment: [(Arc<str>, Arc<str>); 3] = [
            ("MODE".into(), "prod".into()),
            ("TWO".into(), "a; b".into()),
            ("NONE".into(), "".into()),
        ];
        let script = Script::of_command(&["sh", "-c", text], &environment);
        follow(&script, &[])
    }

    /// The commands that run, in order; clients get these answers, one after the other, and the last
    /// again and again.
    fn follow(script: &Script, answers: &[Answer]) -> Vec<Word> {
        let mut shell = Shell::new(script, SimDuration::ZERO);
        let mut words = Vec::new();
        let mut answers = answers.iter().copied();
        while let Some(command) = shell.command() {
            words.push(command.word.clone());
            match command.word {
                Word::Forever => match shell.left() {
                    Some(left) => shell.ended(Status::Ended(0), left),
                    None => break,
                },
                Word::Exit(code) => shell.exit(code),
                Word::Status(code) => shell.ended(Status::Ended(code), SimDuration::ZERO),
                Word::Sleep(span) => shell.ended(Status::Ended(0), span),
                Word::Ask(client) => match answers.next() {
                    Some(answer) => shell.answered(&client, answer),
                    None => break,
                },
                Word::Program if command.asked => {
                    shell.ended(Status::Unknown, SimDuration::ZERO);
                }
                _ => shell.ended(Status::Ended(0), SimDuration::ZERO),
            }
        }
        words
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
        // What the script sets by itself is known where its value is.
        assert_eq!(
            run("OTHER=1; NEXT=$((OTHER+1)); WHEN=$(who); echo $OTHER $NEXT $WHEN $"),
            [echo("1 2 $WHEN $")]
        );
        let words = ["echo", "a", "$MODE"];
        let command = Script::of_command(&words, &[("MODE".into(), "prod".into())]);
        assert_eq!(
            follow(&command, &[]),
            [echo("a $MODE")],
            "no shell, no variables"
        );
    }

    /// Only what it prints.
    fn said(text: &str) -> Vec<Word> {
        let mut words = run(text);
        words.retain(|word| matches!(word, Word::Echo(_)));
        words
    }

    #[test]
    fn a_branch_runs_where_its_condition_holds() {
        let chosen = |mode: &str| {
            said(&format!(
                "if [ {mode} = prod ]; then echo 1; elif [ {mode} = test ]; then echo 2; else echo 3; fi; echo 4"
            ))
        };
        assert_eq!(chosen("$MODE"), [echo("1"), echo("4")]);
        assert_eq!(chosen("test"), [echo("2"), echo("4")]);
        assert_eq!(chosen("else"), [echo("3"), echo("4")]);
        // What cannot be known is run through, both ways.
        let unknown = said("if grep x y; then echo 1; else echo 2; fi");
        assert_eq!(unknown, [echo("1"), echo("2")]);
        let inner =
            said("if false; then if true; then echo 1; else echo 2; fi; echo 3; fi; echo 4");
        assert_eq!(inner, [echo("4")]);
    }

    /// What a script prints that gets these answers.
    fn prints(text: &str, answers: &[Answer]) -> Vec<String> {
        let script = Script::of_command(&["sh", "-c", text], &[]);
        let words = follow(&script, answers);
        let lines = words.iter().filter_map(|word| match word {
            Word::Echo(line) => Some(line.to_string()),
            Word::Exit(code) => Some(format!("exit {}", code.unwrap_or(-1))),
            Word::Forever => Some("for ever".to_owned()),
            _ => None,
        });
        lines.collect()
    }

    #[test]
    fn loops_wait_for_answers() {
        let no_yes = [Answer::NoName, Answer::NoName, Answer::Name];
        let text = "until nslookup db.default.svc; do echo waiting; sleep 2; done; echo up";
        assert_eq!(prints(text, &no_yes), ["waiting", "waiting", "up"]);
        let text = "while ! nc -z db 5432; do echo waiting; sleep 1; done && exec echo up";
        assert_eq!(
            prints(text, &[Answer::Refused, Answer::Open]),
            ["waiting", "up"]
        );
        let text = r#"
            # three times, then it gives up
            for i in $(seq 1 3); do
              CODE=$(wget --server-response http://web:80 2>&1 | awk '/^  HTTP/{print $2}')
              if [ $CODE -eq 200 ]; then
                echo "reached at $i"
                exit 0
              fi
              echo "no: ${CODE}"
            done
            echo gone
            exit 1"#;
        assert_eq!(
            prints(
                text,
                &[Answer::Refused, Answer::Http(503), Answer::Http(200)]
            ),
            ["no: ", "no: 503", "reached at 3", "exit 0"]
        );
        assert_eq!(
            prints(text, &[Answer::Refused; 3]),
            ["no: ", "no: ", "no: ", "gone", "exit 1"]
        );
        let text = "n=0; until curl -sf http://web; do n=$((n+1)); [ $n -ge 2 ] && exit 3; done";
        assert_eq!(prints(text, &[Answer::Http(500); 9]), ["exit 3"]);
        let text = "while true; do if curl -f web; then break; fi; sleep 1; done; echo up";
        assert_eq!(prints(text, &[Answer::NoName, Answer::Http(200)]), ["up"]);
        assert_eq!(
            prints("while true; do echo hello; sleep 1; done", &[]),
            ["for ever"]
        );
        assert_eq!(
            prints(
                "timeout 5 sh -c 'until nc -z a 1; do sleep 3; done'; echo out",
                &[Answer::Refused; 9]
            ),
            ["out"]
        );
    }

    #[test]
    fn hostile_scripts_come_to_an_end() {
        // Time passes with each question, however short its time is.
        let script = Script::of_command(
            &[
                "sh",
                "-c",
                "while true; do timeout 0.000001 nc -z a 1; done",
            ],
            &[],
        );
        let mut shell = Shell::new(&script, SimDuration::ZERO);
        for _ in 0..100 {
            match shell.command().expect("it goes on").word {
                Word::Ask(client) => shell.answered(&client, Answer::Refused),
                _ => shell.ended(Status::Ended(0), SimDuration::ZERO),
            }
        }
        assert!(shell.at >= SimDuration::from_millis(100));
        // Values have a bound, and so has depth.
        let doubled = "x=ab; for i in $(seq 1 40); do x=$x$x; done; echo $x";
        assert!(prints(doubled, &[]).concat().len() < 1 << 17);
        prints(&"exec ".repeat(20_000), &[]);
        prints(&format!("[ {} -f x ]", "! ".repeat(3_000)), &[]);
        prints("while true; do f() { a; b; break; }; done", &[]);
        prints("sleep 0.12345\u{e9}; echo a", &[]);
        assert_eq!(
            prints("while [ -n x ]; do x=1; done; echo a", &[]),
            ["for ever"]
        );
    }

    #[test]
    fn loops_and_scripts_end_as_they_do_in_a_shell() {
        let run = |text: &str| prints(text, &[Answer::Refused; 9]);
        let inner = "for a in 1 2; do for b in x y; do echo $a$b; break; done; done";
        assert_eq!(run(inner), ["1x", "2x"]);
        let outer = "for a in 1 2; do for b in x y; do echo $a$b; break 2; done; done; echo end";
        assert_eq!(run(outer), ["1x", "end"]);
        let late = "set -e; timeout 5 sleep 10 || echo too late; echo end";
        assert_eq!(run(late), ["too late", "end"]);
        let cut = "timeout 10 sh -c 'while true; do sleep 1; done'; echo out";
        assert_eq!(run(cut), ["for ever", "out"]);
        assert_eq!(run("sh -c 'exit 1' || echo failed"), ["exit 1", "failed"]);
        assert_eq!(run("exec sleep 3; echo no"), Vec::<String>::new());
        assert_eq!(run("timeout -k 5 30 nc -z a 1 || echo no"), ["no"]);
        let long = "for i in $(seq 1 2000); do sleep 1; done; echo done";
        assert_eq!(run(long), ["done"]);
        // A list is what it was when the loop began.
        assert_eq!(run("x=2; for i in $x 3; do x=9; echo $i; done"), ["2", "3"]);
    }

    /// How a script ends that gets this answer to all it asks.
    fn status(text: &str, answer: Answer) -> i32 {
        let script = Script::of_command(&["sh", "-c", text], &[]);
        let mut shell = Shell::new(&script, SimDuration::ZERO);
        while let Some(command) = shell.command() {
            match command.word {
                Word::Exit(code) => shell.exit(code),
                Word::Status(code) => shell.ended(Status::Ended(code), SimDuration::ZERO),
                Word::Ask(client) => shell.answered(&client, answer),
                _ => shell.ended(Status::Ended(0), SimDuration::ZERO),
            }
        }
        shell.status().code()
    }

    #[test]
    fn a_script_ends_as_its_last_command() {
        assert_eq!(status("false; exit", Answer::Open), 1);
        let tries = "for i in 1 2 3; do curl -sf http://nobody && exit 0; done";
        assert_eq!(status(tries, Answer::NoName), 6);
        assert_eq!(status("for i in; do false; done", Answer::Open), 0);
        assert_eq!(status("until nc -z a 1; do :; done", Answer::Open), 0);
        assert_eq!(status("if false; then true; fi", Answer::Open), 0);
    }

    #[test]
    fn a_failure_ends_a_script_that_is_told_so() {
        let run = |text: &str| prints(text, &[Answer::Refused]);
        assert!(run("set -e; nc -z db 1; echo 2").is_empty());
        assert_eq!(run("set -e; nc -z db 1 || echo 2"), ["2"]);
        assert_eq!(run("set -e; if nc -z db 1; then echo 1; fi; echo 2"), ["2"]);
        assert_eq!(run("nc -z db 1; echo 2"), ["2"]);
    }

    #[test]
    fn what_is_written_around_commands_is_read() {
        assert_eq!(
            prints("echo a 2>/dev/null; echo b >&2 # c; echo d", &[]),
            ["a", "b"]
        );
        assert_eq!(
            prints("{ echo a; }; (echo b; echo c)", &[]),
            ["a", "b", "c"]
        );
        assert_eq!(prints("f() { echo no; }\necho a \\\n b", &[]), ["a b"]);
        assert_eq!(prints("echo a | grep b; echo c &", &[]), ["a", "c"]);
        assert_eq!(
            prints(
                "for x in 1 2 3; do [ $x = 2 ] && continue; echo $x; done",
                &[]
            ),
            ["1", "3"]
        );
        // What cannot be closed ends with the text.
        assert_eq!(prints("if true; then echo a", &[]), ["a"]);
        assert_eq!(prints("echo $(a 'b) c", &[]), ["$(a 'b) c)"]);
        assert!(prints("done; fi; }; )", &[]).is_empty());
    }

    #[test]
    fn a_shell_in_parentheses_keeps_to_itself() {
        let run = |text: &str| prints(text, &[Answer::Refused; 9]);
        assert_eq!(run("a=1; (a=2; echo $a); echo $a"), ["2", "1"]);
        assert_eq!(run("(exit 3); echo $?"), ["exit 3", "3"]);
        assert_eq!(
            run("(a=2; (a=3); echo $a) && echo ${a:-none}"),
            ["2", "none"]
        );
        assert_eq!(run("sh -c 'a=2; echo $a'; echo ${a:-none}"), ["2", "none"]);
        assert_eq!(
            run("for i in 1 2; do (break; echo no); echo $i; done"),
            ["1", "2"]
        );
        assert_eq!(run("set -e; (false; echo no); echo no"), [""; 0]);
        assert_eq!(
            run("set -e; (false; echo on) || echo no; echo up"),
            ["on", "up"]
        );
        assert_eq!(
            run("while true; do (exit 1) || break; done; echo out"),
            ["exit 1", "out"]
        );
        assert_eq!(
            run(&format!("{}echo deep{}", "(".repeat(60), ")".repeat(60))),
            ["deep"]
        );
        // What nests deeper is not looked at, and stops nobody.
        run(&format!(
            "{}echo deep{}",
            "(".repeat(9_000),
            ")".repeat(9_000)
        ));
    }
}
