//! `mailvet check --base`: only what a change makes worse.

use super::{BAD, Folder, GOOD, findings};

/// A repository with both zones below `dns/`.
fn repository() -> Folder {
    let folder = Folder::with(&[("dns/good.zone", GOOD), ("dns/bad.zone", BAD)]);
    folder.commit();
    folder
}

/// A zone that the other ones have a name server in: it has the address, so nothing of them changes.
fn new_zone() -> String {
    format!("{}ns2 A 192.0.2.54\n", BAD.replace("example.com", "example.net"))
}

const BASE: [&str; 6] = ["check", "dns", "--base", "HEAD", "--format", "json"];

#[track_caller]
fn changed(folder: &Folder, expected: &[&str]) -> serde_json::Value {
    let run = folder.run(&BASE).exits(i32::from(!expected.is_empty()));
    let report = run.json();
    assert_eq!(findings(&report), expected, "{}", report["base"]);
    report
}

#[test]
fn an_unchanged_tree_has_nothing_new() {
    let folder = repository();
    let report = changed(&folder, &[]);
    let all = folder.run(&["check", "dns", "--format", "json"]).exits(1).json();
    assert_eq!(report["base"]["unchanged"], all["counts"]["fail"]);
    assert_eq!(report["base"]["resolved"], 0);
    assert_eq!(report["base"]["revision"], "HEAD");
    assert_eq!(report["judged"], true);
    folder.run(&["check", "dns", "--base", "HEAD"]).exits(0);
}

#[test]
fn a_new_fault_is_the_only_one_reported() {
    let folder = repository();
    folder.write("dns/good.zone", GOOD.replace("v=spf1 -all", "v=spf1 ~all"));
    let report = changed(&folder, &["spoofing/spf-not-enforced example.org fail"]);
    assert_eq!(report["findings"][0]["place"]["file"], "dns/good.zone");
    folder.commit();
    changed(&folder, &[]);
}

#[test]
fn lines_that_move_are_nothing_new() {
    let folder = repository();
    folder.write("dns/bad.zone", format!("; a comment\n\n{BAD}"));
    changed(&folder, &[]);
    folder.git(&["mv", "dns/bad.zone", "dns/moved.zone"]);
    changed(&folder, &[]);
}

#[test]
fn a_mended_fault_is_counted() {
    let folder = repository();
    folder.write("dns/bad.zone", BAD.replace("~all", "-all"));
    let report = changed(&folder, &[]);
    assert_eq!(report["base"]["resolved"], 1);
    folder.run(&["check", "dns", "--base", "HEAD"]).exits(0).prints(&["1 resolved"]);
}

#[test]
fn another_element_that_fails_the_same_rule_is_worse() {
    let folder = Folder::with(&[("dns/bad.zone", &BAD.replace("mx1 A 192.0.2.1", "mx1 A 10.0.0.1"))]);
    folder.write(
        "dns/bad.zone",
        BAD.replace("mx1 A 192.0.2.1", "mx1 A 10.0.0.1").replace("mx2 A 192.0.2.2", "mx2 A 9.9.9.9"),
    );
    folder.commit();
    folder.write(
        "dns/bad.zone",
        BAD.replace("mx1 A 192.0.2.1", "mx1 A 10.0.0.1").replace("mx2 A 192.0.2.2", "mx2 A 10.0.0.2"),
    );
    changed(&folder, &["mx-inventory/mx-special-address example.com fail"]);
}

#[test]
fn a_raised_severity_is_worse_only_in_the_working_tree() {
    let folder = repository();
    // Profile, inventory and waivers come from the working tree on both sides: the change of rules is not a change of DNS.
    folder.write(
        "own.yaml",
        "profile: own\nuse: [{ pack: spoofing }]\noverride:\n  \
         spoofing/spf-not-enforced: { severity: critical, reason: the board wants it }\n",
    );
    let run = folder.run(&["check", "dns", "--base", "HEAD", "--profile", "own.yaml", "--format", "json"]);
    assert_eq!(findings(&run.exits(0).json()), Vec::<String>::new());
}

#[test]
fn a_new_zone_and_a_new_path_are_new_as_a_whole() {
    let folder = repository();
    folder.write("dns/net.zone", new_zone());
    let report = folder.run(&BASE).exits(1).json();
    assert!(findings(&report).iter().all(|line| line.contains(" example.net ")), "{:?}", findings(&report));
    let unchanged = report["base"]["unchanged"].as_u64().unwrap();
    assert!(unchanged > 0);
    // The path of the new file alone: nothing of it was there.
    let report = folder.run(&["check", "dns/net.zone", "--base", "HEAD", "--format", "json"]).exits(1).json();
    assert_eq!(report["base"]["unchanged"], 0);
    folder.write("more/a.zone", GOOD);
    folder.run(&["check", "more", "--base", "HEAD"]).exits(0);
    folder.run(&["check", "nowhere", "--base", "HEAD"]).exits(2).says(&["nowhere: no such file or folder"]);
}

