//! A supplier of DNS data for tests: a short list of records, counted questions.

use std::cell::Cell;
use std::str::FromStr;

use super::{Lookup, Obstacle, SpfDns};

/// Records as (name, type, value). Type `TIMEOUT` makes every question about the name fail, `OUTSIDE` makes it
/// unanswerable; both may be limited to one type, such as `TIMEOUT A`.
pub(super) struct Fake<'a> {
    records: &'a [(&'a str, &'a str, &'a str)],
    /// How many questions were asked.
    pub(super) questions: Cell<u32>,
}

impl<'a> Fake<'a> {
    pub(super) fn new(records: &'a [(&'a str, &'a str, &'a str)]) -> Self {
        Self { records, questions: Cell::new(0) }
    }

    fn look<T>(&self, name: &str, rtype: &str, value: impl Fn(&str) -> T) -> Lookup<Vec<T>> {
        self.questions.set(self.questions.get() + 1);
        let here: Vec<_> = self.records.iter().filter(|record| record.0.eq_ignore_ascii_case(name)).collect();
        let marked = |mark: &str| {
            here.iter().any(|record| {
                record.1 == mark || record.1.strip_prefix(mark).is_some_and(|only| only.trim_start() == rtype)
            })
        };
        if marked("TIMEOUT") {
            return Lookup::TempError(Obstacle::new("dns-timeout"));
        }
        if marked("OUTSIDE") {
            return Lookup::Unknown(Obstacle::with_note("not-collected", format!("{name} is outside this repository")));
        }
        let found: Vec<T> = here.iter().filter(|record| record.1 == rtype).map(|record| value(record.2)).collect();
        match (here.is_empty(), found.is_empty()) {
            (true, _) => Lookup::NxDomain,
            (_, true) => Lookup::NoData,
            _ => Lookup::Found(found),
        }
    }
}

fn read<T: FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

impl SpfDns for Fake<'_> {
    fn txt(&self, name: &str) -> Lookup<Vec<Vec<u8>>> {
        self.look(name, "TXT", |text| text.as_bytes().to_vec())
    }
    fn a(&self, name: &str) -> Lookup<Vec<std::net::Ipv4Addr>> {
        self.look(name, "A", read)
    }
    fn aaaa(&self, name: &str) -> Lookup<Vec<std::net::Ipv6Addr>> {
        self.look(name, "AAAA", read)
    }
    fn mx(&self, name: &str) -> Lookup<Vec<String>> {
        self.look(name, "MX", str::to_owned)
    }
    fn ptr(&self, name: &str) -> Lookup<Vec<String>> {
        self.look(name, "PTR", str::to_owned)
    }
}
