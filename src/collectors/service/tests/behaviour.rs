use super::{found, plain, probed, secure, submission};
use crate::facts::service::Protocol;
use crate::mail::Name;
use crate::probes::Settings;
use crate::probes::testing::{Step, settings};

const NO_USER: &str = "VRFY mailvet-no-such-user";

#[tokio::test]
async fn case_120_vrfy_252_is_neutral() {
    let neutral = found(plain(&[])).await;
    neutral.check(&[
        ("smtp.vrfy[0].asked", "postmaster «252 2.0.0 send it and see»"),
        ("smtp.vrfy[1].asked", "postmaster@example.org «252 2.0.0 send it and see»"),
        ("smtp.vrfy[2].asked", "mailvet-no-such-user «252 2.0.0 send it and see»"),
        ("smtp.vrfy[0].code", "252 «252 2.0.0 send it and see»"),
        ("smtp.vrfy[0].confirms", "false «252 2.0.0 send it and see»"),
        ("smtp.vrfy_confirms", "false «252 2.0.0 send it and see»"),
    ]);
    let confirms = found(plain(&[(NO_USER, "550 5.1.1 unknown"), ("VRFY", "250 <postmaster@example.org>")])).await;
    confirms.check(&[
        ("smtp.vrfy[0].confirms", "true «250 <postmaster@example.org>»"),
        ("smtp.vrfy_confirms", "true «250 <postmaster@example.org>»"),
    ]);
    let vain = found(plain(&[("VRFY", "250 ok")])).await;
    vain.check(&[("smtp.vrfy_confirms", "false «250 ok»")]);
    assert!(vain.note("smtp.vrfy_confirms").starts_with("an invented mailbox gets the same answer"));
    let later = "450 4.3.2 later";
    let unclear = found(plain(&[(NO_USER, later), ("VRFY", "250 ok")])).await;
    unclear
        .check(&[("smtp.vrfy_confirms", "unknown rate-limited: the server asks to come back later: 450 4.3.2 later")]);
    let shown = found(plain(&[(NO_USER, later), ("VRFY", "250 <a@example.org>")])).await;
    shown.check(&[("smtp.vrfy_confirms", "true «250 <a@example.org>»")]);
}

#[tokio::test]
async fn case_121_vrfy_and_expn_count_by_reply_not_by_advertisement() {
    let advertised = ("EHLO", "250-mx1.example.org\n250-VRFY\n250 EXPN");
    let found = found(plain(&[advertised, ("VRFY", "502 5.5.1 disabled"), ("EXPN", "550 5.7.1 no")])).await;
    found.check(&[
        ("smtp.vrfy_confirms", "false «502 5.5.1 disabled»"),
        ("smtp.expn_expands", "false «550 5.7.1 no»"),
        ("smtp.expn[1].code", "550 «550 5.7.1 no»"),
    ]);
    let lists = super::found(plain(&[("EXPN staff", "250-<a@example.org>\n250 <b@example.org>")])).await;
    lists.check(&[("smtp.expn_expands", "true «250-<a@example.org>\nS: 250 <b@example.org>»")]);
    let later = super::found(plain(&[("EXPN staff", "450 later")])).await;
    later.check(&[("smtp.expn_expands", "unknown rate-limited: the server asks to come back later: 450 later")]);
}

#[tokio::test]
async fn case_122_an_accepted_recipient_is_a_suspicion() {
    let closed = found(plain(&[])).await;
    closed.check(&[
        ("smtp.open_relay", "refused «554 5.7.1 relay access denied»"),
        ("smtp.relay[0].status", "refused «554 5.7.1 relay access denied»"),
        ("smtp.relay[0].code", "554 «554 5.7.1 relay access denied»"),
    ]);
    assert!(!closed.heard.iter().flatten().any(|line| line.starts_with("DATA") || line.starts_with("BDAT")));
    let open = found(plain(&[("RCPT TO:<mailvet-probe%example.com@mx1", "250 2.1.5 Ok")])).await;
    open.check(&[
        ("smtp.relay[0].status", "refused «554 5.7.1 relay access denied»"),
        ("smtp.relay[4].status", "suspected «250 2.1.5 Ok»"),
        ("smtp.open_relay", "suspected «250 2.1.5 Ok»"),
    ]);
    assert_eq!(open.note("smtp.open_relay"), "by the form percent hack at the host");
}

