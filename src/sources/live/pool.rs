//! The sockets on which one server is asked many questions at the same time.
//!
//! A pool has several connected UDP sockets, each with a source port of its own and one task that reads it. Questions
//! wait in a table by their id. Who asks and who reads share nothing else, so a question costs no task and no socket. Each
//! question goes out over a socket chosen at random with an id chosen at random, so that an off-path attacker must guess
//! both (RFC 5452 sections 4.4 and 9.2). Questions that go out together share a socket: both sides wake up once for all.
//! A packet that is not the reply to a waiting question is counted and otherwise ignored (RFC 5452 section 9.1).

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hashbrown::hash_map::Entry;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::batch::{Outcome, Replies};
use super::random::Random;
use super::wire::{self, Question};

/// Most octets of a reply over UDP: what is longer than the payload size that was offered is read all the same.
const PACKET: usize = 4096;

/// Why nothing was received over UDP.
#[derive(Debug)]
pub(super) enum Silence {
    /// No reply in time; so many packets were no reply to the question.
    Timeout {
        /// Packets with the id of the question that did not answer it.
        ignored: u32,
    },
    /// The host says that nobody listens on the port (ICMP).
    Refused,
    /// The question could not be sent.
    Io(io::Error),
}

impl From<io::Error> for Silence {
    fn from(error: io::Error) -> Silence {
        match error.kind() {
            // Windows reports the same as a connection that was reset.
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Silence::Refused,
            _ => Silence::Io(error),
        }
    }
}

/// Sockets to one server.
#[derive(Debug)]
pub(super) struct Pool {
    lines: Vec<Arc<Line>>,
    readers: Vec<AbortHandle>,
}

/// One socket and who waits for a reply on it.
#[derive(Debug)]
struct Line {
    socket: UdpSocket,
    waiting: Mutex<hashbrown::HashMap<u16, Waiter>>,
}

#[derive(Debug)]
struct Waiter {
    question: Asked,
    reply: Receiver,
    ignored: u32,
}

/// A question that somebody waits for.
#[derive(Debug)]
enum Asked {
    /// By one who may ask it again.
    Again(Arc<Question>),
    /// By one who leaves asking again to others.
    Once(Question),
}

impl Asked {
    fn is_answered_by(&self, packet: &[u8]) -> bool {
        match self {
            Asked::Again(question) => question.is_answered_by(packet),
            Asked::Once(question) => question.is_answered_by(packet),
        }
    }
}

/// Who waits for a reply.
#[derive(Debug)]
enum Receiver {
    /// One who asked this alone.
    One(oneshot::Sender<Outcome>),
    /// One who asked many questions: a place among the replies.
    Many(Arc<Replies>, usize),
}

impl Receiver {
    fn take(self, outcome: Outcome) {
        match self {
            // Who has lost interest wants no reply.
            Receiver::One(sender) => drop(sender.send(outcome)),
            Receiver::Many(replies, place) => replies.put(place, outcome),
        }
    }

    /// Whether nobody waits any more.
    fn is_gone(&self) -> bool {
        matches!(self, Receiver::One(sender) if sender.is_closed())
    }
}

impl Pool {
    /// Opens sockets to a server and starts to read them.
    ///
    /// # Errors
    /// A socket cannot be opened.
    pub(super) async fn open(server: SocketAddr, source: Option<IpAddr>, sockets: usize) -> io::Result<Pool> {
        let mut pool = Pool { lines: Vec::with_capacity(sockets), readers: Vec::with_capacity(sockets) };
        for _ in 0..sockets {
            let line = Arc::new(Line { socket: connect(server, source).await?, waiting: Mutex::default() });
            pool.readers.push(tokio::spawn(Arc::clone(&line).read()).abort_handle());
            pool.lines.push(line);
        }
        Ok(pool)
    }

