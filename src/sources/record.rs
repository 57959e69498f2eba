//! DNS records with positions, and answers that keep the outcomes of a lookup apart.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::Arc;

use crate::diag::Span;
use crate::facts::domain::Security;
use crate::facts::{Cause, Observed, Proof};
use crate::mail::Name;

/// A record type (RFC 1035 section 3.2.2 and the IANA registry).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordType(pub u16);

/// The types that have a name here; all others are written `TYPE123` (RFC 3597 section 5).
macro_rules! record_types {
    ($( $const:ident = $number:literal $text:literal ),+ $(,)?) => {
        #[allow(missing_docs)]
        impl RecordType {
            $( pub const $const: RecordType = RecordType($number); )+

            /// Reads a mnemonic in any case, or the generic form `TYPE123`.
            pub fn parse(text: &str) -> Option<RecordType> {
                $( if text.eq_ignore_ascii_case($text) { return Some(RecordType::$const); } )+
                let digits = text.get(..4).filter(|lead| lead.eq_ignore_ascii_case("TYPE")).map(|_| &text[4..])?;
                if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) { return None; }
                digits.parse().ok().map(RecordType)
            }

            /// The mnemonic, if the type has one here.
            pub fn mnemonic(self) -> Option<&'static str> {
                match self.0 { $( $number => Some($text), )+ _ => None }
            }
        }
    };
}

record_types! {
    A = 1 "A", NS = 2 "NS", MD = 3 "MD", MF = 4 "MF", CNAME = 5 "CNAME", SOA = 6 "SOA", MB = 7 "MB", MG = 8 "MG",
    MR = 9 "MR", NULL = 10 "NULL", WKS = 11 "WKS", PTR = 12 "PTR", HINFO = 13 "HINFO", MINFO = 14 "MINFO", MX = 15 "MX",
    TXT = 16 "TXT", RP = 17 "RP", AFSDB = 18 "AFSDB", X25 = 19 "X25", ISDN = 20 "ISDN", RT = 21 "RT", NSAP = 22 "NSAP",
    NSAP_PTR = 23 "NSAP-PTR", SIG = 24 "SIG", KEY = 25 "KEY", PX = 26 "PX", GPOS = 27 "GPOS", AAAA = 28 "AAAA",
    LOC = 29 "LOC", NXT = 30 "NXT", EID = 31 "EID", NIMLOC = 32 "NIMLOC", SRV = 33 "SRV", ATMA = 34 "ATMA",
    NAPTR = 35 "NAPTR", KX = 36 "KX", CERT = 37 "CERT", A6 = 38 "A6", DNAME = 39 "DNAME", SINK = 40 "SINK", APL = 42 "APL",
    DS = 43 "DS", SSHFP = 44 "SSHFP", IPSECKEY = 45 "IPSECKEY", RRSIG = 46 "RRSIG", NSEC = 47 "NSEC", DNSKEY = 48 "DNSKEY",
    DHCID = 49 "DHCID", NSEC3 = 50 "NSEC3", NSEC3PARAM = 51 "NSEC3PARAM", TLSA = 52 "TLSA", SMIMEA = 53 "SMIMEA",
    HIP = 55 "HIP", NINFO = 56 "NINFO", RKEY = 57 "RKEY", TALINK = 58 "TALINK", CDS = 59 "CDS", CDNSKEY = 60 "CDNSKEY",
    OPENPGPKEY = 61 "OPENPGPKEY", CSYNC = 62 "CSYNC", ZONEMD = 63 "ZONEMD", SVCB = 64 "SVCB", HTTPS = 65 "HTTPS",
    DSYNC = 66 "DSYNC", SPF = 99 "SPF", UNSPEC = 103 "UNSPEC", NID = 104 "NID", L32 = 105 "L32", L64 = 106 "L64",
    LP = 107 "LP", EUI48 = 108 "EUI48", EUI64 = 109 "EUI64", URI = 256 "URI", CAA = 257 "CAA", AVC = 258 "AVC",
    DOA = 259 "DOA", AMTRELAY = 260 "AMTRELAY", RESINFO = 261 "RESINFO", WALLET = 262 "WALLET", TA = 32768 "TA",
    DLV = 32769 "DLV",
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(text) => f.write_str(text),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

impl fmt::Debug for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One record as it would be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Owner name; for a synthesised answer the name that was asked.
    pub owner: Name,
    /// Type.
    pub rtype: RecordType,
    /// Time to live in seconds, if the source states one.
    pub ttl: Option<u32>,
    /// Data.
    pub data: RData,
    /// Position of the whole record (owner to end of data) in its file.
    pub span: Span,
}

