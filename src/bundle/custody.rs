//! The custody log: what happened to the evidence, as lines of JSON of which each holds the SHA-256 of the one before.
//!
//! The last line seals: it holds a digest over the digests of all other files of the payload. So the log by itself proves
//! which files were sealed and that no line was taken out, put in or moved, whatever is done to the manifests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::CUSTODY;
use super::digest::sha256;
use super::manifest;

/// What the first line has in place of a digest.
const NOTHING_BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A run started to collect.
    Started,
    /// A run that was not finished was gone on with.
    Resumed,
    /// Everything was collected, and the snapshot was completed.
    Collected,
    /// The snapshot was judged.
    Judged,
    /// The bundle was completed.
    Sealed,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    /// Its number, from 1.
    pub(super) number: u64,
    /// When, by the clock of the machine, UTC.
    pub(super) time: String,
    /// What happened.
    pub(super) event: Event,
    /// What is worth knowing about it.
    pub(super) details: BTreeMap<String, Value>,
    /// SHA-256 of the line before, without its line feed.
    pub(super) previous: String,
}

/// A log that is being written.
#[derive(Debug)]
pub(super) struct Log {
    number: u64,
    previous: String,
}

impl Default for Log {
    fn default() -> Log {
        Log { number: 0, previous: NOTHING_BEFORE.to_owned() }
    }
}

impl Log {
    /// Goes on after the whole and right lines of a log; gives how many bytes these are.
    pub(super) fn after(bytes: &[u8]) -> (Log, usize) {
        let (mut log, mut kept) = (Log::default(), 0);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(line) = line.strip_suffix(b"\n") else { break };
            if check_one(line, log.number + 1, &log.previous).is_err() {
                break;
            }
            log = Log { number: log.number + 1, previous: sha256(line) };
            kept += line.len() + 1;
        }
        (log, kept)
    }

    /// The next line, with its line feed.
    pub(super) fn line(&mut self, event: Event, time: String, details: BTreeMap<String, Value>) -> Vec<u8> {
        self.number += 1;
        let line = Line { number: self.number, time, event, details, previous: self.previous.clone() };
        // Strings and numbers always serialise.
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
        self.previous = sha256(&bytes);
        bytes.push(b'\n');
        bytes
    }
}

/// The digest of the last line: over the manifest's lines, without the log's own.
pub(super) fn seal<'a>(entries: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    sha256(manifest::text(entries.filter(|(path, _)| *path != CUSTODY)).as_bytes())
}

fn check_one(bytes: &[u8], number: u64, previous: &str) -> Result<Line, String> {
    let line: Line = serde_json::from_slice(bytes).map_err(|_| format!("line {number} cannot be read"))?;
    if line.number != number {
        return Err(format!("line {number} says that it is line {}", line.number));
    }
    if line.previous != previous {
        return Err(format!("line {number} does not hold the SHA-256 of the line before it"));
    }
    Ok(line)
}

/// Reads a log and checks its chain.
pub(super) fn check(bytes: &[u8]) -> Result<Vec<Line>, String> {
    let mut lines: Vec<Line> = Vec::new();
    let mut previous = NOTHING_BEFORE.to_owned();
    for (bytes, number) in bytes.split_inclusive(|byte| *byte == b'\n').zip(1..) {
        let bytes = bytes.strip_suffix(b"\n").ok_or_else(|| format!("line {number} is cut"))?;
        lines.push(check_one(bytes, number, &previous)?);
        previous = sha256(bytes);
    }
    match lines.last() {
        Some(last) if last.event == Event::Sealed => Ok(lines),
        _ => Err("its last line does not seal the bundle".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Vec<u8> {
        let mut log = Log::default();
        [Event::Started, Event::Collected, Event::Sealed]
            .into_iter()
            .flat_map(|event| log.line(event, "2026-11-21T00:00:00Z".to_owned(), BTreeMap::new()))
            .collect()
    }

    #[test]
    fn a_chain_holds_and_any_change_breaks_it() {
        let bytes = log();
        assert_eq!(check(&bytes).unwrap().len(), 3);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            // The last line is held by the manifest, not by a line after it.
            let is_last = bytes[..at].iter().filter(|byte| **byte == b'\n').count() == 2;
            assert!(is_last || check(&changed).is_err(), "{at}");
        }
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        assert!(check([lines[0], lines[2]].concat().as_bytes()).is_err());
        assert!(check([lines[1], lines[0], lines[2]].concat().as_bytes()).is_err());
        assert!(check(lines[..2].concat().as_bytes()).unwrap_err().contains("does not seal"));
        assert!(check(b"").is_err());
    }

    #[test]
    fn a_log_goes_on_after_its_last_whole_line() {
        let bytes = log();
        let (_, kept) = Log::after(&bytes[..bytes.len() - 4]);
        let (mut on, again) = Log::after(&bytes[..kept]);
        assert_eq!(kept, again);
        let next = on.line(Event::Sealed, "2026-11-22T00:00:00Z".to_owned(), BTreeMap::new());
        assert_eq!(check(&[&bytes[..kept], next.as_slice()].concat()).unwrap().len(), 3);
    }
}
