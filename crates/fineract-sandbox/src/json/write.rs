use super::Json;

impl Json {
    /// Writes the value without white space, as Fineract writes successful answers (with Gson).
    pub(crate) fn compact(&self) -> String {
        let mut out = String::new();
        self.write_compact(&mut out);
        out
    }

    fn write_compact(&self, out: &mut String) {
        match self {
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write_compact(out);
                }
                out.push(']');
            }
            Self::Object(object) => {
                out.push('{');
                for (index, (key, value)) in object.0.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    out.push_str(&quoted(key));
                    out.push(':');
                    value.write_compact(out);
                }
                out.push('}');
            }
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => {
                out.push_str(&self.scalar());
            }
        }
    }

    /// Writes the value as Fineract writes errors (with the pretty printer of Jackson): two blanks of indentation for
    /// each level, `" : "` after a key, `[ ]` for an empty list, `{ }` for an empty object.
    pub(crate) fn pretty(&self) -> String {
        let mut out = String::new();
        self.write_pretty(&mut out, 0);
        out
    }

    fn write_pretty(&self, out: &mut String, depth: usize) {
        match self {
            Self::List(items) if items.is_empty() => out.push_str("[ ]"),
            Self::List(items) => {
                out.push_str("[ ");
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    item.write_pretty(out, depth);
                }
                out.push_str(" ]");
            }
            Self::Object(object) if object.0.is_empty() => out.push_str("{ }"),
            Self::Object(object) => {
                out.push('{');
                for (index, (key, value)) in object.0.iter().enumerate() {
                    out.push_str(if index > 0 { ",\n" } else { "\n" });
                    out.push_str(&"  ".repeat(depth + 1));
                    out.push_str(&quoted(key));
                    out.push_str(" : ");
                    value.write_pretty(out, depth + 1);
                }
                out.push('\n');
                out.push_str(&"  ".repeat(depth));
                out.push('}');
            }
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => {
                out.push_str(&self.scalar());
            }
        }
    }

    fn scalar(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Number(text) => text.clone(),
            Self::Text(text) => quoted(text),
            Self::Null | Self::List(_) | Self::Object(_) => "null".to_owned(),
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
