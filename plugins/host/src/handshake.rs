//! What is checked of a plugin's table before anything of it is used, in the order in which it is safe.

use crate::context::HostSide;
use crate::options::defaults;
use nas_plugin_abi::ffi::{
    NAS_ABI_MAJOR, NAS_ABI_MINOR, NAS_NEEDS_GRADIENT, NAS_NEEDS_INPUT, NAS_NEEDS_UPDATE, NAS_NEEDS_WEIGHT,
    NAS_WRITES_GRADIENT, NAS_WRITES_UPDATE, NasPluginEntry, NasStr, NasStrategy,
};
use std::mem::MaybeUninit;
use std::ptr;

/// The bits of `needs` that this host serves.
pub const FEATURES: u64 = NAS_NEEDS_WEIGHT
    | NAS_NEEDS_GRADIENT
    | NAS_NEEDS_UPDATE
    | NAS_NEEDS_INPUT
    | NAS_WRITES_GRADIENT
    | NAS_WRITES_UPDATE;

/// Bytes of `NasStrategy` in version 1.0 on machines of 64 bits: no plugin says less, whatever is added later.
const STRATEGY_1_0_SIZE: usize = 216;
const _: () = assert!(size_of::<NasStrategy>() == STRATEGY_1_0_SIZE || size_of::<usize>() != 8);

/// More strategies than this are a number that nobody has set.
const MOST_STRATEGIES: usize = 256;

/// A table that has passed all checks, with copies of what it says.
pub struct Table {
    /// The functions.
    pub raw: NasStrategy,
    /// Its name on the command line.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// One line.
    pub summary: String,
    /// The paper it comes from.
    pub reference: String,
    /// Its options with their defaults.
    pub options: toml::Table,
}

/// Asks a plugin for its tables and checks them.
///
/// # Errors
/// What breaks the contract, in words.
///
/// # Safety
/// The function obeys the contract of [`NasPluginEntry`], as far as it can be trusted.
pub unsafe fn tables(entry: NasPluginEntry) -> Result<Vec<Table>, String> {
    let entry = entry.ok_or("its function nas_plugin_v1 is null")?;
    let host = HostSide::bare();
    let mut count = 0;
    // SAFETY: the host outlives the call.
    let first = unsafe { entry(host.raw(), &mut count) };
    if first.is_null() {
        let reason = host.take_error().map_or(String::new(), |error| format!(": {error}"));
        return Err(format!("nas_plugin_v1 returned no table{reason}"));
    }
    if count == 0 || count > MOST_STRATEGIES {
        return Err(format!("nas_plugin_v1 counts {count} strategies, expected 1 to {MOST_STRATEGIES}"));
    }
    if !first.is_aligned() {
        return Err("nas_plugin_v1 returned a misaligned table".into());
    }
    let number = |i: usize| {
        // SAFETY: the plugin says that there are so many pointers.
        let raw = unsafe { copy(*first.add(i)) };
        raw.and_then(check).map_err(|problem| format!("strategy {} of {count}: {problem}", i + 1))
    };
    (0..count).map(number).collect()
}

/// Copies a table as far as both sides know it; what is missing is zero, which means "not provided".
unsafe fn copy(table: *const NasStrategy) -> Result<NasStrategy, String> {
    if table.is_null() {
        return Err("its table is null".into());
    }
    if !table.is_aligned() {
        return Err("its table is misaligned".into());
    }
    // SAFETY: not null and aligned; every version of the table begins with these two fields.
    let (size, major) = unsafe { ((&raw const (*table).struct_size).read(), (&raw const (*table).abi_major).read()) };
    if major != NAS_ABI_MAJOR {
        return Err(format!(
            "it is built for version {major} of the plugin interface, this program speaks version {NAS_ABI_MAJOR}: \
             build it with the header or crate of version {NAS_ABI_MAJOR}"
        ));
    }
    let least = STRATEGY_1_0_SIZE.min(size_of::<NasStrategy>());
    if size < least {
        return Err(format!(
            "its table has {size} bytes, expected at least {least}: set struct_size to sizeof(NasStrategy)"
        ));
    }
    let mut raw = MaybeUninit::<NasStrategy>::zeroed();
    let known = size.min(size_of::<NasStrategy>());
    // SAFETY: both hold as many bytes; zeros are a valid table, and so is what a plugin fills in.
    unsafe {
        ptr::copy_nonoverlapping(table.cast::<u8>(), raw.as_mut_ptr().cast::<u8>(), known);
        Ok(raw.assume_init())
    }
}

fn check(raw: NasStrategy) -> Result<Table, String> {
    if raw.min_host_minor > NAS_ABI_MINOR {
        return Err(format!(
            "it needs version {NAS_ABI_MAJOR}.{} of the plugin interface, this program has \
             {NAS_ABI_MAJOR}.{NAS_ABI_MINOR}: use a newer nas-train",
            raw.min_host_minor
        ));
    }
    let unknown = raw.needs & !FEATURES;
    if unknown != 0 {
        return Err(format!("it needs {unknown:#x}, which this program cannot serve: use a newer nas-train"));
    }
    if raw.create.is_none() || raw.destroy.is_none() {
        return Err("its functions create and destroy must not be null".into());
    }
    let name = text("name", raw.name)?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 64 || name.starts_with('-') || !name.chars().all(fits) {
        return Err(format!("its name is `{}`, expected 1 to 64 of a-z, 0-9 and -", name.escape_debug()));
    }
    let version = text("version", raw.version)?;
    if version.trim().is_empty() {
        return Err("its version is empty".into());
    }
    let summary = text("summary", raw.summary)?;
    let reference = text("reference", raw.reference)?;
    let options = defaults(&text("options", raw.options)?)?;
    Ok(Table { raw, name, version, summary, reference, options })
}

fn text(what: &str, text: NasStr) -> Result<String, String> {
    // SAFETY: the plugin vouches for pointer and length; the text is copied.
    unsafe { text.read() }.map(Into::into).map_err(|problem| format!("its {what} is {problem}"))
}
