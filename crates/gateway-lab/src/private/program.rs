//! Which binary a gateway process runs.

use std::path::PathBuf;

use anyhow::Context as _;

/// The product as it is deployed, beside this program or where [`PROGRAM_VARIABLE`] says.
pub(super) const PRODUCT: &str = "fineract-gateway";
/// The same, built so that it obeys orders, beside this program.
pub(super) const WITH_FAULTS: &str = "gateway-with-faults";
/// The environment variable that names another build of the product.
const PROGRAM_VARIABLE: &str = "GATEWAY_PROGRAM";

/// Where a build of the gateway is.
pub(super) fn program(name: &str) -> anyhow::Result<PathBuf> {
    let chosen = std::env::var_os(PROGRAM_VARIABLE).filter(|_| name == PRODUCT);
    let program = match chosen {
        Some(program) => PathBuf::from(program),
        None => std::env::current_exe()
            .context("this program cannot be found")?
            .with_file_name(name),
    };
    anyhow::ensure!(
        program.exists(),
        "{} is not there: build it first, as the Makefile does",
        program.display()
    );
    Ok(program)
}
