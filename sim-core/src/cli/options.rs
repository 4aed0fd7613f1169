//! The command line's grammar.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A playground and test bench for container orchestration: your manifests, your faults, in
/// seconds and without a cluster.
#[derive(Debug, Parser)]
#[command(name = "podium", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run a scenario, or manifests on a default cluster, and print a timeline and a summary.
    Run(RunOptions),
    /// Run one cluster shape, seed and fault script on each orchestrator that has input.
    Compare(CompareOptions),
    /// The console: kubectl, docker, host and sim commands.
    Shell(ShellOptions),
    /// Check input files only.
    Lint(LintOptions),
    /// Run workloads of fixed shape and print what they cost.
    Bench(BenchOptions),
    /// Run random clusters, workloads and faults; check invariants, heal, demand convergence.
    Soak(SoakOptions),
    /// Run an experiment again and again with another choice where the real system leaves an order
    /// open, and compare how each run ends.
    Explore(ExploreOptions),
    /// Bring every Compose and stack file up, each by itself, and say which come to run.
    Converge(ConvergeOptions),
    /// Draft one orchestrator's files from another's; list what could not be carried.
    Convert(ConvertOptions),
    /// Explain a diagnostic's code.
    Explain {
        /// The code, e.g. K8S001.
        code: String,
    },
    /// Print a shell's completion script.
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// What is converted, and to what.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConvertOptions {
    /// Files or directories; `-`: standard input.
    pub(crate) paths: Vec<PathBuf>,
    /// What is drafted.
    #[arg(long, value_parser = ["kubernetes", "stack", "compose"])]
    pub(crate) to: String,
}

/// Where results go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for people.
    #[default]
    Table,
    /// A table with more columns.
    Wide,
    /// JSON with `schemaVersion`.
    Json,
    /// The same as YAML.
    Yaml,
    /// Names only.
    Name,
}

/// Machines, seed, input.
#[derive(Clone, Debug, Args)]
pub(crate) struct Setup {
    /// Manifests, stack files, Compose files, or directories of them; `-`: standard input.
    pub(crate) paths: Vec<PathBuf>,
    /// Worker machines worker-1 … worker-N beside control-1.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) nodes: u32,
    /// Managers of Swarm control-1 … control-N; more than half of them must run.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=7))]
    pub(crate) managers: u32,
    /// What every worker has, e.g. cpu=4,memory=8Gi.
    #[arg(long, value_name = "KEY=VALUE,…")]
    pub(crate) node: Option<String>,
    /// Seed of the run.
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// 'KIND TARGET at T [for D]', repeatable, e.g. 'node-crash of:vote at 60s'.
    #[arg(long, value_name = "FAULT")]
    pub(crate) fault: Vec<String>,
    /// A file that is a Swarm stack.
    #[arg(long, value_name = "FILE")]
    pub(crate) stack: Option<PathBuf>,
    /// A Compose file; repeat to merge several.
    #[arg(long, value_name = "FILE")]
    pub(crate) compose: Vec<PathBuf>,
    /// Apply manifests as `kubectl apply --server-side` does: objects may then be larger than the
    /// annotation that keeps what was applied.
    #[arg(long)]
    pub(crate) server_side: bool,
    /// A component's flag under its upstream name, e.g. kube-controller-manager.node-monitor-grace-period=40s.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Let the choice of this number go another way, repeatable; `podium explore` prints them.
    #[arg(long, value_name = "[ORCHESTRATOR:]NUMBER=WAY")]
    pub(crate) choose: Vec<String>,
    /// A variable for the interpolation of Compose and stack files; the environment is not read.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub(crate) setup: Setup,
    /// Only this orchestrator.
    #[arg(long, value_parser = ["kubernetes", "swarm", "compose"])]
    pub(crate) orchestrator: Option<String>,
    /// How long to run, in simulated time.
    #[arg(long = "for", value_name = "DURATION")]
    pub(crate) length: Option<String>,
    /// Stop when this holds (exit 1 if it never does within --for), e.g. converged.
    #[arg(long, value_name = "CONDITION")]
    pub(crate) until: Option<String>,
    /// Output format.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CompareOptions {
    #[command(flatten)]
    pub(crate) setup: Setup,
    /// How long to run, in simulated time.
    #[arg(long = "for", value_name = "DURATION", default_value = "15m")]
    pub(crate) length: String,
    /// Output format.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ExploreOptions {
    #[command(flatten)]
    pub(crate) setup: Setup,
    /// Only this orchestrator.
    #[arg(long, value_parser = ["kubernetes", "swarm", "compose"])]
    pub(crate) orchestrator: Option<String>,
    /// How long each run lasts, in simulated time.
    #[arg(long = "for", value_name = "DURATION", default_value = "15m")]
    pub(crate) length: String,
    /// How many other ways are tried for each orchestrator.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: u32,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ShellOptions {
    #[command(flatten)]
    pub(crate) setup: Setup,
    /// Only this orchestrator.
    #[arg(long, value_parser = ["kubernetes", "swarm", "compose"])]
    pub(crate) orchestrator: Option<String>,
    /// Run these lines instead of reading standard input.
    #[arg(short, value_name = "LINES")]
    pub(crate) command: Option<String>,
    /// Stop at the first failing command.
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct LintOptions {
    #[command(flatten)]
    pub(crate) setup: Setup,
    /// Output format.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct BenchOptions {
    /// Workloads: steady, rollout, node-loss, zone-loss, waves, machines, swarm, burst; none: all of
    /// these. Or api, by itself: what one waits for at the console and in the editor.
    pub(crate) workloads: Vec<String>,
    /// Machines, with --pods; without both: 100/1,000 and 1,000/10,000, for swarm 1,000/100,000.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub(crate) nodes: Option<u32>,
    /// Pods.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=2_000_000))]
    pub(crate) pods: Option<u32>,
    /// 5,000/150,000 as well.
    #[arg(long, conflicts_with_all = ["nodes", "pods"])]
    pub(crate) all: bool,
    /// Seed of the runs; burst has its own.
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// Output format.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

/// Which files are brought up.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConvergeOptions {
    /// Files or directories; what has no services is a file that containers may mount.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// How long each may take, in simulated time.
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub(crate) within: String,
    /// Seed of the runs.
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
}

/// Which seeds are soaked.
#[derive(Clone, Debug, Args)]
pub(crate) struct SoakOptions {
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    pub(crate) seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    pub(crate) first: u64,
    /// Print the first seed's plan as a scenario file instead of running it.
    #[arg(long)]
    pub(crate) print: bool,
}
