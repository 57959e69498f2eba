//! A zone full of traps: nothing of it comes out as anything but text, in any format, on any stream.

use mailvet::diag::is_hostile;
use serde_json::Value;

use super::{FORMATS, Folder, Run};

/// Escapes of a zone file for everything that a terminal, a log, a page or a sheet may act on.
const TRAPS: [&str; 12] = [
    r"\027[31mred\027]0;title\007\155\0272J",
    r"\010::error::pwned\010::stop-commands::t",
    r"\010##vso[task.complete]x\010##[error]y\010##teamcity[z]",
    r"<script>alert\(1\)</script><img src=x onerror=y>",
    r"\226\128\174rtl\226\129\166\239\187\191",
    r"=cmd|'/c calc'!A1\010+1\010@SUM\(1\)",
    r"|a|b|\010---|---\010![i](http://evil.example/i.png) [x](http://evil.example) **b** `t` ``` ~~~",
    r"]]>&amp;<!--\000--><![CDATA[",
    r"%0A::warning::x%0D\013\010::error::y",
    r"@everyone #1 !1 www.evil.example https://evil.example",
    r"\000nul\000\127\128\159",
    r"\255\254\192\128\237\160\128",
];

/// File name with traps that a file system allows.
const NAME: &str = "\u{1b}[31m::error::x,y%0A <script> \u{202e}[a](b)|`##vso[x]` @all.zone";

fn zone(origin: &str) -> String {
    let mut text = format!(
        "$ORIGIN {origin}\n$TTL 60\n@ IN SOA ns1 h 1 7200 3600 1209600 60\n@ NS ns1\n@ MX 10 \\027[31m::error::\n\
         @ MX 20 <script>alert\\(1\\)</script>\n@ MX 30 \\226\\128\\174\\000\n"
    );
    for (index, trap) in TRAPS.iter().enumerate() {
        text.push_str(&format!("@ TXT \"v=spf1 include:{trap} exists:{trap} ~all {trap}\"\n"));
        text.push_str(&format!("_dmarc.d{index} TXT \"v=DMARC1; p={trap}; rua=mailto:{trap}@x.example\"\n"));
        text.push_str(&format!("d{index} MX 10 mx\nd{index} TXT \"v=spf1 {trap} ~all\"\n"));
        text.push_str(&format!("s{index}._domainkey.d{index} TXT \"v=DKIM1; p={trap}; n={trap}\"\n"));
        text.push_str(&format!("_mta-sts.d{index} TXT \"v=STSv1; id={trap}\"\n"));
        // Raw bytes in a comment on the line that a finding shows.
        text.push_str(&format!(
            "_smtp._tls.d{index} TXT \"v=TLSRPTv1; rua={trap}\" ; \u{1b}[31m \u{202e} ::error:: <script>\n"
        ));
    }
    text.push_str("\u{1b}[31m\u{202e}::error::x A ten\n::error::y\n##vso[z] TXT \"unclosed\n");
    text
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("dns/example.org.zone", zone("example.org."));
    folder.write(&format!("dns/{NAME}"), zone("example.net."));
    folder.write("dns/names.zone", zone("\\027[31m<script>\\010::error::\\000.example."));
    folder.write(
        "dns/example.com.yaml",
        "'':\n  - type: TXT\n    values:\n      - \"v=spf1 include:\\e[31m\\n::error::\\0<script>\\u202e ~all\"\n  - type: MX\n    \
         values: [{preference: 1, exchange: \"\\e[31m<script>\\n::error::x.\"}]\n\"_dmarc\": {type: TXT, value: \"v=DMARC1\\\\; p=\\e]0;x\\a\\n##vso[a]\"}\n\
         \"\\e[1m::error::\": {type: TXT, value: !env \"\\e[2J\\n::error::\"}\n",
    );
    folder.write(&format!("dns/{NAME}.txt"), "nothing");
    folder
}

