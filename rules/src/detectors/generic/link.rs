//! What stands between a name and its value: the operators of programming languages, of configuration and of commands.

/// How a value is tied to a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Link {
    /// `=`, `:=`, `+=`, `||=`.
    Assign,
    /// `:`.
    Colon,
    /// `=>`, `->`.
    Arrow,
    /// `==`, `!=`.
    Compare,
    /// The next argument of a call: `("password", "…")`.
    Comma,
    /// The argument of a call: `setPassword("…")`.
    Call,
    /// The text of an XML element.
    Element,
    /// Another attribute or member: `name="password" value="…"`, `"name": "PASSWORD", "value": "…"`.
    Pair,
    /// Nothing but blanks: SQL, flags, `.netrc`.
    Space,
    /// An authorization scheme.
    Scheme,
    /// An option of a command.
    Command,
}

/// A link that was read, and where the value may begin.
#[derive(Clone, Copy, Debug)]
pub struct Linked {
    /// Which it is.
    pub link: Link,
    /// The first byte after it, and after blanks.
    pub at: usize,
    /// Whether the name stood in quotes or brackets.
    pub closed: bool,
    /// Whether blanks surround the operator.
    pub spaced: bool,
    /// Whether a type stood between, as in `password: string = "…"`.
    pub typed: bool,
}

/// A reader of bytes that forgives the end.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    /// Where it stands.
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    /// Stands at `at`.
    pub(super) fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at }
    }

    /// The byte so many bytes ahead.
    pub(super) fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Steps over `word`, ASCII case aside.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        let is_next = self.rest().get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()));
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    /// Steps over bytes while they are so, at most `most` of them; says how many.
    pub(super) fn skip(&mut self, most: usize, is: impl Fn(u8) -> bool) -> usize {
        let count = self.rest().iter().take(most).take_while(|byte| is(**byte)).count();
        self.at += count;
        count
    }

    /// Steps over blanks; says how many.
    pub(super) fn blanks(&mut self) -> usize {
        self.skip(64, |byte| matches!(byte, b' ' | b'\t'))
    }

    /// Steps over blanks and line ends, and over line ends that are spelt as escapes.
    pub(super) fn white(&mut self) {
        self.skip(96, |byte| byte.is_ascii_whitespace());
        while self.eat("\\n") || self.eat("\\r") || self.eat("\\t") {
            self.skip(64, |byte| byte.is_ascii_whitespace());
        }
    }

    /// Steps over an opening or closing quote with the backslashes before it.
    pub(super) fn quote(&mut self) -> bool {
        if self.eat("&quot;") || self.eat("&#34;") || self.eat("&#39;") {
            return true;
        }
        let slashes = self.rest().iter().take(8).take_while(|byte| **byte == b'\\').count();
        let is_quote = self.peek(slashes).is_some_and(|byte| matches!(byte, b'"' | b'\'' | b'`'));
        if is_quote {
            self.at += slashes + 1;
        }
        is_quote
    }
}

/// Reads what follows the name that ends at `end`. `before` is the byte before the name.
pub(super) fn read(text: &[u8], end: usize, before: Option<u8>) -> Option<Linked> {
    let mut cursor = Cursor::new(text, end);
    let closed = close(&mut cursor);
    if before == Some(b'<') && cursor.peek(0) == Some(b'>') {
        cursor.at += 1;
        return Some(Linked { link: Link::Element, at: cursor.at, closed, spaced: false, typed: false });
    }
    let blanks = cursor.blanks();
    if (closed || cursor.peek(0) == Some(b'<'))
        && let Some(at) = pair(cursor)
    {
        return Some(Linked { link: Link::Pair, at, closed, spaced: true, typed: false });
    }
    if let Some(at) = next_line(cursor) {
        return Some(Linked { link: Link::Pair, at, closed, spaced: true, typed: false });
    }
    let link = operator(&mut cursor, closed, blanks)?;
    let after = cursor.blanks();
    if matches!(link, Link::Assign | Link::Colon | Link::Comma | Link::Call | Link::Arrow)
        && matches!(cursor.peek(0), Some(b'\n' | b'\r'))
    {
        // A value on the next line stands in quotes, or it is another line.
        cursor.white();
        let mut next = cursor;
        if !next.quote() {
            return None;
        }
    }
    let mut linked = Linked { link, at: cursor.at, closed, spaced: blanks > 0 && after > 0, typed: false };
    if link == Link::Colon
        && let Some(at) = annotation(cursor)
    {
        linked = Linked { link: Link::Assign, at, typed: true, ..linked };
    }
    Some(linked)
}

/// The start of the value on the line after the name, as in manifests: `- name: PASSWORD`, `value: …`.
fn next_line(mut cursor: Cursor<'_>) -> Option<usize> {
    let ends = matches!(cursor.peek(0), Some(b'\n' | b'\r'));
    cursor.white();
    let named = ends && cursor.eat("value:");
    cursor.blanks();
    named.then_some(cursor.at)
}

