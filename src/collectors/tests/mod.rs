//! Facts of zones that are written as text: values, the characters they point at, proofs and causes.
//!
//! A fact is written in one line: `value «characters»`, `absent proof «characters»` or `unknown cause: note`.

mod authority;
mod dkim;
mod dmarc;
mod dns;
mod dnssec;
mod fake;
mod live_dns;
mod mail_use;
mod policy_fetch;
mod second_resolver;
mod service_dane;
mod spf;
mod transport;

use crate::collectors::{self, Cache, Context, PolicyFile};
use crate::diag::Files;
use crate::facts::{Catalogue, DomainFacts, FactView, Group, Method, Node, Observed, Target, View};
use crate::inventory::Inventory;
use crate::mail::Name;
use crate::probes::https::PolicyFetch;
use crate::sources::Store;
use crate::sources::bind::read_zone;

/// The first lines of most zones.
const TOP: &str = "$TTL 3600\n@ SOA ns1 host 1 7200 900 1209600 300\n@ NS ns1\n@ NS ns.example.net.\nns1 A 9.9.9.9\n";

/// Zones and what is known beside them.
struct World {
    store: Store,
    files: Files,
    inventory: Option<Inventory>,
    policies: Vec<PolicyFile>,
    fetches: Vec<PolicyFetch>,
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Zones by origin, exactly as given.
fn bare(zones: &[(&str, &str)]) -> World {
    let (mut files, mut store) = (Files::default(), Store::new());
    for (origin, text) in zones {
        let file = files.add(format!("{origin}.zone"), *text);
        let include = &mut |_: &mut Files, path: &str, _| Err(format!("there is no file {path}"));
        read_zone(&mut store, &mut files, file, Some(name(origin)), include).unwrap();
    }
    store.finish(&files);
    World { store, files, inventory: None, policies: Vec::new(), fetches: Vec::new() }
}

/// The zone `example.org` with these lines below [`TOP`].
fn org(lines: &str) -> World {
    bare(&[("example.org", &format!("{TOP}{lines}"))])
}

impl World {
    fn inventory(mut self, yaml: &str) -> World {
        self.inventory = Some(Inventory::load(&mut self.files, "mailvet.yaml", yaml.as_bytes()).unwrap());
        self
    }

    fn policy(mut self, domain: &str, text: &str) -> World {
        let file = self.files.add("mta-sts.txt", text);
        self.policies.push(PolicyFile { domain: name(domain), file, text: text.to_owned() });
        self
    }

    fn facts(&self, domain: &str) -> Box<DomainFacts> {
        let source = self.store.view(&self.files);
        let context = Context {
            source: &source,
            method: Method::DnsFile,
            inventory: self.inventory.as_ref(),
            policies: &self.policies,
            fetches: &self.fetches,
            cache: Cache::default(),
        };
        collectors::domain(&context, &name(domain))
    }

    fn line(&self, facts: &DomainFacts, path: &str) -> String {
        line(&self.files, facts, path)
    }

    #[track_caller]
    fn check(&self, domain: &str, expected: &[(&str, &str)]) {
        compare(&self.files, &self.facts(domain), domain, expected);
    }
}

/// Compares facts of a domain with their lines and shows all differences at once.
#[track_caller]
fn compare(files: &Files, facts: &DomainFacts, domain: &str, expected: &[(&str, &str)]) {
    let differences: Vec<String> = expected
        .iter()
        .map(|(path, expected)| (path, expected, line(files, facts, path)))
        .filter(|(_, line, found)| *line != found)
        .map(|(path, line, found)| format!("{path}\n  expected {line}\n  found    {found}"))
        .collect();
    assert!(differences.is_empty(), "{domain}\n{}", differences.join("\n"));
}

/// One fact in one line. Elements of lists are written by number: `dns.mx[0].host`.
fn line(files: &Files, facts: &DomainFacts, path: &str) -> String {
    let (plain, index) = match path.split_once('[') {
        Some((list, rest)) => {
            let (number, field) = rest.split_once(']').unwrap();
            (format!("{list}[]{field}"), number.parse::<usize>().unwrap())
        }
        None => (path.to_owned(), 0),
    };
    let resolved = Catalogue::resolve(Target::Domain, &plain).unwrap();
    let fact = fact(facts, &resolved.steps);
    match (resolved.item, fact.observed) {
        (Some(item), Observed::Present(View::Rows(rows))) if index < rows.count() => {
            written(files, self::fact(rows.row(index), &item))
        }
        (Some(_), Observed::Present(_)) => "no such element".to_owned(),
        _ => written(files, fact),
    }
}

fn written(files: &Files, fact: FactView<'_>) -> String {
    let quote = fact.from.span.map(|span| {
        let bytes = &files.get(span.file).bytes;
        let text = String::from_utf8_lossy(&bytes[span.start as usize..span.end as usize]);
        format!(" «{text}»")
    });
    let quote = quote.unwrap_or_default();
    match fact.observed {
        Observed::Present(value) => format!("{value}{quote}"),
        Observed::Absent(proof) => format!("absent {proof}{quote}"),
        Observed::Unknown(cause) => format!("unknown {cause}: {}", fact.from.note.as_deref().unwrap_or_default()),
    }
}

fn fact<'a>(group: &'a dyn Group, steps: &[u8]) -> FactView<'a> {
    let mut group = group;
    for step in steps {
        match group.node(usize::from(*step)) {
            Node::Group(inner) => group = inner,
            Node::Fact(fact) => return fact,
        }
    }
    panic!("the path does not end in a fact")
}
