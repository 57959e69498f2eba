//! Waivers: dated, approved exceptions, as strict as an audit needs them.
//!
//! A waiver that is not complete does not apply; it is an error, and the failure it was meant for stays. Whether a
//! waiver is active, expired or not needed is decided by the engine, which knows the date and the findings.

use std::collections::BTreeMap;

use super::aim::Aim;
use super::model::Waiver;
use super::rules::date;
use crate::diag::fields::{Fields, Problems, list, texts};
use crate::diag::yaml::{Limits, Node, Spanned, parse, shortened};
use crate::diag::{Diagnostic, Files, Span};

/// For how many days a waiver may hold, unless the caller says otherwise.
pub const MAX_WAIVER_DAYS: i32 = 365;

/// A shorter reason rarely is one.
const SHORTEST_REASON: usize = 20;

const AIM: Aim = Aim { what: "waiver", article: "a", rule: "waiver-rule", target: "waiver-target" };

/// Waivers that may apply, and everything that is wrong with those that may not.
#[derive(Debug, Default)]
pub struct LoadedWaivers {
    /// Complete waivers, in the order of the files.
    pub waivers: Vec<Waiver>,
    /// Errors (each drops its waiver) and warnings, by place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Registers and reads waiver files. `max_days` bounds the time from `created` to `expires`.
pub fn load_waivers(files: &mut Files, sources: &[(String, Vec<u8>)], max_days: i32) -> LoadedWaivers {
    let mut loaded = LoadedWaivers::default();
    let mut position = 0;
    for (path, bytes) in sources {
        let file = files.add(path.as_str(), bytes.as_slice());
        let out = &mut loaded.diagnostics;
        let Some(node) = parse(files, file, &Limits::POLICY, out) else { continue };
        let Some(fields) = Fields::read(&node, "a file of waivers", &["waivers"], out) else { continue };
        let Some(items) = fields.require("waivers", "add `waivers:` with a list", out) else { continue };
        for item in list(items, "waivers", out).unwrap_or(&[]) {
            position += 1;
            loaded.waivers.extend(waiver(item, position, max_days, out));
        }
    }
    drop_repeated(files, &mut loaded);
    loaded.diagnostics.sort_by_key(|problem| problem.span);
    loaded
}

/// One waiver; `None` when anything about it is wrong.
fn waiver(node: &Node, position: usize, max_days: i32, out: &mut Problems) -> Option<Waiver> {
    let errors = |out: &Problems| out.iter().filter(|problem| problem.level == crate::diag::Level::Error).count();
    let before = errors(out);
    let keys = [
        "id",
        "rule",
        "target",
        "targets",
        "reason",
        "requested_by",
        "approved_by",
        "ticket",
        "created",
        "expires",
        "covers",
    ];
    let fields = Fields::read(node, "a waiver", &keys, out)?;
    let rule = fields.text("rule", "name the rule with its full id, such as `spoofing/dmarc-not-enforced`", out);
    if let Some(rule) = &rule {
        AIM.exact_rule(rule, out);
    }
    let targets = AIM.targets(&fields, out);
    let reason = fields.text("reason", "say why the failure is accepted, and until when that is true", out);
    if let Some(reason) = &reason {
        long_enough(reason, out);
    }
    let approved_by = fields.text("approved_by", "name who accepts the risk", out);
    let requested_by = fields.optional_text("requested_by", out);
    if let (Some(approved), Some(requested)) = (&approved_by, &requested_by)
        && approved.value.eq_ignore_ascii_case(&requested.value)
    {
        let problem = Diagnostic::error("waiver-approver", "who asks for a waiver cannot approve it");
        out.push(problem.at(approved.span).help("somebody else must approve it"));
    }
    let created = fields.require("created", "add the day from which on it holds, such as `2026-10-01`", out);
    let created = created.and_then(|node| date(node, "created", out));
    let expires = fields.require("expires", "add the last day on which it holds; no waiver is for ever", out);
    let expires = expires.and_then(|node| date(node, "expires", out));
    if let (Some(created), Some(expires)) = (&created, &expires) {
        duration(created, expires, max_days, out);
    }
    let covers_unknown = covers(&fields, out);
    let id = fields.optional_text("id", out).map(|id| id.value);
    let ticket = fields.optional_text("ticket", out).map(|ticket| ticket.value);
    if errors(out) > before {
        return None;
    }
    let rule = rule?;
    Some(Waiver {
        id: id.unwrap_or_else(|| format!("waiver-{position}")),
        span: rule.span,
        rule: rule.value,
        targets,
        reason: reason?.value,
        approved_by: approved_by?.value,
        ticket,
        created: created?.value,
        expires: expires?.value,
        covers_unknown,
    })
}

fn long_enough(reason: &Spanned<String>, out: &mut Problems) {
    if reason.value.chars().count() < SHORTEST_REASON {
        let problem = Diagnostic::warning("waiver-reason", "the reason is too short to be understood later");
        out.push(problem.at(reason.span).help("say what is in the way, and what will remove it"));
    }
}

fn duration(
    created: &Spanned<jiff::civil::Date>,
    expires: &Spanned<jiff::civil::Date>,
    max_days: i32,
    out: &mut Problems,
) {
    let days = (expires.value - created.value).get_days();
    if days < 0 {
        let problem = Diagnostic::error("waiver-dates", "the waiver expires before it was created");
        out.push(problem.at(expires.span));
    } else if days > max_days {
        let message = format!("the waiver holds for {days} days; {max_days} are the most");
        let problem = Diagnostic::error("waiver-dates", message).at(expires.span);
        out.push(problem.help("choose an earlier day, and renew the waiver then if it is still needed"));
    }
}

fn covers(fields: &Fields<'_>, out: &mut Problems) -> bool {
    let Some(node) = fields.get("covers") else { return false };
    let words: Vec<Spanned<String>> = texts(node, "covers", out);
    for word in &words {
        if !matches!(word.value.as_str(), "fail" | "unknown") {
            let message = format!("`{}` cannot be waived", shortened(&word.value));
            out.push(
                Diagnostic::error("waiver-covers", message).at(word.span).help("write `[fail]` or `[fail, unknown]`"),
            );
        }
    }
    if !words.iter().any(|word| word.value == "fail") {
        let problem = Diagnostic::error("waiver-covers", "`covers` does not hold `fail`").at(node.span);
        out.push(problem.help("write `[fail]` or `[fail, unknown]`"));
    }
    words.iter().any(|word| word.value == "unknown")
}

/// One waiver for a rule and a target, and one waiver for an id: two would leave open who approved what until when.
fn drop_repeated(files: &Files, loaded: &mut LoadedWaivers) {
    let mut pairs: BTreeMap<(String, String), Span> = BTreeMap::new();
    let mut ids: BTreeMap<String, Span> = BTreeMap::new();
    let mut kept = Vec::new();
    for waiver in std::mem::take(&mut loaded.waivers) {
        let id_first = ids.get(&waiver.id).copied();
        let pair_first = waiver
            .targets
            .iter()
            .find_map(|target| Some((target, *pairs.get(&(waiver.rule.clone(), target.clone()))?)));
        let problem = match (id_first, pair_first) {
            (Some(first), _) => Some((format!("two waivers have the id `{}`", shortened(&waiver.id)), first)),
            (None, Some((target, first))) => Some((format!("`{}` is waived for `{target}` twice", waiver.rule), first)),
            (None, None) => None,
        };
        if let Some((message, first)) = problem {
            let place = files.place(first);
            let problem = Diagnostic::error("waiver-twice", message).at(waiver.span);
            loaded.diagnostics.push(problem.help(format!("the first is at {place}; keep one of them")));
            continue;
        }
        ids.insert(waiver.id.clone(), waiver.span);
        pairs.extend(waiver.targets.iter().map(|target| ((waiver.rule.clone(), target.clone()), waiver.span)));
        kept.push(waiver);
    }
    loaded.waivers = kept;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn load(text: &str) -> (LoadedWaivers, Files) {
        let mut files = Files::default();
        let loaded = load_waivers(&mut files, &[("w.yaml".to_owned(), text.as_bytes().to_vec())], MAX_WAIVER_DAYS);
        (loaded, files)
    }

    const GOOD: &str = "\
waivers:
  - rule: p/r
    targets: [Example.ORG., \"Legacy.example.org:995\", HQ]
    reason: Vendor appliance; firmware lands in January.
    approved_by: j.doe@example.org
    ticket: SEC-1432
    created: 2026-10-01
    expires: 2027-01-31
    covers: [fail, unknown]
";

    #[test]
    fn a_complete_waiver_applies() {
        let (loaded, _) = load(GOOD);
        assert_eq!(loaded.diagnostics, []);
        let waiver = &loaded.waivers[0];
        assert_eq!(waiver.targets, ["example.org", "legacy.example.org:995", "HQ"]);
        assert_eq!((waiver.id.as_str(), waiver.covers_unknown), ("waiver-1", true));
        assert_eq!(waiver.expires, jiff::civil::date(2027, 1, 31));
    }

    #[test]
    fn an_incomplete_waiver_does_not_apply() {
        let cases = [
            ("expires: 2027-01-31", "", "a waiver needs `expires`"),
            ("expires: 2027-01-31", "expires:", "`expires` of a waiver is empty"),
            ("expires: 2027-01-31", "expires: never", "`expires` must be a date, but is the text `never`"),
            ("expires: 2027-01-31", "expires: 2027-02-30", "`expires` must be a date, but is the text `2027-02-30`"),
            ("expires: 2027-01-31", "expires: 31.01.2027", "`expires` must be a date, but is the text `31.01.2027`"),
            ("expires: 2027-01-31", "expires: 2027-10-02", "the waiver holds for 366 days; 365 are the most"),
            ("expires: 2027-01-31", "expires: 2026-09-30", "the waiver expires before it was created"),
            ("created: 2026-10-01", "", "a waiver needs `created`"),
            ("reason: Vendor appliance; firmware lands in January.", "", "a waiver needs `reason`"),
            ("approved_by: j.doe@example.org", "", "a waiver needs `approved_by`"),
            ("ticket: SEC-1432", "requested_by: J.Doe@example.org", "who asks for a waiver cannot approve it"),
            ("targets: [", "target: x\n    targets: [", "a waiver has `target` or `targets`, not both"),
            ("targets: [Example.ORG.,", "targets: [\"*.example.org\",", "a waiver names its targets, not a pattern"),
            (
                "targets: [Example.ORG.,",
                "targets: [example.org, Example.ORG.,",
                "the target `example.org` is listed twice",
            ),
            ("targets: [Example.ORG., \"Legacy.example.org:995\", HQ]", "targets: []", "`targets` names no target"),
            ("targets: [Example.ORG., \"Legacy.example.org:995\", HQ]", "", "a waiver needs `target`"),
            ("rule: p/r", "rule: p/*", "a waiver names one rule, not a pattern"),
            ("rule: p/r", "rule: r", "`r` is not the full id of a rule"),
            ("covers: [fail, unknown]", "covers: [unknown]", "`covers` does not hold `fail`"),
            ("covers: [fail, unknown]", "covers: [fail, error]", "`error` cannot be waived"),
            ("ticket:", "tickt:", "unknown key `tickt` in a waiver"),
        ];
        for (from, to, expected) in cases {
            assert!(GOOD.contains(from), "{from}");
            let (loaded, _) = load(&GOOD.replace(from, to));
            let messages: Vec<&str> = loaded.diagnostics.iter().map(|problem| problem.message.as_str()).collect();
            assert_eq!((messages, loaded.waivers.len()), (vec![expected], 0), "{to}");
        }
    }

    #[test]
    fn a_short_reason_is_a_warning() {
        let (loaded, files) = load(&GOOD.replace("Vendor appliance; firmware lands in January.", "later"));
        assert_eq!(loaded.waivers.len(), 1);
        assert_eq!(
            loaded.diagnostics[0].render(&files),
            "warning[waiver-reason]: the reason is too short to be understood later\n  w.yaml:4:13\n  4 |     reason: later\n                  ^^^^^\n  help: say what is in the way, and what will remove it\n"
        );
    }

    #[test]
    fn the_last_day_of_the_longest_waiver_is_allowed() {
        let (loaded, _) = load(&GOOD.replace("2027-01-31", "2027-10-01"));
        assert_eq!((loaded.diagnostics.len(), loaded.waivers.len()), (0, 1));
    }

    #[test]
    fn a_rule_is_waived_once_for_a_target() {
        let item = GOOD.strip_prefix("waivers:\n").unwrap().replace("Example.ORG.", "example.org");
        let (loaded, _) = load(&format!("{GOOD}{item}"));
        assert_eq!(loaded.waivers.len(), 1);
        assert_eq!(loaded.diagnostics[0].message, "`p/r` is waived for `example.org` twice");
        assert_eq!(loaded.diagnostics[0].help.as_deref(), Some("the first is at w.yaml:2:11; keep one of them"));

        let with_id = GOOD.replace("rule: p/r", "id: W-1\n    rule: p/r");
        let other = with_id.strip_prefix("waivers:\n").unwrap().replace("p/r", "p/s");
        let (loaded, _) = load(&format!("{with_id}{other}"));
        assert_eq!(loaded.diagnostics[0].message, "two waivers have the id `W-1`");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn no_mutated_file_panics(cut in 0usize..320, length in 0usize..20, insert in "[a-z0-9:{}\\[\\]\", \\n-]{0,8}") {
            let mut text = GOOD.as_bytes().to_vec();
            let (from, to) = (cut.min(text.len()), (cut + length).min(text.len()));
            text.splice(from..to, insert.bytes());
            let mut files = Files::default();
            load_waivers(&mut files, &[("w.yaml".to_owned(), text)], MAX_WAIVER_DAYS);
        }
    }
}
