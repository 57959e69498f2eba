//! Reading: what an archive holds, and what in it is not as it would have been written.
//!
//! The list of files is the central directory; where that cannot be read, it is the chain of local headers. Every file is
//! then compared with the form that it would have, and every octet that belongs to none is told. Nothing is unpacked: a
//! file is a range of the archive, so that names cannot lead anywhere and nothing can grow.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::{CENTRAL, END, END_64, END_64_SIZE, END_SIZE, LOCAL, LOCAL_SIZE, LOCATOR_64, Member, end};

/// Largest central directory that is read, in bytes.
const MAX_DIRECTORY: u64 = 1 << 30;

/// What is said of a file whose header is another one.
const ODD_HEADER: &str = "its header in the archive is not as it was written";
/// What is said of a file that the central directory has otherwise.
const ODD_LINE: &str = "its line in the directory of the archive is not as it was written";

/// What an archive holds.
#[derive(Debug)]
pub(in crate::bundle) struct Archive {
    /// Its files, in the order of its directory.
    pub(in crate::bundle) files: Vec<Found>,
    /// What is not as it would have been written, by the names of files; without a name, the archive itself.
    pub(in crate::bundle) odd: Vec<(Option<String>, String)>,
}

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::bundle) struct Found {
    /// Its name, without the folder that all lie in.
    pub(in crate::bundle) name: String,
    /// Where its bytes start.
    pub(in crate::bundle) start: u64,
    /// How many there are.
    pub(in crate::bundle) size: u64,
    /// CRC-32 that they should have.
    pub(in crate::bundle) crc: u32,
}

/// Whether a file begins like an archive.
pub(in crate::bundle) fn is_zip(path: &Path) -> bool {
    // Opening a pipe would wait for a writer that may never come.
    let is_file = path.metadata().is_ok_and(|meta| meta.is_file());
    let mut first = [0; 4];
    is_file && File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok() && first == LOCAL
}

impl Archive {
    /// Reads the list of files and accounts for all else. `None` when there is no telling what it holds.
    pub(in crate::bundle) fn read(file: &mut File) -> io::Result<Option<Archive>> {
        let length = file.seek(SeekFrom::End(0))?;
        let mut odd = Vec::new();
        let (members, tail) = match directory(file, length)? {
            Some(read) => read,
            None => {
                let (members, tail) = chain(file, length)?;
                if members.is_empty() {
                    return Ok(None);
                }
                odd.push((None, "its directory cannot be read".to_owned()));
                odd_directory(file, length, &members, tail, &mut odd)?;
                (members, Tail { start: tail, lines: Vec::new(), end: Vec::new() })
            }
        };
        let top = top(&members);
        account(file, &members, &tail, &mut odd)?;
        let mut files = Vec::new();
        for member in &members {
            let name = String::from_utf8_lossy(&member.name).into_owned();
            let Some(name) = name.strip_prefix(&top) else {
                odd.push((Some(name), "it does not lie in the folder of the bundle".to_owned()));
                continue;
            };
            let size = member.size.min(length.saturating_sub(member.data()));
            files.push(Found { name: name.to_owned(), start: member.data(), size, crc: member.crc });
        }
        let odd = odd.into_iter().map(|(name, note)| (name.map(|name| bare(&name, &top)), note)).collect();
        Ok(Some(Archive { files, odd }))
    }
}

/// The folder that all files lie in, with its slash.
fn top(members: &[Member]) -> String {
    let first = members.first().map(|member| String::from_utf8_lossy(&member.name).into_owned()).unwrap_or_default();
    first.split_inclusive('/').next().filter(|top| top.ends_with('/')).unwrap_or_default().to_owned()
}

fn bare(name: &str, top: &str) -> String {
    name.strip_prefix(top).unwrap_or(name).to_owned()
}

/// What follows the files.
struct Tail {
    /// Where it starts.
    start: u64,
    /// The lines of the directory as they are, one for each file.
    lines: Vec<Vec<u8>>,
    /// What follows the directory, as it is.
    end: Vec<u8>,
}

type Odd = Vec<(Option<String>, String)>;

/// Compares what is there with what would have been written for these files.
fn account(file: &mut File, members: &[Member], tail: &Tail, odd: &mut Odd) -> io::Result<()> {
    let mut expected = 0;
    for (index, member) in members.iter().enumerate() {
        let name = || Some(String::from_utf8_lossy(&member.name).into_owned());
        if member.offset != expected {
            odd.push((name(), "it does not stand where it was written".to_owned()));
            let note = "there are bytes in it that belong to no file, or to more than one";
            odd.push((None, note.to_owned()));
        }
        let header = member.local();
        if bytes_at(file, member.offset, header.len() as u64)? != header {
            odd.push((name(), ODD_HEADER.to_owned()));
        }
        if tail.lines.get(index).is_some_and(|line| *line != member.central()) {
            odd.push((name(), ODD_LINE.to_owned()));
        }
        if index > 0 && members.get(index - 1).is_some_and(|before| before.name >= member.name) {
            odd.push((name(), "it does not stand in the order of names, or twice in the archive".to_owned()));
        }
        expected = member.data().saturating_add(member.size);
    }
    if tail.start != expected {
        odd.push((None, "there are bytes between its last file and its directory".to_owned()));
    }
    let size = tail.lines.iter().map(|line| line.len() as u64).sum();
    if !tail.end.is_empty() && tail.end != end(members.len() as u64, size, tail.start) {
        odd.push((None, "its end is not as it was written".to_owned()));
    }
    Ok(())
}

