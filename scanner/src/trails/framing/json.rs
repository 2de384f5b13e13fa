//! Records that are JSON values (RFC 8259). Their extent is found without parsing what is in them.

use super::{CUT_OFF, Cut, Mark};

/// As deep as the parser goes.
const MAX_DEPTH: u32 = 128;
/// No key of a list of records is longer.
const MAX_KEY_BYTES: usize = 64;

const NO_JSON: &str = "not JSON";
const LINE_IN_TEXT: &str = "a text goes over the end of its line";
const TOO_DEEP: &str = "nested deeper than 128 levels";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Outside of everything.
    Top,
    /// A value has to come.
    Value,
    /// A value or the end of the array.
    ValueOrEnd,
    /// A key has to come.
    Key,
    /// A key or the end of the object.
    KeyOrEnd,
    Colon,
    /// A comma or the end of the array or object.
    Comma,
    /// In a text.
    Text {
        is_key: bool,
    },
    /// After a backslash in it.
    Escape {
        is_key: bool,
    },
    /// In a number or a word.
    Word,
}

/// Finds the extent of each value.
pub(super) struct Json {
    /// The keys of an outermost object under which lists of records lie.
    keys: &'static [&'static str],
    state: State,
    begin: Option<u64>,
    /// How many arrays and objects are open, and which of them are objects: the lowest bit is the innermost.
    depth: u32,
    objects: u128,
    /// How many of them are around the records.
    around: u32,
    /// Whether the outermost object is around records rather than one itself.
    is_envelope: bool,
    /// The key in an outermost object, without those that are too long to matter.
    key: Vec<u8>,
    /// Whether what was around records was lost, so that the ends of it may come.
    was_broken: bool,
}

