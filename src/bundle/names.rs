//! From any text to the name of a file, safe on every system.
//!
//! Evidence is named after what DNS says, and files after what people call them; neither may lead out of the bundle, be
//! swallowed by a file system that ignores case, or be a device on Windows. A byte that is not safe everywhere becomes
//! `=` and two hexadecimal digits, as in quoted-printable; `%` is not used, because BagIt gives it a meaning of its own
//! (RFC 8493 section 2.1.3) that `sha256sum` does not know. What is too long is cut and ends in a part of its SHA-256, and
//! a name that is taken gets `~2`. Which text became which name stands in the index of the evidence.

use std::collections::BTreeMap;

use super::digest::sha256;

/// Longest part between two slashes, in bytes.
const MAX_PART: usize = 100;
/// Longest name, in bytes, without the extension.
const MAX_NAME: usize = 200;
/// Digits of the SHA-256 that stand for what was cut.
const DIGITS: usize = 16;

/// Hands out names, none twice, not even by case.
#[derive(Debug, Default)]
pub struct Names {
    /// What is taken, in lower case: files, and folders with the case they were first written in.
    taken: BTreeMap<String, Taken>,
}

#[derive(Debug)]
enum Taken {
    File,
    Folder(String),
}

impl Names {
    /// A name below `folder` for a text, ending in `extension`.
    pub fn assign(&mut self, folder: &str, text: &str, extension: &str) -> String {
        let mut safe = text.split('/').filter(|part| !part.is_empty() && *part != ".").map(part).collect::<Vec<_>>();
        if safe.iter().map(|part| part.len() + 1).sum::<usize>() > MAX_NAME {
            let first: String = safe.first().map(|part| part.chars().take(MAX_PART).collect()).unwrap_or_default();
            safe = vec![format!("{first}~{}", &sha256(text.as_bytes())[..DIGITS])];
        }
        let last = safe.pop().unwrap_or_else(|| "unnamed".to_owned());
        let parents = folder.split('/').map(str::to_owned).chain(safe);
        let mut path = String::new();
        for parent in parents {
            path = self.folder(&path, &parent);
        }
        self.file(&path, &last, extension)
    }

    /// A folder in a folder, with the case in which it was first written.
    fn folder(&mut self, path: &str, name: &str) -> String {
        for number in 1u32.. {
            let wanted = join(path, &numbered(name, number));
            match self.taken.get(&wanted.to_ascii_lowercase()) {
                Some(Taken::File) => {}
                Some(Taken::Folder(known)) => return known.clone(),
                None => {
                    self.taken.insert(wanted.to_ascii_lowercase(), Taken::Folder(wanted.clone()));
                    return wanted;
                }
            }
        }
        join(path, name)
    }

    fn file(&mut self, path: &str, name: &str, extension: &str) -> String {
        for number in 1u32.. {
            let wanted = join(path, &format!("{}{extension}", numbered(name, number)));
            if let std::collections::btree_map::Entry::Vacant(free) = self.taken.entry(wanted.to_ascii_lowercase()) {
                free.insert(Taken::File);
                return wanted;
            }
        }
        join(path, name)
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

fn numbered(name: &str, number: u32) -> String {
    if number == 1 { name.to_owned() } else { format!("{name}~{number}") }
}

/// One part of a path.
fn part(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        // A dot or a space at an end is dropped by Windows, and a dot at the start hides the file elsewhere.
        let at_end = at == 0 || at + 1 == bytes.len();
        let is_safe = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'+' | b'@' | b'[' | b']' | b',' => true,
            b'.' | b' ' => !at_end,
            _ => false,
        };
        if is_safe {
            safe.push(char::from(*byte));
        } else {
            safe.push_str(&format!("={byte:02X}"));
        }
    }
    if is_device(&safe) {
        let first = safe.remove(0);
        safe.insert_str(0, &format!("={:02X}", u32::from(first)));
    }
    if safe.len() > MAX_PART {
        safe.truncate(MAX_PART - DIGITS - 1);
        safe.push('~');
        safe.push_str(&sha256(bytes)[..DIGITS]);
    }
    safe
}

/// Names that are devices on Windows, whatever follows their first dot.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul")
        || numbered.is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_a_name_that_is_safe_everywhere() {
        for (text, wanted) in [
            ("dns/example.org/MX", "d/dns/example.org/MX.txt"),
            ("smtp/mx1.example.org[192.0.2.1]:25", "d/smtp/mx1.example.org[192.0.2.1]=3A25.txt"),
            ("../../etc/passwd", "d/=2E=2E/=2E=2E/etc/passwd.txt"),
            ("/etc/passwd", "d/etc/passwd.txt"),
            ("..", "d/=2E=2E.txt"),
            (".git/hooks", "d/=2Egit/hooks.txt"),
            ("a\\b", "d/a=5Cb.txt"),
            ("C:\\x", "d/C=3A=5Cx.txt"),
            ("a\nb%0d=", "d/a=0Ab=250d=3D.txt"),
            ("nul", "d/=6Eul.txt"),
            ("Aux.zone/com1", "d/=41ux.zone/=63om1.txt"),
            ("command", "d/command.txt"),
            ("end. /x ", "d/end.=20/x=20.txt"),
            ("ä", "d/=C3=A4.txt"),
            ("", "d/unnamed.txt"),
            ("///", "d/unnamed.txt"),
        ] {
            assert_eq!(Names::default().assign("d", text, ".txt"), wanted, "{text:?}");
        }
    }

    #[test]
    fn no_name_is_given_twice_on_a_file_system_that_ignores_case() {
        let mut names = Names::default();
        let mut assign = |text| names.assign("d", text, "");
        assert_eq!(assign("Example.org/MX"), "d/Example.org/MX");
        assert_eq!(assign("example.org/mx"), "d/Example.org/mx~2");
        assert_eq!(assign("example.org/mx"), "d/Example.org/mx~3");
        assert_eq!(assign("example.org"), "d/example.org~2", "a folder has the name");
        assert_eq!(assign("a"), "d/a");
        assert_eq!(assign("a/b"), "d/a~2/b", "a file has the name");
    }

    #[test]
    fn long_texts_are_cut_and_stay_apart() {
        let mut names = Names::default();
        let (one, other) = (format!("{}1", "x".repeat(5000)), format!("{}2", "x".repeat(5000)));
        let deep = format!("dns/{}end", "folder/".repeat(400));
        let made = [one, other, deep].map(|text| names.assign("d", &text, ".txt"));
        assert!(made.iter().all(|name| name.len() < 250), "{made:?}");
        assert!(made[0] != made[1] && made[2].starts_with("d/dns~"), "{made:?}");
    }
}
