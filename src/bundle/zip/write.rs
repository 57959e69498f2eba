//! Writing: a folder becomes an archive.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use super::super::contents::{Contents, Kind};
use super::{Crc, Member, end};

/// Packs all files of a folder, but one, below a folder of the archive.
pub(in crate::bundle) fn pack(contents: &Contents, top: &str, but: &[&str], file: File) -> io::Result<File> {
    let mut names = Vec::new();
    for entry in contents.list()? {
        match entry.kind {
            Kind::File if but.contains(&entry.name.as_str()) => {}
            Kind::File => names.push(entry.name),
            Kind::EmptyFolder | Kind::Other => return Err(io::Error::other(format!("{} is no file", entry.name))),
        }
    }
    let mut out = BufWriter::with_capacity(1 << 16, file);
    let (mut members, mut offset) = (Vec::new(), 0);
    for name in &names {
        let full = format!("{top}/{name}").into_bytes();
        let mut member = Member { name: full, crc: 0, size: contents.size(name)?, offset };
        out.write_all(&member.local())?;
        let (crc, size) = copy(contents.open(name)?, &mut out)?;
        if size != member.size {
            return Err(io::Error::other(format!("{name} changed while it was packed")));
        }
        member.crc = crc;
        offset = member.data() + size;
        // The checksum is known only now.
        out.seek(SeekFrom::Start(member.offset))?;
        out.write_all(&member.local())?;
        out.seek(SeekFrom::Start(offset))?;
        members.push(member);
    }
    let mut size = 0;
    for member in &members {
        let line = member.central();
        out.write_all(&line)?;
        size += line.len() as u64;
    }
    out.write_all(&end(members.len() as u64, size, offset))?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(file)
}

fn copy(mut input: impl Read, out: &mut impl Write) -> io::Result<(u32, u64)> {
    let (mut crc, mut size, mut buffer) = (Crc::new(), 0, vec![0; 1 << 16]);
    loop {
        let read = input.read(&mut buffer)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Ok((crc.value(), size));
        }
        crc.update(bytes);
        out.write_all(bytes)?;
        size += read as u64;
    }
}
