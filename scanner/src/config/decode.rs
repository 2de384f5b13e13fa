//! A decoder of TOML tables that collects every mistake instead of stopping at the first.
//!
//! The keys that a table may have are the ones that are asked for; [`Table::finish`] refuses the rest.

mod free;

use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use super::error::Mistake;

pub(super) use free::Free;

/// Collects the mistakes of a document.
#[derive(Debug, Default)]
pub(super) struct Log {
    mistakes: RefCell<Vec<Mistake>>,
    /// The keys that each table was asked for, in the order of the tables.
    #[cfg(test)]
    pub(super) known: RefCell<Vec<(&'static str, Vec<&'static str>)>>,
}

impl Log {
    /// Adds a mistake.
    pub(super) fn refuse(&self, span: Range<usize>, reason: impl Into<String>, next: impl Into<String>) {
        let mistake = Mistake { span, reason: reason.into(), next: next.into(), missing: false };
        self.mistakes.borrow_mut().push(mistake);
    }

    fn miss(&self, span: Range<usize>, reason: String, next: String) {
        self.mistakes.borrow_mut().push(Mistake { span, reason, next, missing: true });
    }

    /// Changes the mistakes.
    pub(super) fn amend(&self, change: impl FnOnce(&mut Vec<Mistake>)) {
        change(&mut self.mistakes.borrow_mut());
    }

    /// The mistakes.
    pub(super) fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes.into_inner()
    }
}

/// A table that is being decoded.
#[must_use]
pub(super) struct Table<'d> {
    log: &'d Log,
    header: &'static str,
    span: Range<usize>,
    entries: &'d DeTable<'d>,
    asked: Vec<&'static str>,
    forbidden: Vec<&'static str>,
}

/// A string of the document.
#[derive(Clone, Copy)]
pub(super) struct Text<'d> {
    log: &'d Log,
    /// What it says; never empty.
    pub(super) value: &'d str,
    source: &'d Spanned<DeValue<'d>>,
}

/// A date or a time of the document.
pub(super) struct Date<'d> {
    log: &'d Log,
    value: Datetime,
    span: Range<usize>,
}

impl<'d> Table<'d> {
    /// The table under `header`, as messages write it: `[[store]]`.
    pub(super) fn new(log: &'d Log, header: &'static str, span: Range<usize>, entries: &'d DeTable<'d>) -> Self {
        Self { log, header, span, entries, asked: Vec::new(), forbidden: Vec::new() }
    }

    fn value(&mut self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.asked.push(key);
        self.entries.get(key)
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, kind: &str, example: &str) {
        let found = type_name(value.get_ref());
        self.log.refuse(
            value.span(),
            format!("`{key}` must be {kind}, and this is {found}"),
            format!("write {key} = {example}"),
        );
    }

    /// Whether the table has that key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The span of the key itself; of the header where it is missing.
    pub(super) fn key_span(&self, key: &str) -> Range<usize> {
        self.entries.get_key_value(key).map_or(self.span.clone(), |(key, _)| key.span())
    }

    /// Adds a mistake about the table as a whole.
    pub(super) fn miss(&self, reason: impl Into<String>, next: impl Into<String>) {
        self.log.miss(self.span.clone(), reason.into(), next.into());
    }

