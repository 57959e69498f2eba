//! Drawing as inline SVG. Shapes carry the colours of the light theme as attributes, for printers that do not apply styles to
//! drawings; in browsers the style sets them anew by class, so that they follow the theme.

use super::page::Page;

/// A kind of shape: its class, what it is filled with, and its outline.
pub(super) struct Paint {
    class: &'static str,
    fill: &'static str,
    stroke: &'static str,
}

impl Paint {
    /// A bar of a chart.
    pub(super) fn bar(class: &'static str) -> Paint {
        let fill = match class {
            "fail" => "#c2410c",
            "waived" => "#8a8f98",
            "unknown" => "#7654b8",
            _ => "#1f7a56",
        };
        Paint { class, fill, stroke: "none" }
    }

    /// A cell of a heat map.
    pub(super) fn cell(class: &'static str) -> Paint {
        let fill = match class {
            "critical" => "#f9d9e6",
            "high" => "#fde3d0",
            "medium" => "#f8eec2",
            "low" => "#d8eaf8",
            "info" => "#e6eaee",
            "unknown" => "#e6dff5",
            "waived" => "#dcdcdc",
            "pass" => "#d6efe2",
            _ => "#f4f6f8",
        };
        Paint { class, fill, stroke: "#c3ccd6" }
    }

    /// A box of a picture; that of the domain itself is set off.
    pub(super) fn card(is_own: bool) -> Paint {
        let (class, stroke) = if is_own { ("card own", "#0b5394") } else { ("card", "#c3ccd6") };
        Paint { class, fill: "#f4f6f8", stroke }
    }
}

/// How a text of a drawing looks.
#[derive(Clone, Copy)]
pub(super) enum Letters {
    Plain,
    Bold,
    Soft,
    /// In the middle of a cell.
    Centred,
}

/// The start of a drawing of a size in pixels. `title` is its name, and the id of that name.
pub(super) fn open(page: &mut Page, (width, height): (u32, u32), id: &'static str) {
    page.html("<svg width=\"").at(width).html("\" height=\"").at(height).html("\" viewBox=\"0 0 ").at(width);
    page.html(" ").at(height).html("\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\"");
    if !id.is_empty() {
        page.html(" aria-labelledby=\"").html(id).html("\"");
    }
    page.html(">");
}

pub(super) fn rect(page: &mut Page, paint: &Paint, (x, y): (u32, u32), (width, height): (u32, u32)) {
    page.html("<rect class=\"").html(paint.class).html("\" fill=\"").html(paint.fill).html("\" stroke=\"");
    page.html(paint.stroke).html("\" x=\"").at(x).html("\" y=\"").at(y).html("\" width=\"").at(width);
    page.html("\" height=\"").at(height).html("\"/>");
}

pub(super) fn text(page: &mut Page, letters: Letters, (x, y): (u32, u32), text: &str) {
    page.html("<text").html(match letters {
        Letters::Plain => "",
        Letters::Bold => " font-weight=\"bold\"",
        Letters::Soft => " class=\"num\"",
        Letters::Centred => " text-anchor=\"middle\" font-size=\"11\"",
    });
    page.html(" x=\"").at(x).html("\" y=\"").at(y).html("\">").text(text).html("</text>");
}

/// A text that rises to the right.
pub(super) fn rising(page: &mut Page, (x, y): (u32, u32), text: &str) {
    page.html("<text transform=\"translate(").at(x).html(" ").at(y).html(") rotate(-40)\">").text(text).html("</text>");
}

/// A line with a tip at its end.
pub(super) fn arrow(page: &mut Page, (from_x, from_y): (u32, u32), (to_x, to_y): (u32, u32)) {
    page.html("<path class=\"flow\" fill=\"none\" stroke=\"#4a5665\" d=\"M").at(from_x).html(" ").at(from_y).html("L");
    page.at(to_x.saturating_sub(7)).html(" ").at(to_y).html("\"/><path class=\"tip\" fill=\"#4a5665\" d=\"M").at(to_x);
    page.html(" ").at(to_y).html("l-9 -4v8z\"/>\n");
}