/// Data of a record, as far as mail needs to understand it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RData {
    /// IPv4 address.
    A(Ipv4Addr, Span),
    /// IPv6 address.
    Aaaa(Ipv6Addr, Span),
    /// Alias.
    Cname(Name, Span),
    /// Name server.
    Ns(Name, Span),
    /// Pointer.
    Ptr(Name, Span),
    /// Mail exchanger.
    Mx {
        /// Preference.
        preference: u16,
        /// Exchange.
        exchange: Name,
        /// Position of the exchange.
        span: Span,
        /// Whether the exchange was written relative to the origin, without final dot.
        relative: bool,
    },
    /// Text: TXT and the obsolete SPF type. Shared, because several families of facts read the same text.
    Txt(Arc<Text>),
    /// Start of authority.
    Soa(Box<Soa>),
    /// Certification authority authorisation.
    Caa {
        /// Flags.
        flags: u8,
        /// Tag as written.
        tag: String,
        /// Value; octets outside UTF-8 are replaced.
        value: String,
        /// Position of tag and value.
        span: Span,
    },
    /// TLS association.
    Tlsa {
        /// Certificate usage.
        usage: u8,
        /// Selector.
        selector: u8,
        /// Matching type.
        matching_type: u8,
        /// Association data.
        data: Vec<u8>,
        /// Position of the data fields.
        span: Span,
    },
    /// Any other type: its data in canonical presentation form.
    Other(String),
    /// Data that do not follow the grammar of the type.
    Malformed {
        /// What is wrong, without a final full stop.
        reason: String,
        /// The characters that are wrong.
        span: Span,
    },
}

/// Start of authority (RFC 1035 section 3.3.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Soa {
    /// Primary name server.
    pub mname: Name,
    /// Mailbox of the responsible person.
    pub rname: Name,
    /// Serial number.
    pub serial: u32,
    /// Seconds.
    pub refresh: u32,
    /// Seconds.
    pub retry: u32,
    /// Seconds.
    pub expire: u32,
    /// Seconds.
    pub minimum: u32,
    /// Positions of the seven fields, in the order above.
    pub spans: [Span; 7],
}

/// Most octets that the data of a record may have: their number is written with 16 bits (RFC 1035 section 3.2.1).
pub const RDATA_LIMIT: usize = u16::MAX as usize;

/// A TXT value: the character-strings joined without separator, and for every octet its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The joined octets.
    pub bytes: Vec<u8>,
    /// Lengths of the character-strings.
    pub chunks: Vec<usize>,
    /// Runs of octets, in ascending order of `at`, that map linearly to the file. Empty when the octets do not stand in
    /// the file, as in records made by `$GENERATE`; every place is then the whole `span`.
    pub runs: Vec<Run>,
    /// Position of the whole value.
    pub span: Span,
}

/// A run of octets of a [`Text`] that was written in the file with a fixed number of bytes for each octet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// First octet in the joined text.
    pub at: u32,
    /// Where that octet is written.
    pub file_at: u32,
    /// Bytes in the file per octet: 1 for plain characters, 2 for `\;`, 4 for `\059`.
    pub width: u8,
}

impl Text {
    /// A value whose octets stand in the file one by one, in one character-string, starting at `start`.
    pub fn plain(bytes: Vec<u8>, file: crate::diag::FileId, start: u32) -> Text {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Text {
            chunks: vec![bytes.len()],
            runs: vec![Run { at: 0, file_at: start, width: 1 }],
            span: Span::new(file, start, start.saturating_add(length)),
            bytes,
        }
    }

    /// The joined octets as text; invalid UTF-8 is replaced. Positions of [`Text::place`] refer to `bytes`.
    pub fn lossy(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// The file position of a range of octets of the joined text. An empty range is the place before its octet.
    pub fn place(&self, range: Range<usize>) -> Span {
        if self.runs.is_empty() {
            return self.span;
        }
        let Some(start) = self.octet(range.start) else {
            let end = self.octet(range.start.saturating_sub(1)).map_or(self.span.end, |last| last.1);
            return Span::new(self.span.file, end, end);
        };
        if range.end <= range.start {
            return Span::new(self.span.file, start.0, start.0);
        }
        let end = self.octet(range.end.min(self.bytes.len()) - 1).map_or(start.1, |last| last.1);
        Span::new(self.span.file, start.0, end)
    }

    /// File bytes `start..end` of one octet.
    fn octet(&self, index: usize) -> Option<(u32, u32)> {
        if index >= self.bytes.len() {
            return None;
        }
        let index = u32::try_from(index).ok()?;
        let run = self.runs[..self.runs.partition_point(|run| run.at <= index)].last()?;
        let start = run.file_at + (index - run.at) * u32::from(run.width);
        Some((start, start + u32::from(run.width)))
    }
}

/// One step of an alias chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Name that is an alias.
    pub owner: Name,
    /// What it points to.
    pub target: Name,
    /// Position of the CNAME record.
    pub span: Span,
}

/// What a lookup found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Aliases that were followed, in order.
    pub aliases: Vec<Alias>,
    /// The outcome at the end of the chain.
    pub outcome: Outcome,
    /// Whether the records were synthesised from a wildcard (RFC 4592).
    pub wildcard: bool,
    /// Why there may be more records of the type than were read; only beside [`Outcome::Records`].
    pub incomplete: Option<Box<Incomplete>>,
}