#[tokio::test]
async fn case_122_every_form_of_relaying_is_tried() {
    let found = found(plain(&[])).await;
    let forms: Vec<String> = (0..12)
        .map(|index| {
            let field = |name: &str| found.line(&format!("smtp.relay[{index}].{name}"));
            format!("{}: <{}> <{}>", field("form"), field("sender"), field("recipient"))
        })
        .collect();
    let expected = [
        "foreign to foreign: <mailvet-probe@example.net> <mailvet-probe@example.com>",
        "own domain to foreign: <mailvet-probe@example.org> <mailvet-probe@example.com>",
        "null sender to foreign: <> <mailvet-probe@example.com>",
        "postmaster of the address to foreign: <postmaster@[127.0.0.1]> <mailvet-probe@example.com>",
        "percent hack at the host: <mailvet-probe@example.net> <mailvet-probe%example.com@mx1.example.org>",
        "percent hack at the own domain: <mailvet-probe@example.net> <mailvet-probe%example.com@example.org>",
        "percent hack at the address: <mailvet-probe@example.net> <mailvet-probe%example.com@[127.0.0.1]>",
        "quoted address at the host: <mailvet-probe@example.net> <\"mailvet-probe@example.com\"@mx1.example.org>",
        "bang path: <mailvet-probe@example.net> <example.com!mailvet-probe>",
        "bang path at the host: <mailvet-probe@example.net> <example.com!mailvet-probe@mx1.example.org>",
        "source route: <mailvet-probe@example.net> <@mx1.example.org:mailvet-probe@example.com>",
        "two at signs: <mailvet-probe@example.net> <mailvet-probe@example.com@mx1.example.org>",
    ];
    assert_eq!(forms, expected);
    assert_eq!(found.line("smtp.relay[12].form"), "no such element");
}

#[tokio::test]
async fn case_123_a_sender_refused_first_leaves_the_attempt_inconclusive() {
    let refused = ("MAIL FROM:<mailvet-probe@example.net>", "550 5.1.8 sender domain does not exist");
    let found = found(plain(&[refused])).await;
    found.check(&[
        ("smtp.relay[0].status", "inconclusive «550 5.1.8 sender domain does not exist»"),
        ("smtp.relay[1].status", "refused «554 5.7.1 relay access denied»"),
        ("smtp.open_relay", "inconclusive «550 5.1.8 sender domain does not exist»"),
    ]);
    for reply in ["451 4.7.1 greylisted", "554 5.7.1 client blocked using zen.spamhaus.org"] {
        let found = super::found(plain(&[("RCPT", reply)])).await;
        found.check(&[("smtp.open_relay", &format!("inconclusive «{reply}»"))]);
    }
}

#[tokio::test]
async fn case_124_a_catch_all_makes_acceptance_worthless() {
    let honest = found(plain(&[])).await;
    honest.check(&[("smtp.postmaster", "true «250 2.1.5 Ok»"), ("smtp.abuse", "true «250 2.1.5 Ok»")]);
    assert_eq!(honest.note("smtp.postmaster"), "");
    let everybody = found(plain(&[("RCPT TO:<mailvet-no-such-user@example.org>", "250 2.1.5 Ok")])).await;
    everybody.check(&[("smtp.postmaster", "true «250 2.1.5 Ok»")]);
    assert!(everybody.note("smtp.postmaster").contains("says nothing"));
    let missing = found(plain(&[("RCPT TO:<abuse@", "550 5.1.1 no such user")])).await;
    missing.check(&[("smtp.postmaster", "true «250 2.1.5 Ok»"), ("smtp.abuse", "false «550 5.1.1 no such user»")]);
    let refuses_us = found(plain(&[("RCPT", "554 5.7.1 blocked using dnsbl.example")])).await;
    refuses_us.check(&[(
        "smtp.postmaster",
        "unknown protocol: the server refuses us: 554 5.7.1 blocked using dnsbl.example",
    )]);
}

#[tokio::test]
async fn case_125_greylisting_is_not_a_refusal() {
    for reply in ["450 4.2.0 greylisted", "451 4.7.1 try again"] {
        let found = found(plain(&[("RCPT TO:<", reply)])).await;
        found.check(&[
            ("smtp.greylisting", &format!("true «{reply}»")),
            ("smtp.postmaster", &format!("unknown rate-limited: the server asks to come back later: {reply}")),
            ("smtp.abuse", &format!("unknown rate-limited: the server asks to come back later: {reply}")),
        ]);
    }
    found(plain(&[])).await.check(&[("smtp.greylisting", "false «250 2.1.5 Ok»")]);
}

#[tokio::test]
async fn case_126_auth_before_tls_is_seen_and_kinds_are_told_apart() {
    for (line, mechanisms, cleartext) in [
        ("AUTH PLAIN LOGIN", "[PLAIN, LOGIN]", true),
        ("AUTH=LOGIN", "[LOGIN]", true),
        ("AUTH SCRAM-SHA-256 XOAUTH2", "[SCRAM-SHA-256, XOAUTH2]", false),
    ] {
        let found = submission(plain(&[("EHLO", &format!("250-mx1.example.org\n250 {line}"))])).await;
        found.check(&[
            ("auth.before_tls", &format!("{mechanisms} «250 {line}»")),
            ("auth.cleartext", &format!("{cleartext} «250 {line}»")),
        ]);
    }
    submission(plain(&[("EHLO", "250 mx1.example.org")]))
        .await
        .check(&[("auth.before_tls", "[] «250 mx1.example.org»"), ("auth.cleartext", "false «250 mx1.example.org»")]);
}

