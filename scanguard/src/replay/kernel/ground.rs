//! A network namespace in which every address is local.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::Context as _;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use rtnetlink::packet_route::route::{RouteMessage, RouteScope, RouteType};
use rtnetlink::{Handle, LinkUnspec, RouteMessageBuilder};
use tokio::runtime::Builder;

use crate::error::Error;
use crate::netlink;

/// The number of the loopback interface of every namespace.
pub(super) const LOOPBACK: u32 = 1;
/// `RT_TABLE_LOCAL` of `include/uapi/linux/rtnetlink.h`.
const TABLE_LOCAL: u32 = 255;

/// Takes the calling thread to a new namespace, and makes it forward or not.
pub(super) fn enter(forwards: bool) -> anyhow::Result<()> {
    match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => {}
        Err(Errno::EPERM) => return Err(Error::NotPermitted { what: "making a network namespace" }.into()),
        Err(errno) => return Err(errno).context("making a network namespace"),
    }
    let forwards = if forwards { "1" } else { "0" };
    for (setting, value) in [
        ("ipv4/conf/all/forwarding", forwards),
        ("ipv6/conf/all/forwarding", forwards),
        // Over IPv6, a route alone does not let sockets have an address.
        ("ipv6/ip_nonlocal_bind", "1"),
    ] {
        let path = format!("/proc/sys/net/{setting}");
        // Where a kernel has no IPv6, there are no connections over it either.
        if let Err(error) = fs::write(&path, value) {
            tracing::info!("writing {path}: {error}");
        }
    }
    let runtime = Builder::new_current_thread().enable_all().build().context("starting a runtime")?;
    runtime.block_on(netlink::ask(async |handle| make_everything_local(&handle).await))
}

async fn make_everything_local(handle: &Handle) -> anyhow::Result<()> {
    let up = LinkUnspec::new_with_index(LOOPBACK).up().build();
    handle.link().set(up).execute().await.context("setting the loopback interface up")?;
    let v4 = RouteMessageBuilder::<Ipv4Addr>::new().scope(RouteScope::Host);
    add(handle, v4.kind(RouteType::Local).table_id(TABLE_LOCAL).output_interface(LOOPBACK).build()).await?;
    let v6 = RouteMessageBuilder::<Ipv6Addr>::new();
    let v6 = v6.kind(RouteType::Local).table_id(TABLE_LOCAL).output_interface(LOOPBACK).build();
    if let Err(error) = add(handle, v6).await {
        tracing::info!("{error:#}");
    }
    Ok(())
}

async fn add(handle: &Handle, route: RouteMessage) -> anyhow::Result<()> {
    handle.route().add(route).execute().await.context("making every address local")
}
