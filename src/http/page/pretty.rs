//! JSON for people: on several lines, with every digit as it was sent.

use super::json::{Token, walk};

/// What `domain::masked` writes in place of people's data.
const MASK: &str = "\"***\"";

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Shown as it is.
    Text(String),
    /// Something masked.
    Masked,
}

/// Writes a JSON text on several lines.
pub(super) fn pretty(json: &str) -> Vec<Piece> {
    let mut writer = Writer::default();
    walk(json, |token| match token {
        Token::Scalar { text, .. } => {
            writer.place();
            writer.put(if text == MASK {
                Piece::Masked
            } else {
                Piece::Text(text.to_owned())
            });
        }
        Token::Key(text) => {
            writer.place();
            writer.put(Piece::Text(format!("{text}: ")));
            writer.is_after_key = true;
        }
        Token::Open(bracket) => writer.open(bracket),
        Token::Close(bracket) => writer.close(bracket),
        Token::Comma => writer.put(Piece::Text(",".to_owned())),
    });
    writer.pieces
}

/// Lines of JSON.
#[derive(Default)]
struct Writer {
    pieces: Vec<Piece>,
    depth: usize,
    is_after_key: bool,
    is_after_open: bool,
}

impl Writer {
    fn put(&mut self, piece: Piece) {
        self.is_after_open = false;
        match (self.pieces.last_mut(), piece) {
            (Some(Piece::Text(text)), Piece::Text(more)) => text.push_str(&more),
            (_, piece) => self.pieces.push(piece),
        }
    }

    /// Begins a line, unless the value belongs to the key before it.
    fn place(&mut self) {
        if self.is_after_key {
            self.is_after_key = false;
        } else if self.depth > 0 {
            self.put(Piece::Text(format!("\n{}", "  ".repeat(self.depth))));
        }
    }

    fn open(&mut self, bracket: char) {
        self.place();
        self.put(Piece::Text(bracket.to_string()));
        self.depth += 1;
        self.is_after_open = true;
    }

    fn close(&mut self, bracket: char) {
        self.depth = self.depth.saturating_sub(1);
        if !self.is_after_open {
            self.put(Piece::Text(format!("\n{}", "  ".repeat(self.depth))));
        }
        self.put(Piece::Text(bracket.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stay_and_masks_are_seen() {
        let json = r#"{"firstname":"***","principal":100000.10,"q":"a \"b\", {c}","tags":["vip",{"a":null}],"none":{},"no":[]}"#;
        let shown: String = pretty(json)
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Masked => "<mask>",
            })
            .collect();
        let expected = r#"{
  "firstname": <mask>,
  "principal": 100000.10,
  "q": "a \"b\", {c}",
  "tags": [
    "vip",
    {
      "a": null
    }
  ],
  "none": {},
  "no": []
}"#;
        assert_eq!(shown, expected);
        assert_eq!(
            pretty(r#""<h1>502</h1>""#),
            [Piece::Text(r#""<h1>502</h1>""#.to_owned())]
        );
    }
}
