//! The same questions to a second resolver, compared.
//!
//! A difference may be split horizon, tampering, or a change under way; which of them is not said here.

use crate::diag::Span;
use crate::facts::domain::{DifferenceFacts, DnsFacts, List, SecondResolverFacts};
use crate::facts::{Observed, Proof};
use crate::mail::{Name, mx};
use crate::sources::{Answer, RecordType};

use super::Context;
use super::compare::{self, Question};
use super::context::{Missing, split};

/// Facts from the comparison.
pub(super) fn collect(context: &Context<'_>, name: &Name, dns: &DnsFacts) -> SecondResolverFacts {
    if !context.source.is_live() {
        return SecondResolverFacts::default();
    }
    let mut questions = Question::of_mail(name);
    questions.extend(of_hosts(dns));
    let mut rows = Vec::new();
    let mut unknown: Option<Missing> = None;
    let mut span = None;
    for question in questions {
        let Some(second) = context.source.second_opinion(&question.name, question.rtype) else {
            return SecondResolverFacts::default();
        };
        let first = said(&question, context.source.lookup(&question.name, question.rtype));
        match (first, said(&question, second)) {
            (Ok(first), Ok(second)) if first.0 == second.0 => span = span.or(second.1),
            (Ok(first), Ok(second)) => rows.push(DifferenceFacts {
                question: context.present(question.title(), second.1),
                first: context.present(first.0, first.1),
                second: context.present(second.0, second.1),
            }),
            (Err(missing), _) | (_, Err(missing)) => {
                unknown.get_or_insert(missing);
            }
        }
    }
    let span = rows.first().and_then(|row| row.question.from.span).or(span);
    match unknown {
        Some(missing) if rows.is_empty() => {
            SecondResolverFacts { agrees: missing.fact(context.method), differing: missing.fact(context.method) }
        }
        _ => SecondResolverFacts {
            agrees: context.present(rows.is_empty(), span),
            differing: context.present(List(rows), span),
        },
    }
}

/// The addresses of the mail exchangers.
fn of_hosts(dns: &DnsFacts) -> Vec<Question> {
    let rows = dns.mx.observed.present().map(|rows| rows.0.as_slice()).unwrap_or_default();
    let mut hosts: Vec<&Name> = rows.iter().filter_map(|row| row.host.observed.present()).collect();
    hosts.retain(|host| !host.is_root() && !mx::is_address_literal(host));
    hosts.sort_unstable();
    hosts.dedup();
    let both = |host: &Name| {
        [RecordType::A, RecordType::AAAA].map(|rtype| Question { name: host.clone(), rtype, only_spf: false })
    };
    hosts.into_iter().flat_map(both).collect()
}

/// What an answer says, as a text to compare, and where it says so.
fn said(question: &Question, answer: Answer) -> Result<(String, Option<Span>), Missing> {
    match split(answer).1 {
        Ok(set) => match set.doubt() {
            Some(missing) => Err(missing),
            None => Ok((compare::line(&question.data(&set.records)), set.first())),
        },
        Err(missing) => match missing.observed {
            Observed::Absent(Proof::Nxdomain) => Ok(("no such name".to_owned(), missing.span)),
            Observed::Absent(_) => Ok((compare::line(&[]), missing.span)),
            Observed::Present(_) | Observed::Unknown(_) => Err(missing),
        },
    }
}
