//! Facts of SMTP services, from what a server on loopback says, through real sessions, to the facts.
//!
//! A fact is written in one line: `value «characters»`, `absent proof «characters»` or `unknown cause: note`.

mod behaviour;
mod greeting;
mod misbehaviour;
mod starttls;

use crate::collectors::{self, Cache, Context, ServiceInput};
use crate::diag::Files;
use crate::facts::service::Protocol;
use crate::facts::{Catalogue, Cause, Group, Method, Node, Observed, Recorder, ServiceFacts, Target, View};
use crate::mail::Name;
use crate::probes::testing::{self, Server, Step, send};
use crate::probes::{Endpoint, Failure, ServiceProbe, SessionProbe, Settings, smtp};
use crate::sources::Store;
use crate::sources::bind::read_zone;

/// What a careful server with nothing special says, for the commands that a test does not care about.
const ORDINARY: &[(&str, &str)] = &[
    ("EHLO", "250-mx1.example.org\n250-PIPELINING\n250 SIZE 1000"),
    ("MAIL FROM", "250 2.1.0 Ok"),
    ("RCPT TO:<postmaster@example.org>", "250 2.1.5 Ok"),
    ("RCPT TO:<abuse@example.org>", "250 2.1.5 Ok"),
    ("RCPT TO:<mailvet-no-such-user@example.org>", "550 5.1.1 no such user"),
    ("RCPT", "554 5.7.1 relay access denied"),
    ("RSET", "250 2.0.0 Ok"),
    ("VRFY", "252 2.0.0 send it and see"),
    ("EXPN", "502 5.5.1 not implemented"),
    ("NOOP", "250 2.0.0 Ok"),
];

/// Answers to these commands, and the ordinary ones to all others.
fn replies(rows: &[(&str, &str)]) -> Step {
    let mut table: Vec<(String, Vec<Step>)> = Vec::new();
    for (words, reply) in rows.iter().chain(ORDINARY) {
        table.push(((*words).to_owned(), vec![send(reply)]));
    }
    table.push(("QUIT".to_owned(), vec![send("221 2.0.0 Bye"), Step::Close]));
    Step::Serve(table)
}

/// A server without TLS that gives these answers.
fn plain(rows: &[(&str, &str)]) -> Vec<Step> {
    vec![send("220 mx1.example.org ESMTP"), replies(rows)]
}

/// A server with STARTTLS: answers before it, how it steps into TLS, answers inside.
fn secure(before: &[(&str, &str)], step: Step, inside: &[(&str, &str)]) -> Vec<Step> {
    let offer: &[(&str, &str)] = &[("EHLO", "250-mx1.example.org\n250 STARTTLS")];
    let Step::Serve(mut table) = replies(&[before, offer].concat()) else { return Vec::new() };
    table.insert(0, ("STARTTLS".to_owned(), vec![send("220 2.0.0 go ahead"), Step::Leave]));
    vec![send("220 mx1.example.org ESMTP"), Step::Serve(table), step, replies(inside)]
}

/// What a test found.
struct Found {
    facts: ServiceFacts,
    recorder: Recorder,
    heard: Vec<Vec<String>>,
}

/// Probes a server that plays a script for every connection, as port 25 of a claimed host, with `--active`.
async fn found(script: Vec<Step>) -> Found {
    probed(vec![script], Protocol::Smtp, |_| {}, &testing::settings()).await
}

/// The same for a submission server.
async fn submission(script: Vec<Step>) -> Found {
    probed(vec![script], Protocol::Submission, |_| {}, &testing::settings()).await
}

async fn probed(
    scripts: Vec<Vec<Step>>,
    protocol: Protocol,
    change: impl FnOnce(&mut Endpoint),
    settings: &Settings,
) -> Found {
    let server = Server::start(scripts).await;
    let mut endpoint = server.endpoint(protocol);
    change(&mut endpoint);
    let recorder = testing::recorder();
    let probe = smtp::probe(&endpoint, settings, &recorder).await;
    let facts = collected(endpoint, probe, &[]);
    Found { facts, recorder, heard: server.heard() }
}

