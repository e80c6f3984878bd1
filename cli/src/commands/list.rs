//! `nas-train list`: the names and summaries of all components.

use super::components::{ListedComponent, load_all};
use crate::args::{Kind, ListArgs};
use crate::exit::ExitStatus;
use crate::text::{print, table};
use anyhow::Result;
use serde_json::json;

/// Prints the components of one kind, or of all kinds.
pub fn list(args: &ListArgs) -> Result<ExitStatus> {
    load_all(&args.plugin)?;
    let kinds: Vec<Kind> = args.kind.map_or(Kind::ALL.into(), |kind| vec![kind]);
    let mut parts = Vec::new();
    for kind in kinds {
        let components = kind.components()?;
        parts.push(if args.json { lines(&components) } else { shown(kind, &components) });
    }
    print(&parts.join("\n"))?;
    Ok(ExitStatus::Success)
}

fn shown(kind: Kind, components: &[ListedComponent]) -> String {
    let (title, reference) = match kind {
        Kind::Strategies => ("strategy", "reference"),
        Kind::Controllers => ("controller", "reference"),
        Kind::Spaces => ("space", "reference"),
        // The instructions to get the files fill a paragraph, which only `describe` prints.
        Kind::Data => {
            return table(["data", "summary"], components.iter().map(|c| [c.name.into(), c.summary.into()]));
        }
    };
    let row = |c: &ListedComponent| {
        let origin = c.origin.map(|plugin| format!("plugin {}", plugin.path.display()));
        [c.name.into(), c.summary.into(), origin.unwrap_or_else(|| c.reference.into())]
    };
    table([title, "summary", reference], components.iter().map(row))
}

fn lines(components: &[ListedComponent]) -> String {
    let line = |c: &ListedComponent| {
        let reference = if c.kind == Kind::Data { "source" } else { "reference" };
        let mut line = json!({"type": c.kind.singular(), "name": c.name, "summary": c.summary, reference: c.reference});
        if let Some(plugin) = c.origin {
            line["plugin"] = json!({"path": plugin.path.display().to_string(), "sha256": plugin.sha256});
        }
        line.to_string()
    };
    components.iter().map(line).collect::<Vec<_>>().join("\n")
}
