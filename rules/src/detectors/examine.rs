//! Looks at one place where a literal of a detector stands.

use std::ops::Range;

use memchr::memmem;
use regex_automata::{Anchored, Input};

use super::compiled::Compiled;
use super::filter;
use super::named;
use super::spec::{LONGEST, MARGIN, Matcher, Spec, Target};
use super::verdict::Verdict;

/// A place in a text where a literal of a detector stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The whole text.
    pub(super) text: &'a [u8],
    /// Where the literal starts.
    pub(super) at: usize,
    /// The length of the literal, in bytes.
    pub(super) length: usize,
}

/// What a detector sees of a place, and so all that its verdict depends on.
///
/// A text of nothing but literals must not be read once for each of them as far as a long detector looks: it looks no
/// farther than to where its literal stands for the eighth time.
pub(super) fn window(place: Place<'_>, before: usize, after: usize) -> Range<usize> {
    const TIMES: usize = 8;
    let start = place.at.saturating_sub(before);
    let end = place.at.saturating_add(after).min(place.text.len());
    if after <= MARGIN {
        return start..end;
    }
    let literal_end = place.at + place.length;
    let literal = &place.text[place.at..literal_end];
    let eighth = memmem::find_iter(&place.text[literal_end..end], literal).nth(TIMES - 1);
    start..eighth.map_or(end, |eighth| literal_end + eighth + place.length)
}

/// Reports every text at the place that has the detector's shape, with what became of it. `window` is the detector's.
pub(super) fn examine(
    place: Place<'_>,
    window: &Range<usize>,
    spec: &Spec,
    compiled: &Compiled,
    say: &mut dyn FnMut(Range<usize>, Verdict),
) {
    match &spec.matcher {
        Matcher::Named { names, group, .. } => {
            named::examine(place, window, names, *group, &compiled.regex, &mut |value| match value {
                Ok(value) => say(value.clone(), judge(place.text, &value, &value, window, spec, compiled)),
                Err(verdict) => say(place.at..place.at + place.length, verdict),
            });
        }
        // The cheapest refusal first: most short literals that text has by chance stand inside words.
        Matcher::Token { lead: Some(0), flush: true, .. }
            if spec.filter.boundary && !filter::begins_word(place.text, place.at) =>
        {
            say(place.at..place.at + place.length, Verdict::InsideWord);
        }
        Matcher::Token { group, lead, .. } => {
            let mut matched = false;
            each_match(place, window, lead.unwrap_or(0), *group, spec, compiled, &mut |whole, secret| {
                matched = true;
                say(secret.clone(), judge(place.text, &whole, &secret, window, spec, compiled));
            });
            if !matched {
                say(place.at..place.at + place.length, Verdict::NoMatch);
            }
        }
    }
}

/// Calls `found` with each match round the literal and its secret.
fn each_match(
    place: Place<'_>,
    window: &Range<usize>,
    lead: usize,
    group: usize,
    spec: &Spec,
    compiled: &Compiled,
    found: &mut dyn FnMut(Range<usize>, Range<usize>),
) {
    let context = spec.filter.context();
    let literal_end = place.at + place.length;
    // The bytes at the ends of the window are there for the filters and for what looks around.
    let end = window.end.min(place.at + spec.after.saturating_sub(context).max(place.length)).max(literal_end);
    let anchored = if lead == 0 { Anchored::Yes } else { Anchored::No };
    let mut start = place.at.saturating_sub(lead).max(window.start);
    while start <= place.at {
        let input = Input::new(place.text).span(start..end).anchored(anchored);
        let Some((whole, secret)) = one_match(&input, group, compiled) else {
            return;
        };
        if whole.start > place.at {
            return;
        }
        start = whole.end.max(start + 1);
        if whole.end >= literal_end {
            found(whole, secret);
        }
    }
}

fn one_match(input: &Input<'_>, group: usize, compiled: &Compiled) -> Option<(Range<usize>, Range<usize>)> {
    let whole = compiled.regex.search(input)?.range();
    if group == 0 {
        return Some((whole.clone(), whole));
    }
    // Groups cost far more than matches, and most places have none.
    let mut captures = compiled.regex.create_captures();
    compiled.regex.search_captures(&input.clone().span(whole.clone()).anchored(Anchored::Yes), &mut captures);
    // A group that did not take part: the whole match stands for it.
    let secret = captures.get_group(group).map_or_else(|| whole.clone(), |span| span.start..span.end);
    Some((whole, secret))
}

