//! Compressed streams, told by their first bytes.

use std::io::{self, BufRead, Read};

/// Window and dictionary of a decoder: what `zstd` and `xz` accept and make without being asked for more.
const MAX_WINDOW_LOG: u32 = 27;
const MAX_XZ_KIB: u32 = (1 << (MAX_WINDOW_LOG - 10)) + 1024;

/// Reads what was compressed.
type Open = for<'r> fn(Box<dyn BufRead + 'r>) -> io::Result<Box<dyn Read + 'r>>;

/// A kind of compression.
pub(crate) struct Compression {
    /// As messages name it.
    pub(crate) name: &'static str,
    is: fn(&[u8]) -> bool,
    pub(crate) open: Open,
}

/// Every kind.
const COMPRESSIONS: &[Compression] = &[
    // RFC 1952, section 2.3.1: the method is deflate.
    Compression {
        name: "gzip data",
        is: |head| head.starts_with(b"\x1f\x8b\x08"),
        open: |reader| Ok(Box::new(flate2::bufread::MultiGzDecoder::new(reader))),
    },
    // RFC 8878, sections 3.1.1 and 3.1.2: a frame, or one to skip.
    Compression {
        name: "Zstandard data",
        is: |head| {
            head.starts_with(b"\x28\xb5\x2f\xfd")
                || head.get(1..4) == Some(b"\x2a\x4d\x18") && matches!(head[0], 0x50..=0x5f)
        },
        open: |reader| {
            let mut decoder = zstd::Decoder::with_buffer(reader)?;
            decoder.window_log_max(MAX_WINDOW_LOG)?;
            Ok(Box::new(decoder))
        },
    },
    // The header, and the magic of a block or of the end.
    Compression {
        name: "bzip2 data",
        is: |head| {
            let block = head.get(4..10);
            head.starts_with(b"BZh") && (block == Some(b"1AY&SY") || block == Some(b"\x17\x72\x45\x38\x50\x90"))
        },
        open: |reader| Ok(Box::new(bzip2::bufread::MultiBzDecoder::new(reader))),
    },
    // https://tukaani.org/xz/xz-file-format.txt, section 2.1.1.1.
    Compression {
        name: "xz data",
        is: |head| head.starts_with(b"\xfd7zXZ\0"),
        open: |reader| Ok(Box::new(lzma_rust2::XzReader::new_mem_limit(reader, true, MAX_XZ_KIB))),
    },
];

/// What is told by its first bytes, and not read.
const UNREAD: &[(&[u8], &str)] = &[
    (b"\x04\x22\x4d\x18", "LZ4 data"),
    (b"\x1f\x9d", "compress data"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"MSCF\0\0\0\0", "a cabinet archive"),
    (b"\xed\xab\xee\xdb", "an RPM package"),
    (b"070701", "a cpio archive"),
    (b"LZIP\x01", "lzip data"),
];

/// The compression that a stream starts as.
pub(crate) fn compression(head: &[u8]) -> Option<&'static Compression> {
    COMPRESSIONS.iter().find(|one| (one.is)(head))
}

/// The name of a kind that is known and not read.
pub(crate) fn unread(head: &[u8]) -> Option<&'static str> {
    UNREAD.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, name)| *name)
}
