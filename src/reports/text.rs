//! The report for people at a terminal: what failed, with the characters at fault and the record that mends it, then what
//! could not be determined, what was not checked, the waivers, and what was read.
//!
//! Passes are only counted unless the context asks for more. At most [`Context::limit`] findings of a section are printed,
//! the worst first, and a line says how many are missing.

mod coverage;
pub(super) mod difference;
mod page;
mod snippet;
mod unknown;

use std::collections::BTreeMap;
use std::io::{self, Write};

use page::Page;
use snippet::Snippet;

use super::explanation::{Line, explanation};
use super::place::place;
use super::tally::Tally;
use super::{
    Context, Key, Worst, answers, days_until, history_sentence, is_notable, is_open_failure, is_undetermined, plural,
    seen_sentence, worst,
};
use crate::diag::Span;
use crate::findings::{Assessment, FilledRecord, Finding, Verdict};
use crate::policy::Check;

/// How many lines of an explanation are printed; an `every` over a long list can fail for hundreds of elements.
const LINES: usize = 5;

/// For how many rules a form to answer is printed.
const FORMS: usize = 5;

pub(super) fn render(assessment: &Assessment, context: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
    let tally = Tally::of(assessment);
    let mut report = Report { assessment, context, page: Page::new(out, context) };
    report.header()?;
    report.nothing_judged(&tally)?;
    report.failures()?;
    report.waived()?;
    report.undetermined()?;
    report.manual(&tally)?;
    report.not_checked(&tally)?;
    if context.verbose {
        report.passed()?;
        report.ended()?;
    }
    report.answer_register()?;
    report.waiver_register()?;
    report.coverage()?;
    report.summary(&tally)
}

struct Report<'a> {
    assessment: &'a Assessment,
    context: &'a Context<'a>,
    page: Page<'a>,
}

impl<'a> Report<'a> {
    fn header(&mut self) -> io::Result<()> {
        let policy = &self.assessment.policy;
        let packs: Vec<String> = policy.packs.iter().map(|pack| format!("{} {}", pack.name, pack.version)).collect();
        let packs = if packs.is_empty() { "no pack".to_owned() } else { packs.join(", ") };
        let profile = if policy.profile.is_empty() { String::new() } else { format!("profile {}; ", policy.profile) };
        let (version, as_of) = (self.context.version, self.assessment.as_of);
        self.page.wrapped("", "  ", &format!("mailvet {version}  {profile}{packs}; as of {as_of}"))?;
        if let Some(base) = &self.assessment.base {
            self.page.wrapped(
                "",
                "  ",
                &format!(
                    "compared with {}: only what differs is shown; {} unchanged, {} resolved",
                    base.revision, base.unchanged, base.resolved
                ),
            )?;
        }
        if let Some(history) = self.assessment.history.as_deref() {
            self.page.wrapped("", "  ", &history_sentence(history))?;
        }
        self.page.blank()
    }

    fn nothing_judged(&mut self, tally: &Tally) -> io::Result<()> {
        let Some(why) = tally.nothing_judged(self.assessment) else { return Ok(()) };
        self.page.alarm(&format!("NOTHING WAS JUDGED: {why}"))?;
        self.page.wrapped("  ", "  ", "This is not a good result: no rule was answered for any target.")?;
        self.page.blank()
    }

    fn failures(&mut self) -> io::Result<()> {
        let failures = worst(self.assessment, self.context.limit, is_notable, is_open_failure);
        for (_, finding) in self.grouped(&failures.keys) {
            self.finding(&finding)?;
            self.page.blank()?;
        }
        self.omitted(&failures)
    }

    fn waived(&mut self) -> io::Result<()> {
        let waived = worst(self.assessment, self.context.limit, is_notable, |finding| finding.is_waived());
        if waived.total == 0 {
            return Ok(());
        }
        self.page.heading(&format!("Waived ({})", waived.total))?;
        for (_, finding) in self.grouped(&waived.keys) {
            self.head(&finding)?;
            self.waiver_state(&finding)?;
        }
        self.page.blank()?;
        self.omitted(&waived)
    }

