//! A difference for people at a terminal: findings by what became of them, targets, then facts with before and after.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::page::Page;
use crate::facts::Cause;
use crate::findings::difference::{Change, Difference, FactChange, FactMove, FindingChange, TargetChanges, TargetName};
use crate::reports::difference::{apart_words, cautions, policy, sides, state, words};
use crate::reports::{Context, escape};

/// Most paths of facts that are named where only our sight changed; the verbose report names all.
const PATHS: usize = 5;

/// Longest value of a fact, in characters.
const VALUE: usize = 600;

pub(in crate::reports) fn render(
    difference: &Difference,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut report = Report { difference, context, page: Page::new(out, context) };
    report.header()?;
    for change in Change::ALL {
        report.findings(change)?;
    }
    let (appeared, vanished) = (&difference.targets_appeared, &difference.targets_vanished);
    report.names("Targets that appeared", &named(appeared))?;
    report.names("Targets that vanished", &named(vanished))?;
    report.names("Rules that were applied to the new run only", &difference.rules_appeared)?;
    report.names("Rules that were applied to the old run only", &difference.rules_gone)?;
    report.facts()?;
    report.page.wrapped("", "  ", &words(difference))
}

fn named(targets: &[TargetName]) -> Vec<String> {
    targets.iter().map(|target| format!("{} {}", target.kind, target.name)).collect()
}

struct Report<'a> {
    difference: &'a Difference,
    context: &'a Context<'a>,
    page: Page<'a>,
}

impl Report<'_> {
    fn header(&mut self) -> io::Result<()> {
        let difference = self.difference;
        self.page.wrapped("", "  ", &format!("mailvet {}  {}", difference.version, policy(difference)))?;
        for side in sides(difference) {
            self.page.wrapped("", "  ", &side)?;
        }
        self.page.blank()?;
        let cautions = cautions(difference);
        for caution in &cautions {
            self.page.alarm(caution)?;
        }
        if cautions.is_empty() { Ok(()) } else { self.page.blank() }
    }

    /// The worst first: the difference is sorted so.
    fn findings(&mut self, change: Change) -> io::Result<()> {
        let findings: Vec<&FindingChange> =
            self.difference.findings.iter().filter(|item| item.change == change).collect();
        if findings.is_empty() {
            return Ok(());
        }
        self.page.heading(&format!("{} ({})", change.title(), findings.len()))?;
        let shown = self.limited(findings.len());
        for item in &findings[..shown] {
            self.page.head(item.severity, &format!("  {}  {}  {}", item.rule, item.target.name, item.title))?;
            self.page.wrapped("  before  ", "          ", &state(item.before.as_ref()))?;
            self.page.wrapped("  after   ", "          ", &state(item.after.as_ref()))?;
        }
        self.more(findings.len() - shown)?;
        self.page.blank()
    }

    fn names(&mut self, title: &str, names: &[String]) -> io::Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        self.page.heading(&format!("{title} ({})", names.len()))?;
        let shown = self.limited(names.len());
        for name in &names[..shown] {
            self.page.wrapped("  ", "    ", name)?;
        }
        self.more(names.len() - shown)?;
        self.page.blank()
    }

    fn facts(&mut self) -> io::Result<()> {
        if self.difference.facts.is_empty() {
            return Ok(());
        }
        let real = |target: &TargetChanges| target.changes.iter().filter(|change| change.is_real()).count();
        let total: usize = self.difference.facts.iter().map(real).sum();
        self.page.heading(&format!("Facts that changed ({total})"))?;
        let mut left = self.limited(total);
        for target in &self.difference.facts {
            left = self.target(target, left)?;
        }
        self.more(total - self.limited(total))?;
        if let Some(apart) = apart_words(self.difference) {
            self.page.wrapped("  ", "  ", &apart)?;
        }
        self.page.blank()
    }

    /// One target's facts, at most `left` of them; gives back how many more may be shown.
    fn target(&mut self, target: &TargetChanges, left: usize) -> io::Result<usize> {
        let verbose = self.context.verbose;
        let shown: Vec<&FactChange> = target.changes.iter().filter(|change| change.is_real()).take(left).collect();
        let volatile: Vec<&FactChange> = target.changes.iter().filter(|change| verbose && change.volatile).collect();
        let has_sight = target.changes.iter().any(|change| !change.volatile && !change.is_real());
        if shown.is_empty() && volatile.is_empty() && !has_sight {
            return Ok(left);
        }
        self.page.wrapped("  ", "    ", &format!("{} {}", target.target.kind, target.target.name))?;
        for change in shown.iter().chain(&volatile) {
            self.fact(change)?;
        }
        self.sight(target, FactMove::BecameUnknown, "became unknown")?;
        self.sight(target, FactMove::BecameKnown, "became known")?;
        Ok(left - shown.len())
    }

    fn fact(&mut self, change: &FactChange) -> io::Result<()> {
        let value = |value: &Option<String>| value.as_deref().unwrap_or("nothing").to_owned();
        let (before, after) = (value(&change.before), value(&change.after));
        let mark = if change.volatile { " (changes by itself)" } else { "" };
        let line = match change.change {
            FactMove::Added => format!("{} added: {after}{mark}", change.path),
            FactMove::Removed => format!("{} removed: {before}{mark}", change.path),
            _ => format!("{}: {before} -> {after}{mark}", change.path),
        };
        if line.chars().count() + 4 <= self.page.width() || change.change != FactMove::Changed {
            self.page.wrapped("    ", "      ", &cut(&line))?;
        } else {
            self.page.wrapped("    ", "      ", &format!("{}{mark}", change.path))?;
            self.page.wrapped("      before  ", "              ", &cut(&before))?;
            self.page.wrapped("      after   ", "              ", &cut(&after))?;
        }
        match &change.remark {
            Some(remark) => self.page.wrapped("      note  ", "            ", remark),
            None => Ok(()),
        }
    }

    /// Facts of which only our sight changed, by cause.
    fn sight(&mut self, target: &TargetChanges, wanted: FactMove, word: &str) -> io::Result<()> {
        let mut causes: BTreeMap<Option<Cause>, Vec<&str>> = BTreeMap::new();
        for change in target.changes.iter().filter(|change| change.change == wanted && !change.volatile) {
            causes.entry(change.cause).or_default().push(&change.path);
        }
        for (cause, paths) in causes {
            let shown = if self.context.verbose { paths.len() } else { paths.len().min(PATHS) };
            let more = paths.len() - shown;
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let cause = cause.map_or("", Cause::as_str);
            let cause = if wanted == FactMove::BecameKnown { format!("was {cause}") } else { cause.to_owned() };
            self.page.wrapped("    ", "      ", &format!("{word} ({cause}): {}{more}", paths[..shown].join(", ")))?;
        }
        Ok(())
    }

    fn limited(&self, count: usize) -> usize {
        if self.context.limit == 0 { count } else { count.min(self.context.limit) }
    }

    fn more(&mut self, count: usize) -> io::Result<()> {
        match count {
            0 => Ok(()),
            more => self.page.line(&format!("  … {more} more; use --format json")),
        }
    }
}

fn cut(text: &str) -> String {
    escape::cut(text, VALUE).into_owned()
}
