//! Notice that addresses, routes or name servers have changed.

use std::net::IpAddr;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use rtnetlink::constants::{
    RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE, RTMGRP_LINK,
};
use rtnetlink::sys::{AsyncSocket as _, SocketAddr};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{refresh_in_passing, resolvers};
use crate::pin::Pins;

/// Told by the kernel of every change, from when it was made on; name servers are looked up.
pub(crate) struct Watch {
    changed: watch::Receiver<()>,
    resolvers: Vec<IpAddr>,
    is_current: bool,
    tasks: [JoinHandle<()>; 2],
}

impl Watch {
    /// Begins to listen.
    pub(crate) fn begin() -> anyhow::Result<Watch> {
        const GROUPS: u32 =
            RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE;
        let opened = rtnetlink::new_connection().context("opening an rtnetlink socket")?;
        let (mut connection, handle, mut messages) = opened;
        let socket = connection.socket_mut().socket_mut();
        socket.bind(&SocketAddr::new(0, GROUPS)).context("listening to changes of addresses and routes")?;
        let (notice, changed) = watch::channel(());
        let forward = async move {
            // The connection lasts as long as somebody could ask over it.
            let _handle = handle;
            while messages.next().await.is_some() {
                notice.send_replace(());
            }
        };
        let tasks = [tokio::spawn(connection), tokio::spawn(forward)];
        Ok(Watch { changed, resolvers: Vec::new(), is_current: false, tasks })
    }

    /// Brings up to date whom the programs spare, where anything has changed since this was done last.
    pub(crate) async fn follow(&mut self, pins: &Pins) -> anyhow::Result<()> {
        if self.has_changed()? || !self.is_current {
            self.is_current = refresh_in_passing(pins).await?;
        }
        Ok(())
    }

    fn has_changed(&mut self) -> anyhow::Result<bool> {
        let changed = self.changed.has_changed().unwrap_or(true);
        self.changed.mark_unchanged();
        let before = std::mem::replace(&mut self.resolvers, resolvers()?);
        Ok(changed || before != self.resolvers)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
