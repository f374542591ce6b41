//! The proof.
pub fn prove(_: &crate::lab::Lab) -> anyhow::Result<()> {
    Ok(())
}
