//! Tests of the record text, by the rows of the protocol cases.

use proptest::prelude::*;

use super::*;

fn none() -> Applied {
    Applied::TreatedAsNone
}

fn stated(policy: Policy) -> Applied {
    Applied::Stated(policy)
}

/// The three policies: of the domain, of subdomains, of subdomains that do not exist.
fn policies(text: &str) -> [Applied; 3] {
    let record = parse(text);
    [record.policy(), record.subdomain_policy(), record.nonexistent_policy()]
}

/// What the errors point at, with their reasons.
fn errors(text: &str) -> Vec<(&str, String)> {
    parse(text).errors.into_iter().map(|problem| (&text[problem.range], problem.reason)).collect()
}

fn notes(text: &str) -> Vec<&str> {
    parse(text).notes.into_iter().map(|problem| &text[problem.range]).collect()
}

#[test]
fn case_38_version_must_come_first_and_in_upper_case() {
    let cases = [
        ("p=reject; v=DMARC1", "not the first tag"),
        ("v=dmarc1; p=reject", "upper case"),
        ("v=DMARC1 p=reject", "followed by `;`"),
        ("v=DMARC1, p=reject", "followed by `;`"),
        ("v=DMARC2; p=reject", "not `DMARC1`"),
        ("v=DMARC; p=reject", "not `DMARC1`"),
        ("v=DMARC12; p=reject", "not `DMARC1`"),
        ("DMARC1; p=reject", "lacks `v=`"),
        ("vDMARC1; p=reject", "lacks the `=`"),
        ("v:DMARC1; p=reject", "`:`"),
        (" v=DMARC1; p=reject", "precedes"),
        ("\u{feff}v=DMARC1; p=reject", "precedes"),
        ("\"v=DMARC1; p=reject\"", "precedes"),
        ("p=reject; rua=mailto:a@x.example", "lacks `v=DMARC1`"),
    ];
    for (text, reason) in cases {
        assert!(!is_dmarc(text), "{text}");
        let found = near_miss(text).unwrap_or_else(|| panic!("{text} is a near miss"));
        assert!(found.contains(reason), "{text}: {found}");
    }
    for text in [
        "",
        "v=spf1 -all",
        "v=BIMI1; l=",
        "k=rsa; p=MIGf",
        "google-site-verification=abc",
        "v=",
        ";",
        "v=TLSRPTv1; rua=mailto:a@x",
    ] {
        assert!(!is_dmarc(text), "{text}");
        assert_eq!(near_miss(text), None, "{text}");
    }
}

#[test]
fn case_39_white_space_around_signs() {
    let text = "v = DMARC1 ; p = reject";
    assert!(is_dmarc(text));
    assert!(is_dmarc("v\t=\tDMARC1\t;p=reject"));
    assert_eq!(policies(text)[0], stated(Policy::Reject));
    assert!(errors(text).is_empty());
}

#[test]
fn case_40_names_and_words_ignore_case() {
    assert!(is_dmarc("V=DMARC1; P=REJECT"));
    assert_eq!(
        policies("V=DMARC1; P=REJECT; Sp=Quarantine")[..2],
        [stated(Policy::Reject), stated(Policy::Quarantine)]
    );
}

#[test]
fn case_41_final_semicolon_may_be_missing() {
    for text in ["v=DMARC1;p=reject", "v=DMARC1;p=reject;", "v=DMARC1; p=reject ; "] {
        assert!(is_dmarc(text) && errors(text).is_empty(), "{text}");
        assert_eq!(policies(text)[0], stated(Policy::Reject), "{text}");
    }
    assert!(is_dmarc("v=DMARC1"));
}

#[test]
fn case_42_sp_is_not_p() {
    assert_eq!(policies("v=DMARC1; p=reject; sp=none")[..2], [stated(Policy::Reject), stated(Policy::None)]);
    assert_eq!(policies("v=DMARC1; sp=none; rua=mailto:a@x.example")[0], none());
}

