//! How the input of each orchestrator is deployed: by the command line that is shown for it.

use crate::console::kubectl::apply::deploy;
use crate::console::{Output, Session};
use crate::engine::command::Command;
use crate::engine::lab::Input;
use crate::manifest::lines::Source;

use super::{Opened, PROJECT};

/// The flag of `kubectl apply` by which the server merges.
const SERVER_SIDE: &str = "--server-side";

/// What brings one orchestrator's input to it.
#[derive(Debug)]
pub(super) enum Deployment {
    /// `kubectl apply`.
    Apply {
        /// Flags.
        flags: Vec<String>,
        /// The words that name what is applied.
        named: String,
        /// Its texts.
        texts: Vec<Source>,
    },
    /// Any other command line.
    Line(String),
}

impl Deployment {
    /// What a folder with a kustomization builds.
    pub(super) fn overlay(folder: &str, built: &Source) -> Self {
        let folder = if folder.is_empty() { "." } else { folder };
        Self::Apply {
            flags: Vec::new(),
            named: format!("-k {}", quoted(folder)),
            texts: vec![built.clone()],
        }
    }

    /// Manifests.
    pub(super) fn manifests(texts: Vec<Source>) -> Self {
        let names = texts.iter();
        let words: Vec<String> = names
            .map(|text| format!("-f {}", quoted(&text.name)))
            .collect();
        Self::Apply {
            flags: Vec::new(),
            named: words.join(" "),
            texts,
        }
    }

    /// A stack file.
    pub(super) fn stack(name: &str) -> Self {
        Self::Line(format!("docker stack deploy -c {} {PROJECT}", quoted(name)))
    }

    /// Compose files, merged in this order.
    pub(super) fn compose<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let words: Vec<String> = names.map(|name| format!("-f {}", quoted(name))).collect();
        let words = words.join(" ");
        Self::Line(format!("docker compose -p {PROJECT} {words} up -d"))
    }

    /// Lets the server merge what `kubectl apply` sends.
    pub(super) fn by_server(&mut self) {
        if let Self::Apply { flags, .. } = self {
            flags.push(SERVER_SIDE.to_owned());
        }
    }

    fn line(&self) -> String {
        match self {
            Self::Apply { flags, named, .. } => {
                let mut words = vec!["kubectl apply"];
                words.extend(flags.iter().map(String::as_str));
                words.push(named);
                words.join(" ")
            }
            Self::Line(line) => line.clone(),
        }
    }

    fn run(&self, session: &mut Session) -> Output {
        match self {
            Self::Apply { flags, texts, .. } => deploy::deploy(session, flags, texts),
            Self::Line(line) => session.run(line),
        }
    }
}

/// A file's name as a word of a command line.
pub fn quoted(name: &str) -> String {
    format!("'{}'", name.replace('\'', r"'\''"))
}

impl Opened {
    /// The command lines that [`Self::deploy`] stands for.
    pub fn deploy_lines(&self) -> Vec<String> {
        self.deployments.iter().map(Deployment::line).collect()
    }

    /// Whether `kubectl apply` is among them.
    pub fn applies(&self) -> bool {
        let mut all = self.deployments.iter();
        all.any(|deployment| matches!(deployment, Deployment::Apply { .. }))
    }

    /// Deploys again, in another session, what is brought by the lines that name a file, or all if
    /// none does. Stops at the first that fails.
    pub fn deploy_again(&self, file: &str, session: &mut Session) -> Output {
        let quoted = quoted(file);
        let names = |deployment: &&Deployment| deployment.line().contains(&quoted);
        let named = self.deployments.iter().any(|it| names(&it));
        let mut all = Output::default();
        session.wait = false;
        for deployment in self.deployments.iter().filter(|it| !named || names(it)) {
            let output = deployment.run(session);
            all.stdout.push(&output.stdout);
            all.stderr.push(&output.stderr);
            all.code = output.code;
            if all.code != 0 {
                break;
            }
        }
        session.wait = true;
        all
    }

    /// Deploys the input at the present time and schedules the faults. A scenario's script deploys
    /// for itself. What is printed is of those that failed, and what the API server warns of; what
    /// `docker` warns of was found before.
    pub fn deploy(&mut self) -> Output {
        let mut all = Output::default();
        self.session.wait = false;
        for deployment in &self.deployments {
            let output = deployment.run(&mut self.session);
            let failed = output.code != 0;
            if failed {
                all.stdout.push(&output.stdout);
                all.code = 1;
            }
            if failed || matches!(deployment, Deployment::Apply { .. }) {
                all.stderr.push(&output.stderr);
            }
        }
        self.session.wait = true;
        for fault in self.faults.drain(..) {
            self.session.history.input(Input {
                only: None,
                command: Command::Inject(fault),
            });
        }
        all
    }
}
