//! Notice that addresses or routes have changed.

use anyhow::Context as _;
use futures_util::StreamExt as _;
use rtnetlink::constants::{
    RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE, RTMGRP_LINK,
};
use rtnetlink::sys::{AsyncSocket as _, SocketAddr};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Told by the kernel of every change, from when it was made on.
pub(crate) struct Watch {
    changed: watch::Receiver<()>,
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
        Ok(Watch { changed, tasks: [tokio::spawn(connection), tokio::spawn(forward)] })
    }

    /// Whether anything has changed since it was last asked.
    pub(crate) fn has_changed(&mut self) -> bool {
        let changed = self.changed.has_changed().unwrap_or(true);
        self.changed.mark_unchanged();
        changed
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
