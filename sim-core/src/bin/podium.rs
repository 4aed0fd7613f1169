//! The native runner; everything is in `sim_core::cli`.

fn main() -> std::process::ExitCode {
    sim_core::cli::main()
}
