//! How fast a large zone is read, how much memory it takes and how fast it answers. Not run by default:
//! `cargo test --release --test zone_speed -- --ignored --nocapture`.
//!
//! `MAILVET_ZONE_OUT` writes the generated zone to a file, to compare with other programs.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::fmt::Write as _;
use std::time::Instant;

use mailvet::diag::Files;
use mailvet::mail::Name;
use mailvet::sources::{RecordSource, RecordType, Store, bind};

const DOMAINS: usize = 100_000;

/// Ten records for each mail domain.
fn zone() -> String {
    let mut text = String::from("$TTL 3600\n@ SOA ns1 hostmaster 1 3600 900 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n");
    for number in 0..DOMAINS {
        let _ = write!(
            text,
            "$ORIGIN d{number:06}.example.\n@\tMX\t10 mx1.mail-provider.example.net.\n\tMX\t20 mx2.mail-provider.example.net.\n\
             \tTXT\t\"v=spf1 mx include:_spf.mail-provider.example.net ip4:192.0.2.{low} -all\"\n\tTXT\t\"verification={number:032x}\"\n\
             \tA\t192.0.2.{low}\nwww\t3600\tIN\tA\t192.0.2.{low}\nmail\tAAAA\t2001:db8::{high:x}:{low:x}\n\
             _dmarc\tTXT\t\"v=DMARC1; p=reject; rua=mailto:dmarc@d{number:06}.example; adkim=s; aspf=s\"\n\
             s1._domainkey\tTXT\t\"v=DKIM1; k=rsa; p={key}\"\n_mta-sts\tTXT\t\"v=STSv1; id={number}\"\n",
            low = number % 256,
            high = number / 256,
            key = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC".repeat(5),
        );
    }
    text
}

/// Resident memory in MiB, now and at its highest.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key)).unwrap_or("");
        line.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok()).unwrap_or(0) / 1024
    };
    (value("VmRSS:"), value("VmHWM:"))
}

#[test]
#[ignore = "a measurement, for release builds"]
fn a_million_records() {
    let path =
        std::env::var("MAILVET_ZONE_OUT").map_or_else(|_| std::env::temp_dir().join("mailvet-speed.zone"), Into::into);
    if !path.exists() {
        std::fs::write(&path, zone()).unwrap();
        println!("the zone is written to {}; run again to measure", path.display());
        return;
    }
    let bytes = std::fs::read(&path).unwrap();
    let size = bytes.len();
    let mut files = Files::default();
    let file = files.add("zone", bytes);
    let before = memory();
    let started = Instant::now();
    let mut store = Store::new();
    let origin = Name::parse("example").unwrap();
    bind::read_zone(&mut store, &mut files, file, Some(origin), &mut |_, _, _| Err(String::new())).unwrap();
    let read = started.elapsed();
    store.finish(&files);
    let finished = started.elapsed();
    let after = memory();
    let records = store.zones().next().unwrap().records;
    println!(
        "{records} records, {} MB: read {read:.0?}, with indexes {finished:.0?}; resident {before:?} -> {after:?} MiB, {:.2} x file size",
        size / 1_000_000,
        (after.1 * 1_048_576) as f64 / size as f64
    );
    assert_eq!(store.coverage().diagnostics.len(), 0, "the zone is sound");

    let started = Instant::now();
    let domains = store.mail_domains(&files);
    println!("{} mail domains in {:.0?}", domains.len(), started.elapsed());
    let view = store.view(&files);
    let dmarc: Vec<Name> = domains.iter().map(|(name, _)| name.child("_dmarc").unwrap()).collect();
    let absent: Vec<Name> = domains.iter().map(|(name, _)| name.child("_smtp._tls").unwrap()).collect();
    for (what, names, rtype) in [
        ("TXT of _dmarc", &dmarc, RecordType::TXT),
        ("MX where there is none", &dmarc, RecordType::MX),
        ("a name that does not exist", &absent, RecordType::TXT),
    ] {
        let started = Instant::now();
        for name in names {
            std::hint::black_box(view.lookup(name, rtype));
        }
        println!("{what}: {:.0} ns", started.elapsed().as_nanos() as f64 / names.len() as f64);
    }
    let started = Instant::now();
    for (name, _) in &domains {
        std::hint::black_box(view.names_below(name));
    }
    println!("names below: {:.0} ns", started.elapsed().as_nanos() as f64 / domains.len() as f64);
}