#[test]
fn case_43_order_is_free_but_noted_for_old_receivers() {
    let record = parse("v=DMARC1; sp=none; p=reject");
    assert_eq!(record.policy(), stated(Policy::Reject));
    assert!(!record.p_is_second && record.errors.is_empty());
    assert_eq!(notes("v=DMARC1; sp=none; p=reject"), ["p=reject"]);
    assert!(parse("v=DMARC1; p=reject; sp=none").p_is_second);
}

// Rows 44, 45, 54 to 61 and 64 are about the walk and stand in its tests; 62 and 63 in those of the report addresses.

#[test]
fn case_46_p_missing_with_rua_is_none() {
    let text = "v=DMARC1; rua=mailto:a@x.example";
    assert_eq!(policies(text), [none(); 3]);
    assert!(errors(text).is_empty());
    // RFC 9989 section 4.10.1 asks for a valid URI, not for one that must be supported.
    assert_eq!(policies("v=DMARC1; rua=https://x.example/")[0], none());
}

#[test]
fn case_47_p_missing_or_invalid_without_rua_is_no_processing() {
    for text in ["v=DMARC1", "v=DMARC1; sp=reject", "v=DMARC1; rua=a@x.example", "v=DMARC1; p=", "v=DMARC1; p=refuse"] {
        assert_eq!(policies(text), [Applied::NoProcessing; 3], "{text}");
        assert!(!errors(text).is_empty(), "{text}");
    }
    let reason = &errors("v=DMARC1")[0].1;
    assert!(reason.contains("4.10.1") && reason.contains("4.7"), "both readings are named: {reason}");
    assert_eq!(policies("v=DMARC1; p=refuse; rua=mailto:a@x.example")[0], none());
    assert_eq!(errors("v=DMARC1; p=refuse; rua=mailto:a@x.example")[0].0, "refuse");
}

#[test]
fn case_48_invalid_sp_or_np_with_rua_is_none() {
    for tag in ["sp=bad", "np=bad", "sp=", "np=rejects"] {
        let with = format!("v=DMARC1; p=reject; {tag}; rua=mailto:a@x.example");
        assert_eq!(policies(&with), [none(); 3], "{with}");
        assert_eq!(errors(&with).len(), 1, "{with}");
        let without = format!("v=DMARC1; p=reject; {tag}");
        assert_eq!(policies(&without), [Applied::NoProcessing; 3], "{without}");
    }
}

#[test]
fn case_49_np_falls_back_to_sp_then_p() {
    use Policy::{None, Quarantine, Reject};
    for (text, expected) in [
        ("v=DMARC1; p=quarantine", [Quarantine, Quarantine, Quarantine]),
        ("v=DMARC1; p=reject; sp=none", [Reject, None, None]),
        ("v=DMARC1; p=none; np=reject", [None, None, Reject]),
        ("v=DMARC1; p=reject; sp=quarantine; np=none", [Reject, Quarantine, None]),
    ] {
        assert_eq!(policies(text), expected.map(stated), "{text}");
    }
}

// Row 50 is about the existence of the author domain, which the caller knows; the walk's test covers its side.

#[test]
fn case_51_test_mode_lowers_by_one() {
    use Policy::{None, Quarantine, Reject};
    let testing = parse("v=DMARC1; p=reject; t=y");
    assert_eq!([Reject, Quarantine, None].map(|policy| testing.lower(policy)), [Quarantine, None, None]);
    for text in ["v=DMARC1; p=reject", "v=DMARC1; p=reject; t=n", "v=DMARC1; p=reject; t=x"] {
        assert_eq!(parse(text).lower(Reject), Reject, "{text}");
    }
    assert_eq!(errors("v=DMARC1; p=reject; t=x")[0].0, "x");
}