impl Json {
    pub(super) fn new(keys: &'static [&'static str]) -> Self {
        Self {
            keys,
            state: State::Top,
            begin: None,
            depth: 0,
            objects: 0,
            around: 0,
            is_envelope: false,
            key: Vec::new(),
            was_broken: false,
        }
    }

    fn push(&mut self, is_object: bool) -> Result<(), &'static str> {
        if self.depth == MAX_DEPTH {
            return Err(TOO_DEEP);
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(is_object);
        self.state = if is_object { State::KeyOrEnd } else { State::ValueOrEnd };
        Ok(())
    }

    fn is_in_object(&self) -> bool {
        self.depth > 0 && self.objects & 1 == 1
    }

    /// A value begins with that byte.
    fn value(&mut self, byte: u8, at: u64) -> Result<(), &'static str> {
        if byte == b'[' && self.begins_list() {
            self.begin = None;
            self.is_envelope = self.depth == 1;
            self.around = self.depth + 1;
        } else if self.begin.is_none() && self.depth == self.around && !(self.depth == 0 && byte == b'[') {
            self.begin = Some(at);
        }
        match byte {
            b'{' | b'[' => self.push(byte == b'{')?,
            b'"' => self.state = State::Text { is_key: false },
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => self.state = State::Word,
            _ => return Err(NO_JSON),
        }
        Ok(())
    }

    /// Whether an array that begins here is a list of records.
    fn begins_list(&self) -> bool {
        match self.depth {
            0 => true,
            1 => self.around == 0 && self.is_in_object() && self.keys.iter().any(|key| key.as_bytes() == self.key),
            _ => false,
        }
    }

    /// A value ended before `end`.
    fn ended(&mut self, end: u64) -> Option<Mark> {
        self.state = if self.depth == 0 { State::Top } else { State::Comma };
        if self.depth != self.around {
            return None;
        }
        self.begin.take().map(|begin| Mark::Record { begin, end })
    }

    /// An array or an object ends with that byte.
    fn pop(&mut self, byte: u8, at: u64) -> Result<Option<Mark>, &'static str> {
        if self.depth == 0 || self.is_in_object() != (byte == b'}') {
            return Err(NO_JSON);
        }
        self.depth -= 1;
        self.objects >>= 1;
        if self.depth < self.around && self.begin.is_none() {
            self.around = 0;
            if self.depth == 0 {
                self.is_envelope = false;
                self.state = State::Top;
            } else {
                self.state = State::Comma;
            }
            return Ok(None);
        }
        if self.depth == 0 && self.is_envelope {
            self.is_envelope = false;
            self.state = State::Top;
            return Ok(None);
        }
        Ok(self.ended(at + 1))
    }

    /// A byte that is in no text and no word.
    fn structural(&mut self, byte: u8, at: u64) -> Result<Option<Mark>, &'static str> {
        match (self.state, byte) {
            (_, b' ' | b'\t' | b'\r' | b'\n') => {}
            (State::Top, b'{' | b'[') => self.value(byte, at)?,
            (State::Top, b',') => {}
            (State::Top, b']' | b'}') if self.was_broken => {}
            (State::ValueOrEnd, b']') | (State::KeyOrEnd, b'}') | (State::Comma, b']' | b'}') => {
                return self.pop(byte, at);
            }
            (State::Value | State::ValueOrEnd, _) => self.value(byte, at)?,
            _ => return Err(NO_JSON),
        }
        Ok(None)
    }

    /// Keeps a key by which a list of records may be known.
    fn keep(&mut self, text: &[u8]) {
        if self.depth == 1 && self.around == 0 && self.key.len() <= MAX_KEY_BYTES {
            self.key.extend_from_slice(&text[..text.len().min(MAX_KEY_BYTES + 1)]);
        }
    }

    /// Goes on in a text. Gives how many bytes of it there are; fails at the end of the line.
    fn text(&mut self, bytes: &[u8], is_key: bool) -> Result<usize, &'static str> {
        let end = memchr::memchr3(b'"', b'\\', b'\n', bytes);
        let text = &bytes[..end.unwrap_or(bytes.len())];
        if is_key && !self.keys.is_empty() {
            self.keep(text);
        }
        match end.map(|end| bytes[end]) {
            None => return Ok(bytes.len()),
            Some(b'\n') => return Err(LINE_IN_TEXT),
            Some(b'\\') => {
                // A key with an escape in it is none that is looked for.
                if is_key {
                    self.keep(b"\\");
                }
                self.state = State::Escape { is_key };
            }
            Some(_) if is_key => self.state = State::Colon,
            Some(_) => self.state = State::Comma,
        }
        Ok(text.len() + 1)
    }

    /// Goes on within a record where nothing begins and nothing ends with that byte but a text: most of what is in no
    /// text.
    #[inline]
    fn skim(&mut self, byte: u8) -> bool {
        self.state = match (self.state, byte) {
            (State::Key | State::KeyOrEnd, b'"') => {
                self.key.clear();
                State::Text { is_key: true }
            }
            (State::Colon, b':') => State::Value,
            (State::Value, b'"') if self.begin.is_some() => State::Text { is_key: false },
            (State::Comma, b',') => {
                if self.is_in_object() {
                    State::Key
                } else {
                    State::Value
                }
            }
            _ => return false,
        };
        true
    }

    /// Looks at some bytes, at least one of them.
    fn step(&mut self, bytes: &[u8], at: u64) -> Result<(usize, Option<Mark>), &'static str> {
        match self.state {
            State::Text { is_key } => {
                let looked = self.text(bytes, is_key)?;
                let mark = (self.state == State::Comma).then(|| self.ended(at + looked as u64)).flatten();
                Ok((looked, mark))
            }
            State::Escape { .. } if bytes[0] == b'\n' => Err(LINE_IN_TEXT),
            State::Escape { is_key } => {
                self.state = State::Text { is_key };
                Ok((1, None))
            }
            State::Word => {
                let is_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                match bytes.iter().position(|byte| !is_of_word(byte)) {
                    None => Ok((bytes.len(), None)),
                    Some(end) => Ok((end, self.ended(at + end as u64))),
                }
            }
            _ => Ok((1, self.structural(bytes[0], at)?)),
        }
    }
}

impl Cut for Json {
    fn cut(&mut self, bytes: &[u8], at: u64) -> (usize, Option<Mark>) {
        let mut looked = 0;
        while looked < bytes.len() {
            if bytes[looked] == 0 && self.begin.is_none() {
                return (looked, None);
            }
            if self.skim(bytes[looked]) {
                looked += 1;
                continue;
            }
            let here = at + looked as u64;
            match self.step(&bytes[looked..], here) {
                Ok((more, mark)) => {
                    looked += more;
                    if mark.is_some() {
                        return (looked, mark);
                    }
                }
                Err(why) => {
                    let begin = self.begin.unwrap_or(here);
                    return (looked, Some(Mark::Broken { begin, why }));
                }
            }
        }
        (looked, None)
    }

    fn open(&self) -> Option<u64> {
        self.begin
    }

    fn restart(&mut self) {
        *self = Self { was_broken: true, key: std::mem::take(&mut self.key), ..Self::new(self.keys) };
    }

    fn end(&mut self, at: u64) -> Option<Mark> {
        let is_cut_off = self.depth > 0;
        let begin = self.begin.unwrap_or(at);
        self.restart();
        is_cut_off.then_some(Mark::Broken { begin, why: CUT_OFF })
    }
}
