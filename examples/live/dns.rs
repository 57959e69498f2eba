//! A name server for zones written as text: one line for one record, with an owner below the zone's name.
//!
//! It answers over UDP and over TCP on one port. What it plays depends on its [`NameServer`]: with `recursion` it answers
//! strangers about every zone, as a resolver does; without, it refuses what is not its own, as name servers should. With
//! `transfer` it hands a whole zone to whoever asks.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hickory_proto::op::{Edns, Message, ResponseCode};
use hickory_proto::rr::rdata::{CAA, MX, NS, PTR, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// Longest answer over UDP, in octets; a longer one is cut, and the client comes back over TCP.
const LONGEST: usize = 1232;

/// What one server knows and how free it is with it.
pub(crate) struct NameServer {
    pub(crate) zones: Vec<Zone>,
    /// Whether it looks up foreign names for strangers.
    pub(crate) recursion: bool,
    /// Whether it hands whole zones to strangers.
    pub(crate) transfer: bool,
}

/// One zone. Its first record is the SOA record.
#[derive(Clone)]
pub(crate) struct Zone {
    origin: Name,
    records: Vec<Record>,
}

impl Zone {
    /// Reads lines of the form `owner TYPE data`. `@` is the zone itself; names without a final dot lie below it.
    pub(crate) fn read(origin: &str, text: &str) -> Result<Zone, Box<dyn Error>> {
        let origin = Name::from_ascii(origin)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(';'));
        let records = lines.map(|line| record(&origin, line).map_err(|error| format!("{line}: {error}").into()));
        Ok(Zone { records: records.collect::<Result<_, Box<dyn Error>>>()?, origin })
    }

    /// The records of a name and type. No zone of the example has an alias.
    fn find(&self, name: &Name, rtype: RecordType) -> Vec<Record> {
        let found = self.records.iter().filter(|record| record.name == *name && record.record_type() == rtype);
        found.cloned().collect()
    }

    /// Whether the name, or one below it, has records (RFC 8020: a name without records may still exist).
    fn holds(&self, name: &Name) -> bool {
        self.records.iter().any(|record| name.zone_of(&record.name))
    }

    fn soa(&self) -> Option<Record> {
        self.find(&self.origin, RecordType::SOA).into_iter().next()
    }
}

/// Reads one line of a zone.
fn record(origin: &Name, line: &str) -> Result<Record, Box<dyn Error>> {
    let absolute = |text: &str| match text {
        "@" => Ok(origin.clone()),
        text if text.ends_with('.') => Name::from_ascii(text),
        text => Name::from_ascii(text)?.append_domain(origin),
    };
    let mut parts = line.splitn(3, char::is_whitespace).map(str::trim);
    let (Some(owner), Some(rtype), Some(data)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("expected owner, type and data".into());
    };
    let words: Vec<&str> = data.split_whitespace().collect();
    let word = |index: usize| words.get(index).copied().ok_or("the data is too short");
    // Long texts are cut into pieces of 255 octets (RFC 1035 section 3.3.14).
    let pieces = |text: &str| text.as_bytes().chunks(255).map(|piece| String::from_utf8_lossy(piece).into()).collect();
    let data = match rtype {
        "A" => RData::A(data.parse::<Ipv4Addr>()?.into()),
        "NS" => RData::NS(NS(absolute(data)?)),
        "PTR" => RData::PTR(PTR(absolute(data)?)),
        "MX" => RData::MX(MX::new(word(0)?.parse()?, absolute(word(1)?)?)),
        "TXT" => RData::TXT(TXT::new(pieces(data.trim_matches('"')))),
        // RFC 8659 section 4.2 and RFC 9495 section 3: the same value under several tags.
        "CAA" => {
            let mut caa = CAA::new_issue(false, Some(Name::from_ascii(word(2)?.trim_matches('"'))?), Vec::new());
            caa.tag = word(1)?.to_owned();
            RData::CAA(caa)
        }
        "SOA" => {
            let (server, person) = (absolute(word(0)?)?, absolute(word(1)?)?);
            RData::SOA(SOA::new(server, person, word(2)?.parse()?, 7200, 3600, 1_209_600, 3600))
        }
        other => return Err(format!("the type {other} is not known here").into()),
    };
    Ok(Record::from_rdata(absolute(owner)?, 3600, data))
}

impl NameServer {
    /// Starts the server and says where it listens.
    pub(crate) async fn start(self) -> io::Result<SocketAddr> {
        let (udp, tcp) = sockets().await?;
        let address = tcp.local_addr()?;
        let server = Arc::new(self);
        let over_tcp = Arc::clone(&server);
        tokio::spawn(async move {
            let mut query = vec![0; 4096];
            while let Ok((length, client)) = udp.recv_from(&mut query).await {
                let Some(answer) = server.answer(&query[..length]) else { continue };
                let fits = answer.to_vec().ok().filter(|octets| octets.len() <= LONGEST);
                let Some(octets) = fits.or_else(|| answer.truncate().to_vec().ok()) else { continue };
                let _ = udp.send_to(&octets, client).await;
            }
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = tcp.accept().await {
                let server = Arc::clone(&over_tcp);
                tokio::spawn(async move { server.talk(stream).await });
            }
        });
        Ok(address)
    }

    /// Questions and answers over TCP, each with its length in front (RFC 7766 section 8).
    async fn talk(&self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let mut query = vec![0; usize::from(stream.read_u16().await?)];
            stream.read_exact(&mut query).await?;
            let Some(octets) = self.answer(&query).and_then(|answer| answer.to_vec().ok()) else { return Ok(()) };
            stream.write_u16(u16::try_from(octets.len()).unwrap_or(u16::MAX)).await?;
            stream.write_all(&octets).await?;
        }
    }

    /// The answer to one message; `None` when it is no question.
    fn answer(&self, query: &[u8]) -> Option<Message> {
        let query = Message::from_vec(query).ok()?;
        let question = query.queries.first()?.clone();
        let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
        answer.add_query(question.clone());
        answer.metadata.recursion_desired = query.metadata.recursion_desired;
        answer.metadata.checking_disabled = query.metadata.checking_disabled;
        answer.metadata.recursion_available = self.recursion;
        if query.edns.is_some() {
            answer.set_edns(Edns::new());
        }
        // The deepest zone that the name lies in speaks for it.
        let zones = self.zones.iter().filter(|zone| zone.origin.zone_of(&question.name));
        let Some(zone) = zones.max_by_key(|zone| zone.origin.num_labels()) else {
            answer.metadata.response_code = ResponseCode::Refused;
            return Some(answer);
        };
        if question.query_type == RecordType::AXFR {
            self.hand_over(zone, &mut answer);
            return Some(answer);
        }
        answer.metadata.authoritative = true;
        answer.add_answers(zone.find(&question.name, question.query_type));
        if answer.answers.is_empty() {
            // RFC 2308 section 2: the SOA record proves that there is nothing.
            answer.add_authorities(zone.soa());
            if !zone.holds(&question.name) {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
        }
        Some(answer)
    }

    /// The whole zone between two copies of its SOA record (RFC 5936 section 2.2), or a refusal.
    fn hand_over(&self, zone: &Zone, answer: &mut Message) {
        if self.transfer {
            answer.metadata.authoritative = true;
            answer.add_answers(zone.records.iter().cloned().chain(zone.soa()));
        } else {
            answer.metadata.response_code = ResponseCode::Refused;
        }
    }
}

/// A port that is free for both transports.
async fn sockets() -> io::Result<(UdpSocket, TcpListener)> {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((udp, tcp)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
}
