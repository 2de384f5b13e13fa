//! Makes compressed streams and archives, for tests.

use std::io::{Cursor, Write};

/// Members of an archive: names and contents.
pub(crate) type Files<'a> = &'a [(&'a str, &'a [u8])];

/// gzip.
pub(crate) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("compressed");
    encoder.finish().expect("compressed")
}

/// Zstandard.
pub(crate) fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("compressed")
}

/// bzip2.
pub(crate) fn bz2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).expect("compressed");
    encoder.finish().expect("compressed")
}

/// xz.
pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).expect("an encoder");
    encoder.write_all(bytes).expect("compressed");
    encoder.finish().expect("compressed")
}

/// A zip archive, deflated.
pub(crate) fn zip(files: Files<'_>) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, content) in files {
        writer.start_file(*name, options).expect("a member");
        writer.write_all(content).expect("a member");
    }
    writer.finish().expect("an archive").into_inner()
}

/// A 7z archive.
pub(crate) fn sevenz(files: Files<'_>) -> Vec<u8> {
    let mut writer = sevenz_rust2::ArchiveWriter::new(Cursor::new(Vec::new())).expect("an archive");
    for (name, content) in files {
        let entry = sevenz_rust2::ArchiveEntry::new_file(name);
        writer.push_archive_entry(entry, Some(*content)).expect("a member");
    }
    writer.finish().expect("an archive").into_inner()
}

/// A tar archive, with GNU's long names.
pub(crate) fn tar(files: Files<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in files {
        if name.len() > 100 {
            bytes.extend(tar_entry(b'L', "././@LongLink", name.as_bytes()));
        }
        bytes.extend(tar_entry(b'0', &name[..name.len().min(100)], content));
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// A header of a tar archive, and the content behind it.
pub(crate) fn tar_entry(kind: u8, name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[148..156].fill(b' ');
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar  \0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header.extend(content);
    header.resize(header.len().next_multiple_of(512), 0);
    header
}

/// An ar archive, with GNU's table of long names.
pub(crate) fn ar(files: Files<'_>) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    let mut member = |name: &str, content: &[u8]| {
        writeln!(bytes, "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 0, 100_644, content.len()).expect("a member");
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(2), b'\n');
    };
    let mut table = String::new();
    let mut short = Vec::new();
    for (name, _) in files {
        short.push(if name.len() > 15 { format!("/{}", table.len()) } else { format!("{name}/") });
        if name.len() > 15 {
            table += &format!("{name}/\n");
        }
    }
    if !table.is_empty() {
        member("//", table.as_bytes());
    }
    for ((_, content), short) in files.iter().zip(&short) {
        member(short, content);
    }
    bytes
}