/// The files and the tail by the central directory; `None` when it cannot be read.
fn directory(file: &mut File, length: u64) -> io::Result<Option<(Vec<Member>, Tail)>> {
    let Some(at) = length.checked_sub(END_SIZE) else { return Ok(None) };
    let last = bytes_at(file, at, END_SIZE)?;
    if !last.starts_with(&END) {
        return Ok(None);
    }
    let (mut size, mut start) = (u64::from(number(&last, 12)), u64::from(number(&last, 16)));
    let mut end_at = at;
    if let Some(at) = at.checked_sub(END_64_SIZE) {
        let large = bytes_at(file, at, END_64_SIZE)?;
        if large.starts_with(&END_64) && large.get(56..60) == Some(&LOCATOR_64) {
            (size, start, end_at) = (large_number(&large, 40), large_number(&large, 48), at);
        }
    }
    if start.checked_add(size) != Some(end_at) || size > MAX_DIRECTORY {
        return Ok(None);
    }
    let all = bytes_at(file, start, size)?;
    let (mut members, mut lines, mut rest) = (Vec::new(), Vec::new(), all.as_slice());
    while !rest.is_empty() {
        let Some((member, line, after)) = line(rest) else { return Ok(None) };
        members.push(member);
        lines.push(line.to_vec());
        rest = after;
    }
    let end = bytes_at(file, end_at, length - end_at)?;
    Ok((!members.is_empty()).then_some((members, Tail { start, lines, end })))
}

/// One line of the central directory, and what follows it.
fn line(bytes: &[u8]) -> Option<(Member, &[u8], &[u8])> {
    let fixed = bytes.get(..46).filter(|fixed| fixed.starts_with(&CENTRAL))?;
    let lengths = [28, 30, 32].map(|at| usize::from(short(fixed, at)));
    let (line, after) = bytes.split_at_checked(46 + lengths.iter().sum::<usize>())?;
    let name = line.get(46..46 + lengths[0])?.to_vec();
    let mut extra = line.get(46 + lengths[0]..46 + lengths[0] + lengths[1])?.get(4..).unwrap_or_default();
    let mut wide = |small: u32| match extra.split_first_chunk::<8>() {
        Some((large, rest)) if small == u32::MAX => {
            extra = rest;
            u64::from_le_bytes(*large)
        }
        _ => u64::from(small),
    };
    let (size, _) = (wide(number(fixed, 24)), wide(number(fixed, 20)));
    let offset = wide(number(fixed, 42));
    Some((Member { name, crc: number(fixed, 16), size, offset }, line, after))
}

/// The files as the local headers follow each other, and where that ends.
fn chain(file: &mut File, length: u64) -> io::Result<(Vec<Member>, u64)> {
    let (mut members, mut at) = (Vec::new(), 0);
    loop {
        let fixed = bytes_at(file, at, LOCAL_SIZE)?;
        if fixed.len() as u64 != LOCAL_SIZE || !fixed.starts_with(&LOCAL) {
            return Ok((members, at));
        }
        let name = bytes_at(file, at + LOCAL_SIZE, u64::from(short(&fixed, 26)))?;
        let extra = bytes_at(file, at + LOCAL_SIZE + name.len() as u64, u64::from(short(&fixed, 28)))?;
        let size = match (number(&fixed, 22), extra.get(4..).and_then(|extra| extra.first_chunk())) {
            (u32::MAX, Some(large)) => u64::from_le_bytes(*large),
            (small, _) => u64::from(small),
        };
        let member = Member { name, crc: number(&fixed, 14), size, offset: at };
        let next = (at + LOCAL_SIZE + member.name.len() as u64 + extra.len() as u64).saturating_add(size);
        if next > length {
            return Ok((members, at));
        }
        at = next;
        members.push(member);
    }
}

/// Says where a directory that cannot be read is not the one that these files would have.
fn odd_directory(file: &mut File, length: u64, members: &[Member], start: u64, odd: &mut Odd) -> io::Result<()> {
    let mut at = start;
    for member in members {
        let line = member.central();
        if bytes_at(file, at, line.len() as u64)? != line {
            odd.push((Some(String::from_utf8_lossy(&member.name).into_owned()), ODD_LINE.to_owned()));
            // What follows may have moved, and each line of it would be blamed.
            return Ok(());
        }
        at += line.len() as u64;
    }
    if bytes_at(file, at, length.saturating_sub(at).min(MAX_DIRECTORY))? != end(members.len() as u64, at - start, start)
    {
        odd.push((None, "its end is not as it was written".to_owned()));
    }
    Ok(())
}

/// So many bytes from there, or as many as there are.
fn bytes_at(file: &mut File, at: u64, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn short(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |field| u16::from_le_bytes(*field))
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |field| u32::from_le_bytes(*field))
}

fn large_number(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |field| u64::from_le_bytes(*field))
}
