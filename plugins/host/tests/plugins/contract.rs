//! Tables that violate the contract of the interface: each is rejected with a message that describes the violation.

use nas_core::registry::{StrategyDescriptor, find};
use nas_plugin_abi::ffi::{NAS_ABI_MAJOR, NasHost, NasModel, NasStr, NasStrategy};
use nas_plugin_abi::{Context, Result, Strategy, strategy_table};
use nas_plugin_host::register_linked;
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null;

struct Nothing;

impl Strategy for Nothing {
    const NAME: &'static str = "nothing";
    const SUMMARY: &'static str = "for tests";

    fn create(_: &Context<'_>) -> Result<Self> {
        Ok(Self)
    }
}

const GOOD: NasStrategy = strategy_table::<Nothing>("0.3.1");

thread_local! {
    /// Pointer and count that [`entry`] returns on this thread.
    static ENTRY_RESULT: Cell<(*const *const NasStrategy, usize)> = const { Cell::new((null(), 0)) };
}

unsafe extern "C" fn entry(_: *const NasHost, count: *mut usize) -> *const *const NasStrategy {
    let (tables, number) = ENTRY_RESULT.get();
    // SAFETY: the host passes a pointer that is valid for writing.
    unsafe { *count = number };
    tables
}

/// Registers a plugin with these tables, which are leaked because they must stay valid until the process ends.
fn register_tables(origin: &str, tables: Vec<*const NasStrategy>) -> std::result::Result<(), String> {
    let tables: &'static [*const NasStrategy] = tables.leak();
    ENTRY_RESULT.set((tables.as_ptr(), tables.len()));
    // SAFETY: the entry returns `len` pointers, and all functions of the tables are valid. The host checks the rest.
    unsafe { register_linked(origin, Some(entry)) }.map(|_| ()).map_err(|error| error.to_string())
}

fn refusal(change: impl FnOnce(&mut NasStrategy)) -> String {
    let mut table = GOOD;
    change(&mut table);
    let message = register_tables("bad.so", vec![Box::leak(Box::new(table))]).unwrap_err();
    message.strip_prefix("plugin bad.so: strategy 1 of 1: ").unwrap_or(&message).to_string()
}

#[test]
fn invalid_tables_are_errors() {
    let rebuild = "build it with the header or crate of version 1";
    let other = format!("it is built for version 2 of the plugin interface, this program has version 1: {rebuild}");
    assert_eq!(refusal(|t| t.abi_major = 2), other);
    assert_eq!(
        refusal(|t| t.struct_size = 40),
        format!(
            "its table has 40 bytes, expected at least {}: set struct_size to sizeof(NasStrategy)",
            size_of::<NasStrategy>()
        )
    );
    assert_eq!(refusal(|t| t.create = None), "its function create or destroy is null; both are required");
    assert_eq!(refusal(|t| t.destroy = None), "its function create or destroy is null; both are required");
    assert_eq!(refusal(|t| t.needs = 1 << 40), "its `needs` has the unknown bits 0x10000000000: use a newer nas-train");
    assert_eq!(
        refusal(|t| t.min_host_minor = 7),
        "it needs version 1.7 of the plugin interface, this program has 1.0: use a newer nas-train"
    );
    assert_eq!(
        refusal(|t| t.options = NasStr::new("a = [1]")),
        "its option `a` is [1], expected a text, a number, true or false"
    );
    assert!(refusal(|t| t.options = NasStr::new("a =")).starts_with("its options are not valid TOML: "));
    assert_eq!(refusal(|t| t.version = NasStr::new(" ")), "its version is empty");
}

#[test]
fn invalid_names_are_errors() {
    let bytes: &'static [u8] = b"na\xffme";
    let broken = NasStr { data: bytes.as_ptr().cast(), len: bytes.len() };
    assert!(refusal(|t| t.name = broken).starts_with("its name is text that is not UTF-8 ("));
    let missing = NasStr { data: null(), len: 4 };
    assert_eq!(refusal(|t| t.name = missing), "its name is a null pointer for 4 bytes of text");
    for name in ["", "My Strategy", "-x", "a\n"] {
        let name_is = format!("its name is `{}`", name.escape_debug());
        let shown = format!("{name_is}, expected 1 to 64 characters of a-z, 0-9 and -, the first not -");
        assert_eq!(refusal(|t| t.name = NasStr::new(name)), shown);
    }
    assert_eq!(
        refusal(|t| t.name = NasStr::new("ogd")),
        "plugin bad.so: its strategy `ogd` has the same name as a built-in strategy: rename it"
    );
}