    /// A string that is not empty. `example` is TOML: what a right value looks like.
    pub(super) fn text(&mut self, key: &'static str, example: &str) -> Option<Text<'d>> {
        let value = self.value(key)?;
        self.as_text(key, value, "a string", example)
    }

    fn as_text(&self, key: &str, value: &'d Spanned<DeValue<'d>>, kind: &str, example: &str) -> Option<Text<'d>> {
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => {
                return Some(Text { log: self.log, value: text, source: value });
            }
            DeValue::String(_) => {
                self.log.refuse(value.span(), "this string is empty", format!("write {key} = {example}"));
            }
            _ => self.wrong_type(key, value, kind, example),
        }
        None
    }

    /// A string that has to be there.
    pub(super) fn required_text(&mut self, key: &'static str, example: &str) -> Option<Text<'d>> {
        if !self.has(key) {
            self.asked.push(key);
            self.miss(format!("{} has no `{key}`", self.header), format!("add {key} = {example}"));
            return None;
        }
        self.text(key, example)
    }

    /// A list of strings, none of them empty; empty where the key is missing.
    pub(super) fn texts(&mut self, key: &'static str, example: &str) -> Vec<Text<'d>> {
        match self.value(key).map(|value| (value, value.get_ref())) {
            None => Vec::new(),
            Some((_, DeValue::Array(values))) => {
                values.iter().filter_map(|value| self.as_text(key, value, "a list of strings only", example)).collect()
            }
            Some((value, _)) => {
                self.wrong_type(key, value, "a list of strings", example);
                Vec::new()
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        self.wrong_type(key, value, "true or false", "true");
        None
    }

    /// Whether a key is there, and is `true` or `false`.
    pub(super) fn is_flag(&self, key: &str) -> bool {
        self.entries.get(key).is_some_and(|value| matches!(value.get_ref(), DeValue::Boolean(_)))
    }

    /// An integer within a range.
    pub(super) fn integer(&mut self, key: &'static str, range: RangeInclusive<usize>, example: &str) -> Option<usize> {
        let value = self.value(key)?;
        let DeValue::Integer(integer) = value.get_ref() else {
            self.wrong_type(key, value, "an integer", example);
            return None;
        };
        let number = usize::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|n| range.contains(n));
        if number.is_none() {
            let (low, high) = range.into_inner();
            self.log.refuse(
                value.span(),
                format!("`{key}` must be from {low} to {high}"),
                format!("write {key} = {example}"),
            );
        }
        number
    }

    /// Makes a key known that is not asked for where it is missing.
    pub(super) fn know(&mut self, key: &'static str) {
        self.asked.push(key);
    }

    /// A table of free keys; empty where it is missing. `example` is TOML: what a right table looks like.
    fn free(&mut self, key: &'static str, example: &str) -> Option<&'d DeTable<'d>> {
        let value = self.value(key)?;
        if let DeValue::Table(entries) = value.get_ref() {
            return Some(entries);
        }
        self.wrong_type(key, value, "a table", example);
        None
    }

    /// A table of strings, none of them empty, by the keys that it has.
    pub(super) fn text_by_key(&mut self, key: &'static str, example: &str) -> Vec<(Text<'d>, Text<'d>)> {
        let entries = self.free(key, example).into_iter().flatten();
        entries
            .filter_map(|(name, value)| {
                let text = self.as_text(key, value, "a table of strings only", example)?;
                Some((self.name(name, value), text))
            })
            .collect()
    }

    /// A table of lists of strings, none of them empty, by the keys that it has.
    pub(super) fn texts_by_key(&mut self, key: &'static str, example: &str) -> Vec<(Text<'d>, Vec<Text<'d>>)> {
        const KIND: &str = "a table of lists of strings only";
        let entries = self.free(key, example).into_iter().flatten();
        entries
            .map(|(name, value)| {
                let texts = match value.get_ref() {
                    DeValue::Array(values) => {
                        values.iter().filter_map(|value| self.as_text(key, value, KIND, example)).collect()
                    }
                    _ => {
                        self.wrong_type(key, value, KIND, example);
                        Vec::new()
                    }
                };
                (self.name(name, value), texts)
            })
            .collect()
    }

    fn name(&self, name: &'d Spanned<std::borrow::Cow<'d, str>>, value: &'d Spanned<DeValue<'d>>) -> Text<'d> {
        Text { log: self.log, value: name.get_ref(), source: value }
    }

    /// Pairs of dates or times: one pair, or a list of them.
    pub(super) fn date_pairs(&mut self, key: &'static str, example: &str) -> Vec<(Date<'d>, Date<'d>)> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let pair = |value: &'d Spanned<DeValue<'d>>| {
            let DeValue::Array(values) = value.get_ref() else { return None };
            let dates: Vec<_> = values.iter().filter_map(|value| self.as_date(value)).collect();
            <[Date<'d>; 2]>::try_from(dates).ok().filter(|_| values.len() == 2).map(|[from, to]| (from, to))
        };
        let pairs = pair(value).map(|pair| vec![pair]).or_else(|| match value.get_ref() {
            DeValue::Array(values) => values.iter().map(pair).collect(),
            _ => None,
        });
        pairs.unwrap_or_else(|| {
            let reason = format!("`{key}` must be a pair of dates, or a list of such pairs");
            self.log.refuse(value.span(), reason, format!("write it as TOML writes dates: {key} = {example}"));
            Vec::new()
        })
    }

    fn as_date(&self, value: &'d Spanned<DeValue<'d>>) -> Option<Date<'d>> {
        match value.get_ref() {
            DeValue::Datetime(date) => Some(Date { log: self.log, value: *date, span: value.span() }),
            DeValue::String(text) => {
                text.parse().ok().map(|date| Date { log: self.log, value: date, span: value.span() })
            }
            _ => None,
        }
    }

    /// A date or a time, for a key that has to be there.
    pub(super) fn required_date(&mut self, key: &'static str) -> Option<Date<'d>> {
        const EXAMPLE: &str = "2027-03-31";
        let Some(value) = self.value(key) else {
            self.miss(format!("{} has no `{key}`", self.header), format!("add {key} = {EXAMPLE}"));
            return None;
        };
        match value.get_ref() {
            DeValue::Datetime(date) => return Some(Date { log: self.log, value: *date, span: value.span() }),
            DeValue::String(_) => {
                let next = format!("write it as TOML writes dates, without quotes: {key} = {EXAMPLE}");
                self.log.refuse(value.span(), format!("`{key}` must be a date, and this is a string"), next);
            }
            _ => self.wrong_type(key, value, "a date", EXAMPLE),
        }
        None
    }

    /// A table. `header` is how messages write it.
    pub(super) fn table(&mut self, key: &'static str, header: &'static str, example: &str) -> Option<Table<'d>> {
        let value = self.value(key)?;
        let DeValue::Table(entries) = value.get_ref() else {
            let found = type_name(value.get_ref());
            self.log.refuse(self.key_span(key), format!("`{key}` must be a table, and this is {found}"), example);
            return None;
        };
        // An inline table may be long; its key tells as well where it is.
        let span = if value.span().len() > 80 { self.key_span(key) } else { value.span() };
        Some(Table::new(self.log, header, span, entries))
    }

    /// A list of tables; empty where the key is missing.
    pub(super) fn tables(&mut self, key: &'static str, header: &'static str) -> Vec<Table<'d>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let tables = match value.get_ref() {
            DeValue::Array(values) => values
                .iter()
                .map(|value| match value.get_ref() {
                    DeValue::Table(entries) => Some(Table::new(self.log, header, value.span(), entries)),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>(),
            _ => None,
        };
        tables.unwrap_or_else(|| {
            let reason = format!("`{key}` is a list of tables, of which there may be many");
            self.log.refuse(self.key_span(key), reason, format!("write {header} on a line of its own for each"));
            Vec::new()
        })
    }

    /// Adds a mistake about a key.
    pub(super) fn refuse_key(&self, key: &str, reason: impl Into<String>, next: impl Into<String>) {
        self.log.refuse(self.key_span(key), reason, next);
    }

    /// Refuses a key that people write, but that may not be there.
    pub(super) fn forbid(&mut self, key: &'static str, reason: &str, next: &str) {
        self.forbidden.push(key);
        if self.has(key) {
            self.refuse_key(key, reason, next);
        }
    }

    /// Refuses every key that was not asked for. `later` are those that another version will have.
    pub(super) fn finish(self, later: &[&str]) {
        let keys = self.asked.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        let place = if self.header.is_empty() { "keytrail.toml" } else { self.header };
        for (key, _) in self.entries {
            let name: &str = key.get_ref();
            if self.asked.contains(&name) || self.forbidden.contains(&name) {
                continue;
            }
            if later.contains(&name) {
                let reason = format!("`{name}` is not in this version of Keytrail");
                self.log.refuse(key.span(), reason, "remove it; a later version will read it");
                continue;
            }
            let known = format!("the keys of {place} are {keys}");
            let next = match nearest(name, self.asked.iter().copied()) {
                Some(near) => format!("did you mean `{near}`? {known}"),
                None => format!("remove it; {known}"),
            };
            self.log.refuse(key.span(), format!("unknown key in {place}"), next);
        }
        #[cfg(test)]
        self.log.known.borrow_mut().push((self.header, self.asked));
    }
}