    /// Asks a question once.
    ///
    /// # Errors
    /// No reply in time, or none possible.
    pub(super) async fn ask(
        &self,
        question: &Arc<Question>,
        random: &Random,
        wait: Duration,
    ) -> Result<Vec<u8>, Silence> {
        let Some(line) = self.lines.get(self.choose(random)?) else { return Err(Silence::Refused) };
        let (sender, reply) = oneshot::channel();
        let id = line.wait_for(Asked::Again(Arc::clone(question)), random, Receiver::One(sender))?;
        // Leaves the table when the caller loses interest.
        let seat = Seat { line, id };
        let packet = question.with_id(id);
        // A refusal of an earlier packet is reported by the next call on the socket, whoever makes it.
        if line.socket.send(&packet).await.is_err() {
            line.socket.send(&packet).await?;
        }
        match tokio::time::timeout(wait, reply).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Err(Silence::Timeout { ignored: 0 }),
            Err(_) => Err(Silence::Timeout { ignored: seat.leave() }),
        }
    }

    /// A socket at random, for [`Pool::send`].
    pub(super) fn choose(&self, random: &Random) -> io::Result<usize> {
        Ok(usize::from(random.number()?) % self.lines.len().max(1))
    }

    /// Sends a question whose reply goes to a place among others, if that is possible without waiting. The socket and
    /// the id are then its seat, to be left by [`Pool::leave`].
    pub(super) fn send(
        &self,
        question: Question,
        (random, choice): (&Random, usize),
        (replies, place): (&Arc<Replies>, usize),
    ) -> Option<(usize, u16)> {
        let line = self.lines.get(choice)?;
        let mut packet = [0; wire::MOST_QUESTION];
        let packet = question.write(&mut packet)?;
        let receiver = Receiver::Many(Arc::clone(replies), place);
        let id = line.wait_for(Asked::Once(question), random, receiver).ok()?;
        wire::set_id(packet, id);
        // A refusal of an earlier packet is reported by the next call on the socket, whoever makes it.
        if line.socket.try_send(packet).is_ok() || line.socket.try_send(packet).is_ok() {
            return Some((choice, id));
        }
        line.leave(id, replies);
        None
    }

    /// Gives a seat up; how many packets were ignored.
    pub(super) fn leave(&self, (line, id): (usize, u16), replies: &Arc<Replies>) -> u32 {
        self.lines.get(line).map_or(0, |line| line.leave(id, replies))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.readers.iter().for_each(AbortHandle::abort);
    }
}

/// A place in the table of a line.
struct Seat<'a> {
    line: &'a Line,
    id: u16,
}

impl Seat<'_> {
    /// Gives the place up; how many packets were ignored.
    fn leave(&self) -> u32 {
        self.line.with(|waiting| waiting.remove(&self.id)).map_or(0, |waiter| waiter.ignored)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        // After a reply the id may be somebody else's already: a waiter whose caller is gone is the one to remove.
        self.line.with(|waiting| {
            if waiting.get(&self.id).is_some_and(|waiter| waiter.reply.is_gone()) {
                waiting.remove(&self.id);
            }
        });
    }
}

impl Line {
    fn with<T>(&self, act: impl FnOnce(&mut hashbrown::HashMap<u16, Waiter>) -> T) -> T {
        act(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a random free id.
    fn wait_for(&self, question: Asked, random: &Random, reply: Receiver) -> io::Result<u16> {
        self.with(|waiting| {
            // Half of the ids stay free, so that a random one is found soon.
            if waiting.len() > usize::from(u16::MAX) / 2 {
                return Err(io::Error::other("too many questions are in flight"));
            }
            let mut id = random.number()?;
            while waiting.contains_key(&id) {
                id = random.number()?;
            }
            waiting.insert(id, Waiter { question, reply, ignored: 0 });
            Ok(id)
        })
    }

    /// Removes the waiter of a batch from the table; how many packets were ignored. After a reply the id may be somebody
    /// else's already.
    fn leave(&self, id: u16, of: &Arc<Replies>) -> u32 {
        let is_of = |waiter: &Waiter| matches!(&waiter.reply, Receiver::Many(replies, _) if Arc::ptr_eq(replies, of));
        let waiter = self.with(|waiting| match waiting.get(&id).is_some_and(is_of) {
            true => waiting.remove(&id),
            false => None,
        });
        waiter.map_or(0, |waiter| waiter.ignored)
    }

    /// Hands packets to those who wait for them, for ever.
    async fn read(self: Arc<Line>) {
        let mut buffer = vec![0; PACKET];
        loop {
            match self.socket.recv(&mut buffer).await {
                Ok(length) => self.deliver(buffer.get(..length).unwrap_or(&[])),
                // What the system reports of one packet (ICMP) holds for all that are under way to the same server.
                Err(error) => {
                    for (_, waiter) in self.with(std::mem::take) {
                        waiter.reply.take(Err(io::Error::from(error.kind()).into()));
                    }
                    // A lasting fault must not make this spin.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
    }

    fn deliver(&self, packet: &[u8]) {
        let Some(id) = wire::id(packet) else { return };
        let waiter = self.with(|waiting| match waiting.entry(id) {
            Entry::Occupied(mut entry) => {
                if entry.get().question.is_answered_by(packet) {
                    return Some(entry.remove());
                }
                entry.get_mut().ignored += 1;
                None
            }
            Entry::Vacant(_) => None,
        });
        if let Some(waiter) = waiter {
            waiter.reply.take(Ok(packet.to_vec()));
        }
    }
}

/// A socket that sends to, and receives from, one server only. The system chooses a random source port.
///
/// # Errors
/// No socket of the address family, or the source address is not of this machine.
pub(super) async fn connect(server: SocketAddr, source: Option<IpAddr>) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(local(server, source)).await?;
    socket.connect(server).await?;
    Ok(socket)
}

/// The local address for a server: the source address where the family fits, else any.
pub(super) fn local(server: SocketAddr, source: Option<IpAddr>) -> SocketAddr {
    let any = match server {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(source.filter(|source| source.is_ipv4() == server.is_ipv4()).unwrap_or(any), 0)
}
