use jiff::civil;
use proptest::prelude::*;

use super::*;

const GOOD: &str = "\
answers:
  - rule: p/r
    targets: [Example.ORG., \"Legacy.example.org:995\", HQ]
    answer: pass
    by: Anna Smith
    role: mail operations
    date: 2026-06-12
    valid_for: 90d
    note: Rotated s1 to s2 on 2026-06-10, CHG-991.
    evidence: [change.txt]
    links: [\"https://tickets.example.org/CHG-991\"]
";

fn shown(written: &str, content: Result<&[u8], &str>) -> Shown {
    let content = content.map(<[u8]>::to_vec).map_err(str::to_owned);
    Shown { written: written.to_owned(), path: format!("evidence/{written}"), content }
}

fn loaded_from(text: &str, shown: Vec<Shown>) -> (LoadedAnswers, Files) {
    let mut files = Files::default();
    let source = AnswersFile { path: "a.yaml".to_owned(), bytes: text.as_bytes().to_vec(), shown };
    let loaded = load_answers(&mut files, &[source]);
    (loaded, files)
}

fn load(text: &str) -> (LoadedAnswers, Files) {
    loaded_from(text, vec![shown("change.txt", Ok(b"abc"))])
}

fn messages(loaded: &LoadedAnswers) -> Vec<&str> {
    loaded.diagnostics.iter().map(|problem| problem.message.as_str()).collect()
}

#[test]
fn a_complete_answer_is_read() {
    let (loaded, _) = load(GOOD);
    assert_eq!((messages(&loaded), loaded.broken.len()), (vec![], 0));
    let answer = &loaded.answers[0];
    assert_eq!(answer.targets, ["example.org", "legacy.example.org:995", "HQ"]);
    assert_eq!((answer.id.as_str(), answer.answer), ("answer-1", AnswerWord::Pass));
    assert_eq!((answer.date, answer.until), (civil::date(2026, 6, 12), Some(civil::date(2026, 9, 10))));
    // The SHA-256 of `abc`, FIPS 180-2 appendix B.1.
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(answer.evidence[0].sha256.as_deref(), Some(sha256));
    assert_eq!((answer.evidence[0].path.as_str(), answer.is_supported()), ("evidence/change.txt", true));
    let question = |valid_days| Manual { ask: String::new(), evidence: Vec::new(), valid_days };
    assert_eq!(answer.last_day(&question(365)), civil::date(2026, 9, 10));
    assert_eq!(answer.last_day(&question(10)), civil::date(2026, 6, 22));
    let until = GOOD.replace("valid_for: 90d", "valid_until: 2026-07-01");
    assert_eq!(load(&until).0.answers[0].until, Some(civil::date(2026, 7, 1)));
    let open = load(&GOOD.replace("    valid_for: 90d\n", "")).0;
    assert_eq!(open.answers[0].last_day(&question(365)), civil::date(2027, 6, 12));
}

#[test]
fn an_answer_with_a_mistake_answers_nothing() {
    let targets = "targets: [Example.ORG., \"Legacy.example.org:995\", HQ]";
    let cases = [
        ("answer: pass", "", "an answer needs `answer`"),
        ("answer: pass", "answer:", "`answer` of an answer is empty"),
        ("answer: pass", "answer: passed", "`passed` is not a value of `answer` (pass, fail, not-applicable)"),
        ("answer: pass", "answer: yes", "`yes` is not a value of `answer` (pass, fail, not-applicable)"),
        ("by: Anna Smith", "", "an answer needs `by`"),
        ("by: Anna Smith", "by: \" \"", "`by` must be text, but is the text ` `"),
        ("date: 2026-06-12", "", "an answer needs `date`"),
        ("date: 2026-06-12", "date: 12.06.2026", "`date` must be a date, but is the text `12.06.2026`"),
        ("date: 2026-06-12", "date: 2026-06-31", "`date` must be a date, but is the text `2026-06-31`"),
        ("valid_for: 90d", "valid_for: 90", "`valid_for` must be a number of days, but is `90`"),
        ("valid_for: 90d", "valid_for: 0d", "`valid_for` must be a number of days, but is `0d`"),
        ("valid_for: 90d", "valid_for: 99999d", "`valid_for` must be a number of days, but is `99999d`"),
        ("valid_for: 90d", "valid_until: never", "`valid_until` must be a date, but is the text `never`"),
        ("valid_for: 90d", "valid_until: 2026-06-11", "the answer ends before it was given"),
        (
            "valid_for: 90d",
            "valid_until: 2026-07-01\n    valid_for: 90d",
            "an answer has `valid_until` or `valid_for`, not both",
        ),
        ("valid_for:", "valid-for:", "unknown key `valid-for` in an answer"),
        ("rule: p/r", "rule: p/*", "an answer names one rule, not a pattern"),
        ("rule: p/r", "rule: r", "`r` is not the full id of a rule"),
        ("rule: p/r", "", "an answer needs `rule`"),
        (targets, "targets: []", "`targets` names no target"),
        (targets, "", "an answer needs `target`"),
        (targets, "targets: [\"*\"]", "an answer names its targets, not a pattern"),
        (targets, "targets: [a.example, A.example.]", "the target `a.example` is listed twice"),
        ("evidence: [change.txt]", "evidence: [/etc/passwd]", "evidence is named relative to the file of answers"),
        ("evidence: [change.txt]", "evidence: ['C:\\x']", "evidence is named relative to the file of answers"),
        ("evidence: [change.txt]", "evidence: [change.txt, change.txt]", "the file `change.txt` is listed twice"),
        ("[change.txt]", "[{ file: change.txt, sha256: abc }]", "`sha256` must be 64 hexadecimal digits"),
        ("[change.txt]", "[{ flie: change.txt }]", "unknown key `flie` in an item of `evidence`"),
        ("https://", "ftp://", "`ftp://tickets.example.org/CHG-991` is not an https address"),
    ];
    for (from, to, expected) in cases {
        assert!(GOOD.contains(from), "{from}");
        let (loaded, _) = load(&GOOD.replace(from, to));
        assert_eq!(loaded.answers.len(), 0, "{to}");
        assert!(messages(&loaded).contains(&expected), "{to}: {:?}", messages(&loaded));
        // What it was to answer stays known, so that no other answer passes for the last word.
        assert_eq!(loaded.broken.len(), usize::from(expected != "an answer needs `rule`"), "{to}");
    }
    let text = GOOD.replace("answer: pass", "answer: not-applicable");
    assert_eq!(load(&text).0.answers[0].answer, AnswerWord::NotApplicable);
    let (loaded, _) = load(&text.replace("    note: Rotated s1 to s2 on 2026-06-10, CHG-991.\n", ""));
    assert_eq!(messages(&loaded), ["an answer that a rule does not apply needs `note`"]);
}

#[test]
fn a_mistake_has_place_snippet_and_help() {
    let (loaded, files) = load(&GOOD.replace("valid_for:", "valid-for:"));
    assert_eq!(
        loaded.diagnostics[0].render(&files),
        "error[unknown-key]: unknown key `valid-for` in an answer\n  a.yaml:8:5\n  8 |     valid-for: 90d\n          ^^^^^^^^^\n  help: did you mean `valid_for`?\n"
    );
}

#[test]
fn an_answer_rests_on_its_files_as_they_were() {
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let with = |content: Result<&[u8], &str>, sha256: &str| {
        let text = GOOD.replace("[change.txt]", &format!("[{{ file: change.txt, sha256: {sha256} }}]"));
        let loaded = loaded_from(&text, vec![shown("change.txt", content)]).0;
        let problem = loaded.answers[0].evidence[0].problem.clone();
        assert_eq!(loaded.diagnostics.len(), usize::from(problem.is_some()));
        assert_eq!(loaded.answers[0].is_supported(), problem.is_none());
        problem
    };
    assert_eq!(with(Ok(b"abc"), abc), None);
    assert_eq!(with(Ok(b"abc"), &abc.to_ascii_uppercase()), None);
    let changed = with(Ok(b"abd"), abc).unwrap();
    assert!(changed.starts_with("it is not what was shown: its SHA-256 is a52d159f"), "{changed}");
    assert_eq!(with(Err("it is not there"), abc).as_deref(), Some("it is not there"));
    let (loaded, files) = loaded_from(GOOD, vec![shown("change.txt", Err("it is not there"))]);
    assert_eq!(
        loaded.diagnostics[0].render(&files),
        "error[answer-evidence]: the answer cannot rest on `change.txt`: it is not there\n  a.yaml:10:16\n  10 |     evidence: [change.txt]\n                      ^^^^^^^^^^\n  help: the answer is not used until the file is there as it was; answer anew if it had to change\n"
    );
    assert!(!loaded_from(GOOD, vec![]).0.answers[0].is_supported(), "a file that nobody looked at shows nothing");
}

#[test]
fn the_files_to_look_at_are_listed_once_whatever_else_is_wrong() {
    let text = "answers:\n  - { evidence: [a.txt, { file: b/c.pdf }, { sha256: x }, 3] }\n  - 7\n  - { rule: p/r, evidence: [a.txt, d] }\n";
    assert_eq!(evidence_paths(text.as_bytes()), ["a.txt", "b/c.pdf", "3", "d"]);
    assert!(evidence_paths(b"\xff\xfe[").is_empty());
}

#[test]
fn an_id_names_one_answer() {
    let with_id = GOOD.replace("rule: p/r", "id: A-1\n    rule: p/r");
    let other = with_id.strip_prefix("answers:\n").unwrap().replace("p/r", "p/s");
    let (loaded, _) = load(&format!("{with_id}{other}"));
    assert_eq!(messages(&loaded), ["two answers have the id `A-1`"]);
    assert_eq!((loaded.answers.len(), loaded.broken[0].rule.as_str()), (1, "p/s"));
}

#[test]
fn a_form_that_is_not_filled_in_answers_nothing() {
    let text = format!("answers:\n{}", form("p/r", &["example.org", "no", "a: b\n\"c\""], "2026-11-21"));
    let (loaded, _) = load(&text);
    assert_eq!(messages(&loaded), ["`answer` of an answer is empty", "`by` of an answer is empty"]);
    let filled = text.replace("answer: ", "answer: fail").replace("by: ", "by: A").replace("note: ", "note: x");
    let (loaded, _) = load(&filled);
    assert_eq!(messages(&loaded), Vec::<&str>::new());
    assert_eq!(loaded.answers[0].targets, ["example.org", "no", "a: b\n\"c\""]);
    let one = form("p/r", &["HQ"], "2026-11-21");
    assert!(one.contains("    target: HQ\n"), "{one}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn no_mutated_file_panics(cut in 0usize..420, length in 0usize..20, insert in "[a-z0-9:{}\\[\\]\", \\n-]{0,8}") {
        let mut text = GOOD.as_bytes().to_vec();
        let (from, to) = (cut.min(text.len()), (cut + length).min(text.len()));
        text.splice(from..to, insert.bytes());
        evidence_paths(&text);
        let mut files = Files::default();
        load_answers(&mut files, &[AnswersFile { path: "a.yaml".to_owned(), bytes: text, shown: Vec::new() }]);
    }
}