#[test]
fn a_removed_zone_is_no_fault_and_an_empty_change_is_judged() {
    let folder = repository();
    std::fs::remove_file(folder.path("dns/bad.zone")).unwrap();
    let report = changed(&folder, &[]);
    assert!(report["base"]["resolved"].as_u64().unwrap() > 0);
}

#[test]
fn a_base_that_cannot_be_read_is_an_error() {
    let outside = Folder::with(&[("dns/bad.zone", BAD)]);
    outside
        .run(&["check", "dns", "--base", "HEAD"])
        .exits(2)
        .says(&["cannot read the base `HEAD`", "not inside a git repository"]);
    let folder = repository();
    folder.run(&["check", "dns", "--base", "nope"]).exits(2).says(&["there is no revision `nope`"]);
    folder.run(&["check", "dns", "--base", "--all"]).exits(2);
    folder.run(&["check", "dns", "--base=--output=x"]).exits(2).says(&["there is no revision `--output=x`"]);
    assert!(!folder.path("x").exists());
    let empty = Folder::with(&[("dns/bad.zone", BAD)]);
    empty.git(&["init", "--quiet"]);
    empty.run(&["check", "dns", "--base", "HEAD"]).exits(2).says(&["there is no revision `HEAD`"]);
}

#[test]
fn paths_may_be_relative_to_any_folder() {
    let folder = repository();
    folder.write("dns/good.zone", GOOD.replace("p=reject; sp", "p=none; sp"));
    let elsewhere = Folder::new();
    let absolute = folder.path("dns");
    for (from, path) in [("dns", "."), ("dns", "../dns"), ("dns", "good.zone"), ("", absolute.to_str().unwrap())] {
        let report = folder.run_in(from, &["check", path, "--base", "HEAD", "--format", "json"], "").exits(1).json();
        assert!(findings(&report).iter().all(|line| line.contains("dmarc")), "{from} {path}: {:?}", findings(&report));
    }
    let run = elsewhere.run(&["check", absolute.to_str().unwrap(), "--base", "HEAD", "--format", "json"]).exits(1);
    assert!(findings(&run.json()).iter().all(|line| line.contains("dmarc")));
}

#[test]
fn inventory_and_waivers_come_from_the_working_tree() {
    let folder = repository();
    // The inventory is new, so it is the same for both sides: what it adds is no change of DNS.
    folder.write(
        "mailvet.yaml",
        "format: 1\nwaivers: [waivers.yaml]\ndomains:\n  - { name: example.com, mx: [mx1.example.com] }\n",
    );
    folder.write(
        "waivers.yaml",
        "waivers:\n  - rule: spoofing/spf-not-enforced\n    target: example.org\n    reason: migration of the newsletter\n    \
         approved_by: a@example.com\n    created: 2026-01-01\n    expires: 2026-12-31\n",
    );
    folder.write("dns/good.zone", GOOD.replace("v=spf1 -all", "v=spf1 ~all"));
    let args = [
        "check",
        "dns",
        "--base",
        "HEAD",
        "--format",
        "json",
        "--as-of",
        "2026-06-01",
        "--only",
        "spoofing,mx-inventory",
    ];
    let report = folder.run(&args).exits(0).json();
    assert_eq!(report["counts"]["waived"], 1, "{}", report["counts"]);
    assert_eq!(report["counts"]["fail"], 0, "{:?}", findings(&report));
}

#[test]
fn domains_that_were_asked_for_are_compared_with_themselves() {
    let folder = repository();
    folder.write("dns/bad.zone", BAD.replace("~all", "-all"));
    let report =
        folder.run(&["check", "dns", "--base", "HEAD", "--domain", "example.org", "--format", "json"]).exits(0).json();
    assert_eq!(report["base"]["resolved"], 0, "{}", report["base"]);
}

#[test]
fn errors_of_the_files_count_once() {
    let folder = Folder::with(&[("dns/good.zone", &format!("{GOOD}www A 9.9.9\n"))]);
    folder.commit();
    folder.run(&["check", "dns"]).exits(3);
    folder.write("dns/good.zone", format!("; moved\n{GOOD}www A 9.9.9\n"));
    folder.run(&["check", "dns", "--base", "HEAD"]).exits(0).prints(&["dns/good.zone:14:7"]);
    folder.write("dns/good.zone", format!("{GOOD}www A 9.9.9\nweb AAAA fe80:::1\n"));
    folder.run(&["check", "dns", "--base", "HEAD"]).exits(3);
}

#[test]
fn a_repository_inside_a_link_and_untracked_files_are_compared() {
    let folder = repository();
    folder.write("dns/sub/new.zone", new_zone());
    let report = folder.run(&BASE).exits(1).json();
    assert!(findings(&report).iter().all(|line| line.contains(" example.net ")), "{:?}", findings(&report));
    #[cfg(unix)]
    {
        let elsewhere = Folder::new();
        std::os::unix::fs::symlink(folder.path(""), elsewhere.path("link")).unwrap();
        let linked = elsewhere.run(&["check", "link/dns", "--base", "HEAD", "--format", "json"]).exits(1).json();
        assert_eq!(findings(&linked), findings(&report));
        assert_eq!(linked["base"], report["base"]);
    }
}
