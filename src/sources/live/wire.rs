//! DNS messages as octets: writing a question, and reading what stands where in a reply (RFC 1035 section 4).
//!
//! Reading is one pass without interpretation: header, question, and for every record its owner and the place of its
//! data. It is strict where a message would be ambiguous, takes any octets without panic, and follows compression
//! pointers backwards only, so that no message can make it loop.

use std::borrow::Cow;

use crate::mail::Name;
use crate::sources::RecordType;

/// Octets of the header (RFC 1035 section 4.1.1).
pub(super) const HEADER: usize = 12;

/// Most octets of a question: header, the longest name, type and class, and what EDNS adds.
pub(super) const MOST_QUESTION: usize = HEADER + 255 + 4 + 11;

/// What a reply over UDP may have in octets without being cut up on its way (RFC 9715 section 3.2).
const PAYLOAD: u16 = 1232;

/// The class of the internet (RFC 1035 section 3.2.4).
pub(super) const CLASS_IN: u16 = 1;

/// The pseudo type of EDNS (RFC 6891 section 6.1.1).
const OPT: u16 = 41;

/// What a message asks for besides name and type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    /// RD (RFC 1035 section 4.1.1).
    pub(super) recursion: bool,
    /// CD (RFC 4035 section 3.2.2).
    pub(super) checking_disabled: bool,
    /// DO (RFC 3225): signatures are wanted.
    pub(super) signatures: bool,
}

/// A question, ready to be sent but for its id.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// The message with the id 0.
    octets: Vec<u8>,
    /// Where the question section ends.
    end: usize,
}

impl Question {
    pub(super) fn new(name: &Name, rtype: RecordType, wish: Wish) -> Question {
        let mut octets = Vec::with_capacity(HEADER + name.as_str().len() + 17);
        let flags = [u8::from(wish.recursion), u8::from(wish.checking_disabled) << 4];
        octets.extend_from_slice(&[0, 0, flags[0], flags[1], 0, 1, 0, 0, 0, 0, 0, 1]);
        write_name(name, &mut octets);
        octets.extend_from_slice(&rtype.0.to_be_bytes());
        octets.extend_from_slice(&CLASS_IN.to_be_bytes());
        let end = octets.len();
        // RFC 6891 section 6.1.2: root, type, payload size, extended code and version, flags, no options.
        octets.push(0);
        octets.extend_from_slice(&OPT.to_be_bytes());
        octets.extend_from_slice(&PAYLOAD.to_be_bytes());
        octets.extend_from_slice(&[0, 0, u8::from(wish.signatures) << 7, 0, 0, 0]);
        Question { octets, end }
    }

    /// The same question without EDNS, for servers that cannot read it (RFC 6891 section 7).
    pub(super) fn plain(&self) -> Question {
        let mut octets = self.octets.clone();
        octets.truncate(self.end);
        if let Some(count) = octets.get_mut(11) {
            *count = 0;
        }
        Question { octets, end: self.end }
    }

    /// The message with an id.
    pub(super) fn with_id(&self, id: u16) -> Vec<u8> {
        let mut octets = self.octets.clone();
        set_id(&mut octets, id);
        octets
    }

    /// Writes the message with the id 0; `None` if there is not enough room.
    pub(super) fn write<'o>(&self, out: &'o mut [u8; MOST_QUESTION]) -> Option<&'o mut [u8]> {
        let out = out.get_mut(..self.octets.len())?;
        out.copy_from_slice(&self.octets);
        Some(out)
    }

    /// The question section: name, type and class.
    fn section(&self) -> &[u8] {
        self.octets.get(HEADER..self.end).unwrap_or(&[])
    }

    /// Whether a message replies to this question, apart from its id (RFC 5452 section 9.1). A server that could not
    /// read the question may reply without it.
    pub(super) fn is_answered_by(&self, message: &[u8]) -> bool {
        let Some(header) = message.get(..HEADER) else { return false };
        let (is_reply, opcode, rcode) = (header[2] & 0x80 != 0, header[2] & 0x78, header[3] & 0x0f);
        if !is_reply || opcode != 0 {
            return false;
        }
        match [header[4], header[5]] {
            [0, 0] => rcode != 0,
            [0, 1] => {
                let section = self.section();
                message.get(HEADER..HEADER + section.len()).is_some_and(|echo| echo.eq_ignore_ascii_case(section))
            }
            _ => false,
        }
    }
}

/// Gives a message an id.
pub(super) fn set_id(message: &mut [u8], id: u16) {
    if let Some(place) = message.get_mut(..2) {
        place.copy_from_slice(&id.to_be_bytes());
    }
}

/// The id of a message.
pub(super) fn id(message: &[u8]) -> Option<u16> {
    message.first_chunk::<2>().map(|id| u16::from_be_bytes(*id))
}

