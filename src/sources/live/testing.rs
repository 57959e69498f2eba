//! Servers that follow a script, on 127.0.0.1, and a [`Live`] that asks them.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;

use super::wire::{self, CLASS_IN};
use super::{Live, Options};
use crate::diag::{Files, Span};
use crate::facts::Recorder;
use crate::mail::Name;
use crate::sources::RecordType;
use crate::sources::record::{Answer, RecordSource as _};

/// A question as a server sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) name: Name,
    pub(super) rtype: RecordType,
    pub(super) recursion: bool,
    pub(super) checking_disabled: bool,
    /// Whether the query has EDNS.
    pub(super) edns: bool,
    pub(super) tcp: bool,
    /// Where it came from, over UDP.
    pub(super) peer: Option<IpAddr>,
    pub(super) port: Option<u16>,
    pub(super) octets: Vec<u8>,
}

impl Query {
    fn read(octets: &[u8], tcp: bool) -> Query {
        let (name, end) = wire::read_name(octets, wire::HEADER, None, &mut Vec::new()).unwrap();
        Query {
            name,
            rtype: RecordType(u16::from_be_bytes([octets[end], octets[end + 1]])),
            recursion: octets[2] & 1 != 0,
            checking_disabled: octets[3] & 0x10 != 0,
            edns: octets[11] == 1,
            tcp,
            peer: None,
            port: None,
            octets: octets.to_vec(),
        }
    }
}

/// A reply under construction.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    octets: Vec<u8>,
}

impl Reply {
    /// A reply of a resolver (RA) with a response code and no records.
    pub(super) fn new(query: &Query, rcode: u8) -> Reply {
        let mut octets = query.octets[..4].to_vec();
        octets[2] = 0x80 | (octets[2] & 0x01);
        octets[3] = 0x80 | (octets[3] & 0x10) | rcode;
        octets.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
        wire::write_name(&query.name, &mut octets);
        octets.extend_from_slice(&query.rtype.0.to_be_bytes());
        octets.extend_from_slice(&CLASS_IN.to_be_bytes());
        Reply { octets }
    }

    /// A reply as it stands.
    pub(super) fn raw(octets: Vec<u8>) -> Reply {
        Reply { octets }
    }

    fn record(mut self, count_at: usize, owner: &str, rtype: RecordType, data: &[u8]) -> Reply {
        wire::write_name(&Name::parse(owner).unwrap(), &mut self.octets);
        self.octets.extend_from_slice(&rtype.0.to_be_bytes());
        self.octets.extend_from_slice(&CLASS_IN.to_be_bytes());
        self.octets.extend_from_slice(&300u32.to_be_bytes());
        self.octets.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        self.octets.extend_from_slice(data);
        let count = u16::from_be_bytes([self.octets[count_at], self.octets[count_at + 1]]) + 1;
        self.octets[count_at..count_at + 2].copy_from_slice(&count.to_be_bytes());
        self
    }

    pub(super) fn answer(self, owner: &str, rtype: RecordType, data: &[u8]) -> Reply {
        self.record(6, owner, rtype, data)
    }

    pub(super) fn address(self, owner: &str, last: u8) -> Reply {
        self.answer(owner, RecordType::A, &[192, 0, 2, last])
    }

    pub(super) fn alias(self, owner: &str, target: &str) -> Reply {
        self.answer(owner, RecordType::CNAME, &name_octets(target))
    }

    pub(super) fn authority(self, owner: &str, rtype: RecordType, data: &[u8]) -> Reply {
        self.record(8, owner, rtype, data)
    }

    /// The start of authority that proves absence.
    pub(super) fn soa(self, zone: &str) -> Reply {
        self.authority(zone, RecordType::SOA, &soa_octets())
    }