#[tokio::test]
async fn submission_asks_who_sends_or_does_not() {
    let table: &[(&str, &str, &str)] = &[
        ("MAIL FROM", "530 5.7.0 Authentication required", "true «530 5.7.0 Authentication required»"),
        ("MAIL FROM", "550 5.7.1 not logged in", "true «550 5.7.1 not logged in»"),
        (
            "RCPT",
            "554 5.7.1 <x>: Client host rejected: Access denied",
            "true «554 5.7.1 <x>: Client host rejected: Access denied»",
        ),
        ("RCPT", "550 relay not permitted", "true «550 relay not permitted»"),
        ("RCPT", "250 2.1.5 Ok", "false «250 2.1.5 Ok»"),
        ("RCPT", "450 4.7.1 later", "unknown rate-limited: the server asks to come back later: 450 4.7.1 later"),
        (
            "RCPT",
            "550 5.1.1 no such user",
            "unknown protocol: the refusal does not say that it is for want of a login: 550 5.1.1 no such user",
        ),
        (
            "MAIL FROM",
            "530 5.7.0 Must issue a STARTTLS command first",
            "unknown protocol: the server asks for TLS first: 530 5.7.0 Must issue a STARTTLS command first",
        ),
    ];
    for (command, reply, expected) in table {
        submission(plain(&[(command, reply)])).await.check(&[("auth.required", expected)]);
    }
    let on_25 = found(plain(&[])).await;
    assert!(on_25.line("auth.required").starts_with("absent not-offered «connected to 127.0.0.1:"));
}

#[tokio::test]
async fn hosts_that_nobody_claims_are_not_asked_what_strangers_have_no_business_with() {
    let stranger = probed(vec![plain(&[])], Protocol::Smtp, |endpoint| endpoint.claimed = false, &settings()).await;
    let heard: Vec<String> = stranger.heard.concat();
    assert!(heard.iter().any(|line| line.starts_with("EHLO")));
    for word in ["VRFY", "EXPN", "RCPT", "DATA"] {
        assert!(!heard.iter().any(|line| line.starts_with(word)), "{word}: {heard:?}");
    }
    let why = "the inventory does not claim this host";
    stranger.check(&[
        ("smtp.vrfy_confirms", &format!("unknown not-collected: VRFY was not tried: {why}")),
        ("smtp.expn_expands", &format!("unknown not-collected: EXPN was not tried: {why}")),
        ("smtp.postmaster", &format!("unknown not-collected: mail for postmaster and abuse was not tried: {why}")),
        ("smtp.open_relay", &format!("unknown not-collected: relaying was not tried: {why}")),
        ("smtp.early_talk", &format!("unknown not-collected: talking before the greeting was not tried: {why}")),
    ]);
}

#[tokio::test]
async fn relaying_and_early_talk_need_to_be_asked_for() {
    let passive = Settings { active: false, ..settings() };
    let found = probed(vec![plain(&[])], Protocol::Smtp, |_| {}, &passive).await;
    assert_eq!(found.heard.len(), 1);
    assert!(!found.heard.concat().iter().any(|line| line.contains("example.com")));
    found.check(&[
        ("smtp.vrfy_confirms", "false «252 2.0.0 send it and see»"),
        ("smtp.open_relay", "unknown not-collected: relaying was not tried: it needs --active"),
        ("smtp.early_talk", "unknown not-collected: talking before the greeting was not tried: it needs --active"),
    ]);
}

#[tokio::test]
async fn no_password_and_no_message_is_ever_sent() {
    let everything = ("EHLO", "250-mx1.example.org\n250-AUTH PLAIN LOGIN\n250-AUTH=LOGIN\n250-CHUNKING\n250 STARTTLS");
    let accepts = ("RCPT", "250 2.1.5 Ok");
    let rows = [everything, accepts, ("VRFY", "250 ok"), ("EXPN", "250 ok")];
    for protocol in [Protocol::Smtp, Protocol::Submission] {
        let found = probed(vec![secure(&rows, Step::Tls, &rows)], protocol, |_| {}, &settings()).await;
        let heard = found.heard.concat();
        assert!(heard.len() > 30, "{heard:?}");
        for line in &heard {
            let word = line.split(' ').next().unwrap_or_default();
            let allowed = ["EHLO", "MAIL", "RCPT", "RSET", "VRFY", "EXPN", "NOOP", "STARTTLS", "QUIT"];
            assert!(allowed.contains(&word), "{line}");
        }
        let quits = heard.iter().filter(|line| *line == "QUIT").count();
        assert_eq!(quits, found.heard.len(), "every conversation ends with QUIT: {:?}", found.heard);
    }
}

#[tokio::test]
async fn the_number_of_domains_and_connections_is_bounded() {
    let many = |endpoint: &mut crate::probes::Endpoint| {
        endpoint.domains = (0..50).map(|number| Name::parse(&format!("d{number}.example.org")).unwrap()).collect();
    };
    let two = Settings { max_connections: 2, ..settings() };
    let found = probed(vec![plain(&[("RCPT", "250 2.1.5 Ok")])], Protocol::Smtp, many, &two).await;
    let asked = found.heard.concat().iter().filter(|line| line.starts_with("RCPT TO:<postmaster@")).count();
    assert_eq!((asked, found.heard.len()), (3, 2));
    found.check(&[("smtp.early_talk", "unknown limit-reached: no more than 2 connections to one service")]);
}