#[test]
fn case_52_obsolete_tags_are_noted_and_never_errors() {
    let text = "v=DMARC1; p=reject; pct=0; rf=afrf; ri=86400";
    let record = parse(text);
    assert!(record.errors.is_empty());
    assert_eq!(record.policy(), stated(Policy::Reject));
    assert_eq!(record.pct.as_ref().and_then(Field::value), Some(0));
    assert_eq!(record.ri.as_ref().and_then(Field::value), Some(86_400));
    let names: Vec<_> = record.unknown.iter().map(|tag| (tag.name.as_str(), tag.obsolete)).collect();
    assert_eq!(names, [("pct", true), ("rf", true), ("ri", true)]);
    assert_eq!(notes(text), ["pct=0", "rf=afrf", "ri=86400"]);
    for value in ["", "101", "-1", "+5", "50%", "99999999999"] {
        let text = format!("v=DMARC1; p=reject; pct={value}");
        assert!(parse(&text).errors.is_empty() && !parse(&text).pct.unwrap().is_valid(), "{text}");
    }
}

#[test]
fn case_53_unknown_tags_are_ignored() {
    let record = parse("v=DMARC1; p=reject; Foo=bar; x=");
    assert!(record.errors.is_empty());
    assert_eq!(record.policy(), stated(Policy::Reject));
    let names: Vec<_> = record.unknown.iter().map(|tag| (tag.name.as_str(), tag.obsolete)).collect();
    assert_eq!(names, [("foo", false), ("x", false)]);
}

#[test]
fn case_65_sizes_are_noted_and_ignored() {
    let text = "v=DMARC1; p=none; rua=mailto:a@x.example!10m";
    assert!(errors(text).is_empty());
    assert_eq!(notes(text), ["!10m"]);
}

#[test]
fn case_66_unusable_rua_is_discarded_and_the_record_stands() {
    for (text, place) in [
        ("v=DMARC1; p=reject; rua=;", "rua="),
        ("v=DMARC1; p=reject; rua=a@x.example", "a@x.example"),
        ("v=DMARC1; p=reject; rua=mailto:a@x.example,b@x.example", "b@x.example"),
    ] {
        assert!(is_dmarc(text));
        assert_eq!(policies(text)[0], stated(Policy::Reject), "{text}");
        assert_eq!(errors(text).into_iter().map(|(place, _)| place).collect::<Vec<_>>(), [place], "{text}");
    }
}

#[test]
fn case_67_fo_needs_ruf_and_its_numbers_exclude_each_other() {
    assert_eq!(notes("v=DMARC1; p=none; fo=1"), ["fo=1"]);
    assert!(notes("v=DMARC1; p=none; fo=1; ruf=mailto:a@x.example").is_empty());
    for (value, valid) in [
        ("0", true),
        ("1", true),
        ("d:s", true),
        ("1:d:s", true),
        ("0:1", false),
        ("", false),
        ("01", false),
        ("x", false),
    ] {
        let text = format!("v=DMARC1; p=none; ruf=mailto:a@x.example; fo={value}");
        assert_eq!(parse(&text).fo.unwrap().is_valid(), valid, "{text}");
        assert_eq!(errors(&text).is_empty(), valid, "{text}");
    }
}

// Row 68 is about the text of a rule.

#[test]
fn case_69_a_record_split_in_two_strings_is_read_joined() {
    // RFC 9989 section 4.5: the strings are joined without anything between them before the text arrives here.
    let joined = ["v=DMARC1; p=rej", "ect; rua=mailto:a@x.example"].concat();
    assert!(is_dmarc(&joined));
    assert_eq!(policies(&joined)[0], stated(Policy::Reject));
}

#[test]
fn repeated_tags_are_discarded() {
    let text = "v=DMARC1; p=none; p=reject; rua=mailto:a@x.example";
    assert_eq!(policies(text)[0], none());
    assert_eq!(errors(text).into_iter().map(|(place, _)| place).collect::<Vec<_>>(), ["p=reject"]);
    assert_eq!(policies("v=DMARC1; rua=mailto:a@x.example; rua=mailto:b@x.example")[0], Applied::NoProcessing);
    assert_eq!(errors("v=DMARC1; v=DMARC1; p=none").len(), 1);
}