/// Whether a message was cut to fit (TC).
pub(super) fn is_truncated(message: &[u8]) -> bool {
    message.get(2).is_some_and(|flags| flags & 0x02 != 0)
}

/// The octets of a name, in the case of its canonical text.
pub(super) fn write_name(name: &Name, out: &mut Vec<u8>) {
    if !name.is_root() {
        for label in name.labels() {
            let length_at = out.len();
            out.push(0);
            let mut rest = label.as_bytes();
            while let [byte, tail @ ..] = rest {
                (rest, _) = match (byte, tail) {
                    (b'\\', [a @ b'0'..=b'9', b, c, tail @ ..]) => {
                        let digit = |digit: &u8| digit.wrapping_sub(b'0');
                        (tail, out.push(digit(a).wrapping_mul(100).wrapping_add(digit(b) * 10).wrapping_add(digit(c))))
                    }
                    (b'\\', [escaped, tail @ ..]) => (tail, out.push(*escaped)),
                    _ => (tail, out.push(*byte)),
                };
            }
            out[length_at] = u8::try_from(out.len() - length_at - 1).unwrap_or(0);
        }
    }
    out.push(0);
}

/// Why octets are not a DNS message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    /// It ends within a field.
    #[error("it ends within a record")]
    Short,
    /// A name breaks the limits of RFC 1035 section 2.3.4, or its compression does not lead backwards.
    #[error("a name in it cannot be read")]
    Name,
}

/// A section of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    /// Answer.
    Answer,
    /// Authority.
    Authority,
    /// Additional.
    Additional,
}

/// One record: its owner, and where its data stand.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) section: Section,
    pub(super) owner: Name,
    pub(super) rtype: RecordType,
    pub(super) class: u16,
    pub(super) ttl: u32,
    start: usize,
    end: usize,
}

/// An extended error (RFC 8914 section 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExtendedError {
    pub(super) code: u16,
    /// Text for people, from the server; without characters that change how text is shown.
    pub(super) text: String,
}

/// A message that was read.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) octets: &'a [u8],
    /// Response code, with the upper bits of EDNS.
    pub(super) rcode: u16,
    flags: [u8; 2],
    pub(super) records: Vec<Head>,
    pub(super) extended: Option<ExtendedError>,
}

impl<'a> Message<'a> {
    /// Reads a message. `asked` is the name that it is about, if that is at hand.
    ///
    /// # Errors
    /// The octets are not a DNS message.
    pub(super) fn read(octets: &'a [u8], asked: Option<&Name>) -> Result<Message<'a>, Broken> {
        let header: [u8; HEADER] = *octets.first_chunk().ok_or(Broken::Short)?;
        let count = |at: usize| usize::from(u16::from_be_bytes([header[at], header[at + 1]]));
        let mut message = Message {
            octets,
            rcode: u16::from(header[3] & 0x0f),
            flags: [header[2], header[3]],
            // A record has eleven octets at least.
            records: Vec::with_capacity((count(6) + count(8) + count(10)).min(octets.len() / 11)),
            extended: None,
        };
        let (mut at, mut room) = (HEADER, Vec::with_capacity(64));
        for _ in 0..count(4) {
            at = skip_name(octets, at)? + 4;
        }
        for (section, count) in
            [(Section::Answer, count(6)), (Section::Authority, count(8)), (Section::Additional, count(10))]
        {
            for _ in 0..count {
                at = message.record(section, at, asked, &mut room)?;
            }
        }
        Ok(message)
    }

    /// Reads the record at `at`; where it ends.
    fn record(
        &mut self,
        section: Section,
        at: usize,
        asked: Option<&Name>,
        room: &mut Vec<u8>,
    ) -> Result<usize, Broken> {
        let like = self.records.last().map(|last| &last.owner).or(asked);
        let (owner, at) = read_name(self.octets, at, like, room)?;
        let fixed: &[u8; 10] = self.octets.get(at..).and_then(|rest| rest.first_chunk()).ok_or(Broken::Short)?;
        let [t0, t1, c0, c1, ttl @ .., l0, l1] = *fixed;
        let (start, end) = (at + 10, at + 10 + usize::from(u16::from_be_bytes([l0, l1])));
        let data = self.octets.get(start..end).ok_or(Broken::Short)?;
        let rtype = RecordType(u16::from_be_bytes([t0, t1]));
        if rtype.0 == OPT {
            // RFC 6891 section 6.1.3: the upper eight bits of the response code.
            self.rcode |= u16::from(ttl[0]) << 4;
            self.extended = extended_error(data);
        } else {
            // RFC 2181 section 8: a time to live with the highest bit set is zero.
            let ttl = Some(u32::from_be_bytes(ttl)).filter(|ttl| *ttl <= i32::MAX as u32).unwrap_or(0);
            let class = u16::from_be_bytes([c0, c1]);
            self.records.push(Head { section, owner, rtype, class, ttl, start, end });
        }
        Ok(end)
    }

    /// AA.
    pub(super) fn authoritative(&self) -> bool {
        self.flags[0] & 0x04 != 0
    }

    /// RA.
    pub(super) fn recursion_available(&self) -> bool {
        self.flags[1] & 0x80 != 0
    }

    /// The flags that are set, in the words of RFC 1035 section 4.1.1 and RFC 4035 section 3.
    pub(super) fn flags(&self) -> impl Iterator<Item = &'static str> {
        let [first, second] = self.flags;
        [(first, 0x04, "aa"), (first, 0x02, "tc"), (first, 0x01, "rd")]
            .into_iter()
            .chain([(second, 0x80, "ra"), (second, 0x20, "ad"), (second, 0x10, "cd")])
            .filter(|(octet, bit, _)| octet & bit != 0)
            .map(|(_, _, word)| word)
    }

