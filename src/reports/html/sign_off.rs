//! The sign-off block. The tool signs nothing and states no conformance: that is for people.

use super::page::{Column, Page};
use super::{Report, cover};

pub(super) fn write(report: &Report<'_>, page: &mut Page) {
    page.html("<div class=\"sign\">\n<p>Status: draft until signed. Outcome that is signed: ")
        .text(&cover::outcome(report));
    page.html("</p>\n<p>Conducted in accordance with (to be stated by the auditor): ");
    page.html("<span class=\"rule\"></span></p>\n");
    page.table(
        "Sign-off",
        &[
            Column("Part", 15),
            Column("Name", 20),
            Column("Role", 15),
            Column("Organisation", 20),
            Column("Date", 10),
            Column("Signature", 20),
        ],
    );
    for role in ["Prepared by", "Reviewed by", "Approved by"] {
        page.html("<tr><th scope=row>").html(role);
        page.html(
            "<td class=\"blank\"><td class=\"blank\"><td class=\"blank\"><td class=\"blank\"><td class=\"blank\">\n",
        );
    }
    page.end_table().html("</div>\n");
}
