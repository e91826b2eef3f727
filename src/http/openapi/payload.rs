//! The schemas of what operations are made of. The fields, their kinds and their figures are those of the rules that
//! check a payload.

use serde_json::{Map, Value, json};

use super::{
    prose,
    schemas::{NOT_BLANK, Schemas, object, or_null, time},
};
use crate::operations::{Deployment, Entry, Field, Kind, PayloadFields, REGISTRY};

/// One operation of any type: an object whose `status` decides which `data` it has. `suffix` ends the names of the
/// schemas, and `further` are its members besides `status`, `data` and `expires_at`.
pub(super) fn any_operation(
    suffix: &str,
    further: &[(&str, Value)],
    schemas: &mut Schemas<'_>,
) -> Value {
    let mut variants = Vec::new();
    let mut mapping = Map::new();
    for entry in REGISTRY {
        let data = schemas.add(
            &format!("{}Data", name_of(entry)),
            data(entry, schemas.deployment),
        );
        let mut operation = object([
            (
                "status",
                json!({ "type": "string", "const": entry.operation_type.as_str() }),
            ),
            ("data", data),
            ("expires_at?", or_null(time(EXPIRES_AT))),
        ]);
        if let Some(Value::Object(members)) = operation.get_mut("properties") {
            let further = further.iter().cloned();
            members.extend(further.map(|(key, schema)| (key.to_owned(), schema)));
        }
        let name = format!("{}{suffix}", name_of(entry));
        let variant = schemas.add(
            &name,
            described(operation, &prose::effect(entry.operation_type)),
        );
        mapping.insert(
            entry.operation_type.as_str().to_owned(),
            reference_of(&variant),
        );
        variants.push(variant);
    }
    json!({
        "oneOf": variants,
        "discriminator": { "propertyName": "status", "mapping": mapping },
    })
}

const EXPIRES_AT: &str = "The time until which the gateway may send the operation. If it has not been sent by then, it \
                          fails with the code `expired`.";

fn reference_of(variant: &Value) -> Value {
    variant.get("$ref").cloned().unwrap_or_default()
}

/// `CLIENT_CREATE` as the name of a schema: `ClientCreate`.
fn name_of(entry: &Entry) -> String {
    let words = entry.operation_type.as_str().split('_');
    let capitalized = words.map(|word| {
        let (first, rest) = word.split_at(1);
        format!("{first}{}", rest.to_lowercase())
    });
    capitalized.collect()
}

/// The schema of the payload of a type.
fn data(entry: &Entry, deployment: &Deployment) -> Value {
    let PayloadFields { fields, one_of } = (entry.fields)(deployment);
    let properties = fields.iter().map(|field| {
        let schema = value(*field, deployment);
        let meaning = prose::meaning(entry.operation_type, field.key);
        let (name, _) = kind(field.kind);
        let parts = [meaning, prose::definition(name)]
            .into_iter()
            .filter(|part| !part.is_empty());
        let description = parts.collect::<Vec<_>>().join(" — ");
        (field.key.to_owned(), described(schema, &description))
    });
    let required = fields
        .iter()
        .filter(|field| field.is_required)
        .map(|field| field.key);
    let mut schema = json!({
        "type": "object",
        "properties": properties.collect::<Map<_, _>>(),
        "required": required.collect::<Vec<_>>(),
        "additionalProperties": false,
    });
    if let Some(members) = schema.as_object_mut()
        && !one_of.is_empty()
    {
        let not_null = |key: &str| json!({ "required": [key], "properties": { key: { "not": { "type": "null" } } } });
        let one_of: Vec<Value> = one_of.into_iter().map(not_null).collect();
        members.insert("anyOf".to_owned(), one_of.into());
    }
    schema
}

fn described(mut schema: Value, description: &str) -> Value {
    if let Some(members) = schema.as_object_mut()
        && !description.is_empty()
    {
        members.insert("description".to_owned(), description.into());
    }
    schema
}

/// The schema of a field's value. A field that may be missing may also be `null`.
fn value(field: Field, deployment: &Deployment) -> Value {
    let (_, mut schema) = kind(field.kind);
    if let Some(members) = schema.as_object_mut()
        && let Some(words) = field.kind.words(deployment)
    {
        members.insert("enum".to_owned(), json!(words));
    }
    if field.is_required {
        schema
    } else {
        or_null(schema)
    }
}

/// The name of a kind in `docs/API.md`, and its schema. JSON Schema counts code points and Fineract UTF-16 units, so
/// a text of this length may still be too long if it contains characters such as emoji. There is no `multipleOf` for
/// decimals, because common validators compute it with binary fractions and then refuse 1.1.
fn kind(kind: Kind) -> (&'static str, Value) {
    match kind {
        Kind::Text { longest } => (
            "",
            json!({ "type": "string", "minLength": 1, "maxLength": longest, "pattern": NOT_BLANK }),
        ),
        Kind::Id { longest } => (
            "id",
            json!({
                "type": "string", "minLength": 1, "maxLength": longest,
                "pattern": r"^(?!\.{1,2}$)[^\s%/\\;\x00-\x1f\x7f]([^%/\\;\x00-\x1f\x7f]*[^\s%/\\;\x00-\x1f\x7f])?$",
            }),
        ),
        Kind::Reference { longest } => (
            "UTR",
            json!({
                "type": "string", "minLength": 1, "maxLength": longest,
                "pattern": r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?$",
            }),
        ),
        Kind::Day {
            first_year,
            last_year,
        } => ("day", day(first_year, last_year)),
        Kind::Decimal {
            digits,
            places,
            may_be_zero,
        } => {
            let name = if may_be_zero { "rate" } else { "money" };
            let least = if may_be_zero {
                "minimum"
            } else {
                "exclusiveMinimum"
            };
            let schema = json!({
                "type": "number", least: 0, "exclusiveMaximum": power_of_ten(digits), "x-decimal-places": places,
            });
            (name, schema)
        }
        Kind::Count { largest } => (
            "count",
            json!({ "type": "integer", "minimum": 1, "maximum": largest }),
        ),
        Kind::Word(_) | Kind::Lender => ("", json!({ "type": "string" })),
    }
}

/// The smallest number with more digits than this.
fn power_of_ten(digits: usize) -> Value {
    serde_json::from_str(&format!("1e{digits}")).unwrap_or_default()
}

fn day(first_year: i32, last_year: i32) -> Value {
    let months =
        "January|February|March|April|May|June|July|August|September|October|November|December";
    json!({
        "type": "string",
        "pattern": format!("^(0[1-9]|[12][0-9]|3[01]) ({months}) ({})$", years(first_year, last_year)),
        "examples": ["11 January 2026"],
    })
}

/// A pattern of all years between two others: their whole centuries, and the last year.
fn years(first: i32, last: i32) -> String {
    let centuries = (first / 100..last / 100).map(|century| format!("{century}[0-9]{{2}}"));
    let last = std::iter::once(last.to_string());
    centuries.chain(last).collect::<Vec<_>>().join("|")
}
