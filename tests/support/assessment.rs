//! Assessments made by hand, for the tests of reports.

use std::collections::BTreeMap;
use std::sync::Arc;

use mailvet::diag::{Diagnostic, FileId, Files, Span};
use mailvet::facts::{Catalogue, Cause, Coverage, Ignored, NotEvaluated, Proof, SourceRead, Target};
use mailvet::findings::{
    AnswerNote, AnswerState, AssessedTarget, Assessment, Blame, BlameValue, Detail, FilledRecord, Verdict, WaiverNote,
    WaiverState,
};
use mailvet::policy::{
    Answer, AnswerEvidence, AnswerWord, Check, Condition, Fix, IfAbsent, Leaf, LeafId, Literal, LoadedAnswers, Manual,
    NotSelected, Operator, PackRef, Policy, Reference, Right, Rule, RuleIndex, Severity, Waiver,
};

/// The zone file of [`sample`].
pub(crate) const ZONE: &str = "$ORIGIN example.org.\n@  IN SOA ns1 hostmaster 1 3600 900 1209600 300\n\
@  IN TXT  \"v=spf1 mx include:_spf.example.net ~all\"\n";

/// A rule with one leaf on a fact of a domain.
pub(crate) fn rule(id: &str, title: &str, severity: Severity, path: &str, expected: &str) -> Rule {
    let leaf = Leaf {
        path: Catalogue::resolve(Target::Domain, path).unwrap(),
        element: false,
        list: None,
        operator: Operator::Equals(Right::Literal(Literal::Text(expected.into()))),
        if_absent: IfAbsent::Fail,
        span: Span::new(FileId(0), 0, 0),
    };
    Rule {
        id: id.to_owned(),
        pack: PackRef {
            name: id.split('/').next().unwrap().to_owned(),
            version: "1.0.0".into(),
            sha256: "ab".repeat(32),
        },
        title: title.to_owned(),
        severity,
        rerated: None,
        applies_to: Target::Domain,
        when: None,
        check: Check::Automatic(Condition::Leaf(LeafId(0))),
        leaves: vec![leaf],
        params: BTreeMap::new(),
        why: "receivers accept mail that forges this domain".into(),
        fix: Fix { text: String::new(), record: None },
        references: vec![Reference {
            title: "RFC 7208 section 5.1".into(),
            url: Some("https://www.rfc-editor.org/rfc/rfc7208#section-5.1".into()),
        }],
        maps: BTreeMap::from([("nist-800-53r5".to_owned(), vec!["SI-8".to_owned()])]),
        tests: Vec::new(),
        span: Span::new(FileId(0), 0, 0),
    }
}

/// A blamed leaf.
pub(crate) fn blame(observed: BlameValue, span: Option<Span>, note: Option<&str>) -> Blame {
    Blame { leaf: LeafId(0), element: None, observed, expected: None, negated: false, span, note: note.map(Into::into) }
}

/// Details of one finding.
pub(crate) fn detail(rule: u16, blame: Vec<Blame>) -> Detail {
    Detail {
        rule: RuleIndex(rule),
        blame: blame.into(),
        also: Box::new([]),
        waived: None,
        expired_waiver: None,
        answer: None,
        stale_answer: None,
        record: None,
    }
}

/// The span of a text in the zone file.
pub(crate) fn span(text: &str) -> Span {
    let start = ZONE.find(text).unwrap();
    Span::new(FileId(0), start as u32, (start + text.len()) as u32)
}

fn waiver(id: &str, rule: &str, target: &str, expires: (i16, i8, i8)) -> Waiver {
    Waiver {
        id: id.into(),
        rule: rule.into(),
        targets: vec![target.into()],
        reason: "vendor appliance; replaced in spring".into(),
        approved_by: "j.doe@example.org".into(),
        ticket: Some("SEC-1432".into()),
        created: jiff::civil::date(2026, 1, 1),
        expires: jiff::civil::date(expires.0, expires.1, expires.2),
        covers_unknown: false,
        span: Span::new(FileId(0), 0, 0),
    }
}