    fn undetermined(&mut self) -> io::Result<()> {
        let unknown = worst(self.assessment, self.context.limit, is_notable, is_undetermined);
        if unknown.total == 0 {
            return Ok(());
        }
        self.page.heading(&format!("Could not be determined ({})", unknown.total))?;
        self.unknown_findings(&self.grouped(&unknown.keys))?;
        self.page.blank()?;
        self.omitted(&unknown)
    }

    fn manual(&mut self, tally: &Tally) -> io::Result<()> {
        if tally.manual.is_empty() {
            return Ok(());
        }
        self.page.heading(&format!("Awaiting an answer ({})", tally.counts.manual))?;
        let awaiting = answers::awaiting(self.assessment);
        for question in &awaiting {
            let Some(rule) = self.assessment.policy.rules.get(usize::from(question.rule)) else { continue };
            let targets = plural(question.findings.len(), "target");
            let (ask, show) = match &rule.check {
                Check::Manual(manual) => (manual.ask.as_str(), manual.evidence.join(", ")),
                Check::Automatic(_) => (rule.title.as_str(), String::new()),
            };
            self.page.wrapped("  ", "    ", &format!("{}  {targets}  {ask}", rule.id))?;
            if !show.is_empty() {
                self.page.wrapped("    to show  ", "             ", &show)?;
            }
            for finding in &question.findings {
                if let Some(sentence) = answers::sentence(self.assessment, finding) {
                    self.page.wrapped("    ", "      ", &format!("{}: {sentence}", finding.target.name))?;
                }
            }
        }
        self.forms(&awaiting)?;
        self.page.blank()
    }