#[test]
fn null_and_empty_tables_are_errors() {
    let message = |tables: *const *const NasStrategy, count: usize| {
        ENTRY_RESULT.set((tables, count));
        // SAFETY: the entry has the right type, and each case is one that the host detects before it reads a table.
        unsafe { register_linked("bad.so", Some(entry)) }.unwrap_err().to_string()
    };
    assert_eq!(message(null(), 1), "plugin bad.so: nas_plugin_v1 returned no table");
    let tables: &'static [*const NasStrategy] = vec![null()].leak();
    assert_eq!(message(tables.as_ptr(), 1), "plugin bad.so: strategy 1 of 1: its table is null");
    for count in [0, 100_000] {
        let expected = format!("plugin bad.so: nas_plugin_v1 returned {count} strategies, expected 1 to 256");
        assert_eq!(message(tables.as_ptr(), count), expected);
    }
    assert_eq!(
        message(tables.as_ptr().wrapping_byte_add(1), 1),
        "plugin bad.so: nas_plugin_v1 returned a misaligned array"
    );
    // SAFETY: the entry is `None`, so nothing is called.
    let error = unsafe { register_linked("bad.so", None) }.unwrap_err().to_string();
    assert_eq!(error, "plugin bad.so: its function nas_plugin_v1 is null");
}

#[test]
fn a_repeated_name_is_an_error_within_and_between_plugins() {
    let named = |name| -> *const NasStrategy { Box::leak(Box::new(NasStrategy { name: NasStr::new(name), ..GOOD })) };
    let message = register_tables("twins.so", vec![named("twin"), named("twin")]).unwrap_err();
    assert_eq!(
        message,
        "plugin twins.so: its strategy `twin` has the same name as another strategy of this plugin: rename it"
    );
    register_tables("first.so", vec![named("once")]).unwrap();
    let message = register_tables("second.so", vec![named("never"), named("once")]).unwrap_err();
    assert_eq!(
        message,
        "plugin second.so: its strategy `once` has the same name as a strategy of plugin first.so: rename it"
    );
    assert!(find::<StrategyDescriptor>("never").is_err(), "no strategy of a rejected plugin is registered");
}

/// A table of a later minor version: the fields of this version, then unknown ones.
#[repr(C)]
struct Later {
    table: NasStrategy,
    unknown: [usize; 4],
}

#[test]
fn a_newer_minor_version_and_a_table_without_options_load() {
    let table = NasStrategy { struct_size: size_of::<Later>(), abi_minor: 9, name: NasStr::new("later"), ..GOOD };
    let later: &'static Later = Box::leak(Box::new(Later { table, unknown: [usize::MAX; 4] }));
    assert_eq!((later.table.abi_major, later.unknown[0]), (NAS_ABI_MAJOR, usize::MAX));
    register_tables("later.so", vec![(&raw const *later).cast()]).unwrap();
    let descriptor = find::<StrategyDescriptor>("later").unwrap();
    assert_eq!((descriptor.summary, (descriptor.options)()), ("for tests", String::new()));
    let plugin = nas_plugin_host::origin("later").unwrap();
    assert_eq!((plugin.path.to_str().unwrap(), plugin.strategies[0].version), ("later.so", "0.3.1"));
}

unsafe extern "C" fn no_instance(_: *const NasHost, _: *const NasModel, _: *mut *mut c_void) -> i32 {
    0
}

unsafe extern "C" fn silent(_: *const NasHost, _: *const NasModel, _: *mut *mut c_void) -> i32 {
    3
}

unsafe extern "C" fn do_nothing(_: *mut c_void) {}

#[test]
fn a_null_instance_and_an_error_without_a_message_are_errors() {
    for (name, create, words) in [
        (
            "no-instance",
            no_instance as unsafe extern "C" fn(_, _, _) -> _,
            "create returned success and a null instance",
        ),
        ("silent", silent, "create failed (code 3) without a message: call set_error before returning an error code"),
    ] {
        let table = NasStrategy { name: NasStr::new(name), create: Some(create), destroy: Some(do_nothing), ..GOOD };
        register_tables(name, vec![Box::leak(Box::new(table))]).unwrap();
        let error = super::helper::run(&format!("name = \"{name}\""), "").unwrap_err().to_string();
        assert_eq!(error, format!("plugin strategy `{name}` 0.3.1: {words}"));
    }
}
