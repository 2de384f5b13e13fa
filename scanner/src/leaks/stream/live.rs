//! A reader that may wait for its writer, such as standard input: reading goes on in a thread, so that the search is told
//! when nothing comes.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use zeroize::{Zeroize, Zeroizing};

use super::feed::{Feed, Filled};

/// Nothing for so long is a pause.
const PAUSE: Duration = Duration::from_millis(50);

/// How much is read at once: a pipe holds no more.
const PIECE_BYTES: usize = 64 * 1024;

/// Pieces that wait to be searched. Writers faster than the search wait.
const PIECES: usize = 8;

type Piece = io::Result<Zeroizing<Vec<u8>>>;

/// The bytes of a reader, and its pauses.
pub struct Live {
    pieces: Receiver<Piece>,
    piece: Zeroizing<Vec<u8>>,
    used: usize,
    told: bool,
}

impl Live {
    /// Reads in a thread of its own, which ends when the reader does or fails, or with its next piece once nobody wants it.
    pub fn new(reader: impl Read + Send + 'static) -> Self {
        let (sender, pieces) = sync_channel(PIECES);
        std::thread::spawn(move || pump(reader, &sender));
        Self { pieces, piece: Zeroizing::default(), used: 0, told: true }
    }

    /// Copies what is left of the piece at hand.
    fn take(&mut self, space: &mut [u8]) -> usize {
        let length = space.len().min(self.piece.len() - self.used);
        space[..length].copy_from_slice(&self.piece[self.used..self.used + length]);
        self.used += length;
        length
    }

    fn next(&mut self, piece: Piece) -> io::Result<()> {
        self.piece = piece?;
        (self.used, self.told) = (0, false);
        Ok(())
    }
}

impl Feed for Live {
    fn fill(&mut self, space: &mut [u8]) -> io::Result<Filled> {
        while self.used == self.piece.len() {
            // Once told of a pause, the search has nothing to do until more comes.
            let piece = if self.told {
                self.pieces.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                self.pieces.recv_timeout(PAUSE)
            };
            match piece {
                Ok(piece) => self.next(piece)?,
                Err(RecvTimeoutError::Timeout) => {
                    self.told = true;
                    return Ok(Filled::Idle);
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(Filled::Bytes(0)),
            }
        }
        Ok(Filled::Bytes(self.take(space)))
    }
}

/// Waits for the writer; for what has no use for its pauses.
impl Read for Live {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        while self.used == self.piece.len() && !space.is_empty() {
            match self.pieces.recv() {
                Ok(piece) => self.next(piece)?,
                Err(_) => return Ok(0),
            }
        }
        Ok(self.take(space))
    }
}

fn pump(mut reader: impl Read, sender: &SyncSender<Piece>) {
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let piece = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => Ok(Zeroizing::new(buffer[..length].to_vec())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let last = piece.is_err();
        if sender.send(piece).is_err() || last {
            break;
        }
    }
    buffer.zeroize();
}
