//! Packs as people write them: good ones load, and every mistake is answered with its place and what to change.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and one that skips says so"
)]

mod support;

use mailvet::diag::{Diagnostic, Files};
use mailvet::policy::{
    Bound, Check, Condition, IfNone, Literal, Operator, PackDocument, ParamValue, ParamValues, Policy, Quantifier,
    Right, Rule, Selection, Severity, build_policy, digest, lint, load_profile, pack_index, parse_pack, resolve,
    resolve_for_test, rule_page,
};
use proptest::prelude::*;

type Sources = Vec<(String, Vec<u8>)>;

fn sample_sources() -> Sources {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/packs/sample");
    let mut sources: Sources = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (format!("packs/sample/{name}"), std::fs::read(path).unwrap())
        })
        .collect();
    sources.sort();
    sources
}

fn rendered(files: &Files, problems: &[Diagnostic]) -> String {
    problems.iter().map(|problem| problem.render(files)).collect()
}

fn load(sources: &Sources) -> Result<PackDocument, String> {
    let mut files = Files::default();
    parse_pack(&mut files, sources).map_err(|problems| rendered(&files, &problems))
}

fn sample() -> PackDocument {
    load(&sample_sources()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn rule(document: &PackDocument, params: &ParamValues, id: &str) -> Rule {
    let pack = resolve(document, params).unwrap();
    pack.rules.into_iter().find(|rule| rule.id == id).unwrap()
}

#[test]
fn the_sample_pack_loads() {
    let document = sample();
    let pack = resolve(&document, &ParamValues::new()).unwrap();
    let ids: Vec<&str> = pack.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "sample/dmarc-not-enforced",
            "sample/dkim-key-weak",
            "sample/mx-differ-from-inventory",
            "sample/keys-not-rotated",
            "sample/certificate-expires"
        ]
    );
    assert_eq!((pack.reference.name.as_str(), pack.reference.version.as_str()), ("sample", "1.2.0"));
    assert_eq!(pack.reference.sha256, digest(&sample_sources()));
    assert_eq!(pack.frameworks["nist-800-53r5"], "NIST SP 800-53 Rev. 5");
    let Check::Manual(manual) = &pack.rules[3].check else { panic!() };
    assert_eq!((manual.valid_days, manual.evidence.len()), (365, 1));
}

#[test]
fn parameters_are_substituted_with_the_type_of_the_fact() {
    let document = sample();
    let bits = |params: &ParamValues| {
        let rule = rule(&document, params, "sample/dkim-key-weak");
        let leaf = rule.leaves.iter().find(|leaf| leaf.path.text == "bits").unwrap().clone();
        leaf.operator
    };
    assert_eq!(bits(&ParamValues::new()), Operator::AtLeast(Right::Literal(Literal::Int(2048))));
    let set = ParamValues::from([("min_rsa_bits".to_owned(), ParamValue::Integer(4096))]);
    assert_eq!(bits(&set), Operator::AtLeast(Right::Literal(Literal::Int(4096))));

    let policy = rule(&document, &ParamValues::new(), "sample/dmarc-not-enforced");
    let Operator::AtLeast(Right::Literal(Literal::Word { rank, words })) = &policy.leaves[0].operator else { panic!() };
    assert_eq!(words.words[usize::from(*rank)], "reject");

    let written = &document.rules[0];
    let tested = resolve_for_test(&document, written, &written.tests[2]).unwrap();
    let Operator::AtLeast(Right::Literal(Literal::Word { rank, words })) = &tested.leaves[0].operator else { panic!() };
    assert_eq!(words.words[usize::from(*rank)], "quarantine");
}

#[test]
fn quantifiers_keep_their_list_filter_and_elements() {
    let document = sample();
    let rule = rule(&document, &ParamValues::new(), "sample/dkim-key-weak");
    let Check::Automatic(Condition::Quantified { quantifier, list, filter, body, if_none }) = &rule.check else {
        panic!()
    };
    assert_eq!((*quantifier, *if_none), (Quantifier::Every, IfNone::NotApplicable));
    let list = &rule.leaves[usize::from(list.0)];
    assert_eq!((list.path.text.as_str(), &list.operator, list.element), ("dkim.keys", &Operator::Elements, false));
    assert!(filter.is_some());
    let Condition::Any(parts) = &**body else { panic!() };
    let Condition::Leaf(first) = parts[0] else { panic!() };
    let leaf = &rule.leaves[usize::from(first.0)];
    assert_eq!((leaf.path.text.as_str(), leaf.element, leaf.list.as_deref()), ("bits", true, Some("dkim.keys")));
}

#[test]
fn literals_have_the_type_of_their_fact() {
    let document = sample();
    let rule = rule(&document, &ParamValues::new(), "sample/mx-differ-from-inventory");
    let operator = |path: &str| &rule.leaves.iter().find(|leaf| leaf.path.text == path).unwrap().operator;
    assert!(matches!(operator("dns.mx[].host"), Operator::SameSetAs(Right::Fact(path)) if path.text == "inventory.mx"));
    let one_to_five = (Right::Literal(Literal::Int(1)), Right::Literal(Literal::Int(5)));
    assert_eq!(operator("dns.mx[].preference"), &Operator::Distinct(Bound::Between(one_to_five.0, one_to_five.1)));
    let Operator::Matches(pattern) = operator("dns.cname") else { panic!() };
    assert!(pattern.regex.is_match("a.invalid") && !pattern.regex.is_match("a.invalid.example"));
    let days = |days: i64| Right::Literal(Literal::Duration(days * 86_400));
    assert_eq!(operator("dns.soa.expire"), &Operator::Between(days(14), days(28)));
    assert_eq!(
        operator("addresses"),
        &Operator::Contains(Right::Literal(Literal::Address("192.0.2.1".parse().unwrap())))
    );
}

#[test]
fn the_digest_depends_on_names_and_text_only() {
    let sources = sample_sources();
    let mut moved: Sources = sources
        .iter()
        .map(|(path, bytes)| {
            let text = String::from_utf8(bytes.clone()).unwrap().replace('\n', "\r\n");
            (path.replace("packs/sample/", "elsewhere\\"), text.into_bytes())
        })
        .collect();
    moved.reverse();
    assert_eq!(digest(&sources), digest(&moved));
    moved[0].1.push(b'#');
    assert_ne!(digest(&sources), digest(&moved));
}