/// The facts that follow from a probe, with DNS as in these zones.
fn collected(endpoint: Endpoint, probe: smtp::SmtpProbe, zones: &[(&str, &str)]) -> ServiceFacts {
    let (mut files, mut store) = (Files::default(), Store::new());
    for (origin, text) in zones {
        let text = format!("$TTL 3600\n@ SOA ns1 host 1 7200 900 1209600 300\n@ NS ns1.example.net.\n{text}");
        let file = files.add(format!("{origin}.zone"), text);
        let include = &mut |_: &mut Files, path: &str, _| Err(format!("there is no file {path}"));
        read_zone(&mut store, &mut files, file, Some(Name::parse(origin).unwrap()), include).unwrap();
    }
    store.finish(&files);
    let source = store.view(&files);
    let cache = Cache::default();
    let context =
        Context { source: &source, method: Method::DnsFile, inventory: None, policies: &[], fetches: &[], cache };
    let span = crate::diag::Span::new(crate::diag::FileId(0), 0, 0);
    let tls = Err(Failure { cause: Cause::NotCollected, note: "not probed".to_owned(), span });
    let probe = ServiceProbe { endpoint, session: SessionProbe::Smtp(Box::new(probe)), tls };
    collectors::service(&context, &ServiceInput { probe: &probe, mx_for: &[] })
}

impl Found {
    /// One fact in one line. Elements of lists are written by number: `smtp.relay[0].status`.
    fn line(&self, path: &str) -> String {
        let (plain, index) = match path.split_once('[') {
            Some((list, rest)) => {
                let (number, field) = rest.split_once(']').unwrap();
                (format!("{list}[]{field}"), number.parse().unwrap())
            }
            None => (path.to_owned(), 0),
        };
        let resolved = Catalogue::resolve(Target::Service, &plain).unwrap();
        let fact = fact(&self.facts, &resolved.steps);
        match (resolved.item, fact.observed) {
            (Some(item), Observed::Present(View::Rows(rows))) if index < rows.count() => {
                self.written(self::fact(rows.row(index), &item))
            }
            (Some(_), Observed::Present(_)) => "no such element".to_owned(),
            _ => self.written(fact),
        }
    }

    fn written(&self, fact: crate::facts::FactView<'_>) -> String {
        let quote = fact.from.span.map(|span| format!(" «{}»", testing::text_at(&self.recorder, span)));
        let quote = quote.unwrap_or_default();
        match fact.observed {
            Observed::Present(value) => format!("{value}{quote}"),
            Observed::Absent(proof) => format!("absent {proof}{quote}"),
            Observed::Unknown(cause) => format!("unknown {cause}: {}", fact.from.note.as_deref().unwrap_or_default()),
        }
    }

    /// Compares facts with their lines and shows all differences at once.
    #[track_caller]
    fn check(&self, expected: &[(&str, &str)]) {
        let differences: Vec<String> = expected
            .iter()
            .map(|(path, line)| (path, line, self.line(path)))
            .filter(|(_, line, found)| *line != found)
            .map(|(path, line, found)| format!("{path}\n  expected {line}\n  found    {found}"))
            .collect();
        assert!(differences.is_empty(), "{}\n{}", differences.join("\n"), testing::transcripts(&self.recorder));
    }

    /// The note of a fact.
    fn note(&self, path: &str) -> String {
        let resolved = Catalogue::resolve(Target::Service, path).unwrap();
        fact(&self.facts, &resolved.steps).from.note.as_deref().unwrap_or_default().to_owned()
    }
}

fn fact<'a>(group: &'a dyn Group, steps: &[u8]) -> crate::facts::FactView<'a> {
    let mut group = group;
    for step in steps {
        match group.node(usize::from(*step)) {
            Node::Group(inner) => group = inner,
            Node::Fact(fact) => return fact,
        }
    }
    panic!("the path does not end in a fact")
}
