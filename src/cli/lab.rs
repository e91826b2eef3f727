//! The variables by which the lab has a gateway end itself or do wrong. None is a setting.

use crate::points::INJECTION_VARIABLE;

/// The variable that says what a gateway does wrong on purpose.
pub const SABOTAGE_VARIABLE: &str = "SABOTAGE";

/// Makes sure that nobody takes this gateway for one that obeys the lab.
#[cfg(not(feature = "fault-points"))]
pub(super) fn obey(variables: impl Fn(&str) -> Option<String>) -> anyhow::Result<()> {
    for name in [INJECTION_VARIABLE, SABOTAGE_VARIABLE] {
        anyhow::ensure!(
            variables(name).is_none(),
            "{name} is set: it is for the gateways that gateway-lab breaks, and this is none of them; unset it"
        );
    }
    Ok(())
}

/// Does as the lab says.
#[cfg(feature = "fault-points")]
pub(super) fn obey(variables: impl Fn(&str) -> Option<String>) -> anyhow::Result<()> {
    use anyhow::Context as _;
    if let Some(order) = variables(INJECTION_VARIABLE) {
        crate::points::arm(order.parse().context(INJECTION_VARIABLE)?);
    }
    #[cfg(feature = "sabotage")]
    if let Some(sabotage) = variables(SABOTAGE_VARIABLE) {
        crate::sabotage::begin(sabotage.parse().context(SABOTAGE_VARIABLE)?);
    }
    Ok(())
}
