//! The environment variables by which the lab makes a gateway end itself or misbehave. None of them is a setting.

use crate::points::INJECTION_VARIABLE;

/// The variable that names a sabotage: a deliberate error of one of the lab's gateways.
pub const SABOTAGE_VARIABLE: &str = "SABOTAGE";

/// Refuses to start if a variable of the lab is set, because this gateway would ignore it.
#[cfg(not(feature = "fault-points"))]
pub(super) fn apply(variables: impl Fn(&str) -> Option<String>) -> anyhow::Result<()> {
    for name in [INJECTION_VARIABLE, SABOTAGE_VARIABLE] {
        anyhow::ensure!(
            variables(name).is_none(),
            "{name} is set, which only the gateways of gateway-lab support: unset it"
        );
    }
    Ok(())
}

/// Arms the injection and the sabotage that the variables of the lab request.
#[cfg(feature = "fault-points")]
pub(super) fn apply(variables: impl Fn(&str) -> Option<String>) -> anyhow::Result<()> {
    use anyhow::Context as _;
    if let Some(injection) = variables(INJECTION_VARIABLE) {
        crate::points::arm(injection.parse().context(INJECTION_VARIABLE)?);
    }
    #[cfg(feature = "sabotage")]
    if let Some(sabotage) = variables(SABOTAGE_VARIABLE) {
        crate::sabotage::begin(sabotage.parse().context(SABOTAGE_VARIABLE)?);
    }
    Ok(())
}
