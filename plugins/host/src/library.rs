//! Files of plugins: reading, loading, and the entry function.

use crate::elf;
use crate::error::PluginError;
use nas_core::read_file;
use nas_plugin_abi::ffi::{NAS_ABI_MAJOR, NasPluginEntry};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// Largest size of a library in bytes. Rust libraries with debug information have tens of megabytes.
const MAX_FILE: u64 = 2_000_000_000;

/// Returns the absolute path and the content of a file.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path) -> Result<(PathBuf, Vec<u8>), PluginError> {
    let fail = |problem: String| PluginError { path: path.display().to_string(), problem };
    let file = fs::canonicalize(path).map_err(|error| fail(format!("{error}; check the path")))?;
    if file.is_dir() {
        return Err(fail("it is a directory, expected a shared library".into()));
    }
    let bytes = read_file::bytes(&file, MAX_FILE).map_err(|error| fail(error.to_string()))?;
    Ok((file, bytes))
}

/// Loads a library until the process ends, and finds its entry function.
///
/// # Errors
/// The file is truncated, is not a shared library for this machine, or does not export the entry function.
pub fn open(path: &Path, bytes: &[u8]) -> Result<NasPluginEntry, PluginError> {
    let fail = |problem: String| PluginError { path: path.display().to_string(), problem };
    if let Some(machine) = other_machine(bytes) {
        let this = std::env::consts::ARCH;
        return Err(fail(format!("it is built for {machine}, this program is built for {this}: build it for {this}")));
    }
    elf::check(bytes).map_err(fail)?;
    let library = dlopen(path).map_err(|error| {
        // The message of the error itself is only "dlopen failed". Its source has the reason.
        let cause = error.source().map(ToString::to_string).unwrap_or_else(|| error.to_string());
        fail(format!("it cannot be loaded as a shared library: {cause}"))
    })?;
    let name = format!("nas_plugin_v{NAS_ABI_MAJOR}");
    // SAFETY: the interface defines the type of a symbol with this name. A null symbol becomes `None`.
    let entry = unsafe { library.get::<NasPluginEntry>(name.as_bytes()) }.map(|symbol| *symbol);
    let other_version = || {
        let exported = |major: &u32| {
            // SAFETY: the symbol is looked up and not called.
            let symbol = unsafe { library.get::<NasPluginEntry>(format!("nas_plugin_v{major}").as_bytes()) };
            symbol.is_ok()
        };
        (0..=9).find(exported)
    };
    let entry = entry.map_err(|_| match other_version() {
        Some(major) => fail(format!(
            "it is built for version {major} of the plugin interface, this program has version {NAS_ABI_MAJOR}: \
             build it with the header or crate of version {NAS_ABI_MAJOR}"
        )),
        None => fail(format!(
            "it does not export the function {name}, so it is not a plugin for nas-train; see docs/plugins.md"
        )),
    });
    // The library is never unloaded, because threads and thread-local destructors of the plugin may still use it.
    std::mem::forget(library);
    entry
}

#[cfg(unix)]
fn dlopen(path: &Path) -> Result<libloading::Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    // `RTLD_NOW` makes a missing symbol an error here instead of an abort at its first call.
    // SAFETY: loading runs the constructors of the library. The user has named this file and trusts its code.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map(Into::into)
}

#[cfg(not(unix))]
fn dlopen(path: &Path) -> Result<libloading::Library, libloading::Error> {
    // SAFETY: loading runs the constructors of the library. The user has named this file and trusts its code.
    unsafe { libloading::Library::new(path) }
}

/// The machine of an ELF file that is built for another machine. The messages of the loader for this case are
/// misleading.
fn other_machine(bytes: &[u8]) -> Option<String> {
    let machine = match bytes.get(..20)? {
        [0x7f, b'E', b'L', b'F', _, 1, .., low, high] => u16::from_le_bytes([*low, *high]),
        [0x7f, b'E', b'L', b'F', _, 2, .., high, low] => u16::from_be_bytes([*high, *low]),
        _ => return None,
    };
    let known = [(3, "x86"), (40, "arm"), (62, "x86_64"), (183, "aarch64"), (243, "riscv64")];
    // On a processor that is not listed, the loader decides.
    let (own, _) = known.iter().find(|(_, name)| *name == std::env::consts::ARCH)?;
    let name = known.iter().find(|(number, _)| *number == machine).map(|(_, name)| (*name).to_owned());
    (machine != *own).then(|| name.unwrap_or_else(|| format!("machine {machine} of the ELF list")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elf_files_for_other_machines_are_recognised() {
        let mut elf = vec![0; 64];
        elf[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
        let mut of = |machine: u16| {
            elf[18..20].copy_from_slice(&machine.to_le_bytes());
            other_machine(&elf)
        };
        let own = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
        if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
            assert_eq!(of(own), None);
        }
        assert_eq!((of(40), of(8)), (Some("arm".into()), Some("machine 8 of the ELF list".into())));
        assert_eq!((other_machine(b"\x7fELF"), other_machine(&[b'x'; 64])), (None, None));
    }
}