    /// EDNS with an extended error.
    pub(super) fn extended(mut self, code: u16, text: &str) -> Reply {
        let length = u16::try_from(text.len()).unwrap();
        self.octets.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0]);
        self.octets.extend_from_slice(&(length + 6).to_be_bytes());
        self.octets.extend_from_slice(&15u16.to_be_bytes());
        self.octets.extend_from_slice(&(length + 2).to_be_bytes());
        self.octets.extend_from_slice(&code.to_be_bytes());
        self.octets.extend_from_slice(text.as_bytes());
        self.octets[11] += 1;
        self
    }

    /// Changes flag octets: bits to set in the first and bits to clear in the second.
    pub(super) fn flags(mut self, set: u8, clear: u8) -> Reply {
        self.octets[2] |= set;
        self.octets[3] &= !clear;
        self
    }

    pub(super) fn octets(self) -> Vec<u8> {
        self.octets
    }
}

pub(super) fn name_octets(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    wire::write_name(&Name::parse(name).unwrap(), &mut out);
    out
}

pub(super) fn soa_octets() -> Vec<u8> {
    let mut data = [name_octets("ns.example.org"), name_octets("hostmaster.example.org")].concat();
    [1u32, 7200, 3600, 1_209_600, 300].iter().for_each(|number| data.extend_from_slice(&number.to_be_bytes()));
    data
}

/// What a server does about a query: packets to send in this order.
type Script = dyn Fn(&Query) -> Vec<Vec<u8>> + Send + Sync;

/// The same for one query.
pub(super) type Step = Box<dyn Fn(&Query) -> Vec<Vec<u8>> + Send>;

/// A server on 127.0.0.1 over UDP and, with the same port, TCP.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    queries: Arc<Mutex<Vec<Query>>>,
    over_udp: JoinHandle<()>,
    over_tcp: JoinHandle<()>,
}

impl Server {
    /// A server that sends what the script says to each query, after a delay.
    pub(super) async fn delayed(
        delay: Duration,
        script: impl Fn(&Query) -> Vec<Vec<u8>> + Send + Sync + 'static,
    ) -> Server {
        let (udp, tcp) = sockets().await;
        let address = udp.local_addr().unwrap();
        let (script, queries): (Arc<Script>, _) = (Arc::new(script), Arc::new(Mutex::new(Vec::new())));
        let over_udp = tokio::spawn(serve_udp(Arc::new(udp), Arc::clone(&script), Arc::clone(&queries), delay));
        let over_tcp = tokio::spawn(serve_tcp(tcp, script, Arc::clone(&queries)));
        Server { address, queries, over_udp, over_tcp }
    }

