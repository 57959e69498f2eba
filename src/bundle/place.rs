//! Where a bundle is written: a folder, or a zip file that is a folder beside it until it is finished.

use std::path::{Path, PathBuf};

/// What the name of a zip file ends in.
const ZIP: &str = ".zip";
/// What the name of the folder ends in that becomes a zip file.
const PARTIAL: &str = ".partial";

/// The folder that a zip file of this path holds; `None` for a path that names a folder.
pub fn top(path: &Path) -> Option<String> {
    let place = Place::of(path);
    place.archive().filter(|archive| *archive == path).map(|_| place.top())
}

/// The place of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    folder: PathBuf,
    archive: Option<PathBuf>,
}

impl Place {
    /// The place that a path names: `b` is a folder, `b.zip` a file, and `b.zip.partial` what becomes one.
    pub(super) fn of(path: &Path) -> Place {
        let text = path.to_string_lossy();
        let is_zip = |text: &str| {
            let name = text.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
            name.len() > ZIP.len() && name.ends_with(ZIP)
        };
        if is_zip(&text) {
            let mut folder = path.as_os_str().to_owned();
            folder.push(PARTIAL);
            return Place { folder: PathBuf::from(folder), archive: Some(path.to_owned()) };
        }
        let archive = Some(path.with_extension("")).filter(|_| text.ends_with(PARTIAL));
        let archive = archive.filter(|archive| is_zip(&archive.to_string_lossy()));
        Place { folder: path.to_owned(), archive }
    }

    /// The folder that is written to.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that it becomes.
    pub(super) fn archive(&self) -> Option<&Path> {
        self.archive.as_deref()
    }

    /// Whether the path itself is that of a file.
    pub(super) fn is_archive(&self) -> bool {
        self.archive.is_some()
    }

    /// What there is in the end.
    pub(super) fn shown(&self) -> &Path {
        self.archive().unwrap_or(&self.folder)
    }

    /// The folder in the file that all files of the bundle lie in.
    pub(super) fn top(&self) -> String {
        let stem = self.shown().file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let is_usual = |byte: char| byte.is_ascii_alphanumeric() || matches!(byte, '-' | '_' | '.' | '+' | '@' | ',');
        let top: String = stem.chars().map(|byte| if is_usual(byte) { byte } else { '_' }).take(100).collect();
        match top.trim_start_matches('.') {
            "" => "bundle".to_owned(),
            top => top.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_whether_it_is_a_folder_or_a_file() {
        for (path, folder, archive, top) in [
            ("a/b", "a/b", None, "b"),
            ("a/b.zip", "a/b.zip.partial", Some("a/b.zip"), "b"),
            ("a/b.zip.partial", "a/b.zip.partial", Some("a/b.zip"), "b"),
            ("2026.11.ZIP", "2026.11.ZIP.partial", Some("2026.11.ZIP"), "2026.11"),
            ("a/.zip", "a/.zip", None, "zip"),
            ("b.partial", "b.partial", None, "b"),
            ("..x y.zip", "..x y.zip.partial", Some("..x y.zip"), "x_y"),
        ] {
            let place = Place::of(Path::new(path));
            assert_eq!((place.folder(), place.archive()), (Path::new(folder), archive.map(Path::new)), "{path}");
            assert_eq!(place.top(), top, "{path}");
        }
    }
}
