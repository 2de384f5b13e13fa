//! Elements of XML 1.0, an element a line.

use std::borrow::Cow;

use crate::sheets::visible;

/// A document that is being written.
pub(super) struct Xml {
    document: String,
    depth: usize,
}

/// Attributes in their order.
type Attributes<'a, T> = &'a [(&'a str, T)];

impl Xml {
    pub(super) fn new() -> Self {
        Self { document: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(), depth: 0 }
    }

    /// Begins an element that holds others.
    pub(super) fn open(&mut self, name: &str, fixed: Attributes<'_, &str>, more: Attributes<'_, String>) {
        self.begin(name, fixed, more);
        self.document.push_str(">\n");
        self.depth += 1;
    }

    /// Ends it.
    pub(super) fn close(&mut self, name: &str) {
        self.depth = self.depth.saturating_sub(1);
        self.indent();
        self.document.push_str(&format!("</{name}>\n"));
    }

    /// An element that holds nothing.
    pub(super) fn empty(&mut self, name: &str, fixed: Attributes<'_, &str>, more: Attributes<'_, String>) {
        self.begin(name, fixed, more);
        self.document.push_str("/>\n");
    }

    /// An element that holds text.
    pub(super) fn text(&mut self, name: &str, attributes: Attributes<'_, String>, text: &str) {
        self.begin(name, &[], attributes);
        self.document.push('>');
        self.document.push_str(&escaped(text));
        self.document.push_str(&format!("</{name}>\n"));
    }

    /// The bytes of the document.
    pub(super) fn finish(self) -> Vec<u8> {
        self.document.into_bytes()
    }

    fn begin(&mut self, name: &str, fixed: Attributes<'_, &str>, more: Attributes<'_, String>) {
        self.indent();
        self.document.push('<');
        self.document.push_str(name);
        let more = more.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in fixed.iter().copied().chain(more) {
            self.document.push_str(&format!(" {name}=\"{}\"", escaped(value)));
        }
    }

    fn indent(&mut self) {
        self.document.extend(std::iter::repeat_n(' ', 2 * self.depth));
    }
}

/// Scanned text with everything spelt out that does not show itself or that XML 1.0 cannot hold (§2.2).
pub(super) fn text(text: &str) -> String {
    visible(text)
}

fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"))
}
