//! Measures `mailvet check` against the zone checkers of BIND and NSD on the same generated zones.
//!
//! Every figure is a ratio between two programs timed in the same run, alternating, best of three; memory is the largest
//! resident set as GNU time reports it. A tool that is not installed is said and left out. Run with
//! `cargo bench --bench gate`; `MAILVET_BENCH_DOMAINS` changes the size of the large zone.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const MAILVET: &str = env!("CARGO_BIN_EXE_mailvet");

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let domains: usize =
        std::env::var("MAILVET_BENCH_DOMAINS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    large_zone(folder.path(), domains);
    small_zones(folder.path(), 10_000);
}

/// One zone with ten records for each mail domain.
fn large_zone(folder: &Path, domains: usize) {
    let path = folder.join("big.example.zone");
    fs::write(&path, zone_of_domains(domains)).unwrap();
    let size = fs::metadata(&path).unwrap().len();
    let file = path.to_str().unwrap();
    println!("large zone: {} records, {domains} mail domains, {} MB", domains * 10 + 4, size / 1_000_000);
    let ours = ["check", file, "--no-inventory", "--exit-zero", "--quiet"];
    let rivals: [(&str, Vec<&str>); 2] =
        [("named-checkzone", vec!["-i", "none", "big.example", file]), ("nsd-checkzone", vec!["big.example", file])];
    let mut best = best_of(&[(MAILVET, &ours)]);
    for (name, arguments) in &rivals {
        let Some(program) = find(name) else {
            println!("  {name}: not installed, left out");
            continue;
        };
        let times = best_of(&[(MAILVET, &ours), (&program, arguments)]);
        best[0] = best[0].min(times[0]);
        println!(
            "  {name} takes {:.2} times as long as mailvet check",
            times[1].as_secs_f64() / times[0].as_secs_f64()
        );
    }
    println!("  mailvet check: {:.2} s (for orientation only)", best[0].as_secs_f64());
    match resident(MAILVET, &ours) {
        Some(kilobytes) => println!("  memory: {:.2} times the file", kilobytes as f64 * 1024.0 / size as f64),
        None => println!("  memory: GNU time is not installed, left out"),
    }
}

/// Many small zones in one run, against one call of `named-checkzone` for each zone.
fn small_zones(folder: &Path, count: usize) {
    let zones = folder.join("zones");
    fs::create_dir(&zones).unwrap();
    for index in 0..count {
        fs::write(zones.join(format!("z{index:05}.example.zone")), small_zone(index)).unwrap();
    }
    let folder = zones.to_str().unwrap();
    let ours = best_of(&[(MAILVET, &["check", folder, "--no-inventory", "--exit-zero", "--quiet"])])[0];
    println!("{count} small zones: {:.2} s (for orientation only)", ours.as_secs_f64());
    let Some(program) = find("named-checkzone") else {
        println!("  named-checkzone: not installed, left out");
        return;
    };
    // Calls cost the same for each zone, so a sample of them is timed and scaled.
    let sample = count / 20;
    let start = Instant::now();
    for index in 0..sample {
        let zone = format!("z{index:05}.example");
        let file = zones.join(format!("{zone}.zone"));
        run(&program, &["-i", "none", &zone, file.to_str().unwrap()]);
    }
    let theirs = start.elapsed().mul_f64(count as f64 / sample as f64);
    println!(
        "  one named-checkzone call for each zone takes {:.0} times as long ({sample} calls timed)",
        theirs.as_secs_f64() / ours.as_secs_f64()
    );
}

/// The shortest of three runs of each command, alternating.
fn best_of(commands: &[(&str, &[&str])]) -> Vec<Duration> {
    let mut best = vec![Duration::MAX; commands.len()];
    for _ in 0..3 {
        for (index, (program, arguments)) in commands.iter().enumerate() {
            let start = Instant::now();
            run(program, arguments);
            best[index] = best[index].min(start.elapsed());
        }
    }
    best
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{program} {arguments:?} failed");
}

