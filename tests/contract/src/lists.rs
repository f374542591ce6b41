//! Lists: read in pages of one row they show what they show at once.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use cloud::Row;

use crate::Contract;

impl Contract {
    /// While there is at least one of everything that Neutron lists.
    pub async fn lists(&mut self) -> Result<()> {
        let view = self.view.clone();
        let cloud = view.cloud();
        let neutron = cloud.network();
        let all = [];
        let one = [("limit", "1")];
        same(
            &neutron.networks(&all).await?,
            &neutron.networks(&one).await?,
        )?;
        same(&neutron.subnets(&all).await?, &neutron.subnets(&one).await?)?;
        let all = [("project_id", cloud.project_id())];
        let one = [("project_id", cloud.project_id()), ("limit", "1")];
        same(&neutron.routers(&all).await?, &neutron.routers(&one).await?)?;
        same(&neutron.ports(&all).await?, &neutron.ports(&one).await?)?;
        same(
            &neutron.security_groups(&all).await?,
            &neutron.security_groups(&one).await?,
        )?;
        neutron.floating_ips(&all).await?;
        cloud.load_balancer().load_balancers(&all).await?;
        cloud.compute().servers().await?;
        cloud.block_storage().volumes().await?;
        self.step("lists in pages");
        Ok(())
    }
}

fn same<T: Row>(whole: &[T], paged: &[T]) -> Result<()> {
    let ids =
        |rows: &[T]| -> BTreeSet<String> { rows.iter().map(|row| row.id().to_owned()).collect() };
    ensure!(!whole.is_empty(), "no {}", T::KIND);
    ensure!(
        ids(whole) == ids(paged) && whole.len() == paged.len(),
        "{}: {:?} at once, {:?} in pages",
        T::KIND,
        ids(whole),
        ids(paged)
    );
    Ok(())
}
