use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::super::contents::Contents;
use super::*;

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn packed(folder: &Path, but: &[&str]) -> Vec<u8> {
    let file = tempfile::tempfile().unwrap();
    let mut file = pack(&Contents::folder(folder), "b", but, file).unwrap();
    let mut bytes = Vec::new();
    std::io::Seek::rewind(&mut file).unwrap();
    std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Option<Archive> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    Archive::read(&mut file).unwrap()
}

fn sample() -> Vec<u8> {
    packed(folder(&[("bagit.txt", b"x"), ("data/a", b"hello"), ("data/b", b""), ("left", b"y")]).path(), &["left"])
}

#[test]
fn the_checksum_is_that_of_zip() {
    let mut crc = Crc::new();
    crc.update(b"123456789");
    assert_eq!(crc.value(), 0xcbf4_3926);
}

#[test]
fn the_same_files_give_the_same_bytes_and_are_found_again() {
    let bytes = sample();
    assert_eq!(bytes, sample());
    let archive = read(&bytes).unwrap();
    assert_eq!(archive.odd, []);
    let found: Vec<(&str, &[u8])> = archive
        .files
        .iter()
        .map(|found| (found.name.as_str(), &bytes[found.start as usize..(found.start + found.size) as usize]))
        .collect();
    assert_eq!(found, [("bagit.txt", &b"x"[..]), ("data/a", b"hello"), ("data/b", b"")]);
}

/// Every byte that is no file's data is accounted for.
#[test]
fn no_bit_outside_of_the_files_can_be_flipped_unnoticed() {
    let bytes = sample();
    let data: Vec<std::ops::Range<u64>> =
        read(&bytes).unwrap().files.iter().map(|found| found.start..found.start + found.size).collect();
    for at in (0..bytes.len()).filter(|at| !data.iter().any(|range| range.contains(&(*at as u64)))) {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            assert!(read(&changed).is_none_or(|archive| !archive.odd.is_empty()), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn bytes_that_belong_to_no_file_are_noticed_and_nothing_panics_on_what_was_cut() {
    let bytes = sample();
    for at in 0..=bytes.len() {
        let added = [&bytes[..at], b"hidden", &bytes[at..]].concat();
        let is_noticed = read(&added).is_none_or(|archive| {
            let grown = archive.files.iter().any(|found| added[found.start as usize..].starts_with(b"hidden"));
            grown || !archive.odd.is_empty()
        });
        assert!(is_noticed, "at {at}");
        if at < bytes.len() {
            assert!(read(&bytes[..at]).is_none_or(|archive| !archive.odd.is_empty()), "cut at {at}");
        }
    }
}

#[test]
fn more_files_than_the_old_format_can_count_need_zip64() {
    let names: Vec<String> = (0..66_000).map(|number| format!("b/{number:05}")).collect();
    let mut bytes = Vec::new();
    let mut members = Vec::new();
    for name in &names {
        members.push(Member { name: name.clone().into_bytes(), crc: 0, size: 0, offset: bytes.len() as u64 });
        bytes.extend(members.last().unwrap().local());
    }
    let start = bytes.len() as u64;
    members.iter().for_each(|member| bytes.extend(member.central()));
    let size = bytes.len() as u64 - start;
    bytes.extend(end(names.len() as u64, size, start));
    let archive = read(&bytes).unwrap();
    assert_eq!((archive.files.len(), archive.odd.as_slice()), (names.len(), &[][..]));
}

/// What only an archive of more than 4 GiB has, without writing one.
#[test]
fn numbers_that_do_not_fit_stand_in_the_extra_field() {
    let large = Member { name: b"b/x".to_vec(), crc: 7, size: 5 << 30, offset: 6 << 30 };
    assert_eq!(large.local().len() as u64, large.data() - large.offset);
    let line = large.central();
    assert_eq!(u16::from_le_bytes([line[30], line[31]]), 4 + 3 * 8);
    let far = Member { size: 1, ..large };
    let line = far.central();
    assert_eq!(u16::from_le_bytes([line[30], line[31]]), 4 + 8);
    assert_eq!(far.local().len(), 33);
}
