//! `configs/mask_policy.yaml`: the default policy as a file to start from.

use super::Output;
use crate::shell::Workspace;

pub(crate) fn outputs(workspace: &Workspace) -> Result<Vec<Output>, String> {
    let preset = workspace.read("masker-core/src/policy/presets/healthcare-default.yaml")?;
    Ok(vec![Output { path: "configs/mask_policy.yaml", content: preset.into_bytes() }])
}
