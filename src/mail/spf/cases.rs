//! The protocol cases of SPF that need DNS data: evaluation, and the walk without a message.

use super::fake::Fake;
use super::*;

type Records<'a> = &'a [(&'a str, &'a str, &'a str)];

fn evaluate(records: Records<'_>, ip: &str) -> Evaluation {
    let request = Request {
        ip: ip.parse().unwrap(),
        mail_from: "someone@example.org",
        helo: "mail.example.net",
        receiver: "receiver.example",
        time: 1_700_000_000,
    };
    check_host(&request, Limits::default(), &Fake::new(records))
}

fn result(records: Records<'_>, ip: &str) -> SpfResult {
    evaluate(records, ip).result
}

fn walk(records: Records<'_>) -> Reach {
    let dns = Fake::new(records);
    let own = records.iter().find(|record| record.0 == "example.org" && record.1 == "TXT").unwrap();
    reach("example.org", &parse(own.2), &dns)
}

fn exactly(at_least: u32) -> Count {
    Count { at_least, complete: true }
}

fn at_least(at_least: u32) -> Count {
    Count { at_least, complete: false }
}

const CLIENT: &str = "192.0.2.1";

#[test]
fn case_01_character_strings_are_joined_without_space() {
    let joined = [&b"v=spf1 ip4:192.0.2"[..], b".1 -all"].concat();
    let joined = String::from_utf8(joined).unwrap();
    assert_eq!(result(&[("example.org", "TXT", &joined)], CLIENT), SpfResult::Pass);
}

#[test]
fn case_03_two_records_are_a_permanent_error() {
    let evaluation = evaluate(&[("example.org", "TXT", "v=spf1 +all"), ("example.org", "TXT", "v=spf1 -all")], CLIENT);
    assert_eq!(evaluation.result, SpfResult::PermError);
    assert_eq!(evaluation.reason, Some(Reason::SeveralRecords("example.org".into(), 2)));
}

#[test]
fn case_04_other_versions_are_no_record() {
    for text in ["v=spf10 +all", "v=spf1; +all"] {
        assert_eq!(result(&[("example.org", "TXT", text)], CLIENT), SpfResult::None);
    }
}

#[test]
fn case_05_displaced_version_is_none() {
    assert_eq!(result(&[("example.org", "TXT", " v=spf1 +all")], CLIENT), SpfResult::None);
}

#[test]
fn case_07_records_of_type_99_are_not_used() {
    assert_eq!(result(&[("example.org", "SPF", "v=spf1 +all")], CLIENT), SpfResult::None);
}

#[test]
fn case_08_error_after_a_match_is_still_an_error() {
    let records = [("example.org", "TXT", "v=spf1 ip4:192.0.2.1 -all moo")];
    assert_eq!(result(&records, CLIENT), SpfResult::PermError);
}

#[test]
fn case_09_terms_that_count() {
    let records = [
        (
            "example.org",
            "TXT",
            "v=spf1 a mx ptr exists:x.example include:i.example ip4:192.0.2.9 ip6:::1 exp=e.example redirect=r.example",
        ),
        ("example.org", "A", "198.51.100.1"),
        ("example.org", "MX", "example.org"),
        ("x.example", "TXT", "nothing"),
        ("i.example", "TXT", "v=spf1 ip4:198.51.100.2 -all"),
        ("r.example", "TXT", "v=spf1 -all"),
    ];
    let reach = walk(&records);
    assert_eq!(reach.lookups_direct, 6);
    assert_eq!(reach.lookups, exactly(6));
    assert_eq!(evaluate(&records, CLIENT).lookups, 6);
}

#[test]
fn case_10_count_is_per_evaluation_and_the_walk_is_the_worst_case() {
    let records = [
        ("example.org", "TXT", "v=spf1 a ip4:192.0.2.1 a a a a a a a a a a a -all"),
        ("example.org", "A", "198.51.100.1"),
    ];
    let evaluation = evaluate(&records, CLIENT);
    assert_eq!((evaluation.result, evaluation.lookups), (SpfResult::Pass, 1));
    assert_eq!(result(&records, "192.0.2.2"), SpfResult::PermError);
    assert_eq!(walk(&records).lookups, exactly(12));
}

#[test]
fn case_11_each_occurrence_of_an_include_counts() {
    let records = [
        ("example.org", "TXT", "v=spf1 include:i.example include:I.example -all"),
        ("i.example", "TXT", "v=spf1 a a -all"),
        ("i.example", "A", "198.51.100.1"),
    ];
    let reach = walk(&records);
    assert_eq!((reach.lookups_direct, reach.lookups), (2, exactly(6)));
    assert_eq!(reach.reached.len(), 1, "listed once");
    assert_eq!(evaluate(&records, CLIENT).lookups, 6);
}

#[test]
fn case_12_the_initial_lookup_does_not_count() {
    let records = [("example.org", "TXT", "v=spf1 ip4:192.0.2.1 -all")];
    assert_eq!(evaluate(&records, CLIENT).lookups, 0);
    let nothing = evaluate(&[], CLIENT);
    assert_eq!((nothing.result, nothing.void_lookups), (SpfResult::None, 0));
}

#[test]
fn case_13_mx_with_more_than_ten_hosts_is_a_permanent_error() {
    let hosts: Vec<String> = (0..11).map(|number| format!("mx{number}.example")).collect();
    for count in [10, 11] {
        let mut records = vec![("example.org", "TXT", "v=spf1 mx -all"), ("mx0.example", "A", CLIENT)];
        records.extend(hosts[..count].iter().map(|host| ("example.org", "MX", host.as_str())));
        let evaluation = evaluate(&records, CLIENT);
        let expected = if count == 10 { SpfResult::Pass } else { SpfResult::PermError };
        assert_eq!((evaluation.result, evaluation.lookups), (expected, 1));
    }
}

#[test]
fn case_14_reverse_names_beyond_ten_are_ignored() {
    let names: Vec<String> = (0..10).map(|number| format!("other{number}.example")).collect();
    let mut records = vec![("example.org", "TXT", "v=spf1 ptr -all"), ("mail.example.org", "A", CLIENT)];
    records.extend(names.iter().map(|name| ("1.2.0.192.in-addr.arpa", "PTR", name.as_str())));
    records.push(("1.2.0.192.in-addr.arpa", "PTR", "mail.example.org"));
    assert_eq!(result(&records, CLIENT), SpfResult::Fail);
    records.retain(|record| record.2 != "other3.example");
    assert_eq!(result(&records, CLIENT), SpfResult::Pass);
    assert_eq!(walk(&records).ptr, Some(7..10));
}

#[test]
fn case_15_three_void_lookups_are_a_permanent_error_and_failures_are_not_void() {
    let three = [("example.org", "TXT", "v=spf1 a:a.example mx:b.example exists:c.example -all")];
    assert_eq!(result(&three, CLIENT), SpfResult::PermError);
    assert_eq!(evaluate(&three, CLIENT).reason, Some(Reason::VoidLimit(2)));
    assert_eq!(walk(&three).void_lookups, exactly(3));
    let request =
        Request { ip: CLIENT.parse().unwrap(), mail_from: "a@example.org", helo: "h.example", receiver: "", time: 0 };
    let generous = check_host(&request, Limits { void_lookups: 3 }, &Fake::new(&three));
    assert_eq!(generous.result, SpfResult::Fail);
    let timeout = [("example.org", "TXT", "v=spf1 a:a.example -all"), ("a.example", "TIMEOUT", "")];
    let evaluation = evaluate(&timeout, CLIENT);
    assert_eq!((evaluation.result, evaluation.void_lookups), (SpfResult::TempError, 0));
    let reach = walk(&timeout);
    assert_eq!((reach.void_lookups, reach.lookups), (at_least(0), exactly(1)));
    assert!(matches!(reach.gaps[0].reason, GapReason::TempError(_)));
}

#[test]
fn case_16_a_name_with_addresses_of_one_family_is_one_lookup_and_not_void() {
    let records = [("example.org", "TXT", "v=spf1 a -all"), ("example.org", "AAAA", "2001:db8::1")];
    let evaluation = evaluate(&records, CLIENT);
    assert_eq!((evaluation.result, evaluation.lookups, evaluation.void_lookups), (SpfResult::Fail, 1, 0));
    assert_eq!(walk(&records).void_lookups, exactly(0));
    assert_eq!(result(&records, "2001:db8::1"), SpfResult::Pass);
}

#[test]
fn case_17_include_without_record_is_a_permanent_error() {
    let records = [("example.org", "TXT", "v=spf1 include:i.example -all"), ("i.example", "TXT", "other")];
    let evaluation = evaluate(&records, CLIENT);
    assert_eq!(evaluation.result, SpfResult::PermError);
    assert_eq!(evaluation.reason, Some(Reason::IncludeWithoutRecord("i.example".into())));
    assert!(matches!(walk(&records).reached[0].state, ReachedState::Invalid(Reason::IncludeWithoutRecord(_))));
}

#[test]
fn case_18_include_that_cannot_be_looked_up_is_temporary_or_unknown() {
    let timeout = [("example.org", "TXT", "v=spf1 include:i.example -all"), ("i.example", "TIMEOUT", "")];
    assert_eq!(result(&timeout, CLIENT), SpfResult::TempError);
    let outside = [("example.org", "TXT", "v=spf1 include:i.example -all"), ("i.example", "OUTSIDE", "")];
    let evaluation = evaluate(&outside, CLIENT);
    assert_eq!(evaluation.result, SpfResult::Unknown);
    let Some(Reason::NotSeen { name, obstacle }) = evaluation.reason else { panic!("a reason is given") };
    assert_eq!((name.as_str(), obstacle.cause), ("i.example", "not-collected"));
    let reach = walk(&outside);
    assert_eq!((reach.lookups, reach.void_lookups), (at_least(1), at_least(0)));
    assert!(reach.gaps[0].hides_record);
    assert_eq!(reach.can_pass, Certainty::Unknown);
    assert_eq!(reach.none_authorised, Certainty::Unknown);
}

#[test]
fn case_19_fail_of_the_included_record_is_no_match() {
    let records = [("example.org", "TXT", "v=spf1 include:i.example ~all"), ("i.example", "TXT", "v=spf1 -all")];
    assert_eq!(result(&records, CLIENT), SpfResult::Softfail);
    let records = [("example.org", "TXT", "v=spf1 -include:i.example ~all"), ("i.example", "TXT", "v=spf1 all")];
    assert_eq!(result(&records, CLIENT), SpfResult::Fail);
}

#[test]
fn case_20_redirect_beside_all_is_ignored() {
    let records = [("example.org", "TXT", "v=spf1 redirect=r.example ?all"), ("r.example", "TXT", "v=spf1 -all")];
    assert_eq!(result(&records, CLIENT), SpfResult::Neutral);
    let reach = walk(&records);
    assert_eq!((reach.redirect_ignored, reach.redirect, reach.lookups), (Some(7..25), None, exactly(0)));
    assert_eq!(reach.reached, []);
}

#[test]
fn case_21_redirect_without_record_is_a_permanent_error() {
    let records = [("example.org", "TXT", "v=spf1 redirect=r.example")];
    let evaluation = evaluate(&records, CLIENT);
    assert_eq!(evaluation.result, SpfResult::PermError);
    assert_eq!(evaluation.reason, Some(Reason::RedirectWithoutRecord("r.example".into())));
    let reach = walk(&records);
    assert_eq!(reach.all, AllInEffect::Broken(Reason::RedirectWithoutRecord("r.example".into())));
    assert_eq!(reach.void_lookups, exactly(1));
}

#[test]
fn case_22_redirect_makes_the_policy_that_of_its_target() {
    let records = [
        ("example.org", "TXT", "v=spf1 redirect=r.example"),
        ("r.example", "TXT", "v=spf1 redirect=s.example"),
        ("s.example", "TXT", "v=spf1 ip4:192.0.2.0/24 ~all"),
    ];
    assert_eq!(result(&records, CLIENT), SpfResult::Pass);
    assert_eq!(result(&records, "198.51.100.1"), SpfResult::Softfail);
    let reach = walk(&records);
    assert_eq!(reach.redirect.as_deref(), Some("r.example"));
    let place = Place { domain: "s.example".into(), range: 24..28 };
    assert_eq!(reach.all, AllInEffect::Stated { qualifier: Qualifier::Softfail, place, redirected: true });
    assert_eq!(reach.widest_ip4.as_ref().map(|network| network.prefix), Some(24));
    assert_eq!(reach.reached.iter().map(|reached| reached.depth).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn case_26_without_all_and_redirect_the_result_is_neutral() {
    let records = [("example.org", "TXT", "v=spf1 ip4:198.51.100.1")];
    assert_eq!(result(&records, CLIENT), SpfResult::Neutral);
    assert_eq!(walk(&records).all, AllInEffect::NotStated { domain: "example.org".into() });
}

#[test]
fn case_27_terms_after_all_have_no_effect() {
    let records = [("example.org", "TXT", "v=spf1 -all include:i.example a ip4:192.0.2.1")];
    assert_eq!(result(&records, CLIENT), SpfResult::Fail);
    let reach = walk(&records);
    assert_eq!(reach.terms_after_all, Some(12..45));
    assert_eq!((reach.lookups, reach.none_authorised), (exactly(0), Certainty::Yes));
    assert_eq!(reach.widest_ip4, None);
}

#[test]
fn case_28_prefix_lengths_apply_to_the_family() {
    let records = [
        ("example.org", "TXT", "v=spf1 a:h.example/24//64 -all"),
        ("h.example", "A", "192.0.2.200"),
        ("h.example", "AAAA", "2001:db8::1"),
    ];
    for (ip, expected) in [
        (CLIENT, SpfResult::Pass),
        ("192.0.3.1", SpfResult::Fail),
        ("2001:db8::ffff:1", SpfResult::Pass),
        ("2001:db8:0:1::1", SpfResult::Fail),
    ] {
        assert_eq!(result(&records, ip), expected, "{ip}");
    }
}

#[test]
fn case_29_mx_does_not_fall_back_to_the_address() {
    let records = [("example.org", "TXT", "v=spf1 mx ?all"), ("example.org", "A", CLIENT)];
    let evaluation = evaluate(&records, CLIENT);
    assert_eq!((evaluation.result, evaluation.void_lookups), (SpfResult::Neutral, 1));
    assert_eq!(walk(&records).void_lookups, exactly(1));
}

#[test]
fn case_30_null_mx_has_no_addresses() {
    for null in ["", "."] {
        let records = [("example.org", "TXT", "v=spf1 mx/0 -all"), ("example.org", "MX", null)];
        let evaluation = evaluate(&records, CLIENT);
        assert_eq!((evaluation.result, evaluation.void_lookups), (SpfResult::Fail, 0));
    }
}

#[test]
fn case_32_names_that_depend_on_the_message_are_gaps() {
    let records = [
        ("example.org", "TXT", "v=spf1 exists:%{i}.e.example include:%{l}.i.example include:_spf.%{d2} -all"),
        ("_spf.example.org", "TXT", "v=spf1 ip4:192.0.2.0/24"),
    ];
    let reach = walk(&records);
    assert_eq!(reach.macros, Some(14..18));
    assert_eq!((reach.lookups_direct, reach.lookups), (3, at_least(3)));
    assert_eq!(reach.gaps.len(), 1);
    assert_eq!((reach.gaps[0].name.as_str(), &reach.gaps[0].reason), ("%{l}.i.example", &GapReason::DependsOnMessage));
    assert_eq!(reach.reached[0].domain, "_spf.example.org");
}

#[test]
fn case_33_exists_looks_up_addresses_of_ipv4_only() {
    let records = [("example.org", "TXT", "v=spf1 exists:e.example -all"), ("e.example", "A", "127.0.0.2")];
    assert_eq!(result(&records, "2001:db8::1"), SpfResult::Pass);
    let records = [("example.org", "TXT", "v=spf1 exists:e.example -all"), ("e.example", "AAAA", "2001:db8::1")];
    let evaluation = evaluate(&records, "2001:db8::1");
    assert_eq!((evaluation.result, evaluation.void_lookups), (SpfResult::Fail, 1));
}

#[test]
fn case_34_names_that_cannot_be_queried_do_not_match() {
    let long = format!("v=spf1 a:{}.example a:x..example ~all", "a".repeat(64));
    let evaluation = evaluate(&[("example.org", "TXT", &long)], CLIENT);
    assert_eq!((evaluation.result, evaluation.void_lookups), (SpfResult::Softfail, 0));
    let include = [("example.org", "TXT", "v=spf1 include:x..example -all")];
    assert_eq!(result(&include, CLIENT), SpfResult::PermError);
    let redirect = [("example.org", "TXT", "v=spf1 redirect=x..example")];
    assert_eq!(result(&redirect, CLIENT), SpfResult::PermError);
}

#[test]
fn case_35_record_that_authorises_nobody() {
    let yes =
        ["v=spf1 -all", "v=spf1 ~all", "v=spf1 -ip4:192.0.2.1 ?include:p.example -all", "v=spf1 redirect=n.example"];
    let no = ["v=spf1 ip4:192.0.2.1 -all", "v=spf1", "v=spf1 ?all", "v=spf1 all", "v=spf1 include:p.example -all"];
    for (texts, expected) in [(&yes[..], Certainty::Yes), (&no[..], Certainty::No)] {
        for text in texts {
            let records = [
                ("example.org", "TXT", *text),
                ("p.example", "TXT", "v=spf1 ip4:192.0.2.1 -all"),
                ("n.example", "TXT", "v=spf1 -all"),
            ];
            assert_eq!(walk(&records).none_authorised, expected, "{text}");
        }
    }
}

#[test]
fn case_35_helo_names_are_checked_for_the_null_sender() {
    let records = [
        ("mail.example.net", "TXT", "v=spf1 a -all exp=e.example"),
        ("mail.example.net", "A", CLIENT),
        ("e.example", "TXT", "%{s} from %{c} at %{t} by %{r}"),
    ];
    let request =
        |ip: &str| Request { ip: ip.parse().unwrap(), mail_from: "", helo: "mail.example.net", receiver: "", time: 7 };
    assert_eq!(check_host(&request(CLIENT), Limits::default(), &Fake::new(&records)).result, SpfResult::Pass);
    let other = check_host(&request("::ffff:198.51.100.9"), Limits::default(), &Fake::new(&records));
    assert_eq!(other.result, SpfResult::Fail);
    assert_eq!(other.explanation.as_deref(), Some("postmaster@mail.example.net from 198.51.100.9 at 7 by unknown"));
}

#[test]
fn case_36_circles_end() {
    let include = [
        ("example.org", "TXT", "v=spf1 include:b.example -all"),
        ("b.example", "TXT", "v=spf1 include:example.org -all"),
    ];
    let evaluation = evaluate(&include, CLIENT);
    assert_eq!((evaluation.result, evaluation.reason), (SpfResult::PermError, Some(Reason::LookupLimit)));
    let reach = walk(&include);
    assert_eq!(reach.lookups, exactly(LOOKUP_CEILING));
    assert_eq!(reach.reached.len(), 1);
    let redirect = [("example.org", "TXT", "v=spf1 redirect=EXAMPLE.org")];
    assert_eq!(result(&redirect, CLIENT), SpfResult::PermError);
    let reach = walk(&redirect);
    assert_eq!((reach.lookups, reach.all), (exactly(LOOKUP_CEILING), AllInEffect::Broken(Reason::LookupLimit)));
}

#[test]
fn includes_that_double_at_each_level_are_counted_quickly() {
    let names: Vec<String> = (0..40).map(|level| format!("l{level}.example")).collect();
    let texts: Vec<String> =
        (0..40).map(|level| format!("v=spf1 include:l{0}.example include:l{0}.example -all", level + 1)).collect();
    let mut records: Vec<_> =
        names.iter().zip(&texts).map(|(name, text)| (name.as_str(), "TXT", text.as_str())).collect();
    records.push(("example.org", "TXT", "v=spf1 include:l0.example -all"));
    let dns = Fake::new(&records);
    let reach = reach("example.org", &parse("v=spf1 include:l0.example -all"), &dns);
    assert_eq!(reach.lookups, exactly(LOOKUP_CEILING));
    assert!(dns.questions.get() < 50, "each domain is asked for once");
}

#[test]
fn a_plain_record_asks_nothing() {
    let records = [("example.org", "TXT", "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -ip4:10.0.0.0/8 -all")];
    let dns = Fake::new(&records);
    let reach = reach("example.org", &parse(records[0].2), &dns);
    assert_eq!(dns.questions.get(), 0);
    assert_eq!(
        reach.widest_ip4,
        Some(Network { prefix: 24, place: Place { domain: "example.org".into(), range: 7..23 } })
    );
    assert_eq!(reach.widest_ip6.map(|network| network.prefix), Some(32));
    assert_eq!((reach.lookups, reach.void_lookups, reach.can_pass), (exactly(0), exactly(0), Certainty::Yes));
}

#[test]
fn widest_networks_count_only_where_pass_reaches_the_record() {
    let records = [
        ("example.org", "TXT", "v=spf1 ?include:n.example include:p.example ip4:192.0.2.0/28 -all"),
        ("n.example", "TXT", "v=spf1 ip4:10.0.0.0/8 -all"),
        ("p.example", "TXT", "v=spf1 ?ip4:10.0.0.0/9 ip4:198.51.100.0/22 ptr include:q.example -all"),
        ("q.example", "TXT", "v=spf1 ip4:203.0.113.0/20 ~all ip4:0.0.0.0/0"),
    ];
    let reach = walk(&records);
    assert_eq!(
        reach.widest_ip4,
        Some(Network { prefix: 20, place: Place { domain: "q.example".into(), range: 7..25 } })
    );
    assert_eq!(reach.ptr, None);
    assert_eq!(reach.ptr_reached.map(|place| place.domain), Some("p.example".to_owned()));
    assert_eq!(reach.lookups, exactly(4));
}

#[test]
fn broken_records_are_still_walked_and_broken_includes_named() {
    let records = [
        ("example.org", "TXT", "v=spf1 include:i.example ipv4:192.0.2.1 a -all"),
        ("example.org", "A", CLIENT),
        ("i.example", "TXT", "v=spf1 ip4:192.0.2.0/99 a a -all"),
    ];
    let reach = walk(&records);
    assert_eq!((reach.lookups_direct, reach.lookups), (2, exactly(2)));
    let ReachedState::Invalid(Reason::Syntax { error, .. }) = &reach.reached[0].state else { panic!("{reach:?}") };
    assert_eq!(error.problem, Problem::PrefixLength(32));
}

#[test]
fn unseen_names_do_not_hide_what_is_certain() {
    // One host of the MX is outside, the other one is the client.
    let records = [
        ("example.org", "TXT", "v=spf1 mx -all"),
        ("example.org", "MX", "outside.example"),
        ("example.org", "MX", "mail.example.org"),
        ("mail.example.org", "A", CLIENT),
        ("outside.example", "OUTSIDE", ""),
    ];
    assert_eq!(result(&records, CLIENT), SpfResult::Pass);
    assert_eq!(result(&records, "198.51.100.1"), SpfResult::Unknown);
    let reach = walk(&records);
    assert_eq!((reach.lookups, reach.void_lookups), (exactly(1), exactly(0)));
    // The redirect is outside: the `all` in effect is not known.
    let records = [("example.org", "TXT", "v=spf1 ip4:192.0.2.1 redirect=r.example"), ("r.example", "OUTSIDE", "")];
    assert_eq!(result(&records, CLIENT), SpfResult::Pass);
    assert_eq!(result(&records, "198.51.100.1"), SpfResult::Unknown);
    let AllInEffect::Unknown(gap) = walk(&records).all else { panic!("unknown") };
    assert_eq!((gap.name.as_str(), gap.place.range.clone()), ("r.example", 21..39));
    // An explanation outside does not change the result.
    let records = [("example.org", "TXT", "v=spf1 -all exp=e.example"), ("e.example", "OUTSIDE", "")];
    let evaluation = evaluate(&records, CLIENT);
    assert_eq!((evaluation.result, evaluation.explanation), (SpfResult::Fail, None));
}

#[test]
fn the_trace_shows_each_step() {
    let records = [
        ("example.org", "TXT", "v=spf1 ip4:198.51.100.1 include:i.example -all"),
        ("i.example", "TXT", "v=spf1 a:h.example -all"),
        ("h.example", "A", "198.51.100.2"),
    ];
    let trace = evaluate(&records, CLIENT).trace;
    let steps: Vec<_> = trace.steps.iter().map(|step| (step.term.as_str(), step.lookups, &step.outcome)).collect();
    let expected = [
        ("ip4:198.51.100.1", 0, &StepOutcome::NoMatch),
        ("include:i.example", 2, &StepOutcome::NoMatch),
        ("-all", 2, &StepOutcome::Match),
    ];
    assert_eq!(steps, expected);
    let inner = trace.steps[1].inner.as_ref().unwrap();
    assert_eq!((inner.domain.as_str(), inner.result), ("i.example", SpfResult::Fail));
    assert_eq!((inner.steps[0].range.clone(), inner.steps[0].target.as_deref()), (7..18, Some("h.example")));
    assert_eq!(trace.steps[1].range, 24..41);
}

#[test]
fn initial_domains_that_hold_no_record_are_none() {
    for sender in ["a@single", "a@", "a@[192.0.2.1]", "a@x..example", "a@\u{0}\u{ff}"] {
        let request =
            Request { ip: CLIENT.parse().unwrap(), mail_from: sender, helo: "h.example", receiver: "", time: 0 };
        let evaluation = check_host(&request, Limits::default(), &Fake::new(&[]));
        assert_eq!(evaluation.result, SpfResult::None, "{sender}");
    }
    let records = [("xn--mnchen-3ya.example", "TXT", "v=spf1 +all")];
    let request =
        Request { ip: CLIENT.parse().unwrap(), mail_from: "a@m\u{fc}nchen.example.", helo: "h", receiver: "", time: 0 };
    assert_eq!(check_host(&request, Limits::default(), &Fake::new(&records)).result, SpfResult::Pass);
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// Terms over few names, so that random records meet each other, circles included.
    fn term() -> impl Strategy<Value = String> {
        let domain = prop_oneof![
            Just("example.org"),
            Just("b.example"),
            Just("c.example"),
            Just("%{d}"),
            Just("%{p}.b.example"),
            Just("%{h}"),
            Just("%{ir}.%{v}.%{l1r-}.x..y.example"),
        ];
        let qualifier = prop_oneof![Just(""), Just("-"), Just("~"), Just("?")];
        let name = prop_oneof![
            Just("include:"),
            Just("a:"),
            Just("mx:"),
            Just("ptr:"),
            Just("exists:"),
            Just("redirect="),
            Just("exp="),
        ];
        prop_oneof![
            8 => (qualifier, name, domain).prop_map(|(qualifier, name, domain)| {
                let qualifier = if name.ends_with('=') { "" } else { qualifier };
                format!("{qualifier}{name}{domain}")
            }),
            1 => Just("-all".to_owned()),
            1 => Just("ip4:192.0.2.0/24".to_owned()),
            1 => Just("moo".to_owned()),
        ]
    }

    fn record() -> impl Strategy<Value = String> {
        proptest::collection::vec(term(), 0..8).prop_map(|terms| format!("v=spf1 {}", terms.join(" ")))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn evaluation_and_walk_end_within_their_limits(
            first in record(), second in record(), third in record(),
            sender in "[a-z.@%-]{0,12}(@example\\.org)?", helo in ".{0,20}",
            ip in any::<std::net::IpAddr>(),
            kind in prop_oneof![Just("A"), Just("OUTSIDE"), Just("TIMEOUT A"), Just("OUTSIDE MX")],
        ) {
            let records = [
                ("example.org", "TXT", first.as_str()),
                ("example.org", "MX", "c.example"),
                ("b.example", "TXT", second.as_str()),
                ("c.example", "TXT", third.as_str()),
                ("c.example", kind, "192.0.2.1"),
                ("1.2.0.192.in-addr.arpa", "PTR", "c.example"),
            ];
            let dns = Fake::new(&records);
            let request = Request { ip, mail_from: &sender, helo: &helo, receiver: "", time: 0 };
            let evaluation = check_host(&request, Limits::default(), &dns);
            prop_assert!(evaluation.lookups <= MAX_LOOKUPS + 1);
            prop_assert!(dns.questions.get() <= 200, "{}", dns.questions.get());
            let reach = reach("example.org", &parse(&first), &dns);
            prop_assert!(reach.lookups_direct <= reach.lookups.at_least);
            prop_assert!(reach.lookups.at_least <= LOOKUP_CEILING);
            // What an evaluation meets is never more than the worst case, unless that is only a lower bound.
            if reach.lookups.complete && parse(&first).is_valid() && evaluation.trace.domain == "example.org" {
                prop_assert!(evaluation.lookups <= reach.lookups.at_least);
            }
        }

        #[test]
        fn any_octets_as_records_are_evaluated_and_walked(
            tail in proptest::collection::vec(any::<u8>(), 0..120), sender in ".{0,40}",
        ) {
            struct One(Vec<u8>);
            impl SpfDns for One {
                fn txt(&self, _: &str) -> Lookup<Vec<Vec<u8>>> {
                    Lookup::Found(vec![self.0.clone()])
                }
                fn a(&self, _: &str) -> Lookup<Vec<std::net::Ipv4Addr>> {
                    Lookup::NoData
                }
                fn aaaa(&self, _: &str) -> Lookup<Vec<std::net::Ipv6Addr>> {
                    Lookup::NxDomain
                }
                fn mx(&self, _: &str) -> Lookup<Vec<String>> {
                    Lookup::NoData
                }
                fn ptr(&self, _: &str) -> Lookup<Vec<String>> {
                    Lookup::NoData
                }
            }
            let dns = One([&b"v=spf1 "[..], &tail].concat());
            let request =
                Request { ip: CLIENT.parse().unwrap(), mail_from: &sender, helo: "h.example", receiver: "", time: 0 };
            let _ = check_host(&request, Limits::default(), &dns);
            let _ = reach("example.org", &parse(&dns.0), &dns);
        }
    }
}