/// Steps over what closes a name: quotes, brackets, an index, emphasis.
fn close(cursor: &mut Cursor<'_>) -> bool {
    let start = cursor.at;
    for _ in 0..4 {
        let stepped = cursor.quote() || cursor.eat("]") || cursor.eat("**");
        if !stepped && !index(cursor) {
            break;
        }
    }
    let closed = cursor.at > start;
    // `getPassword() == "…"`, `password? = `, `PASSWORD) || "…"`.
    let _ = cursor.eat("()") || cursor.eat("?") || (closed && cursor.eat(")"));
    closed
}

/// Steps over `[32]`, `[]`, `["x"]`.
fn index(cursor: &mut Cursor<'_>) -> bool {
    let mut ahead = *cursor;
    let found = ahead.eat("[")
        && ahead.skip(24, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'"' | b'\'')) < 24
        && ahead.eat("]");
    if found {
        *cursor = ahead;
    }
    found
}

/// Reads one operator.
fn operator(cursor: &mut Cursor<'_>, closed: bool, blanks: usize) -> Option<Link> {
    if blanks > 0 && (cursor.eat("is ") || cursor.eat("to ")) {
        return Some(Link::Space);
    }
    let words: &[(&str, Link)] = &[
        ("===", Link::Compare),
        ("!==", Link::Compare),
        ("==", Link::Compare),
        ("!=", Link::Compare),
        ("=>", Link::Arrow),
        ("->", Link::Arrow),
        ("<-", Link::Arrow),
        (":=", Link::Assign),
        ("||=", Link::Assign),
        ("??=", Link::Assign),
        ("?=", Link::Assign),
        ("+=", Link::Assign),
        (".=", Link::Assign),
        ("=", Link::Assign),
    ];
    let first = cursor.peek(0)?;
    match first {
        b'=' | b'!' | b'-' | b'<' | b'|' | b'?' | b'+' | b'.' => {}
        b':' if cursor.peek(1) == Some(b':') => return None,
        b':' if cursor.peek(1) == Some(b'=') => {}
        b':' => {
            cursor.at += 1;
            // `**Password:** x`
            let _ = cursor.eat("**");
            return Some(Link::Colon);
        }
        b',' if closed => {
            cursor.at += 1;
            return Some(Link::Comma);
        }
        b'(' if blanks == 0 => {
            cursor.at += 1;
            return Some(Link::Call);
        }
        _ if blanks > 0 => return Some(Link::Space),
        _ => return None,
    }
    if let Some((_, link)) = words.iter().find(|(word, _)| cursor.eat(word)) {
        return Some(*link);
    }
    (blanks > 0 && first == b'-').then_some(Link::Space)
}

/// The start of the value of a pair whose name is a value itself.
fn pair(mut cursor: Cursor<'_>) -> Option<usize> {
    if cursor.eat("</") {
        // `<key>password</key><string>…`, `<name>password</name><value>…`
        cursor.skip(24, |byte| byte != b'>' && byte != b'\n');
        cursor.eat(">").then_some(())?;
        cursor.white();
        cursor.eat("<").then_some(())?;
        let named = cursor.eat("string>") || cursor.eat("value>");
        return named.then_some(cursor.at);
    }
    let comma = cursor.eat(",");
    let _ = cursor.eat("/>");
    cursor.white();
    for _ in 0..3 {
        let quoted = cursor.quote();
        let named = ["value", "val", "content", "default", "initialValue"].iter().any(|word| cursor.eat(word));
        if named {
            let closed = cursor.quote();
            cursor.blanks();
            let linked = cursor.eat("=>") || cursor.eat("=") || cursor.eat(":");
            if !linked || quoted != closed {
                return None;
            }
            cursor.blanks();
            return Some(cursor.at);
        }
        // Another attribute or member between: `name="password" type="hidden" value="…"`.
        cursor.skip(24, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':'));
        let _ = cursor.quote();
        cursor.blanks();
        let linked = cursor.eat("=") || (comma && cursor.eat(":"));
        if !linked {
            return None;
        }
        cursor.blanks();
        cursor.quote().then_some(())?;
        cursor.skip(48, |byte| !matches!(byte, b'"' | b'\'' | b'\\' | b'\n'));
        cursor.quote().then_some(())?;
        let _ = cursor.eat(",");
        cursor.white();
    }
    None
}

/// The start of the value after a type: `: string = `, `: &'static str = `, `: Option<String> = `.
fn annotation(mut cursor: Cursor<'_>) -> Option<usize> {
    let is_type = |byte: u8| byte.is_ascii_alphanumeric() || b"_<>[]&'?.| :*".contains(&byte);
    let first = cursor.peek(0)?;
    if !first.is_ascii_alphabetic() && !matches!(first, b'&' | b'[') {
        return None;
    }
    cursor.skip(48, is_type);
    let spaced = cursor.text[..cursor.at].ends_with(b" ") && cursor.eat("= ");
    cursor.blanks();
    spaced.then_some(cursor.at)
}
