//! Templates of plugin projects for `nas-train plugins new`.

/// Files of a project: path relative to the project directory, and content.
pub type Files = Vec<(&'static str, String)>;

/// Whether a strategy of a template can have this name: 1 to 64 of `a-z`, `0-9` and `-`, starting with a letter. Cargo
/// requires the letter.
pub fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(fits)
}

/// A project in Rust. It contains the interface crate, so it builds without network and independently of later
/// versions.
pub fn rust(name: &str) -> Files {
    let templates = [
        ("Cargo.toml", include_str!("../templates/rust/Cargo.toml.in")),
        ("src/lib.rs", include_str!("../templates/rust/lib.rs.in")),
        ("README.md", include_str!("../templates/rust/README.md.in")),
        (".gitignore", "/target\n"),
    ];
    let crate_name = name.replace('-', "_");
    let fill = |text: &str| text.replace("@NAME@", name).replace("@CRATE@", &crate_name);
    let mut files: Files = templates.map(|(path, text)| (path, fill(text))).into();
    macro_rules! interface_crate {
        ($($path:literal),*) => {
            [$((concat!("nas-plugin-abi/", $path), include_str!(concat!("../../abi/", $path)))),*]
        };
    }
    let interface = interface_crate!(
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
    files.extend(interface.map(|(path, text)| (path, text.to_string())));
    files
}

/// A project in C. It contains the header of the interface.
pub fn c(name: &str) -> Files {
    let fill = |text: &str| text.replace("@NAME@", name);
    vec![
        ("plugin.c", fill(include_str!("../templates/c/plugin.c.in"))),
        ("Makefile", fill(include_str!("../templates/c/Makefile.in"))),
        ("README.md", fill(include_str!("../templates/c/README.md.in"))),
        ("nas_plugin.h", include_str!("../../include/nas_plugin.h").into()),
    ]
}
