//! What the paths of an inventory may name. A pull request can change the inventory, and reports show lines of files.

use super::{BAD, Folder, GOOD, Run};

/// An inventory with the domain of the good zone.
const PARKED: &str = "format: 1\ndomains: [{ name: example.org, roles: [parked] }]\n";

/// Inventories that name a file in each way.
fn inventories(path: &str) -> [(&'static str, String); 5] {
    [
        ("waivers", format!("format: 1\nwaivers: [{path}]\n")),
        ("answers", format!("format: 1\nanswers: [{path}]\n")),
        ("profile", format!("format: 1\nprofile: {path}\n")),
        ("dns.files", format!("format: 1\ndns: {{ files: [{path}] }}\n")),
        ("mta_sts_policy", format!("format: 1\ndomains:\n  - {{ name: example.org, mta_sts_policy: {path} }}\n")),
    ]
}

/// The run is refused for the key, and nothing of `secret` is shown.
#[track_caller]
fn refused(run: Run, key: &str, secret: &str) {
    let run = run.exits(2).says(&[&format!("`{key}` of the inventory"), "leads outside"]);
    assert!(!run.err.contains(secret) && !run.out.contains(secret), "{}{}", run.out, run.err);
}

#[cfg(unix)]
#[test]
fn paths_of_an_inventory_stay_inside_the_repository() {
    use std::os::unix::fs::symlink;
    let secret = "secret-of-the-machine";
    let outside = Folder::with(&[("secret.yaml", &format!("{secret}: [\n"))]);
    for repository in [false, true] {
        let folder = Folder::with(&[("conf/readme", ""), ("conf/good.zone", GOOD)]);
        if repository {
            folder.git(&["init", "--quiet"]);
        }
        symlink("/etc/passwd", folder.path("conf/passwd")).unwrap();
        symlink(outside.path("secret.yaml"), folder.path("conf/link.yaml")).unwrap();
        symlink(outside.path(""), folder.path("conf/folder")).unwrap();
        let absolute = outside.path("secret.yaml");
        let absolute = absolute.to_str().unwrap();
        for path in ["/etc/passwd", "passwd", "link.yaml", "folder/secret.yaml", "folder/gone.yaml", absolute] {
            for (key, text) in inventories(path) {
                folder.write("conf/mailvet.yaml", text);
                refused(folder.run_in("conf", &["check", "good.zone"], ""), key, "root:");
                let run = folder.run(&["check", "conf/good.zone", "--inventory", "conf/mailvet.yaml"]);
                refused(run, key, secret);
            }
        }
        // One folder up is inside the repository, and outside a lone folder.
        folder.write("waivers.yaml", "waivers: []\n");
        folder
            .write("conf/mailvet.yaml", format!("{PARKED}waivers: [../waivers.yaml]\ndns: {{ files: [good.zone] }}\n"));
        let run = folder.run_in("conf", &["check"], "");
        if repository {
            drop(run.exits(0))
        } else {
            refused(run, "waivers", secret)
        }
        folder.write("conf/mailvet.yaml", "format: 1\nwaivers: [../../gone.yaml]\n");
        refused(folder.run_in("conf", &["check", "good.zone"], ""), "waivers", secret);
        // The command line may name anything.
        folder.write("conf/mailvet.yaml", "format: 1\n");
        folder.run_in("conf", &["check", "good.zone", "--waivers", absolute], "").exits(2).says(&[secret]);
    }
}

#[cfg(unix)]
#[test]
fn an_inventory_that_nobody_named_is_no_link_to_elsewhere() {
    let outside = Folder::with(&[("secret.yaml", "secret-of-the-machine: [\n")]);
    let folder = Folder::with(&[("good.zone", GOOD)]);
    std::os::unix::fs::symlink(outside.path("secret.yaml"), folder.path("mailvet.yaml")).unwrap();
    let run = folder.run(&["check", "good.zone"]).exits(2).says(&["mailvet.yaml leads outside"]);
    assert!(!run.err.contains("secret-of-the-machine"), "{}", run.err);
    folder.run(&["check", "good.zone", "--no-inventory"]).exits(0);
    folder.run(&["check", "good.zone", "--inventory", "mailvet.yaml"]).exits(2).says(&["secret-of-the-machine"]);
}

#[cfg(unix)]
#[test]
fn links_in_the_folders_of_an_inventory_do_not_lead_out() {
    let outside = Folder::with(&[("out.zone", BAD)]);
    let inventory = format!("{PARKED}dns: {{ files: [dns/] }}\n");
    let folder = Folder::with(&[("mailvet.yaml", &inventory), ("dns/example.org.zone", GOOD)]);
    std::os::unix::fs::symlink(outside.path("out.zone"), folder.path("dns/example.com.zone")).unwrap();
    std::os::unix::fs::symlink(outside.path(""), folder.path("dns/folder")).unwrap();
    let run = folder.run(&["check"]).exits(0).prints(&["1 target,", "dns/example.com.zone", "points outside"]);
    assert!(!run.out.contains("~all"), "{}", run.out);
    // Somebody who names the folder is trusted.
    folder.run(&["check", "dns", "--no-inventory"]).exits(1).prints(&["2 targets,"]);
}

#[test]
fn init_writes_no_inventory_that_check_refuses() {
    let folder = Folder::with(&[("dns/good.zone", GOOD)]);
    folder
        .run(&["init", "dns", "--out", "conf", "--ci", "none"])
        .exits(2)
        .says(&["an inventory in conf could not name dns", "leads outside"]);
    assert!(!folder.path("conf").exists());
}
