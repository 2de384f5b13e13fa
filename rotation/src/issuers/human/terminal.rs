//! The terminal of the process.
//!
//! # Guarantees
//! While a value is read the terminal shows nothing of it, and is as before afterwards, also where reading fails or is given
//! up with Ctrl-C.
//!
//! # Assumptions
//! Nothing kills the process while it reads: the shell has to switch the terminal back then (`stty sane`).

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use keytrail_rules::model::Secret;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::Person;
use crate::failure::Failure;

/// Longer values are mistakes.
const MAX_LINE_BYTES: usize = 64 << 10;

/// The alternate screen of xterm, which leaves nothing behind; and back.
const OTHER_SCREEN: [&str; 2] = ["\x1b[?1049h\x1b[H", "\x1b[?1049l"];

/// A terminal device.
pub(super) struct Terminal {
    pub(super) device: PathBuf,
}

/// The one that the process was started at.
pub(in super::super) fn terminal() -> Arc<dyn Person> {
    Arc::new(Terminal { device: PathBuf::from("/dev/tty") })
}

fn broken(error: impl Into<std::io::Error>) -> Failure {
    Failure::unknown(format!("the terminal broke off: {}", error.into())).hint("go on with `keytrail rotate --resume`")
}

fn given_up() -> Failure {
    Failure::unknown("the person at the terminal gave up").hint("go on with `keytrail rotate --resume`")
}

impl Terminal {
    fn open(&self) -> std::io::Result<File> {
        OpenOptions::new().read(true).write(true).open(&self.device)
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        self.open().and_then(|mut file| file.write_all(text.as_bytes())).map_err(broken)
    }
}

/// A terminal that shows nothing and takes every key as it is, until dropped.
struct Quiet<'a> {
    file: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn of(file: &'a File) -> rustix::io::Result<Self> {
        let before = tcgetattr(file)?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed before the question was shown, and is no answer to it, is thrown away.
        tcsetattr(file, OptionalActions::Flush, &quiet)?;
        Ok(Self { file, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs no switching back.
        let _gone = tcsetattr(self.file, OptionalActions::Now, &self.before);
        let _gone = self.file.write_all(b"\n");
    }
}

/// Reads a line of keys: Enter ends it, Backspace and Ctrl-U correct it, Ctrl-C and Ctrl-D give it up.
fn read_keys(mut source: impl Read) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE_BYTES));
    let mut key = Zeroizing::new([0]);
    loop {
        if source.read(&mut key[..]).map_err(broken)? == 0 {
            return Err(given_up());
        }
        match key[0] {
            b'\r' | b'\n' => return Ok(line),
            0x03 | 0x04 => return Err(given_up()),
            0x08 | 0x7f => {
                // The last character, which has one byte that continues no other.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            0x15 => line.clear(),
            _ if line.len() == MAX_LINE_BYTES => return Err(Failure::unknown("the value is larger than 64 KiB")),
            byte => line.push(byte),
        }
    }
}

impl Person for Terminal {
    fn obstacle(&self) -> Option<String> {
        let opened = self.open().and_then(|file| tcgetattr(&file).map_err(Into::into));
        opened.is_err().then(|| "nobody can be asked: there is no terminal".to_owned())
    }

    fn tell(&self, line: &str) -> Result<(), Failure> {
        self.write(&format!("{}\n", keytrail_rules::text::visible(line)))
    }

    fn show(&self, value: &Secret) -> Result<(), Failure> {
        let mut file = self.open().map_err(broken)?;
        let [enter, leave] = OTHER_SCREEN;
        let shown = (|| {
            let _quiet = Quiet::of(&file).map_err(broken)?;
            let mut out = &file;
            for text in
                [enter, "Copy this value, then press Enter; it is not shown again:\r\n\r\n", value.expose(), "\r\n"]
            {
                out.write_all(text.as_bytes()).map_err(broken)?;
            }
            read_keys(&file).map(drop)
        })();
        file.write_all(leave.as_bytes()).map_err(broken)?;
        shown
    }

    fn ask_hidden(&self, prompt: &str) -> Result<Secret, Failure> {
        let mut file = self.open().map_err(broken)?;
        let device = file.try_clone().map_err(broken)?;
        let quiet = Quiet::of(&device).map_err(broken)?;
        file.write_all(prompt.as_bytes()).map_err(broken)?;
        let line = read_keys(&file);
        drop(quiet);
        let line = line?;
        let text = std::str::from_utf8(&line).map_err(|_| Failure::unknown("what was entered is no text"))?;
        Ok(Secret::from(text.trim()))
    }

    fn ask(&self, prompt: &str) -> Result<String, Failure> {
        let mut file = self.open().map_err(broken)?;
        file.write_all(prompt.as_bytes()).map_err(broken)?;
        let line = read_keys(&file)?;
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}