    pub(super) async fn many(script: impl Fn(&Query) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Server {
        Server::delayed(Duration::ZERO, script).await
    }

    /// A server that sends one reply to each query.
    pub(super) async fn new(script: impl Fn(&Query) -> Reply + Send + Sync + 'static) -> Server {
        Server::many(move |query| vec![script(query).octets()]).await
    }

    /// A server that goes through a list of replies, then stays silent.
    pub(super) async fn list(replies: Vec<Step>) -> Server {
        let replies = Mutex::new(VecDeque::from(replies));
        Server::many(move |query| {
            let next = replies.lock().unwrap().pop_front();
            next.map(|reply| reply(query)).unwrap_or_default()
        })
        .await
    }

    /// The queries so far.
    pub(super) fn queries(&self) -> Vec<Query> {
        self.queries.lock().unwrap().clone()
    }

    /// Addresses that queries came from.
    pub(super) fn peers(&self) -> Vec<IpAddr> {
        self.queries().iter().filter_map(|query| query.peer).collect()
    }

    /// Closes the TCP port and waits until it is closed.
    pub(super) async fn close_tcp(&self) {
        self.over_tcp.abort();
        while tokio::net::TcpStream::connect(self.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Closes both ports and waits until they are closed.
    pub(super) async fn close(self) {
        self.over_udp.abort();
        self.close_tcp().await;
        while UdpSocket::bind(self.address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Over UDP (`udp`) or TCP, in order.
    pub(super) fn transports(&self) -> Vec<&'static str> {
        self.queries().iter().map(|query| if query.tcp { "tcp" } else { "udp" }).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over_udp.abort();
        self.over_tcp.abort();
    }
}

/// A pair of sockets with the same port.
async fn sockets() -> (UdpSocket, TcpListener) {
    for _ in 0..50 {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
    panic!("no port is free for both transports");
}

async fn serve_udp(socket: Arc<UdpSocket>, script: Arc<Script>, queries: Arc<Mutex<Vec<Query>>>, delay: Duration) {
    let mut buffer = vec![0; 4096];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
        let query = Query { peer: Some(peer.ip()), port: Some(peer.port()), ..Query::read(&buffer[..length], false) };
        let packets = script(&query);
        queries.lock().unwrap().push(query);
        let socket = Arc::clone(&socket);
        let send = async move {
            for packet in packets {
                let _ = socket.send_to(&packet, peer).await;
            }
        };
        if delay.is_zero() {
            send.await;
        } else {
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                send.await;
            });
        }
    }
}

/// A reply without octets closes the connection.
async fn serve_tcp(listener: TcpListener, script: Arc<Script>, queries: Arc<Mutex<Vec<Query>>>) {
    while let Ok((mut connection, _)) = listener.accept().await {
        let Ok(length) = connection.read_u16().await else { continue };
        let mut octets = vec![0; usize::from(length)];
        if connection.read_exact(&mut octets).await.is_err() {
            continue;
        }
        let query = Query::read(&octets, true);
        let packets = script(&query);
        queries.lock().unwrap().push(query);
        for packet in packets {
            let length = u16::try_from(packet.len()).unwrap();
            let _ = connection.write_all(&length.to_be_bytes()).await;
            let _ = connection.write_all(&packet).await;
        }
    }
}

/// Options for servers that answer at once or never.
pub(super) fn options(resolvers: &[&Server]) -> Options {
    Options {
        resolvers: resolvers.iter().map(|server| server.address).collect(),
        timeout: Duration::from_millis(400),
        attempts: 1,
        validate: false,
        ..Options::default()
    }
}

/// A source that asks these servers.
pub(super) async fn live(options: Options) -> Live {
    Live::new(options, Arc::new(Recorder::new(Files::default(), true))).await.unwrap()
}

/// Looks a name up, all rounds of it.
pub(super) async fn look_up(live: &Live, name: &str, rtype: RecordType) -> Answer {
    let name = Name::parse(name).unwrap();
    let view = live.view();
    view.lookup(&name, rtype);
    live.fetch(view.take_missing()).await;
    let answer = view.lookup(&name, rtype);
    assert!(view.take_missing().is_empty(), "one fetch brings everything that one lookup needs");
    answer
}

/// Asks a server directly, on the port of the options.
pub(super) async fn ask(
    live: &Live,
    name: &str,
    rtype: RecordType,
    mode: crate::sources::Ask,
) -> Result<crate::sources::Reply, crate::sources::NoReply> {
    let (name, server) = (Name::parse(name).unwrap(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    let view = live.view();
    let _ = view.ask(server, &name, rtype, mode);
    live.fetch(view.take_missing()).await;
    view.ask(server, &name, rtype, mode)
}

/// The characters at a place.
pub(super) fn excerpt(live: &Live, span: Span) -> String {
    live.recorder().files(|files| {
        let bytes = &files.get(span.file).bytes;
        String::from_utf8(bytes[span.start as usize..span.end as usize].to_vec()).unwrap()
    })
}

/// Path and text of the file of a place.
pub(super) fn page(live: &Live, span: Span) -> (String, String) {
    live.recorder().files(|files| {
        let file = files.get(span.file);
        (file.path.clone(), String::from_utf8(file.bytes.to_vec()).unwrap())
    })
}
