//! Tests of discovery on small repositories.

use std::path::Path;

use super::*;

const SOA: &str = "@ 60 IN SOA ns.example.org. root.example.org. 1 2 3 4 5\n";

struct Run {
    _folder: tempfile::TempDir,
    files: Files,
    store: Store,
    result: Result<Discovery, DiscoverError>,
}

fn repository(entries: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in entries {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn run_in(folder: tempfile::TempDir, paths: &[&str], options: &Options) -> Run {
    let (mut files, mut store) = (Files::default(), Store::new());
    let paths: Vec<PathBuf> = paths.iter().map(|path| folder.path().join(path)).collect();
    let result = discover(&Tree::Disk, &paths, options, &mut files, &mut store);
    Run { _folder: folder, files, store, result }
}

fn run(entries: &[(&str, &str)], paths: &[&str]) -> Run {
    run_in(repository(entries), paths, &Options::default())
}

impl Run {
    fn short(&self, path: &str) -> String {
        let root = self._folder.path().to_string_lossy().into_owned();
        path.strip_prefix(&root).unwrap_or(path).trim_start_matches('/').to_owned()
    }

    /// Zones as `origin path`.
    fn zones(&self) -> Vec<String> {
        let mut zones: Vec<_> =
            self.store.zones().map(|zone| format!("{} {}", zone.origin, self.short(zone.path))).collect();
        zones.sort();
        zones
    }

    fn ignored(&self) -> Vec<String> {
        let discovery = self.result.as_ref().unwrap();
        discovery.ignored.iter().map(|file| format!("{}: {}", self.short(&file.path), file.reason)).collect()
    }

    fn codes(&self) -> Vec<&'static str> {
        self.store.coverage().diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
    }

    fn records(&self, zone: &str) -> Vec<crate::sources::Record> {
        let all = self.store.records(&self.files);
        all.filter(|(origin, _)| origin.as_str() == zone).map(|(_, record)| record).collect()
    }

    fn rendered(&self) -> String {
        self.store.coverage().diagnostics.iter().map(|diagnostic| diagnostic.render(&self.files)).collect()
    }
}

fn contains(list: &[String], part: &str) -> bool {
    list.iter().any(|text| text.contains(part))
}

#[test]
fn each_way_of_naming_a_zone_works() {
    let origin = format!("$ORIGIN example.com.\n{SOA}");
    let owner = SOA.replace('@', "example.net.");
    let run = run(&[("a", &origin), ("b", &owner), ("db.example.org", SOA), ("odd", SOA)], &["."]);
    assert_eq!(run.zones(), ["example.com a", "example.net b", "example.org db.example.org"]);
    assert_eq!(run.codes(), ["zone-unnamed"]);
    assert!(contains(&run.ignored(), "odd: it cannot be told which zone it is"));
}

#[test]
fn a_given_origin_names_the_one_given_file() {
    let options = Options { origin: Some(Name::parse("example.test").unwrap()), ..Options::default() };
    let run = run_in(repository(&[("odd", SOA)]), &["odd"], &options);
    assert_eq!(run.zones(), ["example.test odd"]);
    let run = run_in(repository(&[("odd", SOA), ("db.example.org", SOA)]), &["."], &options);
    assert_eq!(run.zones(), ["example.org db.example.org", "example.test odd"]);
}

#[test]
fn named_conf_names_zones_by_the_paths_of_the_server() {
    let conf = "options { directory \"/srv/dns\"; };\nzone \"example.org\" { type master; file \"/srv/dns/zones/one\"; };\n\
                zone \"a.test\" { type master; file \"zones/parked\"; };\nzone \"b.test\" { file \"zones/parked\"; };\n\
                zone \".\" { type hint; file \"zones/root.hints\"; };\nzone \"gone.test\" { type primary; file \"zones/gone\"; };\n";
    let hints = ". 3600000 NS A.ROOT-SERVERS.NET.\nA.ROOT-SERVERS.NET. 3600000 A 198.41.0.4\n";
    let files =
        [("etc/named.conf", conf), ("etc/zones/one", SOA), ("etc/zones/parked", SOA), ("etc/zones/root.hints", hints)];
    let run = run(&files, &["etc"]);
    assert_eq!(run.zones(), ["a.test etc/zones/parked", "b.test etc/zones/parked", "example.org etc/zones/one"]);
    assert!(contains(&run.ignored(), "root.hints: hints"));
    assert_eq!(run.codes(), ["zone-file-not-found"]);
    assert!(run.rendered().contains("gone.test"));
}

#[test]
fn an_included_file_is_no_zone_and_is_found_wherever_the_server_has_it() {
    for written in ["../base", "/srv/dns/base", "\"../base\"", "base"] {
        let zone = format!("$ORIGIN example.org.\n$TTL 60\n$INCLUDE {written}\n@ MX 10 mail\n");
        let run = run(&[("base", SOA), ("zones/db.example.org", &zone)], &["."]);
        assert_eq!(run.zones(), ["example.org zones/db.example.org"], "{written}");
        assert!(contains(&run.ignored(), "base: no zone of its own: read through"), "{written}: {:?}", run.ignored());
        assert!(run.codes().is_empty(), "{written}: {}", run.rendered());
    }
}

#[test]
fn includes_never_leave_the_given_folders() {
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(outside.path(), "x A 192.0.2.1\n").unwrap();
    let absolute = outside.path().to_string_lossy().into_owned();
    for written in ["/etc/passwd", "../../../../../../../../etc/passwd", absolute.as_str()] {
        let zone = format!("$ORIGIN example.org.\n{SOA}$INCLUDE {written}\n");
        let run = run(&[("zones/db.example.org", &zone)], &["zones"]);
        assert_eq!(run.codes(), ["zone-include"], "{written}");
        assert!(run.rendered().contains("outside the given folders"), "{written}: {}", run.rendered());
    }
}

#[test]
fn what_is_not_dns_data_is_ignored_with_a_reason() {
    let files = [
        ("db.example.org", SOA),
        ("db.example.org.bak", SOA),
        ("db.example.com~", SOA),
        ("db.tmpl", SOA),
        ("part", "www A 192.0.2.1\nmail A 192.0.2.2\n"),
        ("README.md", "# Zones\nSome words.\n"),
        ("run.sh", "#!/bin/sh\n"),
        ("main.tf", "resource \"a\" \"b\" {}\n"),
        ("dnsconfig.js", "D()\n"),
        ("image", "\0\0"),
        (".hidden/db.example.net", SOA),
        (".git/db.example.net", SOA),
        ("node_modules/x/db.example.net", SOA),
        ("mailvet.yaml", "domains: []\n"),
        ("ci.yaml", "jobs: {}\n"),
        ("values.stage1.yaml", "a: [\n"),
    ];
    let run = run(&files, &["."]);
    assert_eq!(run.zones(), ["example.org db.example.org"]);
    let ignored = run.ignored();
    assert_eq!(ignored.len(), files.len() - 2, "{ignored:#?}");
    for part in ["db.example.org.bak: a backup", "part: no SOA", "main.tf: Terraform", "mailvet.yaml: an inventory"] {
        assert!(contains(&ignored, part), "{part}: {ignored:#?}");
    }
    assert!(run.codes().is_empty(), "{}", run.rendered());
}

#[test]
fn a_given_path_that_cannot_be_used_is_an_error() {
    let files = [("README.md", "# x\nwords\n"), ("mailvet.yaml", "domains: []\n"), ("db.bak", SOA)];
    for (path, part) in [
        ("none", "no such file"),
        ("README.md", "expected zone text"),
        ("mailvet.yaml", "an inventory of mailvet; expected"),
    ] {
        let run = run(&files, &[path]);
        assert!(run.result.unwrap_err().to_string().contains(part), "{path}");
    }
    // A name that is skipped in a folder is read when it is given.
    assert_eq!(run(&files, &["db.bak"]).codes(), ["zone-unnamed"]);
}

#[test]
fn two_files_for_one_zone_are_both_handed_to_the_store() {
    let run = run(&[("inside/db.example.org", SOA), ("outside/db.example.org", SOA)], &["."]);
    assert_eq!(run.zones(), ["example.org inside/db.example.org", "example.org outside/db.example.org"]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_once_and_cycles_end() {
    let folder = repository(&[("zones/db.example.org", SOA)]);
    let root = folder.path();
    std::os::unix::fs::symlink("..", root.join("zones/up")).unwrap();
    std::os::unix::fs::symlink("loop", root.join("loop")).unwrap();
    std::os::unix::fs::symlink("nothing", root.join("broken")).unwrap();
    std::os::unix::fs::symlink("zones/db.example.org", root.join("db.example.com")).unwrap();
    let run = run_in(folder, &["."], &Options::default());
    assert_eq!(run.store.zones().count(), 1);
    let ignored = run.ignored();
    for part in
        ["zones/up: a symbolic link", "loop: it cannot be read: the symbolic link is part of a cycle", "broken: "]
    {
        assert!(contains(&ignored, part), "{part}: {ignored:#?}");
    }
}

const A: &str = "'': {type: A, value: 192.0.2.1}\n";
const B: &str = "www.sub: {type: A, value: 192.0.2.2}\n";

#[test]
fn octodns_layouts_are_told_without_configuration() {
    let files = [
        ("one/example.org.yaml", A),
        ("two/example.com./$example.com.yaml", A),
        ("two/example.com./www.sub.yaml", B),
        ("three/example.net.zone/main.yaml", A),
        ("three/example.net.zone/www.sub.yaml", B),
        ("three/example.net.yaml", "x: {type: A, value: 192.0.2.3}\n"),
        ("four/example.de/www.yaml", B),
        ("five/empty.test.yaml", "---\n"),
        ("six/broken.test.yaml", "a: ["),
        ("seven/records.yaml", A),
    ];
    let run = run(&files, &["."]);
    assert_eq!(
        run.zones(),
        [
            "broken.test six/broken.test.yaml",
            "empty.test five/empty.test.yaml",
            "example.com two/example.com.",
            "example.de four/example.de/www.yaml",
            "example.net three/example.net.yaml",
            "example.org one/example.org.yaml",
        ]
    );
    let records = |zone: &str| run.records(zone).len();
    assert_eq!((records("example.com"), records("example.net"), records("empty.test")), (2, 3, 0));
    assert_eq!(run.codes(), ["zone-unnamed", "octodns-yaml"]);
}

#[test]
fn an_octodns_configuration_composes_zones() {
    let config = "providers:\n  zones: {class: octodns.provider.yaml.YamlProvider, directory: dns/zones, \
                  split_extension: .zone, default_ttl: 300}\n  over: {class: octodns.provider.yaml.YamlProvider, \
                  directory: ./over, populate_should_replace: true}\n  live: {class: octodns_x.Source}\n  out: {class: \
                  octodns_y.Y, token: env/TOKEN}\n  env: {class: octodns.provider.yaml.YamlProvider, directory: env/DIR}\n\
                  zones:\n  example.org.: {sources: [zones, over], targets: [out]}\n  example.com.: {alias: example.org.}\n  \
                  live.test.: {sources: [zones, live]}\n  env.test.: {sources: [env]}\n  '*': {sources: [zones], glob: \
                  '*.net.'}\n";
    let files = [
        ("dns/production.yaml", config),
        ("dns/zones/example.org.yaml", "a: {type: A, value: 192.0.2.1}\nb: {type: A, value: 192.0.2.1}\n"),
        ("dns/over/example.org.yaml", "a: {type: A, value: 192.0.2.9}\n"),
        ("dns/zones/live.test.zone/main.yaml", A),
        ("dns/zones/example.net.zone/www.sub.yaml", B),
        ("dns/zones/stray.test.yaml", A),
    ];
    for path in [".", "dns/production.yaml"] {
        let run = run(&files, &[path]);
        let mut expected = vec![
            "example.com dns/zones/example.org.yaml",
            "example.net dns/zones/example.net.zone/www.sub.yaml",
            "example.org dns/zones/example.org.yaml",
            "live.test dns/zones/live.test.zone/main.yaml",
        ];
        if path == "." {
            expected.push("stray.test dns/zones/stray.test.yaml");
            assert_eq!(run.zones(), expected, "{}", run.rendered());
        }
        for name in ["example.org", "example.com"] {
            let records = run.records(name);
            let [first, second] = &records[..] else { panic!("{records:?}") };
            let crate::sources::RData::A(address, _) = first.data else { panic!() };
            assert_eq!((first.owner.to_string(), address.to_string()), (format!("a.{name}"), "192.0.2.9".to_owned()));
            assert_eq!(second.ttl, Some(300));
        }
        let unknown = run.store.coverage().not_evaluated;
        assert!(
            unknown.iter().any(|entry| entry.name == "live.test" && entry.reason.contains("`live` (octodns_x.Source)"))
        );
        assert!(run.rendered().contains("no file of the zone env.test"), "{}", run.rendered());
    }
}

#[test]
fn octodns_includes_stay_inside_and_are_no_zones() {
    let run = run(
        &[
            (
                "example.org.yaml",
                "a: {type: TXT, values: !include shared/x.test.yaml}\nb: {type: TXT, value: !include /etc/hostname}\n",
            ),
            ("shared/x.test.yaml", "- one\n- two\n"),
        ],
        &["."],
    );
    assert_eq!(run.zones(), ["example.org example.org.yaml"]);
    assert_eq!(run.records("example.org").len(), 2);
    assert!(run.rendered().contains("outside the given folders"), "{}", run.rendered());
}

#[test]
fn a_path_that_is_not_utf8_is_shown_with_replacements() {
    assert_eq!(crate::sources::tree::shown(Path::new("a/./b")), "a/b");
}
