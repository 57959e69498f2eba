//! The packs and profiles that the binary carries: every YAML file below `policies/`, listed once.
//!
//! Adding a file means adding its name here; a test walks the folder and finds what was forgotten.

use super::document::PackDocument;
use super::load::parse_pack;
use super::profile::{ProfileDocument, load_profile};
use crate::diag::{Diagnostic, Files};

/// The files of one embedded pack, by path.
#[derive(Debug)]
pub struct EmbeddedPack {
    /// Name of the folder, which is the name of the pack.
    pub name: &'static str,
    /// Paths below the repository, and contents.
    pub files: &'static [(&'static str, &'static [u8])],
}

macro_rules! embedded {
    (@file $folder:literal, $file:literal) => {
        (concat!("policies/", $folder, "/", $file), include_bytes!(concat!("../../policies/", $folder, "/", $file)).as_slice())
    };
    (
        packs { $( $pack:literal: [ $( $file:literal ),+ $(,)? ] ),* $(,)? }
        profiles [ $( $profile:literal ),* $(,)? ]
    ) => {
        /// All embedded packs.
        pub const PACKS: &[EmbeddedPack] =
            &[ $( EmbeddedPack { name: $pack, files: &[ $( embedded!(@file $pack, $file) ),+ ] } ),* ];

        /// All embedded profiles, by path.
        pub const PROFILES: &[(&str, &[u8])] = &[ $( embedded!(@file "profiles", $profile) ),* ];
    };
}

embedded! {
    packs {
        "certificates": ["keys.yaml", "pack.yaml", "trust.yaml", "validity.yaml"],
        "client-access": ["login.yaml", "pack.yaml", "tls.yaml"],
        "dns-health": ["live.yaml", "names.yaml", "pack.yaml", "zone.yaml"],
        "dnssec": ["dnssec.yaml", "pack.yaml"],
        "mail-transport": ["certificate.yaml", "dane.yaml", "pack.yaml", "starttls.yaml", "tls.yaml"],
        "mx-inventory": ["mx.yaml", "pack.yaml"],
        "parked-domains": ["pack.yaml", "parked.yaml"],
        "reputation": ["address.yaml", "lists.yaml", "pack.yaml", "reverse.yaml"],
        "smtp-service": ["commands.yaml", "greeting.yaml", "limits.yaml", "pack.yaml"],
        "spoofing": ["bimi.yaml", "dkim.yaml", "dmarc.yaml", "pack.yaml", "spf.yaml"],
        "transport-dns": ["caa.yaml", "dane.yaml", "mta-sts.yaml", "pack.yaml", "tls-rpt.yaml"],
    }
    profiles ["default.yaml", "strict.yaml"]
}

/// Loads all embedded packs, in the order of the table. A failure is a defect of this build.
pub fn embedded_packs(files: &mut Files) -> Result<Vec<PackDocument>, Vec<Diagnostic>> {
    let mut packs = Vec::new();
    let mut problems = Vec::new();
    for pack in PACKS {
        let sources: Vec<(String, Vec<u8>)> =
            pack.files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
        match parse_pack(files, &sources) {
            Ok(pack) => packs.push(pack),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(packs) } else { Err(problems) }
}

/// Loads an embedded profile by the name of its file without `.yaml`; `None` when there is none of that name.
pub fn embedded_profile(files: &mut Files, name: &str) -> Option<Result<ProfileDocument, Vec<Diagnostic>>> {
    let path = format!("policies/profiles/{name}.yaml");
    let (path, bytes) = PROFILES.iter().find(|(known, _)| *known == path)?;
    Some(load_profile(files, path, bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_table_lists_every_file_below_policies() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = BTreeSet::new();
        for folder in std::fs::read_dir(root.join("policies")).into_iter().flatten() {
            let folder = folder.unwrap().path();
            for file in std::fs::read_dir(&folder).into_iter().flatten() {
                let file = file.unwrap().path();
                if file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
                    let names = [folder.file_name().unwrap(), file.file_name().unwrap()];
                    found.insert(format!("policies/{}/{}", names[0].to_string_lossy(), names[1].to_string_lossy()));
                }
            }
        }
        let packs = PACKS.iter().flat_map(|pack| pack.files.iter().map(|(path, _)| (*path).to_owned()));
        let listed: BTreeSet<String> = packs.chain(PROFILES.iter().map(|(path, _)| (*path).to_owned())).collect();
        assert_eq!(listed, found);
    }

    #[test]
    fn embedded_packs_load_under_the_names_of_their_folders() {
        let mut files = Files::default();
        let packs = embedded_packs(&mut files).unwrap_or_else(|problems| {
            panic!("{}", problems.iter().map(|problem| problem.render(&files)).collect::<String>())
        });
        let names: Vec<&str> = packs.iter().map(|pack| pack.name.value.as_str()).collect();
        let folders: Vec<&str> = PACKS.iter().map(|pack| pack.name).collect();
        assert_eq!(names, folders);
    }
}
