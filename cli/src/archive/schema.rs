//! The schema version of JSON files.

use crate::exit::UsageError;
use anyhow::Result;
use nas_core::result::SCHEMA;
use serde_json::Value;

/// Refuses a file of another schema version. `file` is its name for the message.
///
/// # Errors
/// Another or no schema version; the message has the remedy.
pub fn check_schema(value: &Value, file: &str) -> Result<()> {
    let remedy = match value["schema"].as_u64() {
        Some(schema) if schema == u64::from(SCHEMA) => return Ok(()),
        Some(1) => "run it again with this version, or use version 0.1.0 of nas-train to read it",
        Some(_) => "use the version of nas-train that wrote it",
        None => {
            let problem = format!("{file} has no schema version, so it was not written by nas-train");
            return Err(UsageError(problem).into());
        }
    };
    let found = &value["schema"];
    Err(UsageError(format!("{file} has schema {found}, this version reads schema {SCHEMA}: {remedy}")).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_file_of_another_schema_is_refused_with_advice() {
        assert!(check_schema(&json!({"schema": SCHEMA}), "result.json").is_ok());
        let message = |value| check_schema(&value, "result.json").unwrap_err().to_string();
        assert!(message(json!({"schema": 1})).ends_with("or use version 0.1.0 of nas-train to read it"));
        assert!(message(json!({"schema": 99})).ends_with("use the version of nas-train that wrote it"));
        assert!(message(json!({})).contains("has no schema version"));
    }
}
