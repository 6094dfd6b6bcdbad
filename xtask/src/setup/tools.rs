//! The programs that the demo and the tests run: what each is for, and the Debian package it comes in.

use crate::shell;

/// A program from the distribution.
#[derive(Debug, PartialEq)]
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
    pub(crate) purpose: &'static str,
}

const fn tool(program: &'static str, package: &'static str, purpose: &'static str) -> Tool {
    Tool { program, package, purpose }
}

/// Every tool, once.
const TOOLS: [Tool; 15] = [
    tool("nmap", "nmap", "every kind of scan, in demo and tests"),
    tool("hping3", "hping3", "single probes, crafted by somebody else's hand"),
    tool("masscan", "masscan", "scans by another tool, for the scoreboard"),
    tool("zmap", "zmap", "scans by another tool, for the scoreboard"),
    tool("nc", "netcat-openbsd", "ports tried by hand, for the scoreboard"),
    tool("ip", "iproute2", "network namespaces and their interfaces"),
    tool("unshare", "util-linux", "asking whether namespaces are allowed here"),
    tool("ethtool", "ethtool", "switching a test interface's offloads"),
    tool("bpftool", "bpftool", "asking the kernel what is loaded"),
    tool("curl", "curl", "downloads that a guard must not disturb"),
    tool("nft", "nftables", "address translation, for tests with guests behind the guarded host"),
    tool("iptables-legacy", "iptables", "the older packet filter, which a guarded host may have"),
    tool("qemu-system-x86_64", "qemu-system-x86", "running other kernels"),
    tool("busybox", "busybox-static", "the user space beside those kernels"),
    tool("cpio", "cpio", "packing that user space for them"),
];

/// The tools that are not there.
pub(crate) fn missing() -> Vec<&'static Tool> {
    TOOLS.iter().filter(|tool| shell::find(tool.program).is_none()).collect()
}