/// The messages for one file of a pack that is good but for `rules`.
fn problems_of(rules: &str) -> String {
    let header = "pack: p\nversion: 1.0.0\nformat: 1\ntitle: P\nrequires: { facts: \"1\" }\nframeworks: { f: F }\n\
                  params: { bits: { type: integer, default: 5, min: 1, max: 9, title: Bits }, \
                  word: { type: word, values: [a, b], default: a, title: Word } }\nremoved: [gone]\n";
    let sources = vec![("pack.yaml".to_owned(), header.as_bytes().to_vec()), ("r.yaml".to_owned(), rules.into())];
    load(&sources).err().unwrap_or_default()
}

/// The messages for the condition of one rule about domains.
fn problems_of_check(check: &str) -> String {
    let rules = format!(
        "rules:\n- id: r\n  title: T\n  severity: low\n  applies_to: domain\n  why: W\n  fix: F\n  tests: [ {{ name: n, expect: unknown }} ]\n  check:\n    {check}\n"
    );
    problems_of(&rules)
}

#[test]
fn conditions_that_do_not_fit_are_explained() {
    let cases = [
        (
            "{ fact: dmarc.polcy, equals: reject }",
            "error[rule-fact]: no such fact `dmarc.polcy`\n  r.yaml:10:13\n  10 |     { fact: dmarc.polcy, equals: reject }\n                   ^^^^^^^^^^^\n  help: did you mean `dmarc.policy`?\n",
        ),
        (
            "{ fact: dmarc.policy, equals: rejct }",
            "error[rule-value]: `rejct` is not a value of `dmarc.policy` (none, quarantine, reject)\n  r.yaml:10:35\n  10 |     { fact: dmarc.policy, equals: rejct }\n                                         ^^^^^\n  help: did you mean `reject`?\n",
        ),
        (
            "{ fact: dmarc.adkim, at_least: strict }",
            "error[rule-operator]: `dmarc.adkim` has no order\n  r.yaml:10:26\n  10 |     { fact: dmarc.adkim, at_least: strict }\n                                ^^^^^^^^\n  help: use equals or in\n",
        ),
        (
            "{ fact: \"dns.mx[].host\", equals: x }",
            "error[rule-list]: `dns.mx[].host` is many values\n  r.yaml:10:13\n  10 |     { fact: \"dns.mx[].host\", equals: x }\n                   ^^^^^^^^^^^^^^^\n  help: use every/some/none, same_set_as, subset_of, contains, count or distinct\n",
        ),
        (
            "{ every: inventory.senders, must: { fact: it.spf, equals: pass } }",
            "error[rule-if-none]: say what `inventory.senders` being empty means\n  r.yaml:10:5\n  10 |     { every: inventory.senders, must: { fact: it.spf, equals: pass } }\n           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n  help: add `if_none: pass|fail|unknown|not-applicable`\n",
        ),
        (
            "{ fact: dmarc.policy, equls: reject }",
            "error[rule-operator]: unknown operator `equls`\n  r.yaml:10:27\n  10 |     { fact: dmarc.policy, equls: reject }\n                                 ^^^^^\n  help: did you mean `equals`?\n",
        ),
    ];
    for (check, expected) in cases {
        assert_eq!(problems_of_check(check), expected, "{check}");
    }
}

/// The messages and helps without places, `message / help` on each line.
fn short(problems: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in problems.lines() {
        if let Some((_, message)) = line.strip_prefix("error[").and_then(|rest| rest.split_once("]: ")) {
            lines.push(message.to_owned());
        } else if let (Some(help), Some(last)) = (line.strip_prefix("  help: "), lines.last_mut()) {
            last.push_str(" / ");
            last.push_str(help);
        }
    }
    lines.join("\n")
}

