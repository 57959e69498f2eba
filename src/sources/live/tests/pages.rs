//! The text of a message: its records are what a reader of zone files finds there, at the same places.

use proptest::prelude::*;

use crate::diag::{FileId, Files};
use crate::mail::Name;
use crate::sources::RecordType;
use crate::sources::bind::{presentation, read_zone};
use crate::sources::live::convert::{Page, show};
use crate::sources::live::testing::{name_octets, soa_octets};
use crate::sources::live::wire::{Message, Question, Section, Wish, read_name, write_name};
use crate::sources::record::{RData, Record};
use crate::sources::store::Store;

/// A reply with these records in its answer section.
fn message(records: &[(&str, RecordType, Vec<u8>)]) -> Vec<u8> {
    let mut octets = vec![0, 0, 0x80, 0x80, 0, 0, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0];
    for (owner, rtype, data) in records {
        write_name(&Name::parse(owner).unwrap(), &mut octets);
        octets.extend_from_slice(&rtype.0.to_be_bytes());
        octets.extend_from_slice(&[0, 1, 0, 0, 1, 44]);
        octets.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        octets.extend_from_slice(data);
    }
    octets
}

/// The text of a message and its records; the text is the file 0.
fn shown(octets: &[u8]) -> (String, Vec<Record>) {
    let mut page = Page::new(FileId(0));
    let message = Message::read(octets, None).unwrap();
    let shown = show(&message, None, &mut page).unwrap();
    let text = String::from_utf8(page.finish()).unwrap();
    assert!(shown.records.iter().all(|(section, _)| *section == Section::Answer));
    (text, shown.records.into_iter().map(|(_, record)| record).collect())
}

/// What the reader of zone files makes of a text, in the order of the text.
fn read_again(text: &str) -> Vec<Record> {
    let (mut files, mut store) = (Files::default(), Store::new());
    let file = files.add("page", text);
    let mut none = |_: &mut Files, _: &str, _: FileId| Err("there is no other file".to_owned());
    read_zone(&mut store, &mut files, file, Some(Name::root()), &mut none).unwrap();
    store.finish(&files);
    let mut records: Vec<Record> = store.records(&files).map(|(_, record)| record).collect();
    records.sort_by_key(|record| record.span.start);
    records
}

#[test]
fn records_of_every_type_are_read_again_as_they_are() {
    let name = || name_octets("Mx.Example.org");
    let mut all = vec![
        ("example.org", RecordType::A, vec![192, 0, 2, 1]),
        ("example.org", RecordType::AAAA, [&[0x20, 1, 0x0d, 0xb8][..], &[0; 11], &[1]].concat()),
        ("example.org", RecordType::NS, name()),
        ("1.2.0.192.in-addr.arpa", RecordType::PTR, name()),
        ("alias.example.org", RecordType::CNAME, name()),
        ("example.org", RecordType::MX, [&[0, 10][..], &name()].concat()),
        ("null.example.org", RecordType::MX, vec![0, 0, 0]),
        ("example.org", RecordType::TXT, b"\x08a \"b\\;\xff\0\0\x03x\x01\x02".to_vec()),
        ("example.org", RecordType::SPF, b"\x06v=spf1".to_vec()),
        ("example.org", RecordType::SOA, soa_octets()),
        ("example.org", RecordType::CAA, b"\x80\x05issuea \"quoted\" value".to_vec()),
        ("_25._tcp.example.org", RecordType::TLSA, [&[3, 1, 1][..], &[0xab; 32]].concat()),
        ("_sip._tcp.example.org", RecordType::SRV, [&[0, 1, 0, 2, 1, 187][..], &name()].concat()),
        ("example.org", RecordType::DS, [&[0x30, 0x39, 13, 2][..], &[0xcd; 32]].concat()),
        ("example.org", RecordType::DNSKEY, [&[1, 1, 3, 13][..], &[7; 64]].concat()),
        ("example.org", RecordType::NAPTR, [&[0, 1, 0, 2, 1, b's', 1, b'x', 0][..], &name()].concat()),
        ("example.org", RecordType::NSEC, [&name()[..], &[0, 1, 0x40]].concat()),
        ("example.org", RecordType(65280), vec![1, 2, 3]),
        ("a;b(c).example.org", RecordType::A, vec![192, 0, 2, 2]),
        ("\\@\\\"\\$.example.org", RecordType::A, vec![192, 0, 2, 3]),
        ("a\\.b\\\\.example.org", RecordType::CNAME, name_octets("x\\032y;z.example.org")),
    ];
    let signature = [&[0, 1, 13, 2, 0, 0, 1, 44, 0x7f, 0, 0, 0, 0x60, 0, 0, 0, 0, 1][..], &name(), &[1; 64]].concat();
    all.push(("example.org", RecordType::RRSIG, signature));
    for (owner, rtype, data) in all {
        let (text, records) = shown(&message(&[(owner, rtype, data)]));
        assert!(!matches!(records[0].data, RData::Malformed { .. }), "{text}");
        assert_eq!(read_again(&text), records, "{text}");
        assert_eq!(records[0].owner, Name::parse(owner).unwrap());
    }
}