/// Whether a match stands every filter.
fn judge(
    text: &[u8],
    whole: &Range<usize>,
    secret: &Range<usize>,
    window: &Range<usize>,
    spec: &Spec,
    compiled: &Compiled,
) -> Verdict {
    let filter = &spec.filter;
    let bytes = &text[secret.clone()];
    if bytes.is_empty() {
        return Verdict::NoMatch;
    }
    if filter.boundary && !(filter::begins_word(text, secret.start) && filter::ends_word(text, secret.end)) {
        return Verdict::InsideWord;
    }
    let denied = |(target, regex): &(Target, regex_automata::meta::Regex)| {
        let seen = match target {
            Target::Secret => secret.clone(),
            Target::Match => whole.clone(),
            Target::Line => line(text, whole, window),
        };
        regex.is_match(&text[seen])
    };
    if compiled.deny(filter).iter().any(denied) || has_any(bytes, &filter.stopwords) {
        return Verdict::Denied;
    }
    if filter.entropy > 0.0 {
        let found = filter::entropy(bytes);
        if found < filter.entropy {
            return Verdict::Entropy { found, least: filter.entropy };
        }
    }
    if filter.checksum.is_some_and(|checksum| !checksum.holds(bytes)) {
        return Verdict::Checksum;
    }
    if filter.words
        && let Some(what) = filter::made_up(bytes, spec.prefix.len())
    {
        return Verdict::MadeUp(what);
    }
    if let Some(also) = &filter.also {
        let near = whole.start.saturating_sub(also.within).max(window.start)
            ..whole.end.saturating_add(also.within).min(window.end.max(whole.end));
        let beside = [near.start..secret.start, secret.end..near.end];
        if !beside.into_iter().any(|part| has_any(&text[part], &also.literals)) {
            return Verdict::NothingNear;
        }
    }
    Verdict::Kept
}

/// The line of a match, so far as a filter sees it.
fn line(text: &[u8], whole: &Range<usize>, window: &Range<usize>) -> Range<usize> {
    let first = whole.start.saturating_sub(super::spec::LINE_CONTEXT).max(window.start);
    let last = (whole.end + super::spec::LINE_CONTEXT).min(window.end.max(whole.end));
    let start = memchr::memrchr(b'\n', &text[first..whole.start]).map_or(first, |at| first + at + 1);
    let end = memchr::memchr(b'\n', &text[whole.end..last]).map_or(last, |at| whole.end + at);
    start..end
}

/// Whether a text has one of the lower-case parts, in any case.
fn has_any(text: &[u8], parts: &[std::borrow::Cow<'static, str>]) -> bool {
    parts.iter().any(|part| {
        text.len() >= part.len() && text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
    })
}

/// The slow way, for a detector without literals: every match that starts in `starts`, with what became of it, and the
/// bytes that it depends on.
pub(super) fn everywhere(
    text: &[u8],
    starts: Range<usize>,
    spec: &Spec,
    compiled: &Compiled,
    say: &mut dyn FnMut(Range<usize>, Range<usize>, Verdict),
) {
    let Matcher::Token { group, .. } = spec.matcher else {
        return;
    };
    let context = spec.filter.context();
    let longest = spec.after.min(LONGEST).saturating_sub(context);
    let mut start = starts.start;
    while start < starts.end {
        let all = Input::new(text).span(start..starts.end.saturating_add(longest).min(text.len()));
        let Some(first) = compiled.regex.search(&all).filter(|first| first.start() < starts.end) else {
            return;
        };
        // What is reported is decided within the reach of a match from its first byte on, wherever the search began.
        let at = first.start();
        let reach = Input::new(text).span(at..(at + longest).min(text.len())).anchored(Anchored::Yes);
        if let Some((whole, secret)) = one_match(&reach, group, compiled) {
            let window = at.saturating_sub(spec.before)..(at + spec.after).min(text.len());
            let verdict = judge(text, &whole, &secret, &window, spec, compiled);
            say(secret, window, verdict);
        }
        start = at + 1;
    }
}