    /// The data of a record with names written out (RFC 3597 section 4).
    ///
    /// # Errors
    /// The data as they stand, when a name in them cannot be read.
    pub(super) fn data(&self, head: &Head) -> Result<Cow<'a, [u8]>, &'a [u8]> {
        let octets = self.octets;
        let plain = octets.get(head.start..head.end).unwrap_or(&[]);
        let Some((before, names)) = names_in(head.rtype, plain) else { return Ok(Cow::Borrowed(plain)) };
        let mut out = Vec::with_capacity(plain.len() + 64);
        out.extend_from_slice(plain.get(..before).ok_or(plain)?);
        let mut at = head.start + before;
        for _ in 0..names {
            at = expand_name(octets, at, &mut out).map_err(|_| plain)?;
        }
        // A name may run out of its record.
        out.extend_from_slice(octets.get(at..head.end).ok_or(plain)?);
        Ok(Cow::Owned(out))
    }
}

/// Types whose names may be compressed: octets before the first name, and how many names follow each other.
fn names_in(rtype: RecordType, data: &[u8]) -> Option<(usize, usize)> {
    use RecordType as T;
    Some(match rtype {
        T::NS | T::CNAME | T::PTR | T::DNAME | T::MB | T::MG | T::MR | T::MD | T::MF | T::NXT => (0, 1),
        T::SOA | T::MINFO | T::RP => (0, 2),
        T::MX | T::AFSDB | T::RT | T::KX => (2, 1),
        T::PX => (2, 2),
        T::SRV => (6, 1),
        T::SIG => (18, 1),
        T::NAPTR => {
            let string = |at: usize| data.get(at).map(|length| at + 1 + usize::from(*length));
            (string(4).and_then(string).and_then(string)?, 1)
        }
        _ => return None,
    })
}

/// The first extended error among the options of EDNS (RFC 8914 section 2, RFC 6891 section 6.1.2).
fn extended_error(mut options: &[u8]) -> Option<ExtendedError> {
    const EXTENDED_ERROR: u16 = 15;
    const TEXT_LIMIT: usize = 200;
    while let [c0, c1, l0, l1, rest @ ..] = options {
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*l0, *l1])))?;
        if u16::from_be_bytes([*c0, *c1]) == EXTENDED_ERROR {
            let (code, text) = value.split_first_chunk::<2>()?;
            let text: String = String::from_utf8_lossy(text).chars().take(TEXT_LIMIT).collect();
            let text = crate::diag::visible(text.trim_end_matches('\0')).into_owned();
            return Some(ExtendedError { code: u16::from_be_bytes(*code), text });
        }
        options = rest;
    }
    None
}

