//! One route of the document.

use std::{collections::BTreeMap, sync::Arc};

use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use super::{
    refusals::{Form, by_status, report},
    schemas::Schemas,
    security::Credential,
};
use crate::http::error::ErrorReport;

/// A route, as its method and its path, and the function that describes it.
pub(super) type Row = (&'static str, fn(&mut Schemas<'_>) -> Endpoint);

/// What the document says of one route.
pub(super) struct Endpoint {
    id: &'static str,
    summary: &'static str,
    description: &'static str,
    credentials: Vec<Credential>,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<u16, Answer>,
    form: Form,
    errors: Vec<Arc<ErrorReport>>,
}

/// An answer without an error.
#[derive(Default)]
struct Answer {
    description: &'static str,
    headers: Vec<&'static str>,
    content: Map<String, Value>,
}

impl Endpoint {
    /// A route that needs no credential and has no errors. `id` is the name of the function in clients that are
    /// generated.
    pub(super) fn new(id: &'static str, summary: &'static str, description: &'static str) -> Self {
        Self {
            id,
            summary,
            description,
            credentials: Vec::new(),
            parameters: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
            form: Form::Problem,
            errors: Vec::new(),
        }
    }

    /// The route accepts this credential. If it is called more than once, one of the credentials is enough.
    pub(super) fn with(mut self, credential: Credential) -> Self {
        self.credentials.push(credential);
        self
    }

    /// The route has this parameter.
    pub(super) fn parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// The route has these parameters.
    pub(super) fn parameters(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// The route takes a body of this media type.
    pub(super) fn takes(mut self, media_type: &str, schema: Value, examples: Value) -> Self {
        let content = media(schema, examples);
        let body = self
            .body
            .get_or_insert_with(|| json!({ "required": true, "content": {} }));
        if let Some(Value::Object(all)) = body.get_mut("content") {
            all.insert(media_type.to_owned(), content);
        }
        self
    }

    /// The route takes JSON.
    pub(super) fn takes_json(self, schema: Value, examples: Value) -> Self {
        self.takes("application/json", schema, examples)
    }

    /// The route answers JSON with this status.
    pub(super) fn answers(
        self,
        status: u16,
        description: &'static str,
        schema: Value,
        examples: Value,
    ) -> Self {
        self.answers_as(
            status,
            description,
            "application/json",
            media(schema, examples),
        )
    }

    /// The route answers a body of this media type with this status.
    pub(super) fn answers_as(
        mut self,
        status: u16,
        description: &'static str,
        media_type: &str,
        content: Value,
    ) -> Self {
        let answer = self.answers.entry(status).or_default();
        answer.description = description;
        answer.content.insert(media_type.to_owned(), content);
        self
    }

    /// The route answers with this status, without a body.
    pub(super) fn answers_nothing(mut self, status: u16, description: &'static str) -> Self {
        self.answers.entry(status).or_default().description = description;
        self
    }

    /// The answer with this status has these headers.
    pub(super) fn headers(mut self, status: u16, headers: &[&'static str]) -> Self {
        self.answers
            .entry(status)
            .or_default()
            .headers
            .extend(headers);
        self
    }

    /// The route has these errors.
    pub(super) fn refuses<E: IntoResponse>(mut self, errors: impl IntoIterator<Item = E>) -> Self {
        self.errors.extend(errors.into_iter().filter_map(report));
        self
    }

    /// The route renders its errors in this form.
    pub(super) fn renders(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// The operation object of the document.
    pub(super) fn into_operation(self, tag: &str, schemas: &mut Schemas<'_>) -> Value {
        let errors = by_status(&self.errors, self.form, schemas);
        let meters = self.form == Form::Transaction;
        let mut responses: BTreeMap<String, Value> = BTreeMap::new();
        for (status, answer) in self.answers {
            let mut response = response(answer.description, &answer.headers, meters);
            if !answer.content.is_empty() {
                response.insert("content".to_owned(), answer.content.into());
            }
            responses.insert(status.to_string(), response.into());
        }
        for (status, refusal) in errors {
            let mut response = response(&refusal.description, &refusal.headers, meters);
            let (media_type, schema) = refusal.content;
            let content = json!({ media_type: { "schema": schema } });
            let status = status.to_string();
            // A status may be an answer and an error, such as a 503 of /readyz.
            response.insert("content".to_owned(), content);
            responses.entry(status).or_insert(response.into());
        }
        let mut operation = json!({
            "operationId": self.id,
            "tags": [tag],
            "summary": self.summary,
            "description": self.description,
            "security": self.credentials.into_iter().map(Credential::requirement).collect::<Vec<_>>(),
        });
        if let Some(members) = operation.as_object_mut() {
            if !self.parameters.is_empty() {
                members.insert("parameters".to_owned(), self.parameters.into());
            }
            if let Some(body) = self.body {
                members.insert("requestBody".to_owned(), body);
            }
            members.insert("responses".to_owned(), json!(responses));
        }
        operation
    }
}

/// A schema with its examples. `examples` is an object of the examples by their names, or `null`.
pub(super) fn media(schema: Value, examples: Value) -> Value {
    let mut content = Map::new();
    content.insert("schema".to_owned(), schema);
    if let Value::Object(examples) = examples {
        let examples = examples.into_iter();
        let named: Map<String, Value> = examples
            .map(|(name, value)| (name, json!({ "value": value })))
            .collect();
        content.insert("examples".to_owned(), named.into());
    }
    content.into()
}

/// A response object without its content.
fn response(description: &str, headers: &[&'static str], meters: bool) -> Map<String, Value> {
    const METER: [&str; 5] = [
        "X-RateLimit-Limit",
        "X-RateLimit-Remaining",
        "X-RateLimit-Reset",
        "RateLimit-Policy",
        "RateLimit",
    ];
    let meter = METER.iter().filter(|_| meters);
    let headers = ["X-Request-Id"].iter().chain(headers).chain(meter);
    let headers: Map<String, Value> = headers
        .map(|name| {
            let reference = format!("#/components/headers/{name}");
            ((*name).to_owned(), json!({ "$ref": reference }))
        })
        .collect();
    let mut response = Map::new();
    response.insert("description".to_owned(), description.into());
    response.insert("headers".to_owned(), headers.into());
    response
}