#[test]
fn data_that_do_not_fit_their_type_are_malformed_and_shown() {
    for (rtype, data) in [
        (RecordType::A, vec![192, 0, 2]),
        (RecordType::AAAA, vec![0; 17]),
        (RecordType::TXT, Vec::new()),
        (RecordType::TXT, vec![5, b'x']),
        (RecordType::MX, vec![0, 10, 0, 0]),
        (RecordType::MX, vec![0]),
        (RecordType::SOA, vec![0, 0, 1]),
        (RecordType::CAA, vec![0, 0]),
        (RecordType::CAA, b"\0\x01-x".to_vec()),
        (RecordType::TLSA, vec![3, 1, 1]),
        (RecordType::DS, vec![1]),
    ] {
        let (text, records) = shown(&message(&[("example.org", rtype, data.clone())]));
        let hex = data_encoding::HEXUPPER.encode(&data);
        let generic = format!("\\# {} {hex}", data.len());
        assert!(text.contains(generic.trim_end()), "{text}");
        let RData::Malformed { reason, span } = &records[0].data else { panic!("{records:?}") };
        assert_eq!(*reason, format!("the octets are not data of type {rtype}"));
        assert_eq!(&text[span.start as usize..span.end as usize], generic.trim_end());
        let again = &read_again(&text)[0];
        assert!(matches!(again.data, RData::Malformed { .. }) && again.span == records[0].span, "{again:?}");
    }
}

#[test]
fn the_order_of_the_server_does_not_matter() {
    let record = |last| ("example.org", RecordType::A, vec![192, 0, 2, last]);
    let forwards = shown(&message(&[record(1), record(20), record(3)]));
    let backwards = shown(&message(&[record(3), record(20), record(1), record(3)]));
    assert_eq!(forwards, backwards);
    assert_eq!(forwards.1.len(), 3);
}

#[test]
fn names_survive_the_wire() {
    for text in [".", "example.org", "a\\.b.example", "\\000\\255.x", "\\\\.x"] {
        let octets = name_octets(text);
        let (name, end) = read_name(&octets, 0, None, &mut Vec::new()).unwrap();
        assert_eq!((name.as_str(), end), (text, octets.len()));
    }
}

fn data() -> impl Strategy<Value = (RecordType, Vec<u8>)> {
    let name = prop_oneof![
        Just(name_octets("example.org")),
        proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..8), 0..4).prop_map(|labels| {
            let mut octets: Vec<u8> =
                labels.iter().flat_map(|label| [&[label.len() as u8][..], label].concat()).collect();
            octets.push(0);
            octets
        }),
    ];
    let strings = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..4)
        .prop_map(|all| all.iter().flat_map(|one| [&[one.len() as u8][..], one].concat()).collect::<Vec<u8>>());
    let types = [RecordType::NS, RecordType::CNAME, RecordType::PTR, RecordType::DNAME];
    let any_type =
        prop_oneof![1u16..70, 99u16..110, 256u16..263, Just(65280)].prop_filter("EDNS", |rtype| *rtype != 41);
    prop_oneof![
        (proptest::sample::select(types.to_vec()), name.clone()),
        (Just(RecordType::MX), (any::<[u8; 2]>(), name).prop_map(|(number, name)| [&number[..], &name].concat())),
        (Just(RecordType::TXT), strings),
        (Just(RecordType::A), any::<[u8; 4]>().prop_map(|octets| octets.to_vec())),
        (Just(RecordType::AAAA), any::<[u8; 16]>().prop_map(|octets| octets.to_vec())),
        (any_type.prop_map(RecordType), proptest::collection::vec(any::<u8>(), 0..60)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_octets_are_survived(octets in proptest::collection::vec(any::<u8>(), 0..200), counts in any::<[u8; 4]>()) {
        let mut octets = octets;
        for (at, count) in (5..12).step_by(2).zip(counts) {
            if let Some([high, low]) = octets.get_mut(at - 1..=at) {
                (*high, *low) = (0, count % 4);
            }
        }
        if let Ok(message) = Message::read(&octets, None) {
            let _ = show(&message, None, &mut Page::new(FileId(0)));
        }
        let wish = Wish { recursion: true, checking_disabled: false, signatures: true };
        let _ = Question::new(&Name::root(), RecordType::A, wish).is_answered_by(&octets);
    }

    #[test]
    fn damaged_messages_are_survived(at in 12usize..200, octet in any::<u8>(), cut in 0usize..200) {
        let soa = ("example.org", RecordType::SOA, soa_octets());
        let pointer = ("www.example.org", RecordType::MX, vec![0, 10, 0xc0, 12]);
        let mut octets = message(&[soa, pointer]);
        if let Some(place) = octets.get_mut(at) {
            *place = octet;
        }
        octets.truncate(octets.len().saturating_sub(cut % 40));
        if let Ok(message) = Message::read(&octets, None) {
            let _ = show(&message, Some(RecordType::MX), &mut Page::new(FileId(0)));
        }
    }

    #[test]
    fn what_is_shown_is_read_again_as_it_is((rtype, data) in data()) {
        let (text, records) = shown(&message(&[("example.org", rtype, data)]));
        // The reader of zone files takes these for templates, and leaves such records unread.
        prop_assume!(!["{{", "{%", "<%", "${"].iter().any(|marker| text.contains(marker)));
        let again = read_again(&text);
        prop_assert_eq!(again.len(), 1, "{}", text);
        if matches!(records[0].data, RData::Malformed { .. }) {
            prop_assert!(matches!(again[0].data, RData::Malformed { .. }), "{} {:?}", text, again);
        } else {
            prop_assert_eq!(&again, &records, "{}", text);
            prop_assert_eq!(presentation(&again[0]), presentation(&records[0]));
        }
    }
}
