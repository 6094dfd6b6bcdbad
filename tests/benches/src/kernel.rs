//! The BPF system calls that measurements need, for programs of a few instructions and for running any program.
//!
//! aya loads programs from object files only, and rounds what a run took to whole nanoseconds.

pub mod link;

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aya_obj::generated::{
    BPF_F_TEST_XDP_LIVE_FRAMES, bpf_attach_type, bpf_attr, bpf_cmd, bpf_map_type, bpf_prog_info,
    bpf_prog_type,
};
use nix::libc;
use nix::time::{ClockId, clock_gettime};

use crate::bare::Instruction;

/// Where a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// At a driver's entry.
    Xdp,
    /// At a queueing discipline.
    Classifier,
}

/// A loaded program; it goes when this is dropped.
#[derive(Debug)]
pub struct Program(OwnedFd);

impl Program {
    /// Has the kernel verify and translate a program.
    ///
    /// # Errors
    ///
    /// Fails with what the verifier says, without root's privileges, and where there is no BPF.
    pub fn load(kind: Kind, instructions: &[Instruction]) -> Result<Program> {
        const LICENSE: &CStr = c"GPL";
        let mut log = vec![0_u8; 1 << 16];
        let mut attr = empty_attr();
        // SAFETY: all fields of the union are integers.
        let load = unsafe { &mut attr.__bindgen_anon_3 };
        (load.prog_type, load.expected_attach_type) = match kind {
            Kind::Xdp => (bpf_prog_type::BPF_PROG_TYPE_XDP as u32, bpf_attach_type::BPF_XDP as u32),
            Kind::Classifier => (bpf_prog_type::BPF_PROG_TYPE_SCHED_CLS as u32, 0),
        };
        load.insns = instructions.as_ptr() as u64;
        load.insn_cnt = u32::try_from(instructions.len())?;
        load.license = LICENSE.as_ptr() as u64;
        load.log_buf = log.as_mut_ptr() as u64;
        load.log_size = u32::try_from(log.len())?;
        load.log_level = 1;
        // SAFETY: the instructions, the licence and the log outlive the call, and their sizes are told.
        let loaded = unsafe { call(bpf_cmd::BPF_PROG_LOAD, &mut attr) };
        let fd = loaded.with_context(|| {
            let said = String::from_utf8_lossy(&log);
            format!("loading a bare program; the verifier says {:?}", said.trim_end_matches('\0'))
        })?;
        Ok(Program(fd))
    }
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The instructions of a loaded program as the kernel has translated them, all functions behind one another.
///
/// # Errors
///
/// Fails without root's privileges, and where this is no program.
pub fn translated(program: BorrowedFd<'_>) -> Result<Vec<Instruction>> {
    const NOTHING: Instruction = Instruction { code: 0, registers: 0, offset: 0, value: 0 };
    let length = info(program, &mut [])?.xlated_prog_len;
    let mut instructions = vec![NOTHING; length as usize / size_of::<Instruction>()];
    let told = info(program, &mut instructions)?;
    ensure!(told.xlated_prog_insns != 0, "the kernel does not show its instructions");
    Ok(instructions)
}

fn info(program: BorrowedFd<'_>, instructions: &mut [Instruction]) -> Result<bpf_prog_info> {
    // SAFETY: a record of integers, for all of which zero is a value.
    let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
    info.xlated_prog_len = u32::try_from(size_of_val(instructions))?;
    info.xlated_prog_insns = instructions.as_mut_ptr() as u64;
    let mut attr = empty_attr();
    // SAFETY: all fields of the union are integers.
    let ask = unsafe { &mut attr.info };
    (ask.bpf_fd, ask.info_len) = (number(program), u32::try_from(size_of_val(&info))?);
    ask.info = (&raw mut info) as u64;
    // SAFETY: the record outlives the call, and so do the instructions; their sizes are told.
    unsafe { raw_call(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr) }.context("asking about a program")?;
    Ok(info)
}

/// An array with one program in it, for another program to jump to.
///
/// # Errors
///
/// Fails without root's privileges.
pub fn program_array(target: BorrowedFd<'_>) -> Result<OwnedFd> {
    let map = array_of_one(bpf_map_type::BPF_MAP_TYPE_PROG_ARRAY).context("making an array of programs")?;
    let (key, value) = (0_u32, number(target));
    let mut attr = empty_attr();
    // SAFETY: all fields of the union are integers.
    let update = unsafe { &mut attr.__bindgen_anon_2 };
    update.map_fd = number(map.as_fd());
    update.key = (&raw const key) as u64;
    update.__bindgen_anon_1.value = (&raw const value) as u64;
    // SAFETY: key and value outlive the call and have the four bytes that the map was made for.
    unsafe { raw_call(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut attr) }.context("filling an array of programs")?;
    Ok(map)
}

/// A number in map memory, which is 0.
///
/// # Errors
///
/// Fails without root's privileges.
pub fn counter() -> Result<OwnedFd> {
    array_of_one(bpf_map_type::BPF_MAP_TYPE_ARRAY).context("making a counter")
}

/// An array with one entry of four bytes.
fn array_of_one(kind: bpf_map_type) -> Result<OwnedFd> {
    let mut attr = empty_attr();
    // SAFETY: all fields of the union are integers.
    let map = unsafe { &mut attr.__bindgen_anon_1 };
    map.map_type = kind as u32;
    (map.key_size, map.value_size, map.max_entries) = (4, 4, 1);
    // SAFETY: the call takes no pointers.
    unsafe { call(bpf_cmd::BPF_MAP_CREATE, &mut attr) }
}

/// What running a program on one frame came to.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// What the program returned the last time.
    pub action: u32,
    /// Nanoseconds that one run took on average: processor time of this thread, so that others may be at work.
    pub nanos: f64,
}