#[track_caller]
fn harmless(run: &Run, format: &str) {
    for (stream, text) in [("out", &run.out), ("err", &run.err)] {
        // The byte order mark of a CSV file and the ends of its rows are its own.
        let own = text.strip_prefix('\u{feff}').filter(|_| format == "csv");
        let text = own.map_or_else(|| text.clone(), |text| text.replace("\r\n", "\n"));
        let hostile = text.chars().find(|character| *character != '\n' && is_hostile(*character));
        assert_eq!(hostile, None, "{format} {stream}");
        for line in text.lines() {
            let command = line.trim_start().starts_with("::");
            let own = format == "github"
                && [
                    "::error file=",
                    "::warning file=",
                    "::notice file=",
                    "::error title=",
                    "::notice title=",
                    "::warning title=",
                ]
                .iter()
                .any(|start| line.starts_with(start));
            assert!(!command || own, "{format} {stream}: {line}");
        }
        for mark in ["##[", "##vso[", "##teamcity["] {
            assert!(!text.contains(mark), "{format} {stream}: {mark}");
        }
    }
}

/// No cell begins like a formula, whether cells are separated by commas or, as in many countries, by semicolons.
fn no_formula(text: &str) {
    for line in text.trim_start_matches('\u{feff}').lines() {
        assert!(line.starts_with('"') && line.ends_with('"'), "{line}");
        for cell in line.split("\",\"").chain(line.split(';')) {
            let cell = cell.trim_start_matches(['"', ' ']);
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
        }
    }
}

#[test]
fn no_format_lets_anything_out() {
    let folder = folder();
    for format in FORMATS {
        for arguments in [
            &["check", "dns", "--format", format, "--limit", "0"][..],
            &["check", "dns", "--format", format, "--verbose"],
        ] {
            let run = folder.run(arguments).exits(1);
            harmless(&run, format);
            match format {
                "json" | "sarif" | "sarif-github" | "sarif-gitlab" | "gitlab" | "oscal" => {
                    serde_json::from_str::<Value>(&run.out).unwrap();
                }
                "jsonl" => run.out.lines().for_each(|line| {
                    serde_json::from_str::<Value>(line).unwrap();
                }),
                "markdown" => {
                    let prose: String =
                        run.out.split("```").step_by(2).flat_map(|part| part.split('`').step_by(2)).collect();
                    assert!(!prose.contains("<script"), "{prose}");
                }
                "hdf" => {
                    serde_json::from_str::<Value>(&run.out).unwrap();
                    assert!(!run.out.contains('<'), "Heimdall shows some texts as HTML");
                }
                "csv" => no_formula(&run.out),
                "junit" => assert!(!run.out.contains("<script") && !run.out.contains("<![CDATA[")),
                _ => {}
            }
        }
    }
}

#[test]
fn errors_let_nothing_out() {
    let folder = folder();
    let evil = "\u{1b}[31m\n::error::x\u{202e}";
    for args in [
        &["check", evil][..],
        &["check", "dns", "--only", evil],
        &["check", "dns", "--param", evil],
        &["check", "dns", "--profile", evil],
        &["check", "dns", "--domain", evil],
        &["check", "dns", "--origin", evil],
        &["check", "dns", "--output", evil],
        &["check", "dns", "--pack", evil],
        &["check", "dns", "--base", evil],
        &["explain", evil],
        &["schema", evil],
        &["pack", "lint", evil],
    ] {
        let run = folder.run(args).exits(2);
        harmless(&run, "errors");
    }
}

#[test]
fn an_inventory_of_a_hostile_zone_can_be_read_back() {
    let folder = folder();
    let run = folder.run(&["init", "dns", "--ci", "none"]).exits(0);
    harmless(&run, "init");
    let text = folder.read("mailvet.yaml");
    assert_eq!(text.chars().find(|character| *character != '\n' && is_hostile(*character)), None);
    harmless(&folder.run(&["check"]).exits(1), "text");
}
