//! Runs fuzz targets with limits of time and memory.
//!
//! ```text
//! cargo run --profile parity -p tests --bin fuzz -- all --seconds 600 [--seed N] [--corpus PATH]…
//! cargo run --profile parity -p tests --bin fuzz -- yaml --minimise FILE
//! ```
//! What breaks a target is written, made small, to `target/fuzz/TARGET/`. To let the code that runs
//! guide the mutations, build with counters (other runs are guided by what the engine says):
//!
//! ```text
//! RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3
//!   -Cllvm-args=-sanitizer-coverage-inline-8bit-counters" cargo … --target x86_64-unknown-linux-gnu
//! ```
//! Each target runs in a process of its own: a deep recursion or a hang ends that process, the input is
//! kept, and the next one goes on with another seed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tests::fuzz::shrink::shrink;
use tests::fuzz::targets::Target;
use tests::fuzz::{Campaign, Coverage, attempt, corpus};

/// Processor time that one input may take, in hundredths of a second.
const CPU_TICKS_MAX: u64 = 500;

/// Bytes that one input may hold at once, over what the process holds between inputs.
const BYTES_MAX: usize = 512 << 20;

/// Stack of the thread that runs inputs, as `cargo test` gives.
const STACK_BYTES: usize = 2 << 20;

/// Findings after which a target is left.
const FINDINGS_MAX: usize = 20;

/// Exit codes of a worker.
const PANICKED: i32 = 70;
const TOO_LONG: i32 = 71;
const TOO_MUCH: i32 = 72;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static ALLOWED: AtomicUsize = AtomicUsize::new(usize::MAX);
static OVER: AtomicBool = AtomicBool::new(false);
static RUNNING: Mutex<Option<u64>> = Mutex::new(None);
static COUNTERS: AtomicUsize = AtomicUsize::new(0);
static COUNTERS_LENGTH: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call goes to the system's allocator with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        if live > ALLOWED.load(Ordering::Relaxed) {
            OVER.store(true, Ordering::Relaxed);
            loop {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Called before `main` by code that was built with counters.
#[unsafe(no_mangle)]
unsafe extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, end: *mut u8) {
    if COUNTERS.load(Ordering::Relaxed) == 0 {
        COUNTERS.store(start as usize, Ordering::Relaxed);
        COUNTERS_LENGTH.store(end as usize - start as usize, Ordering::Relaxed);
    }
}

/// The counters of this program, and the highest order that each has shown.
struct Counters {
    seen: Vec<u8>,
}

impl Counters {
    fn cells(&mut self) -> &'static mut [u8] {
        let start = COUNTERS.load(Ordering::Relaxed);
        if start == 0 {
            return &mut [];
        }
        // SAFETY: the linker's section of counters, which lives as long as the program; only the thread
        // that runs inputs reads and resets it, and a lost count does no harm.
        unsafe {
            std::slice::from_raw_parts_mut(
                start as *mut u8,
                COUNTERS_LENGTH.load(Ordering::Relaxed),
            )
        }
    }
}

impl Coverage for Counters {
    fn reset(&mut self) {
        self.cells().fill(0);
    }

    fn news(&mut self) -> bool {
        let cells = self.cells();
        self.seen.resize(cells.len(), 0);
        let mut news = false;
        for (seen, cell) in self.seen.iter_mut().zip(cells) {
            let order = 8 - cell.leading_zeros() as u8;
            if order > *seen {
                *seen = order;
                news = true;
            }
        }
        news
    }
}

struct Wishes {
    targets: Vec<Target>,
    seconds: u64,
    seed: u64,
    corpus: Vec<PathBuf>,
    minimise: Option<PathBuf>,
    worker: bool,
    once: Option<PathBuf>,
}

fn wishes() -> Result<Wishes, String> {
    let mut wishes = Wishes {
        targets: Vec::new(),
        seconds: 60,
        seed: 1,
        corpus: Vec::new(),
        minimise: None,
        worker: false,
        once: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--seconds" => wishes.seconds = value()?.parse().map_err(|_| "a number of seconds")?,
            "--seed" => wishes.seed = value()?.parse().map_err(|_| "a number")?,
            "--corpus" => wishes.corpus.push(value()?.into()),
            "--minimise" => wishes.minimise = Some(value()?.into()),
            "--once" => wishes.once = Some(value()?.into()),
            "--worker" => wishes.worker = true,
            "all" => wishes.targets.extend(Target::ALL),
            name => wishes
                .targets
                .push(Target::named(name).ok_or(format!("no target \"{name}\""))?),
        }
    }
    if wishes.targets.is_empty() {
        let names: Vec<&str> = Target::ALL.iter().map(|target| target.name()).collect();
        return Err(format!("a target is one of all, {}", names.join(", ")));
    }
    Ok(wishes)
}

fn folder(target: Target) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/fuzz")
        .join(target.name());
    fs::create_dir_all(&folder).expect("target/fuzz can be made");
    folder
}

fn current(target: Target) -> PathBuf {
    folder(target).join(format!("current-{}", std::process::id()))
}