impl<'d> Text<'d> {
    /// Adds a mistake about it.
    pub(super) fn refuse(&self, reason: impl Into<String>, next: impl Into<String>) {
        self.log.refuse(self.source.span(), reason, next);
    }

    /// What `parse` makes of it; a mistake where that is nothing.
    pub(super) fn parse<T>(&self, parse: impl FnOnce(&'d str) -> Option<T>, reason: &str, next: &str) -> Option<T> {
        let parsed = parse(self.value);
        if parsed.is_none() {
            self.refuse(reason, next);
        }
        parsed
    }

    /// Refuses a name that is none of `names`, with the nearest one.
    pub(super) fn unknown(&self, what: &str, names: &[&'static str]) {
        let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let next = match nearest(self.value, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? there are {list}"),
            None => format!("there are {list}"),
        };
        self.refuse(format!("unknown {what}"), next);
    }
}

impl Date<'_> {
    /// Adds a mistake about it.
    pub(super) fn refuse(&self, reason: impl Into<String>, next: impl Into<String>) {
        self.log.refuse(self.span.clone(), reason, next);
    }

    /// What `parse` makes of it; a mistake where that is an error, which is the reason.
    pub(super) fn parse<T>(&self, parse: impl FnOnce(&Datetime) -> Result<T, &'static str>) -> Option<T> {
        let next =
            "write a date, which holds to the end of that day in UTC: 2027-03-31; or a time: 2027-03-31T12:00:00Z";
        parse(&self.value).map_err(|reason| self.log.refuse(self.span.clone(), reason, next)).ok()
    }
}

/// The name that `name` may be a slip of.
fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    /// Longer texts are no slips of a name, and the distance takes quadratic time.
    const MAX_LENGTH: usize = 64;
    if name.len() > MAX_LENGTH {
        return None;
    }
    let name = name.to_lowercase();
    names
        .map(|known| (strsim::osa_distance(&name, known), known))
        .filter(|(distance, known)| *distance <= known.chars().count().div_ceil(3))
        .min()
        .map(|(_, known)| known)
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