/// Where the name at `at` ends in the message, its last octets being the root or a pointer.
fn skip_name(octets: &[u8], mut at: usize) -> Result<usize, Broken> {
    loop {
        match *octets.get(at).ok_or(Broken::Short)? {
            0 => return Ok(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            0xc0.. => return Ok(at + 2),
            _ => return Err(Broken::Name),
        }
    }
}

/// Calls `label` for every label of the name at `at`; where the name ends.
fn walk_name<'a>(octets: &'a [u8], at: usize, mut label: impl FnMut(&'a [u8])) -> Result<usize, Broken> {
    let (mut at, mut end, mut length, mut floor) = (at, None, 1, at);
    loop {
        match *octets.get(at).ok_or(Broken::Short)? {
            0 => return Ok(end.unwrap_or(at + 1)),
            size @ 1..=63 => {
                let size = usize::from(size);
                length += 1 + size;
                if length > 255 {
                    return Err(Broken::Name);
                }
                label(octets.get(at + 1..at + 1 + size).ok_or(Broken::Short)?);
                at += 1 + size;
            }
            high @ 0xc0.. => {
                let low = *octets.get(at + 1).ok_or(Broken::Short)?;
                end = end.or(Some(at + 2));
                let target = usize::from(u16::from_be_bytes([high & 0x3f, low]));
                // RFC 1035 section 4.1.4: a pointer leads to a prior place. Each must lead before the one before it.
                if target >= floor {
                    return Err(Broken::Name);
                }
                (at, floor) = (target, target);
            }
            _ => return Err(Broken::Name),
        }
    }
}

/// The name at `at` in canonical form, put together in `room`, and where it ends. Where it equals the name `like`, it
/// shares that one's text: the records of a message mostly have the same owner.
pub(super) fn read_name(
    octets: &[u8],
    at: usize,
    like: Option<&Name>,
    room: &mut Vec<u8>,
) -> Result<(Name, usize), Broken> {
    let (text, end) = name_text(octets, at, room)?;
    let name = match like {
        _ if text.is_empty() => Name::root(),
        Some(like) if like.as_str() == text => like.clone(),
        _ => Name::from_canonical(text),
    };
    Ok((name, end))
}

/// The name at `at` in canonical form, nothing for the root, put together in `room`; where the name ends.
pub(super) fn name_text<'r>(octets: &[u8], at: usize, room: &'r mut Vec<u8>) -> Result<(&'r str, usize), Broken> {
    room.clear();
    let end = walk_name(octets, at, |label| {
        if !room.is_empty() {
            room.push(b'.');
        }
        push_label(label, room);
    })?;
    // Every octet that was put there is printable ASCII.
    Ok((std::str::from_utf8(room).map_err(|_| Broken::Name)?, end))
}

/// What stands in the text of a [`Name`] for each octet; 0 for what must be escaped.
const PLAIN: [u8; 256] = {
    let mut plain = [0; 256];
    let mut octet = 0x21;
    while octet <= 0x7e {
        if octet != b'.' && octet != b'\\' {
            plain[octet as usize] = octet.to_ascii_lowercase();
        }
        octet += 1;
    }
    plain
};

/// A label as [`Name`] writes it.
fn push_label(label: &[u8], out: &mut Vec<u8>) {
    let plain = |octet: &u8| PLAIN[usize::from(*octet)];
    if label.iter().all(|octet| plain(octet) != 0) {
        out.extend(label.iter().map(plain));
    } else {
        label.iter().for_each(|octet| push_octet(*octet, out));
    }
}

/// One octet of a label as [`Name`] writes it.
fn push_octet(octet: u8, out: &mut Vec<u8>) {
    match (octet, PLAIN[usize::from(octet)]) {
        (b'.' | b'\\', _) => out.extend([b'\\', octet]),
        (_, 0) => out.extend([b'\\', b'0' + octet / 100, b'0' + octet / 10 % 10, b'0' + octet % 10]),
        (_, plain) => out.push(plain),
    }
}

/// Writes the name at `at` without compression; where it ends.
fn expand_name(octets: &[u8], at: usize, out: &mut Vec<u8>) -> Result<usize, Broken> {
    let end = walk_name(octets, at, |label| {
        out.push(u8::try_from(label.len()).unwrap_or(0));
        out.extend_from_slice(label);
    })?;
    out.push(0);
    Ok(end)
}

/// The word for a response code (RFC 1035 section 4.1.1, RFC 2136, RFC 6891); the number if it has none.
pub(super) fn rcode_word(rcode: u16) -> Cow<'static, str> {
    const WORDS: [&str; 11] = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
        "NOTZONE",
    ];
    match WORDS.get(usize::from(rcode)) {
        Some(word) => Cow::Borrowed(*word),
        None if rcode == 16 => Cow::Borrowed("BADVERS"),
        None => Cow::Owned(format!("response code {rcode}")),
    }
}

/// The purpose of an extended error (RFC 8914 section 4), for people.
pub(super) fn extended_word(code: u16) -> &'static str {
    const WORDS: [&str; 25] = [
        "Other Error",
        "Unsupported DNSKEY Algorithm",
        "Unsupported DS Digest Type",
        "Stale Answer",
        "Forged Answer",
        "DNSSEC Indeterminate",
        "DNSSEC Bogus",
        "Signature Expired",
        "Signature Not Yet Valid",
        "DNSKEY Missing",
        "RRSIGs Missing",
        "No Zone Key Bit Set",
        "NSEC Missing",
        "Cached Error",
        "Not Ready",
        "Blocked",
        "Censored",
        "Filtered",
        "Prohibited",
        "Stale NXDOMAIN Answer",
        "Not Authoritative",
        "Not Supported",
        "No Reachable Authority",
        "Network Error",
        "Invalid Data",
    ];
    WORDS.get(usize::from(code)).copied().unwrap_or("unknown code")
}
