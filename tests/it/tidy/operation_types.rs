//! Every operation type is in every place that lists all types.

use fineract_gateway::{
    domain::{FineractCommand, OperationType},
    operations,
};

use super::{
    assert_none,
    source::{read_lossy, root},
};

#[test]
fn every_type_is_wherever_types_are_listed() {
    let document = |path: &str| read_lossy(&root().join(path));
    let (readme, api) = (document("README.md"), document("docs/API.md"));
    let (facts, deploying) = (
        document("docs/fineract/commands.md"),
        document("docs/DEPLOYING.md"),
    );
    let mut offences = Vec::new();
    for operation_type in OperationType::ALL {
        let mut check = |is_there: bool, place: &str| {
            if !is_there {
                offences.push(format!("{operation_type} is missing in {place}"));
            }
        };
        let command = FineractCommand::of(*operation_type);
        let (action, entity) = command.task();
        check(
            operations::entry(*operation_type).is_some(),
            "operations::REGISTRY",
        );
        check(
            FineractCommand::PROBED.contains(&command.probed_as()),
            "FineractCommand::PROBED",
        );
        check(readme.contains(&format!("`{operation_type}`")), "README.md");
        check(
            api.contains(&format!("### {operation_type}\n")),
            "docs/API.md",
        );
        let in_facts = |name| [format!("`{name}`"), format!("command={name}`")];
        let is_fact = command
            .parameter()
            .is_none_or(|name| in_facts(name).iter().any(|known| facts.contains(known)));
        check(is_fact, "docs/fineract/commands.md");
        check(
            deploying.contains(&format!("`{action}_{entity}`")),
            "the permissions in docs/DEPLOYING.md",
        );
    }
    assert_none(&offences);
}
