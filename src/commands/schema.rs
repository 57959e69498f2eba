//! `mailvet schema`: print a JSON Schema or the fact catalogue.

use std::io::Write as _;

use anyhow::bail;

use super::exit;
use crate::cli::SchemaArgs;
use crate::{diag, schema};

/// Prints the schema of that name, or the names.
pub(super) fn run(args: &SchemaArgs) -> anyhow::Result<u8> {
    let files = schema::generated();
    let mut out = anstream::stdout();
    let Some(name) = &args.name else {
        for file in files {
            writeln!(out, "{:<12} {}", file.name, file.about)?;
        }
        return Ok(exit::GOOD);
    };
    let Some(file) = files.iter().find(|file| file.name == name) else {
        let hint = diag::suggest(name, files.iter().map(|file| file.name))
            .map(|near| format!("did you mean `{near}`? "))
            .unwrap_or_default();
        bail!("no schema is called `{name}`; {hint}`mailvet schema` lists them");
    };
    out.write_all(file.contents.as_bytes())?;
    Ok(exit::GOOD)
}