/// Largest resident set of a command in kilobytes.
fn resident(program: &str, arguments: &[&str]) -> Option<u64> {
    let time = find("time")?;
    let output = Command::new(time).args(["-f", "%M", program]).args(arguments).stdout(Stdio::null()).output().ok()?;
    String::from_utf8_lossy(&output.stderr).lines().last()?.trim().parse().ok()
}

fn find(name: &str) -> Option<String> {
    ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists())
        .map(|path| path.to_string_lossy().into_owned())
}

/// Ten records for each domain: most domains are in order, one in ten has a weak policy.
fn zone_of_domains(domains: usize) -> String {
    let mut zone = String::with_capacity(domains * 900);
    zone.push_str("$ORIGIN big.example.\n$TTL 3600\n@ IN SOA ns1 hostmaster 1 14400 3600 1814400 3600\n");
    zone.push_str("@ IN NS ns1\n@ IN NS ns2\nns1 IN A 192.0.2.1\nns2 IN A 198.51.100.1\n");
    let key = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuP8d6xhsw4gmDBkAe+QTCIF6GUrtthcPrP/mIeLxf9T0Y+0XAAAICVilcbQQBGkGdy7qEJQzOl8ZMqSpZXLhzuj4Exe3h5lfUbVIq5X1oUFIm/l7rC4110wv6AnDBejJ0qlgbmNsiXCtwuUe07T2A1y53u7CSMypIXsfXGhy6uk3YsqEphrZSRZ";
    let rest = "3c8tJ/Ri+EujomknR9i0IN05dntZKW90/lJCthCDromLCbgrGYMu5eXUeTaCnXzxSuHEI8m5z516C6FqUxgloDDWu+LRTth+9xXGtjKOCIp/1M65XWl/jb/Lbu1+UeIc4OZg1hEhJxjjJZ4Fhe/gwdhxFd6PD/wIDAQAB";
    for index in 0..domains {
        let (spf, policy) = if index % 10 == 0 { ("~all", "none") } else { ("-all", "reject") };
        let address = index % 250 + 1;
        let block = index / 250 % 250;
        write!(
            zone,
            "d{index:06} IN MX 10 mx1.d{index:06}\n\
             d{index:06} IN MX 20 mx2.d{index:06}\n\
             mx1.d{index:06} IN A 203.{block}.113.{address}\n\
             mx2.d{index:06} IN A 203.{block}.114.{address}\n\
             d{index:06} IN TXT \"v=spf1 mx ip4:203.{block}.113.0/28 {spf}\"\n\
             _dmarc.d{index:06} IN TXT \"v=DMARC1; p={policy}; rua=mailto:dmarc@big.example\"\n\
             s1._domainkey.d{index:06} IN TXT \"v=DKIM1; k=rsa; p={key}\" \"{rest}\"\n\
             _mta-sts.d{index:06} IN TXT \"v=STSv1; id=20261101\"\n\
             mta-sts.d{index:06} IN A 203.{block}.115.{address}\n\
             _smtp._tls.d{index:06} IN TXT \"v=TLSRPTv1; rua=mailto:tls@big.example\"\n"
        )
        .unwrap();
    }
    zone
}

fn small_zone(index: usize) -> String {
    format!(
        "$ORIGIN z{index:05}.example.\n$TTL 1h\n@ IN SOA ns1 hostmaster 1 4h 1h 3w 1h\n@ IN NS ns1\n@ IN NS ns2\n\
         @ IN MX 10 mx1\n@ IN MX 20 mx2\n@ IN TXT \"v=spf1 mx -all\"\n_dmarc IN TXT \"v=DMARC1; p=reject; rua=mailto:d@z{index:05}.example\"\n\
         ns1 IN A 192.0.2.1\nns2 IN A 198.51.100.1\nmx1 IN A 203.0.113.25\nmx2 IN A 203.0.114.25\n"
    )
}