#[test]
fn parts_without_sign_and_odd_names_are_errors() {
    for (text, place) in
        [("v=DMARC1; p=none; reject", "reject"), ("v=DMARC1; p=none; =x", "=x"), ("v=DMARC1; p=none; r ua=x", "r ua=x")]
    {
        assert_eq!(errors(text).into_iter().map(|(place, _)| place).collect::<Vec<_>>(), [place], "{text}");
    }
}

#[test]
fn defaults_hold_where_nothing_valid_stands() {
    let record = parse("v=DMARC1; p=none; adkim=x; aspf=s");
    assert_eq!((record.dkim_alignment(), record.spf_alignment()), (Alignment::Relaxed, Alignment::Strict));
    assert_eq!(record.public_suffix(), PublicSuffix::Undeclared);
    assert_eq!(parse("v=DMARC1; psd=y").public_suffix(), PublicSuffix::Yes);
}

/// Every range of the record.
fn ranges(record: &Record) -> Vec<Range<usize>> {
    fn field<T>(field: &Option<Field<T>>, ranges: &mut Vec<Range<usize>>) {
        ranges.extend(field.iter().flat_map(|field| [field.range.clone(), field.value_range.clone()]));
    }
    let mut ranges = Vec::new();
    for policy in [&record.p, &record.sp, &record.np] {
        field(policy, &mut ranges);
    }
    field(&record.adkim, &mut ranges);
    field(&record.t, &mut ranges);
    field(&record.psd, &mut ranges);
    field(&record.fo, &mut ranges);
    field(&record.pct, &mut ranges);
    for list in [&record.rua, &record.ruf].into_iter().flatten() {
        ranges.extend([list.range.clone(), list.value_range.clone()]);
        ranges.extend(list.uris.iter().flat_map(|uri| [Some(uri.range.clone()), uri.size_suffix.clone()]).flatten());
    }
    ranges.extend(record.unknown.iter().map(|tag| tag.range.clone()));
    ranges.extend(record.errors.iter().chain(&record.notes).map(|problem| problem.range.clone()));
    ranges
}

/// Texts made of the pieces that records are made of.
fn pieces() -> impl Strategy<Value = String> {
    const PIECES: [&str; 32] = [
        "v",
        "V",
        "=",
        "=",
        ";",
        ";",
        ":",
        ",",
        "!",
        " ",
        "\t",
        "DMARC1",
        "dmarc1",
        "p",
        "sp",
        "np",
        "rua",
        "ruf",
        "fo",
        "t",
        "psd",
        "pct",
        "reject",
        "none",
        "y",
        "mailto:",
        "a@x.example",
        "!10m",
        "%2C",
        "%",
        "ü",
        "\u{feff}",
    ];
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..24).prop_map(|pieces| pieces.concat())
}

fn holds_for(text: &str) {
    let record = parse(text);
    for range in ranges(&record) {
        assert!(text.get(range.clone()).is_some(), "{range:?} of {text:?}");
    }
    assert!(!(is_dmarc(text) && near_miss(text).is_some()), "{text:?}");
    let lists = [&record.rua, &record.ruf].into_iter().flatten();
    for uri in lists.flat_map(|list| &list.uris) {
        assert_eq!(text[uri.range.clone()], uri.text);
    }
    assert_eq!(record.policy() == Applied::NoProcessing, record.nonexistent_policy() == Applied::NoProcessing);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_is_read(text in ".{0,80}") {
        holds_for(&text);
        holds_for(&format!("v=DMARC1;{text}"));
        holds_for(&format!("v=DMARC1; rua={text}"));
    }

    #[test]
    fn any_arrangement_of_pieces_is_read(text in pieces()) {
        holds_for(&text);
        holds_for(&format!("v=DMARC1;{text}"));
    }
}
