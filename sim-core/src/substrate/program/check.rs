//! How health checks and commands end that run in a container.

use std::sync::Arc;

use crate::base::time::SimDuration;
use crate::substrate::order::{Flaw, ProbeAction};
use crate::substrate::script::{Script, Shell, Status, Word};

use super::{Behaviour, EXEC_PROBE, NETWORK_PROBE, Outcome};

impl Behaviour {
    /// How a health check ends that is started at `age` after the start. A hung program takes
    /// connections (the kernel does) and answers nothing.
    pub fn outcome(&self, action: &ProbeAction, age: SimDuration, hung: bool) -> Outcome {
        let after = |time: Option<SimDuration>| time.is_some_and(|time| age >= time);
        let flaw = match action {
            ProbeAction::Exec { command } => return self.exec_outcome(command, age, hung),
            // A name that no port has.
            ProbeAction::Tcp { port: 0 } | ProbeAction::Http { port: 0, .. } => {
                Some(Flaw::Unstarted)
            }
            // A client of gRPC tries to connect until its time is over.
            // Source: `pkg/probe/grpc/grpc.go`.
            ProbeAction::Grpc { port } if !(self.takes(*port) && after(self.listen)) => {
                return Outcome::Hang(Flaw::Refused);
            }
            ProbeAction::Tcp { port } | ProbeAction::Http { port, .. }
                if !(self.takes(*port) && after(self.listen)) =>
            {
                Some(Flaw::Refused)
            }
            ProbeAction::Tcp { .. } => None,
            _ if hung => return Outcome::Hang(Flaw::Late),
            ProbeAction::Http { path, .. } => {
                let path = path.split(['?', '#']).next().unwrap_or_default();
                let known =
                    self.paths.is_empty() || self.paths.iter().any(|known| known.as_ref() == path);
                (!after(self.ready))
                    .then_some(Flaw::Status(503))
                    .or((!known).then_some(Flaw::Status(404)))
            }
            ProbeAction::Grpc { .. } => (!after(self.ready)).then_some(Flaw::NotServing),
        };
        match flaw {
            None => Outcome::Success(NETWORK_PROBE),
            Some(flaw) => Outcome::Failure(NETWORK_PROBE, flaw),
        }
    }

    /// Exit code of a command run inside the container at `age`, for `exec` of the command lines.
    pub fn exec(&self, command: &[Arc<str>], age: SimDuration, hung: bool) -> i32 {
        // A script that waits keeps its own program from starting, not what is run beside it.
        let ready = self.ready.or(Some(SimDuration::ZERO));
        let beside = Self {
            ready,
            ..self.clone()
        };
        match beside.exec_course(command, age, hung, &mut None) {
            Some((_, code)) => code,
            None => 124,
        }
    }

    /// What a health check's command prints; none: that is not known.
    pub fn exec_said(&self, command: &[Arc<str>], age: SimDuration, hung: bool) -> Option<String> {
        let mut said = Some(String::new());
        self.exec_course(command, age, hung, &mut said);
        said
    }

    fn exec_outcome(&self, command: &[Arc<str>], age: SimDuration, hung: bool) -> Outcome {
        match self.exec_course(command, age, hung, &mut None) {
            Some((span, 0)) => Outcome::Success(span),
            // What no shell stands before is missing, not a command's own 127.
            Some((span, 127)) if !is_script(command) || !self.shell => {
                Outcome::Failure(span, Flaw::Unstarted)
            }
            Some((span, _)) => Outcome::Failure(span, Flaw::Code),
            None => Outcome::Hang(Flaw::Late),
        }
    }

    /// Duration and exit code of a command; none if it never ends. What it prints is added if that is
    /// asked for, and taken away where it is not known.
    fn exec_course(
        &self,
        command: &[Arc<str>],
        age: SimDuration,
        hung: bool,
        said: &mut Option<String>,
    ) -> Option<(SimDuration, i32)> {
        let mut say = |text: &dyn Fn() -> String| {
            if let Some(said) = said {
                *said += &text();
            }
        };
        let words: Vec<&str> = command.iter().map(AsRef::as_ref).collect();
        let script = Script::of_command(&words, &[]);
        if script.needs_shell && !self.shell {
            return Some((EXEC_PROBE, 127));
        }
        let mut shell = Shell::new(&script, EXEC_PROBE);
        let mut unknown = false;
        while let Some(command) = shell.command() {
            let mut took = SimDuration::ZERO;
            let code = match command.word {
                Word::Forever => {
                    took = shell.left()?;
                    0
                }
                Word::Sleep(time) => {
                    took = time;
                    0
                }
                Word::Exit(code) => {
                    shell.exit(code);
                    continue;
                }
                Word::Status(code) => code,
                Word::Files(_) | Word::Write(..) => 0,
                Word::Echo(text) => {
                    say(&|| format!("{text}\n"));
                    0
                }
                Word::Test(path) => {
                    let name = command.name.rsplit('/').next().unwrap_or_default();
                    let is_there = self.has_file(&path, age);
                    if !is_there && name != "[" && name != "test" {
                        say(&|| format!("{name}: {path}: No such file or directory\n"));
                    }
                    i32::from(!is_there)
                }
                Word::Lacks(path) => i32::from(self.has_file(&path, age)),
                // Not modelled: what health checks ask of others.
                Word::Program
                | Word::Ask(_)
                | Word::Unknown
                | Word::Nested(_)
                | Word::Timeout(..)
                | Word::ErrorExit(_) => {
                    if self.lacks_program(&command.name) {
                        say(&|| format!("sh: 1: {}: not found\n", command.name));
                        127
                    } else if hung {
                        return None;
                    } else {
                        unknown = true;
                        i32::from(self.ready.is_none_or(|ready| age < ready))
                    }
                }
            };
            shell.ended(Status::Ended(code), took);
        }
        if unknown {
            *said = None;
        }
        Some((shell.at, shell.status().code()))
    }
}

/// Whether a command is a shell's script.
fn is_script(command: &[Arc<str>]) -> bool {
    let words: Vec<&str> = command.iter().map(AsRef::as_ref).collect();
    Script::of_command(&words, &[]).needs_shell
}
