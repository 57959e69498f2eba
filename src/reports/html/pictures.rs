//! A drawing of each domain: who may send for it, what protects it, where its mail goes. From facts, without judgement.

use super::Report;
use super::page::Page;
use super::svg::{self, Letters, Paint};
use crate::facts::Target;
use crate::reports::dossier::Picture;
use crate::reports::dossier::picture::{Exchanger, cut};

const LEFT: u32 = 2;
const MIDDLE: u32 = 316;
const RIGHT: u32 = 630;
const WIDTH: u32 = 268;
/// Height of one line of text.
const LINE: u32 = 17;

pub(super) fn write(report: &Report<'_>, page: &mut Page) {
    let pictures = &report.dossier.pictures;
    let domains = report.assessment.targets.iter().filter(|target| target.kind == Target::Domain).count();
    if domains > pictures.len() {
        page.html("<p>The ").number(pictures.len()).html(" of ").number(domains);
        page.html(" domains with the most failures.</p>\n");
    }
    page.html(
        "<p>What was observed, without a verdict. <i>none</i>: it was looked for and is not there. <i>unknown</i>: it ",
    );
    page.html("could not be looked at, for the reason beside it.</p>\n");
    for picture in pictures {
        draw(page, picture);
    }
}

/// A box: a title and lines.
struct Card<'a> {
    x: u32,
    y: u32,
    title: &'a str,
    lines: Vec<String>,
}

impl Card<'_> {
    fn height(&self) -> u32 {
        28 + LINE * u32::try_from(self.lines.len()).unwrap_or(0)
    }

    fn middle(&self) -> u32 {
        self.y + self.height() / 2
    }

    fn draw(&self, page: &mut Page, is_own: bool) {
        svg::rect(page, &Paint::card(is_own), (self.x, self.y), (WIDTH, self.height()));
        svg::text(page, Letters::Bold, (self.x + 9, self.y + 19), &cut(self.title));
        for (line, y) in self.lines.iter().zip((self.y + 19 + LINE..).step_by(17)) {
            svg::text(page, Letters::Plain, (self.x + 9, y), line);
        }
        page.html("\n");
    }
}

/// The boxes of a domain: on the left, in the middle, on the right.
fn cards(picture: &Picture) -> (Vec<Card<'_>>, Card<'_>, Vec<Card<'_>>) {
    let or_none = |lines: &Vec<String>| if lines.is_empty() { vec!["none".to_owned()] } else { lines.clone() };
    let servers = Card { x: LEFT, y: 2, title: "Name servers", lines: or_none(&picture.name_servers) };
    let below = servers.height() + 16;
    let senders = Card { x: LEFT, y: below, title: "May send in its name", lines: or_none(&picture.senders) };
    let states = picture.outbound.iter().chain(&picture.inbound).map(|(what, state)| format!("{what}: {state}"));
    let lines = std::iter::once(picture.uses.clone()).chain(states).collect();
    let middle = Card { x: MIDDLE, y: 2, title: &picture.domain, lines };
    let mut y = 2;
    let mut right = Vec::new();
    for Exchanger { name, addresses, .. } in &picture.exchangers {
        let card = Card { x: RIGHT, y, title: name, lines: addresses.clone() };
        y += card.height() + 12;
        right.push(card);
    }
    (vec![servers, senders], middle, right)
}

fn draw(page: &mut Page, picture: &Picture) {
    let (left, middle, right) = cards(picture);
    let bottom = left.iter().chain([&middle]).chain(&right).map(|card| card.y + card.height()).max().unwrap_or(0);
    page.html("<figure class=\"flow\"><h3>")
        .text(&picture.domain)
        .html("</h3>\n<div class=\"scroll\" tabindex=\"0\" role=\"group\" ");
    page.html("aria-label=\"How mail flows: ").text(&picture.domain).html("\">");
    svg::open(page, (900, bottom + 2), "");
    page.html("<title>How mail flows: ").text(&picture.domain).html("</title><desc>").text(&words(picture));
    page.html("</desc>\n");
    let lowest = middle.y + middle.height() - 8;
    for card in &left {
        svg::arrow(page, (card.x + WIDTH, card.middle()), (MIDDLE, card.middle().min(lowest)));
    }
    for card in &right {
        svg::arrow(page, (MIDDLE + WIDTH, card.middle().min(lowest)), (RIGHT, card.middle()));
    }
    left.iter().chain(&right).for_each(|card| card.draw(page, false));
    middle.draw(page, true);
    page.html("</svg></div></figure>\n");
}

/// The drawing in words.
fn words(picture: &Picture) -> String {
    let states = |states: &[(&str, String)]| {
        states.iter().map(|(what, state)| format!("{what}: {state}")).collect::<Vec<_>>().join(", ")
    };
    let exchangers: Vec<String> = picture
        .exchangers
        .iter()
        .map(|exchanger| format!("{} ({})", exchanger.name, exchanger.addresses.join(", ")))
        .collect();
    format!(
        "Use: {}. Name servers: {}. May send: {}. Against forgery: {}. In transit: {}. Mail exchangers: {}.",
        picture.uses,
        picture.name_servers.join(", "),
        picture.senders.join(", "),
        states(&picture.outbound),
        states(&picture.inbound),
        exchangers.join("; ")
    )
}
