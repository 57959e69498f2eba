//! A drawing of each domain: who may send for it, what protects it, where its mail goes. From facts, without judgement.

use super::page::Page;
use super::{Report, survey::Class};
use crate::reports::dossier::Picture;
use crate::reports::dossier::picture::{Exchanger, cut};

/// How many domains are drawn.
const DRAWN: usize = 50;

const LEFT: u32 = 2;
const MIDDLE: u32 = 316;
const RIGHT: u32 = 630;
const WIDTH: u32 = 268;
/// Height of one line of text.
const LINE: u32 = 17;

pub(super) fn write(report: &Report<'_>, page: &mut Page) {
    let mut pictures: Vec<&Picture> = report.dossier.pictures.iter().collect();
    let failed = |picture: &Picture| -> usize {
        let target = report.assessment.targets.iter().position(|target| target.name == picture.domain);
        let row = target.map(|target| report.survey.row(target)).unwrap_or_default();
        row.iter().map(|cell| cell.classes[Class::Failed as usize]).sum()
    };
    if pictures.len() > DRAWN {
        pictures.sort_by_cached_key(|picture| (std::cmp::Reverse(failed(picture)), picture.domain.clone()));
        page.html("<p>The ")
            .number(DRAWN)
            .html(" of ")
            .number(pictures.len())
            .html(" domains with the most failures.</p>\n");
        pictures.truncate(DRAWN);
    }
    pictures.sort_by(|one, other| one.domain.cmp(&other.domain));
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

    fn draw(&self, page: &mut Page, class: &'static str) {
        page.html("<rect class=\"")
            .html(class)
            .html("\" x=\"")
            .at(self.x)
            .html("\" y=\"")
            .at(self.y)
            .html("\" width=\"");
        page.at(WIDTH).html("\" height=\"").at(self.height()).html("\" rx=\"4\"/><text class=\"strong\" x=\"");
        page.at(self.x + 9).html("\" y=\"").at(self.y + 19).html("\">").text(&cut(self.title)).html("</text>");
        for (line, y) in self.lines.iter().zip((self.y + 19 + LINE..).step_by(17)) {
            page.html("<text x=\"").at(self.x + 9).html("\" y=\"").at(y).html("\">").text(line).html("</text>");
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
    page.html("aria-label=\"How mail flows: ").text(&picture.domain).html("\"><svg viewBox=\"0 0 900 ").at(bottom + 2);
    page.html("\" role=\"img\"><title>How mail flows: ")
        .text(&picture.domain)
        .html("</title><desc>")
        .text(&words(picture));
    page.html("</desc>\n");
    for card in &left {
        arrow(page, card.x + WIDTH, card.middle(), MIDDLE, card.middle().min(middle.y + middle.height() - 8));
    }
    for card in &right {
        arrow(page, MIDDLE + WIDTH, card.middle().min(middle.y + middle.height() - 8), RIGHT, card.middle());
    }
    left.iter().for_each(|card| card.draw(page, "card"));
    middle.draw(page, "card own");
    right.iter().for_each(|card| card.draw(page, "card"));
    page.html("</svg></div></figure>\n");
}

fn arrow(page: &mut Page, from_x: u32, from_y: u32, to_x: u32, to_y: u32) {
    page.html("<path class=\"flow\" d=\"M").at(from_x).html(" ").at(from_y).html("L").at(to_x - 7).html(" ").at(to_y);
    page.html("\"/><path class=\"tip\" d=\"M").at(to_x).html(" ").at(to_y).html("l-9 -4v8z\"/>\n");
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
