//! Writes the candidates of the generic assignments with what is measured of them, for `rules/training`.
//!
//! `generic_candidates lines FILE`: a table of labelled lines as its README describes; `generic_candidates tree FOLDER…`:
//! every file below; `generic_candidates time FOLDER…`: how fast, and how much is found.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a tool for training, not for users"
)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use keytrail_rules::detectors::generic::{AFTER, BEFORE, Judged, is_keyword, judge};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mode, paths) = arguments.split_first().expect("a mode");
    match mode.as_str() {
        "lines" => lines(&paths[0]),
        "tree" => paths.iter().for_each(|path| walk(Path::new(path), &mut |path, text| tree(path, text))),
        "time" => time(paths),
        _ => println!("lines FILE | tree FOLDER… | time FOLDER…"),
    }
}

/// Calls `each` for every candidate of a text, each value once.
fn candidates(text: &[u8], mut each: impl FnMut(usize, usize, &Judged)) {
    let mut seen = Vec::new();
    for at in 0..text.len() {
        if !is_keyword(text, at) {
            continue;
        }
        let start = at.saturating_sub(BEFORE);
        let window = &text[start..text.len().min(at + AFTER)];
        let Some(judged) = judge(window, at - start) else { continue };
        let range = judged.candidate.value.range.clone();
        let place = (range.start + start, range.end + start);
        if !seen.contains(&place) {
            seen.push(place);
            each(place.0, place.1, &judged);
        }
        if seen.len() > 64 {
            seen.remove(0);
        }
    }
}

fn numbers(judged: &Judged) -> String {
    judged.features.as_ref().map_or_else(
        || "-".to_owned(),
        |features| features.values.iter().map(i16::to_string).collect::<Vec<_>>().join(","),
    )
}

/// Row, start, end, why it was dropped or `-`, score, numbers or `-`.
fn lines(path: &str) {
    let table = fs::read_to_string(path).expect("a table");
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for (row, line) in table.lines().skip(1).enumerate() {
        let Some(text) = line.split('\t').nth(6).and_then(decode) else { continue };
        candidates(&text, |start, end, judged| {
            let dropped = judged.dropped.unwrap_or("-");
            writeln!(out, "{row}\t{start}\t{end}\t{dropped}\t{}\t{}", judged.score, numbers(judged)).expect("written");
        });
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text.bytes().take_while(|byte| *byte != b'=') {
        let digit =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".iter().position(|one| *one == byte)?;
        bits = (bits << 6 | u32::try_from(digit).ok()?) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(out)
}

fn walk(path: &Path, each: &mut dyn FnMut(&Path, &[u8])) {
    if path.is_symlink() {
        return;
    }
    if let Ok(folder) = fs::read_dir(path) {
        let mut inside: Vec<_> = folder.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        inside.sort();
        inside.iter().for_each(|path| walk(path, each));
    } else if let Ok(text) = fs::read(path)
        && !text[..text.len().min(4096)].contains(&0)
    {
        each(path, &text);
    }
}

/// Path, offset, why dropped, score, numbers, the line around.
fn tree(path: &Path, text: &[u8]) {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    candidates(text, |start, end, judged| {
        let dropped = judged.dropped.unwrap_or("-");
        let from =
            text[..start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1).max(start.saturating_sub(100));
        let shown = String::from_utf8_lossy(&text[from..end]).replace(['\t', '\n', '\r'], " ");
        writeln!(out, "{}\t{start}\t{dropped}\t{}\t{}\t{shown}", path.display(), judged.score, numbers(judged))
            .expect("written");
    });
}

fn time(paths: &[String]) {
    let (mut bytes, mut literals, mut read, mut kept, mut spent) = (0, 0, 0, 0, 0.0);
    for path in paths {
        walk(Path::new(path), &mut |_, text| {
            bytes += text.len();
            let places: Vec<usize> = (0..text.len()).filter(|at| is_keyword(text, *at)).collect();
            literals += places.len();
            let began = Instant::now();
            for at in places {
                let start = at.saturating_sub(BEFORE);
                if let Some(judged) = judge(&text[start..text.len().min(at + AFTER)], at - start) {
                    read += 1;
                    kept += usize::from(judged.is_secret());
                }
            }
            spent += began.elapsed().as_secs_f64();
        });
    }
    let megabytes = bytes as f64 / 1e6;
    println!(
        "{megabytes:.0} MB, {literals} literals, {read} candidates, {kept} secrets, {:.3} ms a MB",
        spent * 1e3 / megabytes
    );
}
