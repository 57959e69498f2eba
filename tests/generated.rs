//! Generated files are current. `UPDATE=1 cargo test --test generated` writes them anew.

use std::fs;
use std::path::Path;

#[test]
fn schemas_and_catalogue_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut stale = Vec::new();
    for file in mailvet::schema::generated() {
        let path = root.join(file.path);
        if std::env::var_os("UPDATE").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &file.contents).unwrap();
        } else if fs::read_to_string(&path).ok().as_deref() != Some(&file.contents) {
            stale.push(file.path);
        }
    }
    assert!(stale.is_empty(), "stale: {stale:?}; write them with `UPDATE=1 cargo test --test generated`");
}
