//! The bill of materials that the wheel carries: the tool which packs it takes a file as it is, while the one that it makes
//! itself names folders of the machine.

use super::Output;
use crate::release::dist;
use crate::shell::Workspace;

pub(super) fn outputs(workspace: &Workspace) -> Result<Vec<Output>, String> {
    let content = dist::bill(workspace, "masker-py", "library", None)?;
    Ok(vec![Output { path: "masker-py/masker-py.cdx.json", content }])
}
