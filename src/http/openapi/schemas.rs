//! The schemas of the document: those of the structs that are serialized, and those that are written by hand.

use schemars::{
    JsonSchema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
};
use serde_json::{Map, Value, json};

use crate::operations::Deployment;

/// Collects schemas under their names.
pub(super) struct Schemas<'a> {
    /// The deployment, which decides what some fields may be.
    pub(super) deployment: &'a Deployment,
    generator: SchemaGenerator,
    written: Map<String, Value>,
}

impl<'a> Schemas<'a> {
    /// A collection without schemas.
    pub(super) fn new(deployment: &'a Deployment) -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
            settings.contract = Contract::Serialize;
        });
        Self {
            deployment,
            generator: settings.into_generator(),
            written: Map::new(),
        }
    }

    /// The schema of a body that is serialized. It refers to the collection.
    pub(super) fn of<T: JsonSchema>(&mut self) -> Value {
        self.generator.subschema_for::<T>().into()
    }

    /// Adds a schema under a name, and returns a reference to it.
    pub(super) fn add(&mut self, name: &str, schema: Value) -> Value {
        self.written.insert(name.to_owned(), schema);
        reference(name)
    }

    /// All schemas in the order of their names.
    pub(super) fn finish(mut self) -> Map<String, Value> {
        let mut all = self.generator.take_definitions(true);
        all.append(&mut self.written);
        all.values_mut().for_each(for_readers);
        all.sort_keys();
        all
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Descriptions come from comments in the source. Turns what only readers of the source understand into what readers of
/// the document do.
fn for_readers(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(text)) = members.get_mut("description") {
                let flowing = text.split('\n').collect::<Vec<_>>().join(" ");
                *text = flowing
                    .replace("`None`", "`null`")
                    .replace("[`", "`")
                    .replace("`]", "`");
            }
            members.values_mut().for_each(for_readers);
        }
        Value::Array(items) => items.iter_mut().for_each(for_readers),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The schema of an object that has no other members. A key that ends with `?` may be missing.
pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (key, schema) in members {
        let optional = key.strip_suffix('?');
        if optional.is_none() {
            required.push(key);
        }
        properties.insert(optional.unwrap_or(key).to_owned(), schema);
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The pattern of a text that is not blank and has no NUL.
pub(super) const NOT_BLANK: &str = "^[^\\x00]*[^\\s\\x00][^\\x00]*$";

/// The schema of a text of at most this length that is not blank.
pub(super) fn text(longest: usize, description: &str) -> Value {
    json!({
        "type": "string", "minLength": 1, "maxLength": longest, "pattern": NOT_BLANK, "description": description,
    })
}

/// The schema of a time with its offset.
pub(super) fn time(description: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": description })
}

/// The schema of one of these words.
pub(super) fn word(words: &[&str], description: &str) -> Value {
    json!({ "type": "string", "enum": words, "description": description })
}

/// A schema that also permits `null`. The gateway treats a member that is `null` like a member that is missing.
pub(super) fn or_null(mut schema: Value) -> Value {
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind.clone(), "null"]);
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.push(Value::Null);
    }
    schema
}