#[test]
fn each_mistake_in_a_condition_has_its_sentence() {
    let cases = [
        // Facts.
        (
            "{ fact: dmarc, equals: x }",
            "`dmarc` is a group of facts, not a fact / name one of its facts, such as `dmarc.record_count`",
        ),
        (
            "{ fact: port, equals: 25 }",
            "no such fact `port` / `port` is a fact of a service, and this rule applies to a domain",
        ),
        ("{ fact: \"dmarc.policy[]\", equals: none }", "`dmarc.policy[]` is not a list / write `dmarc.policy`"),
        ("{ fact: it.host, equals: x }", "`it.host` reads an element, but stands outside every, some and none"),
        (
            "{ every: dns.mx, must: { fact: it.hots, equals: x }, if_none: fail }",
            "no such fact `it.hots` / did you mean `it.host`?",
        ),
        (
            "{ every: dns.mx, must: { fact: preference, equals: 1 }, if_none: fail }",
            "no such fact `preference` / did you mean `it.preference`?",
        ),
        // Operators.
        ("{ fact: dns.mx, equals: x }", "`dns.mx` is a list / use every/some/none, count or is"),
        (
            "{ fact: inventory.mx, equals: x }",
            "`inventory.mx` is many values / use every/some/none, same_set_as, subset_of, contains, count or distinct",
        ),
        (
            "{ fact: \"dns.mx[].addresses\", count: { at_least: 1 } }",
            "`dns.mx[].addresses` is a list in every element of `dns.mx` / use every/some/none over `dns.mx` and read `it.addresses`",
        ),
        (
            "{ fact: \"dns.mx[].host\", is: present }",
            "`dns.mx[].host` is many values / use every/some/none, same_set_as, subset_of, contains, count or distinct",
        ),
        (
            "{ fact: dmarc.policy }",
            "the comparison has no operator / add one of equals, not_equals, in, not_in, at_least, at_most, between, matches, contains, same_set_as, subset_of, count, distinct, days_left, older_than, is",
        ),
        (
            "{ fact: spf.lookups, at_least: 1, at_most: 5 }",
            "two operators, `at_least` and `at_most`, in one comparison / write two comparisons under `all:`, or use between",
        ),
        ("{ fact: spf.text, exists: true }", "unknown operator `exists` / write `is: present` or `is: absent`"),
        ("{ fact: spf.valid, at_least: true }", "`spf.valid` has no order / use equals or in"),
        (
            "{ fact: spf.lookups, days_left: { at_least: 3 } }",
            "`days_left` needs a point in time, but `spf.lookups` is a whole number",
        ),
        (
            "{ fact: spf.lookups, older_than: 3d }",
            "`older_than` needs a point in time, but `spf.lookups` is a whole number",
        ),
        (
            "{ fact: spf.lookups, contains: 3 }",
            "`contains` needs a text or a list, but `spf.lookups` is a whole number",
        ),
        ("{ fact: spf.lookups, count: { at_least: 3 } }", "`count` needs a list, but `spf.lookups` is a whole number"),
        (
            "{ fact: spf.lookups, matches: a }",
            "`matches` needs a text or a domain name, but `spf.lookups` is a whole number",
        ),
        ("{ fact: spf.text, matches: \"(\" }", "not a regular expression: unclosed group"),
        ("{ fact: spf.text, matches: \"a)|(?:b\" }", "not a regular expression: unopened group"),
        ("{ fact: spf.text, matches: \"(a{1000}){1000}\" }", "not a regular expression: it is too large"),
        ("{ fact: spf.text, is: there }", "`there` is not a value of `is` (present, absent)"),
        ("{ fact: spf.text, is: absnt }", "`absnt` is not a value of `is` (present, absent) / did you mean `absent`?"),
        (
            "{ fact: spf.text, equals: a, if_absent: ok }",
            "`ok` is not a value of `if_absent` (pass, fail, unknown, not-applicable)",
        ),
        // Right sides.
        ("{ fact: spf.valid, equals: no }", "`spf.valid` is `true` or `false`, but is compared with the text `no`"),
        ("{ fact: spf.lookups, equals: ten }", "`spf.lookups` is a whole number, but is compared with the text `ten`"),
        (
            "{ fact: spf.lookups, equals: \"10\" }",
            "`spf.lookups` is a whole number, but is compared with the text `10`",
        ),
        (
            "{ fact: spf.text, equals: 10 }",
            "`spf.text` is text, but is compared with the number `10` / if the text is meant, put it in quotes: `\"10\"`",
        ),
        (
            "{ fact: spf.text, equals: ~ }",
            "`spf.text` is text, but is compared with nothing / to ask whether a fact is there, write `is: absent` or `is: present`",
        ),
        (
            "{ fact: dns.soa.expire, at_least: 14 days }",
            "`dns.soa.expire` is a length of time such as `14d`, but is compared with the text `14 days`",
        ),
        (
            "{ fact: dns.soa.mname, equals: a..b }",
            "`dns.soa.mname` is a domain name, but is compared with the text `a..b`",
        ),
        (
            "{ fact: dns.addresses, contains: 192.0.2.300 }",
            "`dns.addresses` is an IP address, but is compared with the text `192.0.2.300`",
        ),
        (
            "{ fact: spf.lookups, in: 3 }",
            "`in` must be a list, but is the number `3` / write it as a list: `[a, b]`, or each item on a line of its own after `- `",
        ),
        ("{ fact: spf.lookups, in: [] }", "the list of `in` is empty, so the answer never changes"),
        (
            "{ fact: spf.lookups, between: [3, 1] }",
            "the bounds of `between` are reversed / write the smaller value first",
        ),
        ("{ fact: spf.lookups, between: [1] }", "`between` needs two values: `[low, high]`"),
        (
            "{ fact: dns.mx, count: 2 }",
            "`count` needs a bound / write `count: { equals: 2 }`, or at_least, at_most, between",
        ),
        ("{ fact: dns.mx, count: {} }", "`count` needs exactly one bound / one of equals, at_least, at_most, between"),
        (
            "{ fact: dns.mx, count: { at_least: 1, at_most: 2 } }",
            "`count` needs exactly one bound / one of equals, at_least, at_most, between",
        ),
        ("{ fact: dns.mx, count: { atleast: 1 } }", "unknown key `atleast` in a bound / did you mean `at_least`?"),
        (
            "{ fact: dns.mx, count: { at_least: one } }",
            "`count` is a whole number, but is compared with the text `one`",
        ),
        ("{ fact: spf.lookups, at_most: { param: bit } }", "no such parameter `bit` / did you mean `bits`?"),
        (
            "{ fact: spf.valid, equals: { param: bits } }",
            "`spf.valid` is `true` or `false`, but the parameter `bits` is of type integer",
        ),
        (
            "{ fact: dmarc.policy, equals: { param: word } }",
            "the parameter `word` may be `a`, which is not a value of `dmarc.policy` (none, quarantine, reject)",
        ),
        (
            "{ fact: spf.lookups, equals: { fact: spf.valid } }",
            "`spf.lookups` is a whole number, but `spf.valid` is `true` or `false`",
        ),
        (
            "{ fact: spf.lookups, equals: { fact: dns.mx } }",
            "`dns.mx` is many values / one value can only be compared with one value",
        ),
        (
            "{ fact: spf.lookups, equals: { fact: spf.lookup } }",
            "no such fact `spf.lookup` / did you mean `spf.lookups`?",
        ),
        (
            "{ fact: \"dns.mx[].host\", same_set_as: { fact: dns.addresses } }",
            "the values of `dns.mx[].host` are domain names, those of `dns.addresses` are IP addresses",
        ),
        (
            "{ fact: \"dns.mx[].host\", same_set_as: { fact: dns.ns } }",
            "`dns.ns` has no plain values / name a field of its elements: `dns.ns[].<field>`",
        ),
        (
            "{ fact: \"dns.mx[].host\", subset_of: { fact: dns.cname } }",
            "`dns.cname` is one value, not a list / use contains, or name a list",
        ),
        (
            "{ some: dns.mx, must: { fact: it.preference, equals: { fact: it.preference } } }",
            "`it.preference` cannot stand on the right side / the right side reads facts of the target; put the element on the left",
        ),
        // Structure.
        ("{ all: [] }", "`all` is empty, and so decides nothing / list at least one condition"),
        (
            "{ any: { fact: spf.valid, equals: true } }",
            "`any` must be a list, but is a mapping / write it as a list: `[a, b]`, or each item on a line of its own after `- `",
        ),
        (
            "{ dmarc.policy: reject }",
            "a condition needs one of all, any, not, every, some, none, fact / write `{ fact: dmarc.policy, equals: … }`",
        ),
        (
            "{ equals: reject }",
            "a condition needs one of all, any, not, every, some, none, fact / add `fact: <path>`: what is compared",
        ),
        ("{ al: [] }", "a condition needs one of all, any, not, every, some, none, fact / did you mean `all`?"),
        (
            "{ all: [ { fact: spf.valid, equals: true } ], any: [] }",
            "`all` and `any` stand side by side / a condition is one thing; put both into the list of an `all:` or `any:`",
        ),
        ("[ { fact: spf.valid, equals: true } ]", "a condition must be a mapping, but is a list"),
        (
            "{ every: dns.mx, match: { fact: it.null, equals: true }, if_none: fail }",
            "`every` takes `must`, not `match` / write `must:`",
        ),
        (
            "{ none: dns.mx, must: { fact: it.null, equals: true }, if_none: fail }",
            "`none` takes `match`, not `must` / write `match:`",
        ),
        (
            "{ none: dns.mx, if_none: fail }",
            "the quantifier needs `match` / add `match:` with a condition that no element may satisfy",
        ),
        (
            "{ every: dns.mx, must: { fact: it.null, equals: true }, if_none: ok }",
            "`ok` is not a value of `if_none` (pass, fail, unknown, not-applicable)",
        ),
        (
            "{ some: dmarc.policy, must: { fact: it.x, equals: true } }",
            "`dmarc.policy` is not a list / compare it with `fact:` and an operator",
        ),
        (
            "{ some: inventory.mx, must: { fact: it.x, equals: true } }",
            "`inventory.mx` is a list of plain values, which have no fields / use same_set_as, subset_of, contains, count or distinct",
        ),
        (
            "{ some: \"dns.mx[].host\", must: { fact: it.x, equals: true } }",
            "`dns.mx[].host` is not a list / quantify over `dns.mx` and read `it.<field>`",
        ),
        (
            "{ some: dns.mx, must: { some: dns.ns, must: { fact: it.cname, equals: true } } }",
            "quantifiers cannot be nested / make the inner list a target of its own, or ask for a fact that is computed from it",
        ),
        (
            "{ some: dns.mx, must: { fact: it.null, equals: true }, wehre: x }",
            "unknown key `wehre` in a quantifier / did you mean `where`?",
        ),
        (
            "{ not: { fact: spf.valid, equals: true }, if_absent: pass }",
            "unknown key `if_absent` in a condition / known keys: not",
        ),
    ];
    let mut wrong = String::new();
    for (check, expected) in cases {
        let found = short(&problems_of_check(check));
        if found != expected {
            wrong.push_str(&format!("{check}\n  found    {found}\n  expected {expected}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let check = "all: [ { fact: spf.al, equals: fail }, { fact: spf.lookups, at_most: ten }, { fact: dmarc.policy, equals: reject } ]";
    assert_eq!(
        short(&problems_of_check(check)),
        "no such fact `spf.al` / did you mean `spf.all`?\n`spf.lookups` is a whole number, but is compared with the text `ten`"
    );
}

#[test]
fn each_mistake_in_a_rule_has_its_sentence() {
    // A good rule, one part of which is replaced.
    let good = [
        ("id", "r"),
        ("title", "T"),
        ("severity", "low"),
        ("applies_to", "domain"),
        ("why", "W"),
        ("fix", "F"),
        ("tests", "[ { name: n, expect: unknown } ]"),
        ("check", "{ fact: spf.valid, equals: true }"),
    ];
    let cases = [
        ("id", "id", "`id` of a rule is empty / name the smell in kebab case, such as `dmarc-not-enforced`"),
        ("id", "id: p/r", "the id is written without the name of the pack / write `r`"),
        (
            "id",
            "id: \"a b\"",
            "`a b` is not an id / an id has letters, digits and hyphens, at most 80, such as `dmarc-not-enforced`",
        ),
        (
            "id",
            "id: gone",
            "the rule id `gone` belonged to a removed rule / ids are never used again (`removed`, line 8); choose another",
        ),
        ("title", "", "a rule needs `title` / say in one line what is wrong when the rule fails"),
        (
            "severity",
            "severity: hihg",
            "`hihg` is not a value of `severity` (critical, high, medium, low, info) / did you mean `high`?",
        ),
        (
            "applies_to",
            "applies_to: site",
            "`site` is not a value of `applies_to` (domain, host, service, message, system, organisation)",
        ),
        ("why", "", "a rule needs `why` / say what an attacker does or what breaks"),
        ("fix", "", "a rule needs `fix` / say how to mend it"),
        (
            "fix",
            "fix: { record: { name: \"{domain}\", type: TXT, value: x } }",
            "`fix` needs `text` / say how to mend it",
        ),
        (
            "fix",
            "fix: { text: x, record: { name: \"{domian}\", type: TEXT, value: \"{\" } }",
            "`{domian}` is neither `{domain}` nor a fact / did you mean `{domain}`?\n`TEXT` is not a type of records (A, AAAA, CAA, CNAME, DS, MX, NS, SOA, SRV, TLSA, TXT)\n`{` is not closed",
        ),
        (
            "fix",
            "fix: { text: x, record: { name: \"{dns.mx}\", type: TXT, value: \"exists:%{i}.x\" } }",
            "`{dns.mx}` is many values / name a fact with one value",
        ),
        ("tests", "", "a rule needs `tests` / add at least one case that passes and one that fails"),
        ("check", "", "a rule needs `check` / add a condition, or `manual:` with a question to a person"),
        ("check", "manual: { ask: a, valid_for: 1d }", "a manual rule has no tests: nothing is computed"),
        ("why", "why: W\n  manual: { ask: a, valid_for: 1d }", "a rule has `check` or `manual`, not both"),
        (
            "check",
            "manual: { ask: a, valid_for: 1h }",
            "`valid_for` must be a number of days, but is `1h` / write `365d`",
        ),
        (
            "why",
            "why: W\n  maps: { nist: [a] }",
            "the framework `nist` is not declared / declare it under `frameworks:` in pack.yaml",
        ),
        (
            "why",
            "why: W\n  references: [ { url: \"http://a\" } ]",
            "a reference needs `title` / say what is cited, such as `RFC 7208 section 4.6.4`\n`http://a` is not an https address",
        ),
        ("why", "why: W\n  whne: x", "unknown key `whne` in a rule / did you mean `when`?"),
        (
            "why",
            "why: W\n  when: { fact: spf.vald, equals: true }",
            "no such fact `spf.vald` / did you mean `spf.valid`?",
        ),
        // Tests.
        (
            "tests",
            "tests: [ { name: n, facts: { spf.vald: true }, expect: pass } ]",
            "no such fact `spf.vald` / did you mean `spf.valid`?",
        ),
        (
            "tests",
            "tests: [ { name: n, facts: { spf.valid: yes }, expect: pass } ]",
            "`spf.valid` is `true` or `false`, but the test has the text `yes`",
        ),
        (
            "tests",
            "tests: [ { name: n, facts: { dmarc.policy: rejct }, expect: pass } ]",
            "`rejct` is not a value of `dmarc.policy` (none, quarantine, reject) / did you mean `reject`?",
        ),
        (
            "tests",
            "tests: [ { name: n, facts: { spf: { $unknown: dns } }, expect: pass } ]",
            "`dns` is not a value of the causes (not-collected, dns-timeout, dns-servfail, dns-refused, dnssec-bogus, tcp-timeout, tcp-refused, unreachable, tls-handshake, protocol, rate-limited, limit-reached, not-evaluated, parse, permission, stale, conflict)",
        ),
        (
            "tests",
            "tests: [ { name: n, facts: { spf: { valid: true } }, expect: pass } ]",
            "`spf` is a group of facts / name its facts (`spf.<fact>`), or write `{ $unknown: <cause> }` for all of them",
        ),
        (
            "tests",
            "tests: [ { name: n, facts: { \"dns.mx[].host\": a }, expect: pass } ]",
            "`dns.mx[].host` is a field of elements / write the list: `dns.mx: [ { … } ]`",
        ),
        (
            "tests",
            "tests: [ { name: n, facts: { dns.mx: [ { hots: a } ] }, expect: pass } ]",
            "unknown key `hots` in an element / did you mean `host`?",
        ),
        (
            "tests",
            "tests: [ { name: n, expect: maybe } ]",
            "`maybe` is not a value of `expect` (pass, fail, unknown, not-applicable)",
        ),
        (
            "tests",
            "tests: [ { name: n, expect: fail, because: [\"dns.mx[a].hots\"] } ]",
            "no such fact `dns.mx[a].hots` / did you mean `dns.mx[].host`?",
        ),
        (
            "tests",
            "tests: [ { name: n, expect: fail, now: tomorrow } ]",
            "`now` must be a date, but is the text `tomorrow` / write year, month and day, such as `2027-01-31`",
        ),
        (
            "tests",
            "tests: [ { name: n, expect: fail, params: { bits: 10 } } ]",
            "the parameter `bits` is 10, more than its maximum 9",
        ),
        (
            "tests",
            "tests: [ { name: n, expect: fail, params: { bit: 10 } } ]",
            "no such parameter `bit` / did you mean `bits`?",
        ),
        ("tests", "tests: [ { name: n, expect: fail }, { name: n, expect: pass } ]", "two tests have the name `n`"),
    ];
    let mut wrong = String::new();
    for (part, replacement, expected) in cases {
        let mut rules = "rules:\n-".to_owned();
        let mut indent = " ";
        for (key, value) in good {
            let line = match (key == part, replacement) {
                (true, "") => continue,
                (true, "id") => "id:".to_owned(),
                (true, replacement) => replacement.to_owned(),
                (false, _) => format!("{key}: {value}"),
            };
            rules.push_str(&format!("{indent}{line}\n"));
            indent = "  ";
        }
        let found = short(&problems_of(&rules));
        if found != expected {
            wrong.push_str(&format!("{part} {replacement}\n  found    {found}\n  expected {expected}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn each_mistake_in_a_header_has_its_sentence() {
    let good = [
        ("pack", "pack: p"),
        ("version", "version: 1.0.0"),
        ("format", "format: 1"),
        ("title", "title: P"),
        ("requires", "requires: { facts: \"1\" }"),
        ("params", "params: {}"),
    ];
    let cases = [
        (
            "pack",
            "pack: Spoofing_x",
            "the name of a pack has lower-case letters, digits and single hyphens / for example `transport-dns`",
        ),
        (
            "version",
            "version: 1.0",
            "`1.0` is not a version: unexpected end of input while parsing minor version number / write three numbers, such as `1.0.0`",
        ),
        (
            "format",
            "format: 2",
            "the pack has a format that is not supported: it is the number `2` / this version reads `format: 1`",
        ),
        ("format", "", "a pack needs `format` / add `format: 1`"),
        (
            "requires",
            "requires: { facts: \"2\" }",
            "the pack needs version 2 of the facts / this version has version 1",
        ),
        ("requires", "", "a pack needs `requires` / add `requires: { facts: \"1\" }`"),
        (
            "title",
            "titel: P",
            "a pack needs `title` / say in one line what the pack is about\nunknown key `titel` in a pack / did you mean `title`?",
        ),
        (
            "params",
            "params: { a: { type: int, default: 1, title: A } }",
            "`int` is not a type of parameters (integer, duration, boolean, text, word)",
        ),
        (
            "params",
            "params: { a: { type: integer, default: 1, min: 2, title: A } }",
            "the parameter `a` is 1, less than its minimum 2",
        ),
        (
            "params",
            "params: { a: { type: duration, default: 1d, max: 2h, title: A } }",
            "the parameter `a` is 1d, more than its maximum 2h",
        ),
        (
            "params",
            "params: { a: { type: integer, default: 3, min: 5, max: 2, title: A } }",
            "the parameter `a` is 3, less than its minimum 5\n`min` is more than `max`",
        ),
        (
            "params",
            "params: { a: { type: boolean, default: yes, title: A } }",
            "the parameter `a` must be `true` or `false`, but is `yes`",
        ),
        (
            "params",
            "params: { a: { type: word, values: [x, y], default: z, title: A } }",
            "`z` is not a value of the parameter `a` (x, y) / did you mean `x`?",
        ),
        (
            "params",
            "params: { a: { type: text, default: x, max: 3, title: A } }",
            "`max` has no meaning for the type text",
        ),
        (
            "params",
            "removed: [\"x y\"]",
            "`x y` is not an id / an id has letters, digits and hyphens, at most 80, such as `dmarc-not-enforced`",
        ),
    ];
    let mut wrong = String::new();
    for (part, replacement, expected) in cases {
        let lines: Vec<&str> = good.iter().map(|(key, line)| if *key == part { replacement } else { *line }).collect();
        let found = short(&load(&vec![("pack.yaml".into(), lines.join("\n").into_bytes())]).err().unwrap_or_default());
        if found != expected {
            wrong.push_str(&format!("{part} {replacement}\n  found    {found}\n  expected {expected}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_pack_has_one_header_and_ids_are_used_once() {
    let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    assert_eq!(
        short(&load(&vec![file("a.yaml", "rules: []")]).unwrap_err()),
        "no file of the pack has the key `pack` / add `pack.yaml` with pack, version, format, title and requires"
    );
    assert_eq!(
        short(&load(&vec![]).unwrap_err()),
        "no file of the pack has the key `pack` / add `pack.yaml` with pack, version, format, title and requires"
    );
    let mut sources = sample_sources();
    sources.push(file("packs/sample/other.yaml", "pack: other\n"));
    sources.push(file("packs/sample/third.yaml", "rles: []\n"));
    assert_eq!(
        short(&load(&sources).unwrap_err()),
        "the pack has a second header / only pack.yaml has the key `pack`; other files have `rules`\nunknown key `rles` in a file of rules / did you mean `rules`?"
    );
    let mut sources = sample_sources();
    let again = sources[0].1.clone();
    sources.push(("packs/sample/zzz.yaml".to_owned(), again));
    assert!(
        short(&load(&sources).unwrap_err()).starts_with(
            "the rule id `dmarc-not-enforced` is used twice / it is also at packs/sample/dmarc.yaml:2:9\n"
        )
    );
}

#[test]
fn the_reference_pack_loads() {
    let Some(data) = support::shared_data() else {
        println!("skipped: real inputs not present");
        return;
    };
    let Ok(text) = std::fs::read_to_string(data.join("../reference/example-pack/mail-baseline.pack.yaml")) else {
        println!("skipped: real inputs not present");
        return;
    };
    let text = text.replace("applies_to: site", "applies_to: organisation");
    let document = load(&vec![("mail-baseline.pack.yaml".into(), text.into_bytes())]).unwrap_or_else(|e| panic!("{e}"));
    let pack = resolve(&document, &ParamValues::new()).unwrap();
    assert_eq!(pack.rules.len(), 9);
    assert_eq!(pack.rules[0].maps["cis-v8"], ["9.5"]);
    assert_eq!(document.params["cert_days"].default, ParamValue::Integer(21));
    assert_eq!(document.license.as_deref(), Some("CC-BY-4.0"));
}

fn profile_of(text: &str) -> Result<mailvet::policy::ProfileDocument, String> {
    let mut files = Files::default();
    load_profile(&mut files, "profile.yaml", text.as_bytes()).map_err(|problems| rendered(&files, &problems))
}

/// The policy that a profile makes of the sample pack, or the messages.
fn policy_of(text: &str, options: &Selection) -> Result<Policy, String> {
    let mut files = Files::default();
    let packs = vec![parse_pack(&mut files, &sample_sources()).unwrap()];
    let profile = load_profile(&mut files, "profile.yaml", text.as_bytes());
    let policy = profile.and_then(|profile| build_policy(&packs, &profile, options));
    policy.map_err(|problems| rendered(&files, &problems))
}

const PROFILE: &str = "\
profile: acme
use: [ { pack: sample, version: \"^1.2\" } ]
select:
  severity_at_least: low
  exclude:
    - { rule: sample/certificate-expires, reason: Certificates are watched elsewhere. }
params:
  sample: { min_rsa_bits: 3072 }
override:
  sample/dkim-key-weak: { severity: critical, reason: We sign contracts. }
";

#[test]
fn a_profile_selects_rules_and_says_why_others_are_left_out() {
    let policy = policy_of(PROFILE, &Selection::default()).unwrap_or_else(|problems| panic!("{problems}"));
    let ids: Vec<&str> = policy.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["sample/dkim-key-weak", "sample/dmarc-not-enforced", "sample/mx-differ-from-inventory"]);
    assert_eq!(policy.rules[0].severity, Severity::Critical);
    assert_eq!(policy.rules[0].rerated, Some((Severity::Medium, "We sign contracts.".to_owned())));
    let bits = policy.rules[0].leaves.iter().find(|leaf| leaf.path.text == "bits").unwrap();
    assert_eq!(bits.operator, Operator::AtLeast(Right::Literal(Literal::Int(3072))));
    let left_out: Vec<String> =
        policy.not_selected.iter().map(|rule| format!("{}: {}", rule.rule, rule.reason)).collect();
    assert_eq!(
        left_out,
        [
            "sample/certificate-expires: excluded by the profile `acme`: Certificates are watched elsewhere.",
            "sample/keys-not-rotated: its severity info is below low, the least of the profile `acme`",
        ]
    );
    assert_eq!((policy.profile.as_str(), policy.packs.len(), policy.frameworks.len()), ("acme", 1, 1));
}

#[test]
fn the_command_line_narrows_the_selection_and_sets_parameters() {
    let options = |only: &[&str], skip: &[&str], params: &[(&str, &str)]| Selection {
        only: only.iter().map(|text| (*text).to_owned()).collect(),
        skip: skip.iter().map(|text| (*text).to_owned()).collect(),
        params: params.iter().map(|(name, value)| ("sample".into(), (*name).into(), (*value).into())).collect(),
    };
    let ids = |options: &Selection| -> Vec<String> {
        policy_of(PROFILE, options).unwrap().rules.into_iter().map(|rule| rule.id).collect()
    };
    assert_eq!(ids(&options(&["sample/dkim-key-weak"], &[], &[])), ["sample/dkim-key-weak"]);
    assert_eq!(ids(&options(&["sample"], &["sample/dkim-key-weak"], &[])).len(), 2);
    assert_eq!(ids(&options(&["sample/*"], &[], &[])).len(), 3);
    let policy = policy_of(PROFILE, &options(&[], &["sample/dkim-key-weak"], &[])).unwrap();
    assert_eq!(policy.not_selected[1].reason, "left out by --skip sample/dkim-key-weak");
    let policy = policy_of(PROFILE, &options(&[], &[], &[("min_rsa_bits", "4096")])).unwrap();
    let bits = policy.rules[0].leaves.iter().find(|leaf| leaf.path.text == "bits").unwrap();
    assert_eq!(bits.operator, Operator::AtLeast(Right::Literal(Literal::Int(4096))));

    let cases = [
        (
            options(&["dkim-key-weak"], &[], &[]),
            "--only: no rule in use is called `dkim-key-weak` / did you mean `sample/dkim-key-weak`?",
        ),
        (options(&["smple/*"], &[], &[]), "--only: no rule in use is called `smple` / did you mean `sample`?"),
        (
            options(&[], &["sample/spf-missing"], &[]),
            "--skip: no rule in use is called `sample/spf-missing` / the pack has removed this rule",
        ),
        (options(&[], &["sample"], &[]), "no rule is selected by the profile `acme` and the command line"),
        (
            options(&[], &[], &[("min_rsa_bits", "512")]),
            "the parameter `min_rsa_bits` is 512, less than its minimum 1024",
        ),
        (
            options(&[], &[], &[("min_rsa_bits", "many")]),
            "the parameter `min_rsa_bits` must be a whole number, but is `many`",
        ),
        (
            options(&[], &[], &[("min_bits", "4096")]),
            "the pack `sample` has no parameter `min_bits` / did you mean `min_rsa_bits`?",
        ),
    ];
    for (options, expected) in cases {
        assert_eq!(short(&policy_of(PROFILE, &options).unwrap_err()), expected);
    }
}

#[test]
fn each_mistake_in_a_profile_has_its_sentence() {
    let sha256 = digest(&sample_sources());
    let cases = [
        ("pack: sample", "pack: smaple", "no pack is called `smaple` / did you mean `sample`?"),
        ("\"^1.2\"", "\"^2\"", "`sample` has version 1.2.0, which `^2` excludes"),
        (
            "\"^1.2\"",
            "latest",
            "`latest` is not a requirement of versions: unexpected character 'l' while parsing major version number / write `^1.2` for 1.2 and later but not 2, or `=1.2.3`",
        ),
        (
            "\"^1.2\"",
            "\"^1\", sha256: abc",
            "a SHA-256 digest has 64 hexadecimal digits / `mailvet pack list` shows the digest of each pack",
        ),
        (
            "\"^1.2\"",
            "\"^1\", sha256: 0000000000000000000000000000000000000000000000000000000000000000",
            &format!(
                "`sample` is not the pack that was pinned / it has the digest {sha256}; review its changes, then pin that"
            ),
        ),
        (
            "rule: sample/certificate-expires",
            "rule: sample/certificate-expired",
            "no rule in use is called `sample/certificate-expired` / did you mean `sample/certificate-expires`?",
        ),
        (
            ", reason: Certificates are watched elsewhere.",
            "",
            "an exclusion needs `reason` / say why the rule does not matter here; reports show it",
        ),
        (
            "min_rsa_bits: 3072",
            "min_rsa_bits: 9000",
            "the parameter `min_rsa_bits` is 9000, more than its maximum 8192",
        ),
        (
            "min_rsa_bits: 3072",
            "min_rsabits: 3072",
            "the pack `sample` has no parameter `min_rsabits` / did you mean `min_rsa_bits`?",
        ),
        ("sample: { min_rsa", "smple: { min_rsa", "no pack in use is called `smple` / did you mean `sample`?"),
        (
            ", reason: We sign contracts.",
            "",
            "an override needs `reason` / say why the rule weighs more or less here; reports show it",
        ),
        (
            "severity: critical",
            "check: {}, severity: critical",
            "unknown key `check` in an override / known keys: severity, reason",
        ),
        (
            "severity_at_least: low",
            "severity_at_least: lwo",
            "`lwo` is not a value of `severity_at_least` (critical, high, medium, low, info) / did you mean `low`?",
        ),
        (
            "profile: acme",
            "profil: acme",
            "unknown key `profil` in a profile / did you mean `profile`?\na profile needs `profile` / give the profile a name",
        ),
    ];
    for (from, to, expected) in cases {
        assert!(PROFILE.contains(from), "{from}");
        let found = policy_of(&PROFILE.replace(from, to), &Selection::default()).map(|_| ()).unwrap_err();
        let mut found: Vec<String> = short(&found).lines().map(str::to_owned).collect();
        // A pack that is missing also lacks its rules and parameters; the first message is the cause.
        if to == "pack: smaple" {
            found.truncate(1);
        }
        assert_eq!(found.join("\n"), expected, "{to}");
    }
    let pinned = PROFILE.replace("\"^1.2\"", &format!("\"^1\", sha256: {}", sha256.to_uppercase()));
    assert!(policy_of(&pinned, &Selection::default()).is_ok());
    assert!(profile_of("profile: p\nuse: []\n").is_ok());
}

#[test]
fn authors_are_warned_about_what_makes_a_rule_hard_to_use() {
    let mut files = Files::default();
    let header = "pack: p\nversion: 1.0.0\nformat: 1\ntitle: P\nrequires: { facts: \"1\" }\nframeworks: { f: F }\n\
                  params: { bits: { type: integer, default: 5, title: Bits } }\n";
    let rules = "rules:\n- id: SPF-01\n  title: SPF is bad.\n  severity: low\n  applies_to: domain\n  why: W\n  fix: F\n  \
                 check: { fact: spf.all, not_in: [pass] }\n  tests: [ { name: n, facts: { spf.all: pass }, expect: fail } ]\n";
    let sources = vec![("pack.yaml".to_owned(), header.into()), ("r.yaml".to_owned(), rules.into())];
    let pack = parse_pack(&mut files, &sources).unwrap();
    let messages: Vec<String> = lint(&pack).into_iter().map(|problem| problem.message).collect();
    assert_eq!(
        messages,
        [
            "the pack has no description",
            "the pack names no licence",
            "no rule uses the parameter `bits`",
            "the rule id `SPF-01` is not in kebab case",
            "the rule has no reference",
            "the rule is mapped to no control",
            "no test of the rule expects `pass`",
            "no test of the rule expects `unknown` or `not-applicable`",
            "the title ends with a full stop",
            "`why` is too short to convince",
            "`fix` is too short to follow",
            "`not_in` fails when `spf.all` is absent",
            "the test does not say which facts are to blame",
        ]
    );
}

#[test]
fn a_rule_page_says_what_is_checked_in_words() {
    let page = rule_page(&rule(&sample(), &ParamValues::new(), "sample/dkim-key-weak"));
    let condition = page.split("## Condition\n\n").nth(1).unwrap().split("\n## ").next().unwrap();
    assert_eq!(
        condition,
        "The rule applies when\n\n- `mail.sends` (domain sends mail) is `true`\n\nand then it requires\n\n\
         - every one of `dkim.keys` (DKIM keys)\n  - looking only at those that fulfil\n    \
         - `dkim.keys[].key_type` (DKIM key type) is `rsa`\n  - must fulfil\n    - at least one of:\n      \
         - `dkim.keys[].bits` (DKIM key size) is at least `2048`\n      - `dkim.keys[].revoked` (DKIM key is revoked) is `true`\n  \
         - if there is none: not applicable\n"
    );
    let page = rule_page(&rule(&sample(), &ParamValues::new(), "sample/dmarc-not-enforced"));
    assert_eq!(
        page,
        "# DMARC does not reject forged mail\n\n| | |\n|---|---|\n| Rule | `sample/dmarc-not-enforced` |\n| Severity | high |\n\
         | Applies to | domain |\n| Pack | sample 1.2.0 |\n\n## Why\n\nReceivers deliver mail that forges this domain.\n\n\
         ## Fix\n\nPublish a DMARC record with `p=reject`.\n\nRecord to publish, with the name of the domain in place of `{domain}`:\n\n```text\n_dmarc.{domain} TXT v=DMARC1; p=reject\n```\n\n\
         ## Condition\n\nThe rule requires\n\n- `dmarc.policy` (DMARC policy) is at least `reject`\n\n## Parameters\n\n\
         The condition is shown with these values; a profile or `--param` may set others.\n\n\
         | Parameter | Value | Meaning |\n|---|---|---|\n| `sample.policy` | `reject` | Weakest DMARC policy |\n\n## References\n\n\
         - [RFC 9989 section 4.7](<https://www.rfc-editor.org/rfc/rfc9989#section-4.7>)\n\n## Controls\n\n- `nist-800-53r5`: SI-8\n\n\
         ## Tests\n\n| Case | Facts | Verdict |\n|---|---|---|\n| reject | `dmarc.policy: reject` | pass |\n\
         | monitoring | `dmarc.policy: none` | fail |\n| quarantine is enough | `dmarc.policy: quarantine`<br>parameter `policy: quarantine` | pass |\n\
         | DNS broken | `dmarc: unknown (dns-servfail)` | unknown |\n"
    );
}

#[test]
fn hostile_text_does_not_leave_its_place_in_a_page() {
    let mut document = sample();
    document.rules[0].why.value =
        "<script>a</script> [x](javascript:y) `a|b` ` \u{1b}[31m\n# head https://evil.example".to_owned();
    document.title.value = "a | b".to_owned();
    let pack = resolve(&document, &ParamValues::new()).unwrap();
    let page = rule_page(&pack.rules[0]);
    let why = page.split("## Why\n\n").nth(1).unwrap().split("\n\n").next().unwrap();
    assert_eq!(
        why,
        "&lt;script&gt;a&lt;/script&gt; \\[x\\](javascript:y) `a\\|b` \\` \\\\x1b\\[31m \\# head https&#58;//evil.example"
    );
    let index = pack_index(&pack);
    assert!(
        index.starts_with(
            "# a \\| b\n\nRules that exercise every part of the language.\n\nPack `sample`, version 1.2.0"
        )
    );
    assert!(index.contains(
        "| [`dmarc-not-enforced`](dmarc-not-enforced.md) | high | domain | DMARC does not reject forged mail |\n"
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = load(&vec![("pack.yaml".into(), bytes)]);
    }

    #[test]
    fn no_mutated_pack_panics(cut in 0usize..4000, length in 0usize..40, insert in "[a-z:{}\\[\\]\", \\n~&*|>-]{0,12}") {
        let mut sources = sample_sources();
        for source in &mut sources {
            let end = source.1.len();
            let (from, to) = (cut.min(end), (cut + length).min(end));
            source.1.splice(from..to, insert.bytes());
        }
        let _ = load(&sources);
    }

    #[test]
    fn no_mutated_profile_panics(cut in 0usize..400, length in 0usize..20, insert in "[a-z0-9:{}\\[\\]\", \\n-]{0,8}") {
        let mut text = PROFILE.as_bytes().to_vec();
        let (from, to) = (cut.min(text.len()), (cut + length).min(text.len()));
        text.splice(from..to, insert.bytes());
        let _ = policy_of(&String::from_utf8_lossy(&text), &Selection::default());
    }

    #[test]
    fn no_condition_panics(check in "(all: |any: |not: |every: |none: |fact: |must: |match: |if_none: |equals: |between: |count: |param: |dns\\.mx|it\\.host|\\[|\\]|\\{|\\}|, |pass|14d|reject|\"x\"){0,24}") {
        let _ = problems_of_check(&check);
    }
}
