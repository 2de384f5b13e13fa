//! What an issuer honours: a value, and what goes with it.

use std::collections::BTreeMap;
use std::fmt;

use keytrail_rules::model::Secret;

/// A credential: named parts, of which one is the value of the item itself. Others are what it is used with and what
/// changes with it (`user` of alternating roles, `access_key_id`), or other forms of it (`verifier`).
///
/// # Guarantees
/// It has no `Display` and no `Serialize`, its `Debug` shows the names of its parts alone, and memory is wiped on drop.
#[derive(Default)]
pub struct Credential {
    parts: BTreeMap<String, Secret>,
}

/// The part that is the value of the item itself.
pub const VALUE: &str = "value";

impl Credential {
    /// A credential of nothing but a value.
    pub fn of_value(value: Secret) -> Self {
        Self::default().with(VALUE, value)
    }

    /// The same with one part more, or another.
    #[must_use]
    pub fn with(mut self, part: &str, value: Secret) -> Self {
        self.set(part, value);
        self
    }

    /// Sets a part.
    pub fn set(&mut self, part: &str, value: Secret) {
        self.parts.insert(part.to_owned(), value);
    }

    /// A part; `None` where it has none of that name.
    pub fn part(&self, name: &str) -> Option<&Secret> {
        self.parts.get(name)
    }

    /// The value of the item.
    pub fn value(&self) -> Option<&Secret> {
        self.part(VALUE)
    }

    /// The parts by name.
    pub fn parts(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.parts.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// A second one of the same. Not `Clone`: each copy is one more place in memory.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let copy = |(name, value): (&String, &Secret)| (name.clone(), Secret::new(value.expose().to_owned()));
        Self { parts: self.parts.iter().map(copy).collect() }
    }

    /// Whether every part that both have is equal. Takes as long for a near miss as for a far one.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let mut common = self.parts.iter().filter_map(|(name, value)| Some((value, other.parts.get(name)?)));
        common.all(|(one, other)| same(one, other))
    }
}

/// Whether two values are equal, in a time that hangs on their lengths alone.
pub fn same(one: &Secret, other: &Secret) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.expose().as_bytes(), other.expose().as_bytes()).is_ok()
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.parts.keys()).finish()
    }
}
