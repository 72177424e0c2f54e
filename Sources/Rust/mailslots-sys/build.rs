//! Builds the C core into the crate, or, where MAILSLOTS_PREFIX names a prefix of install.sh, links the shared library there. The C
//! compiler is CC, or cc; no crate is needed for it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-env-changed=MAILSLOTS_PREFIX");
    println!("cargo:rerun-if-env-changed=CC");
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    let core = folder.join("../../CMailslots");
    println!("cargo:rerun-if-changed={}", core.display());
    println!("cargo:rerun-if-changed=layout.c");

    let (include, mut sources) = match env::var_os("MAILSLOTS_PREFIX").map(PathBuf::from) {
        Some(prefix) => {
            let library = prefix.join("lib");
            println!("cargo:rustc-link-search=native={}", library.display());
            println!("cargo:rustc-link-lib=dylib=mailslots");
            (prefix.join("include"), Vec::new())
        }
        None => {
            assert!(core.is_dir(), "the C core is not where it is expected, {}; or set MAILSLOTS_PREFIX", core.display());
            (core.join("include"), c_files(&core))
        }
    };
    sources.push(folder.join("layout.c"));
    build(&include, &sources, &out);
}

fn c_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(c_files(&path));
        } else if path.extension().is_some_and(|kind| kind == "c") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn build(include: &Path, sources: &[PathBuf], out: &Path) {
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".into());
    let optimised = format!("-O{}", env::var("OPT_LEVEL").unwrap_or_else(|_| "2".into()));
    let mut objects = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        let object = out.join(format!("{number}.o"));
        let mut command = Command::new(&compiler);
        command.args(["-std=c11", &optimised, "-fPIC", "-D_GNU_SOURCE", "-I"]).arg(include).arg("-c").arg(source).arg("-o").arg(&object);
        run(&mut command);
        objects.push(object);
    }
    let archive = out.join("libmailslots_in_crate.a");
    let _ = fs::remove_file(&archive);
    run(Command::new("ar").arg("rcs").arg(&archive).args(&objects));
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=mailslots_in_crate");
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
