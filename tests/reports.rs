//! Reports: what goes in comes out, in every format, in the same bytes each time.

#[path = "support/assessment.rs"]
mod assessment;

use assessment::{large, sample};
use mailvet::diag::Files;
use mailvet::findings::Assessment;
use mailvet::reports::{Context, Format, render};

fn write(format: Format, assessment: &Assessment, files: &Files) -> String {
    let mut out = Vec::new();
    render(format, assessment, &Context::new("1.0.0", files), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn show() {
    let (files, assessment) = sample();
    for format in Format::ALL {
        println!("=== {format}\n{}", write(*format, &assessment, &files));
    }
    let (files, assessment) = large(7);
    println!("{}", write(Format::SarifGitlab, &assessment, &files));
}
