//! Links: what holds a program at an interface.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::{Context, Result};
use aya_obj::generated::{
    bpf_attach_type, bpf_attr__bindgen_ty_8__bindgen_ty_1, bpf_attr__bindgen_ty_14__bindgen_ty_1,
    bpf_attr__bindgen_ty_14__bindgen_ty_2, bpf_attr__bindgen_ty_15__bindgen_ty_1, bpf_cmd, bpf_link_info,
};

use super::{call, empty_attr, number, raw_call};

/// Attaches a program where frames leave an interface of the calling thread's network namespace (tcx, since Linux 6.6), as
/// long as the returned link is open.
///
/// # Errors
///
/// Fails where the kernel has no such links.
pub fn attach_at_exit(program: BorrowedFd<'_>, interface: u32) -> Result<OwnedFd> {
    let mut attr = empty_attr();
    // SAFETY: all fields of the union are integers.
    let link = unsafe { &mut attr.link_create };
    link.__bindgen_anon_1 = bpf_attr__bindgen_ty_14__bindgen_ty_1 { prog_fd: number(program) };
    link.__bindgen_anon_2 = bpf_attr__bindgen_ty_14__bindgen_ty_2 { target_ifindex: interface };
    link.attach_type = bpf_attach_type::BPF_TCX_EGRESS as u32;
    // SAFETY: the call takes no pointers.
    unsafe { call(bpf_cmd::BPF_LINK_CREATE, &mut attr) }.context("attaching a program")
}

/// Puts another program into a link, while frames go on.
///
/// # Errors
///
/// Fails where the program is of another kind.
pub fn replace(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<()> {
    let mut attr = empty_attr();
    // SAFETY: all fields of the union are integers.
    let update = unsafe { &mut attr.link_update };
    update.link_fd = number(link);
    update.__bindgen_anon_1 = bpf_attr__bindgen_ty_15__bindgen_ty_1 { new_prog_fd: number(program) };
    // SAFETY: the call takes no pointers.
    unsafe { raw_call(bpf_cmd::BPF_LINK_UPDATE, &mut attr) }.context("replacing a program")?;
    Ok(())
}

/// Opens a pinned link, and the program that it holds.
///
/// # Errors
///
/// Fails where no link is pinned there.
pub fn open(pin: &Path) -> Result<(OwnedFd, OwnedFd)> {
    let opening = || format!("opening {}", pin.display());
    let path = CString::new(pin.as_os_str().as_bytes()).with_context(opening)?;
    let mut attr = empty_attr();
    // SAFETY: all fields of the union are integers.
    let ask = unsafe { &mut attr.__bindgen_anon_4 };
    ask.pathname = path.as_ptr() as u64;
    // SAFETY: the path outlives the call.
    let link = unsafe { call(bpf_cmd::BPF_OBJ_GET, &mut attr) }.with_context(opening)?;
    let program = program_of(link.as_fd()).with_context(opening)?;
    Ok((link, program))
}

fn program_of(link: BorrowedFd<'_>) -> Result<OwnedFd> {
    // SAFETY: a record of integers, for all of which zero is a value.
    let mut info: bpf_link_info = unsafe { std::mem::zeroed() };
    let mut attr = empty_attr();
    // SAFETY: all fields of the union are integers.
    let ask = unsafe { &mut attr.info };
    (ask.bpf_fd, ask.info_len) = (number(link), u32::try_from(size_of_val(&info))?);
    ask.info = (&raw mut info) as u64;
    // SAFETY: the record outlives the call, and its size is told.
    unsafe { raw_call(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr) }.context("asking about a link")?;
    program(info.prog_id)
}

/// Opens a loaded program by the number that the kernel knows it by.
///
/// # Errors
///
/// Fails where there is none of this number.
pub fn program(id: u32) -> Result<OwnedFd> {
    let mut attr = empty_attr();
    // SAFETY: all fields of the union are integers.
    let ask = unsafe { &mut attr.__bindgen_anon_6 };
    ask.__bindgen_anon_1 = bpf_attr__bindgen_ty_8__bindgen_ty_1 { prog_id: id };
    // SAFETY: the call takes no pointers.
    unsafe { call(bpf_cmd::BPF_PROG_GET_FD_BY_ID, &mut attr) }
        .with_context(|| format!("opening program {id}"))
}