/// Runs a program on a frame so many times.
///
/// # Errors
///
/// Fails where the kernel refuses the frame: it is shorter than an Ethernet header, or longer than a page.
pub fn run(program: BorrowedFd<'_>, frame: &[u8], repeat: u32) -> Result<Run> {
    let mut attr = test_attr(program, frame, repeat)?;
    let start = processor_time()?;
    // SAFETY: the frame outlives the call, and its size is told.
    unsafe { raw_call(bpf_cmd::BPF_PROG_TEST_RUN, &mut attr) }.context("running a program")?;
    let taken = processor_time()?.saturating_sub(start);
    // SAFETY: all fields of the union are integers.
    let action = unsafe { attr.test.retval };
    #[expect(clippy::cast_precision_loss, reason = "a run takes less than 2⁵³ nanoseconds")]
    let nanos = taken.as_nanos() as f64 / f64::from(repeat);
    Ok(Run { action, nanos })
}

/// Sends a frame so many times: the program decides about each copy, and where it redirects one, it really goes.
///
/// # Errors
///
/// Fails before Linux 5.18.
pub fn send(program: BorrowedFd<'_>, frame: &[u8], count: u32) -> Result<()> {
    const BATCH: u32 = 64; // as many as a driver takes from its ring at once
    let mut attr = test_attr(program, frame, count)?;
    // SAFETY: all fields of the union are integers.
    let test = unsafe { &mut attr.test };
    test.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    test.batch_size = BATCH;
    // SAFETY: the frame outlives the call, and its size is told.
    unsafe { raw_call(bpf_cmd::BPF_PROG_TEST_RUN, &mut attr) }.context("sending frames by a program")?;
    Ok(())
}

fn test_attr(program: BorrowedFd<'_>, frame: &[u8], repeat: u32) -> Result<bpf_attr> {
    let mut attr = empty_attr();
    // SAFETY: all fields of the union are integers.
    let test = unsafe { &mut attr.test };
    test.prog_fd = number(program);
    test.data_in = frame.as_ptr() as u64;
    test.data_size_in = u32::try_from(frame.len())?;
    test.repeat = repeat;
    Ok(attr)
}

fn processor_time() -> Result<Duration> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).context("reading the thread's clock")?;
    Ok(Duration::new(time.tv_sec().try_into()?, time.tv_nsec().try_into()?))
}

fn empty_attr() -> bpf_attr {
    // SAFETY: a union of integers and records of integers, for all of which zero is a value.
    unsafe { std::mem::zeroed() }
}

fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// # Safety
///
/// Whatever `attr` points to must be valid for as long as the command needs it.
unsafe fn call(command: bpf_cmd, attr: &mut bpf_attr) -> Result<OwnedFd> {
    // SAFETY: as the caller promises.
    let fd = unsafe { raw_call(command, attr) }?;
    ensure!(fd >= 0, "the kernel returned the descriptor {fd}");
    // SAFETY: the commands that come here return a new descriptor, which nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(fd.try_into()?) })
}

/// # Safety
///
/// Whatever `attr` points to must be valid for as long as the command needs it.
unsafe fn raw_call(command: bpf_cmd, attr: &mut bpf_attr) -> Result<i64> {
    // SAFETY: the record is as long as is said, and its pointers are good as the caller promises.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command as libc::c_long, &raw mut *attr, size_of::<bpf_attr>())
    };
    if result < 0 {
        bail!(io::Error::last_os_error());
    }
    Ok(result)
}