/// An assessment with every verdict, a waiver of each kind, and something in every part of the coverage statement.
pub(crate) fn sample() -> (Files, Assessment) {
    let mut files = Files::default();
    files.add("dns/example.org.zone", ZONE);
    let mut manual = rule("operations/no-owner", "Nobody answers for the domain", Severity::Low, "dmarc.policy", "x");
    manual.check =
        Check::Manual(Manual { ask: "Who answers for the domain?".into(), evidence: vec![], valid_days: 365 });
    let rules = vec![
        manual,
        rule(
            "spoofing/dmarc-not-enforced",
            "DMARC does not reject forged mail",
            Severity::Critical,
            "dmarc.policy",
            "reject",
        ),
        rule("spoofing/spf-not-enforced", "SPF does not end in -all", Severity::High, "spf.all", "fail"),
        rule(
            "transport/mta-sts-missing",
            "MTA-STS is not enforced",
            Severity::Medium,
            "mta_sts.policy.mode",
            "enforce",
        ),
        rule("transport/tls-rpt-missing", "TLS failures are not reported", Severity::Info, "tls_rpt.text", "TLSRPTv1"),
    ];
    let spf = {
        let mut spf = detail(2, vec![blame(BlameValue::Present("softfail".into()), Some(span("~all")), None)]);
        spf.also = Box::new([blame(
            BlameValue::Unknown(Cause::NotCollected),
            None,
            Some("_spf.example.net is outside this repository"),
        )]);
        spf.record = Some(Box::new(FilledRecord {
            name: "example.org.".into(),
            rtype: "TXT".into(),
            value: "v=spf1 mx include:_spf.example.net -all".into(),
        }));
        spf
    };
    let unknown = || detail(3, vec![blame(BlameValue::Unknown(Cause::DnsServfail), None, None)]);
    let expired =
        Detail { expired_waiver: Some(1), ..detail(1, vec![blame(BlameValue::Absent(Proof::Nodata), None, None)]) };
    let waived =
        Detail { waived: Some(0), ..detail(2, vec![blame(BlameValue::Present("neutral".into()), None, None)]) };
    use Verdict::{Error, Fail, Manual as Ask, NotApplicable, NotChecked, Pass, Unknown};
    let target = |name: &str, verdicts: [Verdict; 5], details: Vec<Detail>| AssessedTarget {
        kind: Target::Domain,
        name: name.into(),
        anchor: Some(span("@  IN SOA")),
        verdicts: verdicts.into_iter().map(Some).collect(),
        details: details.into(),
        not_collected: match verdicts[4] {
            NotChecked => Arc::new([(RuleIndex(4), LeafId(0))]),
            _ => Arc::default(),
        },
    };
    let targets = vec![
        target("a.example.org", [Ask, Fail, Fail, Unknown, NotChecked], vec![expired, waived, unknown()]),
        target("example.org", [Ask, Pass, Fail, Error, NotChecked], vec![spf]),
        target("parked.example.org", [NotApplicable, Pass, Pass, Pass, Pass], vec![]),
    ];
    let policy = Policy {
        profile: "baseline".into(),
        packs: vec![rules[1].pack.clone(), rules[3].pack.clone()],
        frameworks: BTreeMap::from([("nist-800-53r5".to_owned(), "NIST SP 800-53 Rev. 5".to_owned())]),
        rules,
        not_selected: vec![NotSelected { rule: "spoofing/bimi-missing".into(), reason: "below severity low".into() }],
        waivers: vec![
            waiver("W-1", "spoofing/spf-not-enforced", "a.example.org", (2026, 12, 1)),
            waiver("W-2", "spoofing/dmarc-not-enforced", "a.example.org", (2026, 10, 31)),
            waiver("W-3", "spoofing/gone", "b.example.org", (2027, 1, 31)),
        ],
        answers: LoadedAnswers::default(),
    };
    let coverage = Coverage {
        sources: vec![SourceRead {
            path: "dns/example.org.zone".into(),
            format: "bind".into(),
            zone: "example.org".into(),
            records: 2,
        }],
        ignored: vec![Ignored { path: "dns/README.md".into(), reason: "not a zone file".into() }],
        not_evaluated: vec![NotEvaluated {
            name: "*.lab.example.org".into(),
            reason: "delegated to another server".into(),
            span: Some(span("include:_spf")),
        }],
        diagnostics: vec![Diagnostic::warning("missing-dot", "name without final dot").at(span("ns1"))],
        live: None,
    };
    let waivers = vec![
        WaiverNote { waiver: 0, target: "a.example.org".into(), state: WaiverState::Expiring(10) },
        WaiverNote { waiver: 1, target: "a.example.org".into(), state: WaiverState::Expired(21) },
        WaiverNote { waiver: 2, target: "b.example.org".into(), state: WaiverState::Unused },
    ];
    let as_of = jiff::civil::date(2026, 11, 21);
    let (answers, answer_problems, base, history) = (Vec::new(), Vec::new(), None, None);
    (files, Assessment { policy, as_of, targets, coverage, waivers, answers, answer_problems, base, history })
}

