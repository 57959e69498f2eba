//! Answers as short texts, to tell whether two servers say the same.

use std::fmt::Write as _;

use crate::mail::{Name, spf};
use crate::sources::{RData, Record, RecordType};

/// Most characters of an answer that are shown.
const MOST_SHOWN: usize = 300;

/// A question whose answers are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: Name,
    pub(super) rtype: RecordType,
    /// Whether only SPF records count among the texts.
    pub(super) only_spf: bool,
}

impl Question {
    /// The questions about a domain's mail records: MX, SPF, DMARC.
    pub(super) fn of_mail(name: &Name) -> Vec<Question> {
        let question = |name: &Name, rtype, only_spf| Question { name: name.clone(), rtype, only_spf };
        let mut questions = vec![question(name, RecordType::MX, false), question(name, RecordType::TXT, true)];
        questions.extend(name.child("_dmarc").ok().map(|at| question(&at, RecordType::TXT, false)));
        questions
    }

    /// How findings name the question.
    pub(super) fn title(&self) -> String {
        match self.only_spf {
            true => format!("SPF {}", self.name),
            false => format!("{} {}", self.rtype, self.name),
        }
    }

    /// The data of the records that count, in order. Times to live differ from cache to cache and do not count.
    pub(super) fn data(&self, records: &[Record]) -> Vec<String> {
        let counts = |record: &&Record| {
            let spf = |text: &[u8]| !self.only_spf || spf::is_spf_version(text);
            record.rtype == self.rtype && !matches!(&record.data, RData::Txt(text) if !spf(&text.bytes))
        };
        let mut data: Vec<String> = records.iter().filter(counts).map(|record| shown(&record.data)).collect();
        data.sort_unstable();
        data.dedup();
        data
    }
}

/// Data of an answer in one line.
pub(super) fn line(data: &[String]) -> String {
    if data.is_empty() {
        return "no record".to_owned();
    }
    let line = data.join("; ");
    match line.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{} (shortened)", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Data in presentation form, for comparison.
fn shown(data: &RData) -> String {
    match data {
        RData::A(address, _) => address.to_string(),
        RData::Aaaa(address, _) => address.to_string(),
        RData::Cname(name, _) | RData::Ns(name, _) | RData::Ptr(name, _) => name.to_string(),
        RData::Mx { preference, exchange, .. } => format!("{preference} {exchange}"),
        RData::Txt(text) => text.lossy().into_owned(),
        RData::Soa(soa) => format!("{} {} {}", soa.mname, soa.rname, soa.serial),
        RData::Caa { flags, tag, value, .. } => format!("{flags} {tag} {value}"),
        RData::Tlsa { usage, selector, matching_type, data, .. } => {
            let mut line = format!("{usage} {selector} {matching_type} ");
            data.iter().for_each(|octet| {
                let _ = write!(line, "{octet:02x}");
            });
            line
        }
        RData::Other(text) => text.clone(),
        RData::Malformed { reason, .. } => format!("unreadable: {reason}"),
    }
}
