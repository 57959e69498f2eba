//! Name servers on loopback that can be told to fail: a resolver and servers of zones, told apart by their addresses.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

use super::zones::Zone;

/// How a server fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failing {
    /// It says nothing.
    Silent,
    /// It says that it failed.
    Servfail,
    /// It says that it does not want to.
    Refused,
}

/// One question to one server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    /// The server.
    pub(crate) server: IpAddr,
    /// The name asked for.
    pub(crate) name: Name,
    /// The type asked for.
    pub(crate) rtype: RecordType,
    /// Whether recursion was asked for.
    pub(crate) recursion: bool,
}

/// Which questions are failed, and how.
pub(crate) enum Fault {
    /// None.
    None,
    /// One.
    One(Failing, Asked),
    /// All but these.
    AllBut(Failing, BTreeSet<Asked>),
}

impl Fault {
    fn of(&self, asked: &Asked) -> Option<Failing> {
        match self {
            Fault::One(failing, one) if one == asked => Some(*failing),
            Fault::AllBut(failing, kept) if !kept.contains(asked) => Some(*failing),
            _ => None,
        }
    }
}

/// What one address serves.
#[derive(Default)]
pub(crate) struct Role {
    /// Whether it answers about everything, for everybody.
    pub(crate) resolves: bool,
    /// Zones that it speaks for.
    pub(crate) zones: Vec<&'static str>,
    /// Whether it hands over whole zones.
    pub(crate) transfers: bool,
}

struct Shared {
    zones: Vec<Zone>,
    roles: HashMap<IpAddr, Role>,
    fault: Mutex<Fault>,
    asked: Mutex<Vec<Asked>>,
}

/// All name servers of the world, on one port.
pub(crate) struct Names {
    shared: Arc<Shared>,
    /// Port of all of them.
    pub(crate) port: u16,
}

impl Names {
    /// Starts a server at each address.
    pub(crate) async fn start(zones: Vec<Zone>, roles: HashMap<IpAddr, Role>) -> Names {
        let addresses: Vec<IpAddr> = roles.keys().copied().collect();
        let shared = Arc::new(Shared { zones, roles, fault: Mutex::new(Fault::None), asked: Mutex::default() });
        let first = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = first.local_addr().unwrap().port();
        let mut first = Some(first);
        for address in addresses {
            let udp = match first.take_if(|_| address == IpAddr::V4(Ipv4Addr::LOCALHOST)) {
                Some(udp) => udp,
                None => UdpSocket::bind((address, port)).await.unwrap(),
            };
            let tcp = TcpListener::bind((address, port)).await.unwrap();
            tokio::spawn(over_udp(Arc::clone(&shared), udp, address));
            tokio::spawn(over_tcp(Arc::clone(&shared), tcp, address));
        }
        Names { shared, port }
    }

    /// The resolver.
    pub(crate) fn resolver(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// From now on, these questions fail.
    pub(crate) fn fail(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = fault;
    }

    /// Every question that was asked, once, in the order of asking.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }
}

async fn over_udp(shared: Arc<Shared>, socket: UdpSocket, address: IpAddr) {
    let mut buffer = [0; 4096];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        if let Some(mut reply) = shared.reply(&buffer[..length], address) {
            if reply.len() > 1232 {
                // RFC 2181 section 9: cut, with nothing but header and question.
                let mut short = Message::from_vec(&reply).unwrap();
                short.metadata.truncation = true;
                (short.answers, short.authorities, short.additionals) = Default::default();
                reply = short.to_vec().unwrap();
            }
            let _ = socket.send_to(&reply, from).await;
        }
    }
}

async fn over_tcp(shared: Arc<Shared>, listener: TcpListener, address: IpAddr) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let Ok(length) = stream.read_u16().await else { return };
            let mut query = vec![0; usize::from(length)];
            if stream.read_exact(&mut query).await.is_err() {
                return;
            }
            match shared.reply(&query, address) {
                Some(reply) => {
                    let _ = stream.write_u16(u16::try_from(reply.len()).unwrap()).await;
                    let _ = stream.write_all(&reply).await;
                }
                None => std::future::pending().await,
            }
        });
    }
}

impl Shared {
    fn reply(&self, query: &[u8], server: IpAddr) -> Option<Vec<u8>> {
        let query = Message::from_vec(query).unwrap();
        let question = query.queries.first().unwrap().clone();
        let (at, rtype) = (question.name().to_lowercase(), question.query_type());
        let asked = Asked { server, name: at.clone(), rtype, recursion: query.metadata.recursion_desired };
        let failing = self.fault.lock().unwrap().of(&asked);
        let mut reply = Message::response(query.metadata.id, OpCode::Query);
        reply.metadata.recursion_desired = asked.recursion;
        reply.add_query(question);
        let seen = &mut *self.asked.lock().unwrap();
        if !seen.contains(&asked) {
            seen.push(asked);
        }
        match failing {
            Some(Failing::Silent) => return None,
            Some(Failing::Servfail) => reply.metadata.response_code = ResponseCode::ServFail,
            Some(Failing::Refused) => reply.metadata.response_code = ResponseCode::Refused,
            None => self.answer(server, at, rtype, &mut reply),
        }
        Some(reply.to_vec().unwrap())
    }

    fn answer(&self, server: IpAddr, mut at: Name, rtype: RecordType, reply: &mut Message) {
        let role = &self.roles[&server];
        if role.resolves && reply.metadata.recursion_desired {
            reply.metadata.recursion_available = true;
            for _ in 0..10 {
                match self.zone(&at, rtype, |_| true).unwrap().answer(&at, rtype, reply) {
                    Some(target) => at = target,
                    None => return,
                }
            }
            return;
        }
        let served = |zone: &Zone| role.zones.iter().any(|origin| super::zones::name(origin) == zone.name);
        let Some(zone) = self.zone(&at, rtype, served) else {
            reply.metadata.response_code = ResponseCode::Refused;
            return;
        };
        if rtype == RecordType::AXFR {
            match role.transfers {
                true => zone.transfer(reply),
                false => reply.metadata.response_code = ResponseCode::Refused,
            }
        } else if !(rtype != RecordType::DS && zone.refer(&at, reply)) {
            reply.metadata.authoritative = true;
            zone.answer(&at, rtype, reply);
        }
    }

    /// The zone that speaks for a name, among some.
    fn zone(&self, at: &Name, rtype: RecordType, among: impl Fn(&Zone) -> bool) -> Option<&Zone> {
        let holds = |zone: &&Zone| zone.name.zone_of(at) && (rtype != RecordType::DS || zone.name != *at);
        self.zones.iter().filter(|zone| among(zone)).filter(holds).max_by_key(|zone| zone.name.num_labels())
    }
}