    /// A file of answers to fill in.
    fn forms(&mut self, awaiting: &[answers::Awaiting<'_>]) -> io::Result<()> {
        let how = "To answer, fill this in and save it as a file that the inventory names under `answers:`, or give it with \
                   --answers:";
        self.page.wrapped("  ", "  ", how)?;
        self.page.line("    answers:")?;
        for question in awaiting.iter().take(FORMS) {
            for line in question.form(self.assessment).lines() {
                self.page.line(&format!("    {line}"))?;
            }
        }
        match awaiting.len().saturating_sub(FORMS) {
            0 => Ok(()),
            more => self
                .page
                .line(&format!("  … and {}; `mailvet explain RULE` prints its form", plural(more, "more rule"))),
        }
    }

    fn not_checked(&mut self, tally: &Tally) -> io::Result<()> {
        if tally.not_checked.is_empty() {
            return Ok(());
        }
        self.page.heading(&format!("Not checked in this run ({})", plural(tally.not_checked.len(), "rule")))?;
        for (index, reasons) in &tally.not_checked {
            let Some(rule) = self.assessment.policy.rules.get(*index as usize) else { continue };
            let targets = plural(reasons.targets, "target");
            self.page.wrapped("  ", "    ", &format!("{}  {targets}", rule.id))?;
            self.page.wrapped("    ", "      ", &reasons.words(rule))?;
        }
        self.page.blank()
    }

    fn passed(&mut self) -> io::Result<()> {
        let passed = worst(self.assessment, self.context.limit, |verdict| verdict == Verdict::Pass, |_| true);
        self.page.heading(&format!("Passed ({})", passed.total))?;
        let mut keys = passed.keys.clone();
        keys.sort_unstable_by_key(|key| (key.target, key.rule));
        for finding in keys.iter().filter_map(|key| key.finding(self.assessment)) {
            self.page.wrapped("  ", "    ", &format!("{}  {}", finding.rule.id, finding.target.name))?;
        }
        self.page.blank()?;
        self.omitted(&passed)
    }

    fn summary(&mut self, tally: &Tally) -> io::Result<()> {
        let rules = self.assessment.policy.rules.len();
        self.page.wrapped(
            "",
            "  ",
            &format!(
                "{}, {}: {}",
                plural(self.assessment.targets.len(), "target"),
                plural(rules, "rule"),
                tally.words()
            ),
        )?;
        if tally.rules_with_targets < rules && !self.assessment.targets.is_empty() {
            let missing = plural(rules - tally.rules_with_targets, "selected rule");
            self.page.wrapped("", "  ", &format!("{missing} had no target"))?;
        }
        match tally.nothing_judged(self.assessment) {
            Some(why) => self.page.alarm(&format!("NOTHING WAS JUDGED: {why}")),
            None => Ok(()),
        }
    }

    fn omitted(&mut self, worst: &Worst) -> io::Result<()> {
        match worst.omitted() {
            0 => Ok(()),
            more => {
                self.page.line(&format!("… {}; use --format json", plural(more, "more finding")))?;
                self.page.blank()
            }
        }
    }

    /// Findings by target, the target with the worst finding first; within a target by severity, then place.
    fn grouped(&self, keys: &[Key]) -> Vec<(Key, Finding<'a>)> {
        let mut rank: BTreeMap<u32, usize> = BTreeMap::new();
        for key in keys {
            let next = rank.len();
            rank.entry(key.target).or_insert(next);
        }
        let mut found: Vec<(Key, Finding<'a>)> =
            keys.iter().filter_map(|key| Some((*key, key.finding(self.assessment)?))).collect();
        found.sort_by_cached_key(|(key, finding)| {
            (rank.get(&key.target).copied(), key.severity, finding.span(), key.rule)
        });
        found
    }

    fn finding(&mut self, finding: &Finding<'a>) -> io::Result<()> {
        self.head(finding)?;
        self.reasons(finding)?;
        self.answered(finding)?;
        if !finding.rule.why.is_empty() {
            self.page.wrapped("  why  ", "       ", &finding.rule.why)?;
        }
        self.fix(finding)?;
        self.also(finding)?;
        self.seen(finding)?;
        self.waiver_state(finding)
    }

    /// What a person answered, and what shows it.
    fn answered(&mut self, finding: &Finding<'a>) -> io::Result<()> {
        let Some(sentence) = answers::sentence(self.assessment, finding) else { return Ok(()) };
        self.page.wrapped("  ", "  ", &sentence)?;
        let shown = self.assessment.answer(finding).map(answers::shown).unwrap_or_default();
        shown.iter().take(LINES).try_for_each(|item| self.page.wrapped("  shown by  ", "            ", item))
    }

    fn seen(&mut self, finding: &Finding<'a>) -> io::Result<()> {
        match seen_sentence(self.assessment, finding).filter(|_| self.context.verbose) {
            Some(sentence) => self.page.wrapped("  seen ", "       ", &sentence),
            None => Ok(()),
        }
    }

    /// What an earlier run had and this one has not.
    fn ended(&mut self) -> io::Result<()> {
        let Some(history) = self.assessment.history.as_deref().filter(|history| !history.ended.is_empty()) else {
            return Ok(());
        };
        for (title, fixed) in [("Fixed", true), ("No longer judged", false)] {
            let items: Vec<_> = history.ended.iter().filter(|item| item.is_fixed() == fixed).collect();
            if items.is_empty() {
                continue;
            }
            self.page.heading(&format!("{title} since {} ({})", history.past.date, items.len()))?;
            let limit = if self.context.limit == 0 { items.len() } else { self.context.limit.min(items.len()) };
            for item in &items[..limit] {
                let line = format!("{}  {}  was {}", item.rule, item.target, item.before);
                self.page.wrapped("  ", "    ", &line)?;
            }
            if items.len() > limit {
                self.page.line(&format!("  … {}; use --format json", plural(items.len() - limit, "more finding")))?;
            }
            self.page.blank()?;
        }
        Ok(())
    }

    fn head(&mut self, finding: &Finding<'a>) -> io::Result<()> {
        let (rule, target) = (finding.rule, finding.target);
        self.page.head(rule.severity, &format!("  {}  {}  {}", rule.id, target.name, rule.title))
    }

    /// Places, snippets and what is wrong there.
    fn reasons(&mut self, finding: &Finding<'a>) -> io::Result<()> {
        let lines: Vec<Line<'a>> = explanation(finding).into_iter().filter(|line| !line.also).collect();
        let shown = &lines[..lines.len().min(LINES)];
        if shown.iter().all(|line| line.blame.span.is_none()) {
            self.anchor(finding)?;
        }
        let mut previous: Option<Span> = None;
        for line in shown {
            match line.blame.span {
                Some(span) if previous == Some(span) => self.page.wrapped("  and  ", "       ", &line.sentence)?,
                Some(span) => self.snippet(span, &line.sentence)?,
                None => self.page.wrapped("  ", "  ", &line.sentence)?,
            }
            previous = line.blame.span;
        }
        match lines.len() - shown.len() {
            0 => Ok(()),
            more => self.page.line(&format!("  … and {}", plural(more, "more reason"))),
        }
    }

    fn anchor(&mut self, finding: &Finding<'a>) -> io::Result<()> {
        match finding.target.anchor.and_then(|span| place(self.context, span)) {
            Some(place) => self.page.line(&format!("  {place}")),
            None => Ok(()),
        }
    }

    fn snippet(&mut self, span: Span, sentence: &str) -> io::Result<()> {
        match Snippet::new(self.context, span) {
            Some(snippet) => snippet.write(&mut self.page, sentence),
            None => self.page.wrapped("  ", "  ", sentence),
        }
    }

    fn fix(&mut self, finding: &Finding<'a>) -> io::Result<()> {
        let text = &finding.rule.fix.text;
        match finding.detail.and_then(|detail| detail.record.as_deref()) {
            Some(record) => {
                self.page.line(&format!("  fix  publish  {}", zone_line(record)))?;
                if text.is_empty() { Ok(()) } else { self.page.wrapped("       ", "       ", text) }
            }
            None if text.is_empty() => Ok(()),
            None => self.page.wrapped("  fix  ", "       ", text),
        }
    }

    fn also(&mut self, finding: &Finding<'a>) -> io::Result<()> {
        let lines: Vec<Line<'a>> = explanation(finding).into_iter().filter(|line| line.also).collect();
        for line in lines.iter().take(LINES) {
            self.page.wrapped("  also ", "       ", &line.sentence)?;
        }
        match lines.len().saturating_sub(LINES) {
            0 => Ok(()),
            more => self.page.line(&format!("  also … {} that could not be determined", plural(more, "more fact"))),
        }
    }

    fn waiver_state(&mut self, finding: &Finding<'a>) -> io::Result<()> {
        let Some(detail) = finding.detail else { return Ok(()) };
        let waiver = |index: Option<u32>| self.assessment.policy.waivers.get(index? as usize);
        let text = if let Some(waiver) = waiver(detail.waived) {
            let left = plural(usize::try_from(days_until(self.assessment, waiver.expires)).unwrap_or(0), "day");
            format!("{} until {} ({left}) by {}: {}", waiver.id, waiver.expires, waiver.approved_by, waiver.reason)
        } else if let Some(waiver) = waiver(detail.expired_waiver) {
            let ago = plural(usize::try_from(-days_until(self.assessment, waiver.expires)).unwrap_or(0), "day");
            format!("{} expired on {} ({ago} ago), so this counts", waiver.id, waiver.expires)
        } else {
            return Ok(());
        };
        self.page.wrapped("  waiver  ", "          ", &text)
    }
}

/// The record as a line of a zone file; TXT data is quoted, escaped and split into strings of 255 octets at most.
pub(super) fn zone_line(record: &FilledRecord) -> String {
    let value = if record.rtype.eq_ignore_ascii_case("TXT") { quoted(&record.value) } else { record.value.clone() };
    format!("{} {} {value}", record.name, record.rtype)
}

// RFC 1035 section 5.1: a character string in quotes; section 3.3: at most 255 octets each.
fn quoted(value: &str) -> String {
    let mut out = String::from("\"");
    let mut length = 0;
    for character in value.chars() {
        if length + character.len_utf8() > 255 {
            out.push_str("\" \"");
            length = 0;
        }
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
        length += character.len_utf8();
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_written_as_a_zone_file_holds_them() {
        let record = |value: &str| FilledRecord { name: "a.".into(), rtype: "TXT".into(), value: value.into() };
        assert_eq!(zone_line(&record("v=x \"q\"")), "a. TXT \"v=x \\\"q\\\"\"");
        let long = zone_line(&record(&"k".repeat(300)));
        assert_eq!(long, format!("a. TXT \"{}\" \"{}\"", "k".repeat(255), "k".repeat(45)));
        let other = FilledRecord { name: "a.".into(), rtype: "MX".into(), value: "0 .".into() };
        assert_eq!(zone_line(&other), "a. MX 0 .");
    }
}