/// The sample with a question that a person answered, one whose answer lost its evidence, and an answer that nobody asked for.
#[allow(dead_code)]
pub(crate) fn answered() -> (Files, Assessment) {
    let (mut files, mut assessment) = sample();
    let file = files.add("answers.yaml", "answers: []\n");
    let answer = |id: &str, answer, problem: Option<&str>| Answer {
        id: id.into(),
        rule: "operations/no-owner".into(),
        targets: vec!["a.example.org".into()],
        answer,
        by: "Anna Smith".into(),
        role: Some("mail operations".into()),
        date: jiff::civil::date(2026, 6, 12),
        until: None,
        note: Some("the owner is the mail team".into()),
        evidence: vec![AnswerEvidence {
            file: "minutes.txt".into(),
            path: "minutes.txt".into(),
            sha256: Some("ab".repeat(32)),
            problem: problem.map(Into::into),
        }],
        links: vec!["https://tickets.example.org/1".into()],
        span: Span::new(file, 0, 7),
    };
    let fail = answer("A-1", AnswerWord::Fail, None);
    let stale = answer("A-2", AnswerWord::Pass, Some("it is not there"));
    let pass = answer("A-3", AnswerWord::Pass, None);
    assessment.policy.answers.answers = vec![fail, stale, pass];
    for (index, verdict, answer, stale_answer) in
        [(0, Verdict::Fail, Some(0), None), (1, Verdict::Manual, None, Some(1)), (2, Verdict::Pass, Some(2), None)]
    {
        let target = &mut assessment.targets[index];
        Arc::make_mut(&mut target.verdicts)[0] = Some(verdict);
        let mut details = target.details.to_vec();
        details.insert(0, Detail { answer, stale_answer, ..detail(0, Vec::new()) });
        target.details = details.into();
    }
    let note = |answer, target: &str, state| AnswerNote { answer, target: target.into(), state };
    assessment.answers = vec![
        note(0, "a.example.org", AnswerState::InForce(203)),
        note(1, "example.org", AnswerState::Unsupported),
        note(2, "parked.example.org", AnswerState::Expiring(3)),
        note(2, "gone.example.org", AnswerState::Unused),
    ];
    let problem = Diagnostic::error("answer-evidence", "the answer cannot rest on `minutes.txt`: it is not there");
    assessment.answer_problems = vec![problem.at(Span::new(file, 0, 7))];
    (files, assessment)
}

/// The same outcome many times over: `count` targets that each fail one rule of each severity in turn.
#[allow(dead_code)]
pub(crate) fn large(count: usize) -> (Files, Assessment) {
    let (files, mut assessment) = sample();
    let spf = Detail { record: None, also: Box::new([]), ..assessment.targets[1].details[0].clone() };
    assessment.targets = (0..count)
        .map(|index| {
            let rule = 1 + index % 4;
            let mut verdicts = vec![None; 5];
            verdicts[rule] = Some(Verdict::Fail);
            AssessedTarget {
                kind: Target::Domain,
                name: format!("d{index:06}.example.org"),
                anchor: Some(span("@  IN SOA")),
                verdicts: verdicts.into(),
                details: Box::new([Detail { rule: RuleIndex(u16::try_from(rule).unwrap()), ..spf.clone() }]),
                not_collected: Arc::default(),
            }
        })
        .collect();
    (files, assessment)
}

/// As [`large`], with `rules` rules, each of which fails on each of `targets` targets.
#[allow(dead_code)]
pub(crate) fn wide(targets: usize, rules: usize) -> (Files, Assessment) {
    let (files, mut assessment) = large(targets);
    let known = assessment.policy.rules.clone();
    assessment.policy.rules = (0..rules)
        .map(|index| {
            let mut rule = known[1 + index % 4].clone();
            rule.id = format!("{}-{index}", rule.id);
            rule
        })
        .collect();
    for target in &mut assessment.targets {
        target.verdicts = vec![Some(Verdict::Fail); rules].into();
        let detail = target.details[0].clone();
        target.details =
            (0..rules).map(|rule| Detail { rule: RuleIndex(u16::try_from(rule).unwrap()), ..detail.clone() }).collect();
    }
    (files, assessment)
}

/// The rows of a CSV file, read as RFC 4180 section 2 says.
#[allow(dead_code)]
pub(crate) fn csv(text: &str) -> Vec<Vec<String>> {
    let mut characters = text.strip_prefix('\u{feff}').expect("a byte order mark").chars().peekable();
    let (mut rows, mut row) = (Vec::new(), Vec::new());
    while characters.peek().is_some() {
        assert_eq!(characters.next(), Some('"'), "every cell is quoted");
        let mut cell = String::new();
        loop {
            match characters.next().expect("the cell ends") {
                '"' if characters.next_if_eq(&'"').is_some() => cell.push('"'),
                '"' => break,
                other => cell.push(other),
            }
        }
        row.push(cell);
        match characters.next() {
            Some(',') => {}
            Some('\r') => {
                assert_eq!(characters.next(), Some('\n'));
                rows.push(std::mem::take(&mut row));
            }
            other => panic!("{other:?} after a cell"),
        }
    }
    assert!(row.is_empty(), "the last row ends, too");
    rows
}
