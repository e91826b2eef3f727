//! The `fineract-gateway` binary: reads the arguments and hands over to [`fineract_gateway::cli`].

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Unlike the allocator of glibc, it gives the memory of ended connections back to the system
/// (docs/adr/0051-memory-goes-back-to-the-system.md).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    fineract_gateway::cli::run()
}
