//! Outcomes against servers that follow a script; one server says one thing.

use super::testing::*;
use crate::sources::RecordType;
use crate::sources::record::{Outcome, RData};

#[tokio::test]
async fn records_come_with_their_places() {
    let text =
        |data: &[&[u8]]| data.iter().flat_map(|chunk| [&[chunk.len() as u8][..], chunk].concat()).collect::<Vec<_>>();
    let server = Server::new(move |query| {
        Reply::new(query, 0).answer(
            "example.org",
            RecordType::TXT,
            &text(&[b"v=spf1 \"mx", b" inc\xfflude:x.example -all"]),
        )
    })
    .await;
    let live = live(options(&[&server])).await;
    let answer = look_up(&live, "example.org", RecordType::TXT).await;
    let Outcome::Records(records) = &answer.outcome else { panic!("{answer:?}") };
    let RData::Txt(text) = &records[0].data else { panic!("{answer:?}") };
    let at = text.bytes.windows(4).position(|window| window == b"-all").unwrap();
    assert_eq!(excerpt(&live, text.place(at..at + 4)), "-all");
    assert_eq!(excerpt(&live, text.place(7..8)), "\\\"");
    let (path, page) = page(&live, records[0].span);
    assert_eq!(path, "dns/example.org/TXT");
    let expected = format!(
        ";; NOERROR, 1 answer, from {} over UDP\n;; answer\n\
         example.org. 300 IN TXT \"v=spf1 \\\"mx\" \" inc\\255lude:x.example -all\"\n",
        server.address
    );
    assert_eq!(page, expected);
}