/// Why a set of records may hold more than was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incomplete {
    /// Why.
    pub cause: Cause,
    /// What a reader should know, such as "the file `keys.inc` cannot be read".
    pub note: Arc<str>,
    /// Where in the files the reason stands.
    pub span: Span,
}

/// Outcome of a lookup. The states are never folded into one another (RFC 2308 section 2, RFC 8914).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// At least one record of the type. Shared, because answers are handed out again and again.
    Records(Arc<[Record]>),
    /// No record of the type. `proof` says whether the name exists; `span` is the record that proves it (the SOA).
    Absent {
        /// `Proof::Nxdomain` or `Proof::Nodata`.
        proof: Proof,
        /// Position of the zone's SOA record.
        span: Option<Span>,
    },
    /// The answer is not known.
    Unknown {
        /// Why.
        cause: Cause,
        /// What a reader should know, such as "_spf.example.net is outside this repository".
        note: Arc<str>,
        /// Where in the files the reason stands, for example the `$INCLUDE` that could not be read.
        span: Option<Span>,
    },
}

/// The supplier of DNS records: zone files, live servers, a fake in tests.
///
/// Files know only what [`RecordSource::lookup`], [`RecordSource::zone_of`] and [`RecordSource::names_below`] ask for;
/// what needs a network is "not collected" unless a source says otherwise.
pub trait RecordSource {
    /// Looks up the records of a type at a name, following aliases.
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer;

    /// The zone that holds the name, if the source knows: its origin and the position of its SOA (or its first record).
    fn zone_of(&self, name: &Name) -> Option<(Name, Span)>;

    /// Names that exist directly or deeper below `name` and that the source can enumerate, in canonical order; `None`
    /// when it cannot enumerate. Used to find DKIM selectors.
    fn names_below(&self, name: &Name) -> Option<Vec<Name>>;

    /// DNSSEC state of the answer to a question, records or their absence, by our own validation (RFC 4035 section 5).
    fn validate(&self, _name: &Name, _rtype: RecordType) -> Validation {
        Validation::unknown(Cause::NotCollected, "files say nothing about signatures as served", None)
    }

    /// Asks one server directly.
    fn ask(&self, _server: IpAddr, _name: &Name, _rtype: RecordType, _mode: Ask) -> Result<Reply, NoReply> {
        let note = "this run asks no name servers".into();
        Err(NoReply { cause: Cause::NotCollected, note, span: None })
    }

    /// What a second resolver answers; `None` when none was given.
    fn second_opinion(&self, _name: &Name, _rtype: RecordType) -> Option<Answer> {
        None
    }

    /// How many lookups so far were without an answer that a later round may bring. What is collected while this number
    /// stays as it is does not change any more.
    fn missed(&self) -> usize {
        0
    }

    /// Whether the source is the network, where names that are not known can be asked for.
    fn is_live(&self) -> bool {
        false
    }
}

/// The DNSSEC state of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// The state; unknown when the question itself was not answered.
    pub state: Observed<Security>,
    /// Why the state is bogus, indeterminate or unknown. Shared, because all below the end of a chain have the same.
    pub reason: Option<Arc<str>>,
    /// The text of the answer that was validated.
    pub span: Option<Span>,
    /// End of validity of the signatures that were used, the earliest, in seconds since 1970.
    pub expires: Option<i64>,
}

impl Validation {
    /// A state that is not known.
    pub fn unknown(cause: Cause, reason: impl Into<Arc<str>>, span: Option<Span>) -> Validation {
        Validation { state: Observed::Unknown(cause), reason: Some(reason.into()), span, expires: None }
    }
}

/// How one server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ask {
    /// For what it knows itself (RD clear).
    Iterative,
    /// For a recursive answer (RD set), as a stranger would.
    Recursive,
    /// For the whole zone (AXFR, RFC 5936). Only the first message is read; the connection is then closed.
    Transfer,
}

/// What one server replied, whatever its response code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Response code: 0 NOERROR, 3 NXDOMAIN, 5 REFUSED (RFC 1035 section 4.1.1).
    pub rcode: u16,
    /// Whether the server is authoritative (AA).
    pub authoritative: bool,
    /// Whether the server offers recursion (RA).
    pub recursion_available: bool,
    /// Answer section.
    pub answers: Vec<Record>,
    /// Authority section.
    pub authority: Vec<Record>,
    /// Additional section.
    pub additional: Vec<Record>,
    /// The text of the reply.
    pub span: Span,
}

/// Why one server did not reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoReply {
    /// Why.
    pub cause: Cause,
    /// What a reader should know, such as "192.0.2.53:53 did not answer within 5 s, 3 attempts".
    pub note: Arc<str>,
    /// The text of the attempts.
    pub span: Option<Span>,
}
