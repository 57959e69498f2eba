//! A bundle as one zip file, in one form only: the same files give the same bytes.
//!
//! Files are stored, not compressed, sorted by name below one folder, with one time and one set of permissions and no extra
//! fields but those of ZIP64 (PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 to 4.5). Because there is one form, a reader can account for
//! every byte: what is no file's data must be what [`Member`] and [`end`] would write, and whatever else there is was
//! added or changed by another hand. [`write`] writes, [`read`] reads and says what is not as it would have been written.

mod read;
mod write;

pub(super) use read::{Archive, Found, is_zip};
pub(super) use write::pack;

/// First octets of a local file header (section 4.3.7).
const LOCAL: [u8; 4] = *b"PK\x03\x04";
/// First octets of a line of the central directory (section 4.3.12).
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
/// First octets of the end of the central directory (section 4.3.16).
const END: [u8; 4] = *b"PK\x05\x06";
/// First octets of the end of the central directory of ZIP64 (section 4.3.14).
const END_64: [u8; 4] = *b"PK\x06\x06";
/// First octets of what says where that is (section 4.3.15).
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";

/// Octets of a local file header without name and extra field.
const LOCAL_SIZE: u64 = 30;
/// Octets of the end of the central directory, without comment.
const END_SIZE: u64 = 22;
/// Octets of the end of ZIP64 and of its locator.
const END_64_SIZE: u64 = 56 + 20;

/// Version 1.0 of the format; 4.5 for ZIP64 (section 4.4.3.2).
const VERSION: u16 = 10;
const VERSION_64: u16 = 45;
/// Made on Unix (section 4.4.2.2), so that the permissions are understood.
const MADE_ON_UNIX: u16 = 3 << 8;
/// 1980-01-01 00:00, the first moment that the format knows (section 4.4.6).
const DATE: u16 = (1 << 5) | 1;
/// A regular file that its owner writes and all read: `-rw-r--r--`.
const PERMISSIONS: u32 = 0o100_644 << 16;
/// Id of the extra field of ZIP64 (section 4.5.3).
const EXTRA_64: u16 = 1;

/// One file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    /// Its name in the archive, with the folder that all lie in.
    name: Vec<u8>,
    /// CRC-32 of its bytes.
    crc: u32,
    /// Number of its bytes.
    size: u64,
    /// Where its local header stands.
    offset: u64,
}

/// A number in 32 bits, where all bits set say that it stands in the extra field of ZIP64.
fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn is_large(number: u64) -> bool {
    number >= u64::from(u32::MAX)
}

impl Member {
    /// The extra field of ZIP64 with those numbers that do not fit.
    fn extra(numbers: &[u64]) -> Vec<u8> {
        if numbers.is_empty() {
            return Vec::new();
        }
        let mut extra = EXTRA_64.to_le_bytes().to_vec();
        extra.extend(u16::try_from(numbers.len() * 8).unwrap_or(u16::MAX).to_le_bytes());
        extra.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        extra
    }

    /// What both headers have in common (sections 4.4.3 to 4.4.11).
    fn common(&self, is_64: bool, extra: &[u8]) -> Vec<u8> {
        let version = if is_64 { VERSION_64 } else { VERSION };
        let (flags, method, time) = (0u16, 0u16, 0u16);
        let mut bytes = Vec::new();
        bytes.extend([version, flags, method, time, DATE].iter().flat_map(|field| field.to_le_bytes()));
        bytes.extend([self.crc, small(self.size), small(self.size)].iter().flat_map(|field| field.to_le_bytes()));
        let lengths = [self.name.len(), extra.len()].map(|length| u16::try_from(length).unwrap_or(u16::MAX));
        bytes.extend(lengths.iter().flat_map(|field| field.to_le_bytes()));
        bytes
    }

    /// The local file header (section 4.3.7).
    fn local(&self) -> Vec<u8> {
        let is_64 = is_large(self.size);
        // Section 4.5.3: in a local header, both sizes must be there.
        let extra = Member::extra(&[self.size, self.size][if is_64 { 0..2 } else { 0..0 }]);
        [&LOCAL[..], &self.common(is_64, &extra), &self.name, &extra].concat()
    }

    /// The line of the central directory (section 4.3.12).
    fn central(&self) -> Vec<u8> {
        let mut numbers = Vec::new();
        if is_large(self.size) {
            numbers.extend([self.size, self.size]);
        }
        if is_large(self.offset) {
            numbers.push(self.offset);
        }
        let (is_64, extra) = (!numbers.is_empty(), Member::extra(&numbers));
        let made_by = MADE_ON_UNIX | if is_64 { VERSION_64 } else { VERSION };
        let mut bytes = [&CENTRAL[..], &made_by.to_le_bytes(), &self.common(is_64, &extra)].concat();
        let (comment, disk, internal) = (0u16, 0u16, 0u16);
        bytes.extend([comment, disk, internal].iter().flat_map(|field| field.to_le_bytes()));
        bytes.extend([PERMISSIONS, small(self.offset)].iter().flat_map(|field| field.to_le_bytes()));
        bytes.extend(&self.name);
        bytes.extend(extra);
        bytes
    }

    /// Where its data start.
    fn data(&self) -> u64 {
        let extra = if is_large(self.size) { 20 } else { 0 };
        self.offset.saturating_add(LOCAL_SIZE + self.name.len() as u64 + extra)
    }
}

/// The end of an archive whose central directory has so many lines and octets and starts there (sections 4.3.14 to 4.3.16).
fn end(count: u64, size: u64, start: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if count >= u64::from(u16::MAX) || is_large(size) || is_large(start) {
        bytes.extend(END_64);
        bytes.extend(44u64.to_le_bytes());
        bytes.extend([MADE_ON_UNIX | VERSION_64, VERSION_64].iter().flat_map(|field| field.to_le_bytes()));
        bytes.extend([0u8; 8]);
        bytes.extend([count, count, size, start].iter().flat_map(|field| field.to_le_bytes()));
        bytes.extend(LOCATOR_64);
        bytes.extend(0u32.to_le_bytes());
        bytes.extend(start.saturating_add(size).to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
    }
    bytes.extend(END);
    let few = u16::try_from(count).unwrap_or(u16::MAX);
    bytes.extend([0, 0, few, few].iter().flat_map(|field| field.to_le_bytes()));
    bytes.extend([small(size), small(start)].iter().flat_map(|field| field.to_le_bytes()));
    bytes.extend(0u16.to_le_bytes());
    bytes
}

/// CRC-32 as zip has it (section 4.4.7), computed on the way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crc(u32);

/// What each octet does to a checksum: the polynomial 0xEDB88320, eight times.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0xEDB8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

impl Crc {
    pub(super) fn new() -> Crc {
        Crc(u32::MAX)
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = TABLE[usize::from(self.0 as u8 ^ byte)] ^ (self.0 >> 8);
        }
    }

    pub(super) fn value(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests;