fn main() -> ExitCode {
    let wishes = match wishes() {
        Ok(wishes) => wishes,
        Err(message) => {
            eprintln!("fuzz: {message}");
            return ExitCode::from(2);
        }
    };
    let target = wishes.targets[0];
    if let Some(file) = &wishes.once {
        let input = fs::read(file).expect("the input");
        guarded(move || once(target, &input));
    }
    if wishes.worker {
        guarded(move || work(target, &wishes));
    }
    if let Some(file) = &wishes.minimise {
        let input = fs::read(file).expect("the input");
        println!("{}", minimise(target, &input).display());
        return ExitCode::SUCCESS;
    }
    let mut findings = 0;
    for target in &wishes.targets {
        findings += campaign(*target, &wishes);
    }
    if findings > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Runs `body` on a thread with the stack of a test, under the watch of this one.
fn guarded(body: impl FnOnce() + Send + 'static) -> ! {
    let thread = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(body);
    let thread = thread.expect("a thread");
    while !thread.is_finished() {
        std::thread::sleep(Duration::from_millis(20));
        if OVER.load(Ordering::Relaxed) {
            std::process::exit(TOO_MUCH);
        }
        let started = *RUNNING.lock().expect("the clock");
        if started.is_some_and(|started| cpu_ticks().saturating_sub(started) > CPU_TICKS_MAX) {
            std::process::exit(TOO_LONG);
        }
    }
    std::process::exit(if thread.join().is_ok() { 0 } else { PANICKED });
}

/// Processor time of this process, in hundredths of a second.
fn cpu_ticks() -> u64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = text.rsplit(')').next().unwrap_or("");
    let field = |index: usize| {
        let word = after.split_whitespace().nth(index);
        word.and_then(|word| word.parse::<u64>().ok()).unwrap_or(0)
    };
    field(11) + field(12)
}

fn begin() {
    ALLOWED.store(LIVE.load(Ordering::Relaxed) + BYTES_MAX, Ordering::Relaxed);
    *RUNNING.lock().expect("the clock") = Some(cpu_ticks());
}

fn once(target: Target, input: &[u8]) {
    // The session that lines run in is made first: it is no part of the input.
    let _ = attempt(target, b"");
    begin();
    if let Err(message) = attempt(target, input) {
        eprintln!("{message}");
        std::process::exit(PANICKED);
    }
}

fn work(target: Target, wishes: &Wishes) {
    let mut inputs = corpus::own(target);
    for path in &wishes.corpus {
        inputs.extend(corpus::from(path));
    }
    let _ = attempt(target, b"");
    let path = current(target);
    let mut campaign = Campaign::new(target, inputs, wishes.seed);
    let mut counters = Counters { seen: Vec::new() };
    let end = Instant::now() + Duration::from_secs(wishes.seconds);
    let mut ran = 0_u64;
    while Instant::now() < end {
        ran += 1;
        let stepped = campaign.step(&mut counters, &mut |input| {
            fs::write(&path, input).expect("target/fuzz can be written");
            begin();
        });
        if stepped.is_err() {
            println!("{ran} {}", campaign.kept());
            std::process::exit(PANICKED);
        }
    }
    drop(fs::remove_file(&path));
    println!("{ran} {}", campaign.kept());
}

/// How an input ends a process: the code, and where it panicked.
fn ending(target: Target, input: &[u8]) -> Option<String> {
    let file = folder(target).join(format!("candidate-{}", std::process::id()));
    fs::write(&file, input).expect("target/fuzz can be written");
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args([target.name(), "--once"])
        .arg(&file)
        .stdout(Stdio::null())
        .output()
        .expect("this program runs");
    drop(fs::remove_file(&file));
    if output.status.success() {
        return None;
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let place = said
        .lines()
        .find_map(|line| line.split_once("panicked at "));
    Some(match place {
        Some((_, place)) => place.trim_end_matches(':').to_owned(),
        None => match output.status.code() {
            Some(TOO_LONG) => "takes too long".to_owned(),
            Some(TOO_MUCH) => "takes too much memory".to_owned(),
            code => format!("ends with {code:?}"),
        },
    })
}

/// Makes an input small that breaks the target the same way, and keeps it.
fn minimise(target: Target, input: &[u8]) -> PathBuf {
    let small = match ending(target, input) {
        Some(way) => {
            eprintln!("{}: {way}", target.name());
            let end = Instant::now() + Duration::from_secs(90);
            shrink(input, &mut |candidate| {
                Instant::now() < end && ending(target, candidate).as_ref() == Some(&way)
            })
        }
        None => {
            eprintln!("{}: an input does not break it again", target.name());
            input.to_vec()
        }
    };
    let name = small.iter().fold(0xcbf2_9ce4_u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    let file = folder(target).join(format!("crash-{name:08x}"));
    fs::write(&file, &small).expect("target/fuzz can be written");
    file
}

/// Lets workers run for the time wished; the number of findings.
fn campaign(target: Target, wishes: &Wishes) -> usize {
    let began = Instant::now();
    let (mut findings, mut runs, mut kept, mut seed) = (0, 0, 0, wishes.seed);
    while began.elapsed().as_secs() < wishes.seconds && findings < FINDINGS_MAX {
        let left = wishes.seconds - began.elapsed().as_secs();
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command
            .args([target.name(), "--worker", "--seconds", &left.to_string()])
            .args(["--seed", &seed.to_string()]);
        for path in &wishes.corpus {
            command.arg("--corpus").arg(path);
        }
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this program runs");
        let current = folder(target).join(format!("current-{}", child.id()));
        let output = child.wait_with_output().expect("a worker ends");
        let told = String::from_utf8_lossy(&output.stdout);
        let mut numbers = told
            .split_whitespace()
            .filter_map(|word| word.parse::<u64>().ok());
        runs += numbers.next().unwrap_or(0);
        kept = numbers.next().unwrap_or(kept);
        seed += 1;
        if !output.status.success() {
            findings += 1;
            let input = fs::read(&current).unwrap_or_default();
            drop(fs::remove_file(&current));
            println!("{}", minimise(target, &input).display());
        }
    }
    println!(
        "{}: {findings} findings, {runs} inputs in {} s, {kept} kept, {} counters",
        target.name(),
        began.elapsed().as_secs(),
        COUNTERS_LENGTH.load(Ordering::Relaxed)
    );
    findings
}
