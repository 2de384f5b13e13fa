//! Records of RFC 4180.

use super::{Cut, Mark};

const AFTER_QUOTE: &str = "text after a closing quote";
const CUT_OFF: &str = super::CUT_OFF;

/// Ends a record at a line end that is in no quotes.
#[derive(Default)]
pub(super) struct Csv {
    begin: Option<u64>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// A field begins.
    #[default]
    Field,
    /// In a field without quotes.
    Plain,
    /// In a field with quotes.
    Quoted,
    /// After a quote in it: the end, or the first half of a quote.
    Quote,
}

impl Cut for Csv {
    fn cut(&mut self, bytes: &[u8], at: u64) -> (usize, Option<Mark>) {
        let begin = *self.begin.get_or_insert(at);
        let mut looked = 0;
        while looked < bytes.len() {
            let rest = &bytes[looked..];
            // What cannot end the state is passed over at once.
            let pass = match self.state {
                State::Plain => memchr::memchr2(b',', b'\n', rest),
                State::Quoted => memchr::memchr(b'"', rest),
                State::Field | State::Quote => Some(0),
            };
            let Some(pass) = pass else { return (bytes.len(), None) };
            looked += pass + 1;
            self.state = match (self.state, rest[pass]) {
                (State::Plain | State::Field | State::Quote, b'\n') => {
                    *self = Self::default();
                    return (looked, Some(Mark::Record { begin, end: at + looked as u64 - 1 }));
                }
                (State::Plain | State::Field | State::Quote, b',') => State::Field,
                (State::Field | State::Quote, b'"') => State::Quoted,
                (State::Quote, b'\r') => State::Quote,
                (State::Quote, _) => return (looked, Some(Mark::Broken { begin, why: AFTER_QUOTE })),
                (State::Quoted, _) => State::Quote,
                (State::Field | State::Plain, _) => State::Plain,
            };
        }
        (looked, None)
    }

    fn open(&self) -> Option<u64> {
        self.begin
    }

    fn restart(&mut self) {
        *self = Self::default();
    }

    fn end(&mut self, at: u64) -> Option<Mark> {
        let Self { begin, state } = std::mem::take(self);
        let begin = begin?;
        Some(match state {
            State::Quoted => Mark::Broken { begin, why: CUT_OFF },
            _ => Mark::Record { begin, end: at },
        })
    }
}
