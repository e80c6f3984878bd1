//! Checks of the tables that a plugin returns. Nothing of a table is used before its check.

use crate::context::InstanceHost;
use crate::features::FEATURES;
use crate::options::parse_declaration;
use nas_core::{quote, quote_message};
use nas_plugin_abi::ffi::{NAS_ABI_MAJOR, NAS_ABI_MINOR, NasPluginEntry, NasStr, NasStrategy};
use std::mem::MaybeUninit;
use std::ptr;

/// Size of `NasStrategy` in version 1.0 on 64-bit machines, the lower bound for `struct_size` of every plugin.
const STRATEGY_1_0_SIZE: usize = 216;
const _: () = assert!(size_of::<NasStrategy>() == STRATEGY_1_0_SIZE || size_of::<usize>() != 8);

/// Largest accepted number of strategies of a plugin. A larger number indicates that `count` was not set.
const MAX_STRATEGIES: usize = 256;

/// A table that has passed all checks, with copies of its texts.
pub struct StrategyTable {
    /// Copy of the table of the plugin.
    pub raw: NasStrategy,
    /// Name on the command line.
    pub name: String,
    /// Version of the strategy.
    pub version: String,
    /// Description in one line.
    pub summary: String,
    /// Publication of the method; may be empty.
    pub reference: String,
    /// Declared options with their default values.
    pub options: toml::Table,
}

/// Calls the entry function of a plugin and checks the tables it returns.
///
/// # Errors
/// A table violates the contract of the interface. The message describes how.
///
/// # Safety
/// The function must have the type [`NasPluginEntry`] and return null or `count` pointers that stay valid.
pub unsafe fn load_tables(entry: NasPluginEntry) -> Result<Vec<StrategyTable>, String> {
    let entry = entry.ok_or("its function nas_plugin_v1 is null")?;
    let host = InstanceHost::for_loading();
    let mut count = 0;
    // SAFETY: the caller guarantees the type of the function. Host and `count` outlive the call.
    let first = unsafe { entry(host.raw(), &mut count) };
    if first.is_null() {
        let reason = host.take_error().map_or(String::new(), |error| format!(": {error}"));
        return Err(format!("nas_plugin_v1 returned no table{reason}"));
    }
    if count == 0 || count > MAX_STRATEGIES {
        return Err(format!("nas_plugin_v1 returned {count} strategies, expected 1 to {MAX_STRATEGIES}"));
    }
    if !first.is_aligned() {
        return Err("nas_plugin_v1 returned a misaligned array".into());
    }
    let table = |i: usize| {
        // SAFETY: the array is non-null and aligned, and the caller guarantees `count` pointers.
        let raw = unsafe { copy_table(*first.add(i)) };
        raw.and_then(check).map_err(|problem| format!("strategy {} of {count}: {problem}", i + 1))
    };
    (0..count).map(table).collect()
}

/// Copies the fields of a table that both sides know. The other fields of the copy are zero, which stands for a missing
/// function.
///
/// # Safety
/// `table` must be null or point to a table of any version.
unsafe fn copy_table(table: *const NasStrategy) -> Result<NasStrategy, String> {
    if table.is_null() {
        return Err("its table is null".into());
    }
    if !table.is_aligned() {
        return Err("its table is misaligned".into());
    }
    // SAFETY: non-null and aligned, and the tables of all versions begin with these two fields.
    let (size, major) = unsafe { ((&raw const (*table).struct_size).read(), (&raw const (*table).abi_major).read()) };
    if major != NAS_ABI_MAJOR {
        return Err(format!(
            "it is built for version {major} of the plugin interface, this program has version {NAS_ABI_MAJOR}: \
             build it with the header or crate of version {NAS_ABI_MAJOR}"
        ));
    }
    let minimum = STRATEGY_1_0_SIZE.min(size_of::<NasStrategy>());
    if size < minimum {
        return Err(format!(
            "its table has {size} bytes, expected at least {minimum}: set struct_size to sizeof(NasStrategy)"
        ));
    }
    let mut raw = MaybeUninit::<NasStrategy>::zeroed();
    let known = size.min(size_of::<NasStrategy>());
    // SAFETY: source and target both have `known` bytes and do not overlap. Every bit pattern that a C program writes
    // to these fields is valid in Rust, and so are zeros: null pointers, `None` and numbers.
    unsafe {
        ptr::copy_nonoverlapping(table.cast::<u8>(), raw.as_mut_ptr().cast::<u8>(), known);
        Ok(raw.assume_init())
    }
}

fn check(raw: NasStrategy) -> Result<StrategyTable, String> {
    if raw.min_host_minor > NAS_ABI_MINOR {
        return Err(format!(
            "it needs version {NAS_ABI_MAJOR}.{} of the plugin interface, this program has \
             {NAS_ABI_MAJOR}.{NAS_ABI_MINOR}: use a newer nas-train",
            raw.min_host_minor
        ));
    }
    let unknown = raw.needs & !FEATURES;
    if unknown != 0 {
        return Err(format!("its `needs` has the unknown bits {unknown:#x}: use a newer nas-train"));
    }
    if raw.create.is_none() || raw.destroy.is_none() {
        return Err("its function create or destroy is null; both are required".into());
    }
    let name = text("name", raw.name)?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 64 || name.starts_with('-') || !name.chars().all(fits) {
        return Err(format!(
            "its name is `{}`, expected 1 to 64 characters of a-z, 0-9 and -, the first not -",
            quote(&name)
        ));
    }
    let version = text("version", raw.version)?;
    if version.trim().is_empty() {
        return Err("its version is empty".into());
    }
    let version = quote(&version);
    let summary = quote_message(&text("summary", raw.summary)?);
    let reference = quote_message(&text("reference", raw.reference)?);
    let options = parse_declaration(&text("options", raw.options)?)?;
    Ok(StrategyTable { raw, name, version, summary, reference, options })
}

fn text(what: &str, text: NasStr) -> Result<String, String> {
    // SAFETY: by the contract of the interface, pointer and length belong to static text. The text is copied.
    unsafe { text.read() }.map(Into::into).map_err(|problem| format!("its {what} is {problem}"))
}
