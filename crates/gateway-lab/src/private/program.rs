//! The binaries that gateway processes run.

use std::path::PathBuf;

use anyhow::Context as _;

/// The product as it is deployed. Its binary is beside this program, or at the path in [`PROGRAM_VARIABLE`].
pub(crate) const PRODUCT: &str = "fineract-gateway";
/// The product, built with fault points and sabotages. Its binary is beside this program.
pub(super) const WITH_FAULTS: &str = "gateway-with-faults";
/// The environment variable with the path of another build of the product.
const PROGRAM_VARIABLE: &str = "GATEWAY_PROGRAM";

/// The path of a build of the gateway.
pub(crate) fn program(name: &str) -> anyhow::Result<PathBuf> {
    let chosen = std::env::var_os(PROGRAM_VARIABLE).filter(|_| name == PRODUCT);
    let program = match chosen {
        Some(program) => PathBuf::from(program),
        None => std::env::current_exe()
            .context("cannot find the path of this program")?
            .with_file_name(name),
    };
    anyhow::ensure!(
        program.exists(),
        "{} does not exist: build it first, as the Makefile does",
        program.display()
    );
    Ok(program)
}
