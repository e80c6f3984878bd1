//! Complete plugin projects for `nas-train plugins new`.

/// The files of a project: path below its folder, and text.
pub type Files = Vec<(&'static str, String)>;

/// Whether a strategy may have this name: 1 to 64 of `a-z`, `0-9` and `-`, a letter first, as Cargo wants it.
pub fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(fits)
}

/// A strategy in Rust. The interface's crate comes with it, so that it builds anywhere and for ever.
pub fn rust(name: &str) -> Files {
    let own = [
        ("Cargo.toml", include_str!("../templates/rust/Cargo.toml.in")),
        ("src/lib.rs", include_str!("../templates/rust/lib.rs.in")),
        ("README.md", include_str!("../templates/rust/README.md.in")),
        (".gitignore", "/target\n"),
    ];
    let crate_name = name.replace('-', "_");
    let fill = |text: &str| text.replace("@NAME@", name).replace("@CRATE@", &crate_name);
    let mut files: Files = own.map(|(path, text)| (path, fill(text))).into();
    macro_rules! carried {
        ($($path:literal),*) => {
            [$((concat!("nas-plugin-abi/", $path), include_str!(concat!("../../abi/", $path)))),*]
        };
    }
    let carried = carried!(
        "Cargo.toml",
        "README.md",
        "src/lib.rs",
        "src/export.rs",
        "src/ffi.rs",
        "src/host.rs",
        "src/model.rs",
        "src/planner.rs",
        "src/step.rs",
        "src/strategy.rs",
        "src/tensor.rs"
    );
    files.extend(carried.map(|(path, text)| (path, text.to_string())));
    files
}

/// A strategy in C, with the header.
pub fn c(name: &str) -> Files {
    let fill = |text: &str| text.replace("@NAME@", name);
    vec![
        ("plugin.c", fill(include_str!("../templates/c/plugin.c.in"))),
        ("Makefile", fill(include_str!("../templates/c/Makefile.in"))),
        ("README.md", fill(include_str!("../templates/c/README.md.in"))),
        ("nas_plugin.h", include_str!("../../include/nas_plugin.h").into()),
    ]
}
