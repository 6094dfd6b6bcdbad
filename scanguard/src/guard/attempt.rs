//! One attempt to guard interfaces, which can be taken back whole.

use std::net::IpAddr;
use std::path::Path;

use anyhow::Context as _;
use aya::Ebpf;
use aya::programs::{SchedClassifier, XdpMode};
use scanguard_common::policy::{Judgement, Preset};
use scanguard_common::schema::{Interface, InterfaceSlot, Listed, Rules};

use super::{Attached, Request, foreign_program};
use crate::at_once::at_once;
use crate::clock;
use crate::config::{Chosen, Ports, PublicAddresses};
use crate::egress::{Door, Held};
use crate::error::Error;
use crate::interface::{Mode, NetworkInterface};
use crate::maps::{self, List, Maps};
use crate::output::Output;
use crate::peers;
use crate::pin::Pins;
use crate::prefix::Prefix;
use crate::program::{self, AttachError, Constants, Doors, INGRESS, INGRESS_IN_PIECES};
use crate::spared::{self, Why};

/// What was done so far, so that it can be taken back.
pub(super) struct Attempt<'a> {
    pins: &'a Pins,
    existed: bool,
    slots: Vec<InterfaceSlot>,
    names: Vec<String>,
    judgement: Option<Judgement>,
    ports: Option<Ports>,
    public_addresses: Option<PublicAddresses>,
    allowed: Vec<Prefix>,
}

impl<'a> Attempt<'a> {
    /// Nothing was done yet; whether our pins exist already decides what taking back means.
    pub(super) fn new(pins: &'a Pins, existed: bool) -> Attempt<'a> {
        Attempt {
            pins,
            existed,
            slots: Vec::new(),
            names: Vec::new(),
            judgement: None,
            ports: None,
            public_addresses: None,
            allowed: Vec::new(),
        }
    }

    /// Guards all of these interfaces, of each of which it is told whether ports may be redirected there. Where it fails,
    /// the caller takes it back.
    pub(super) async fn run(
        &mut self,
        request: &Request<'_>,
        targets: &[(&NetworkInterface, bool)],
        output: &mut Output<'_>,
    ) -> anyhow::Result<Vec<Attached>> {
        let free = self.free_slots()?;
        if let Some((target, _)) = targets.get(free.len()) {
            return Err(Error::TooManyInterfaces(target.name.clone()).into());
        }
        let known = spared::read().await?;
        let mut prepared = Vec::new();
        for ((target, redirected), slot) in targets.iter().zip(free) {
            prepared.push((*target, slot, self.prepare(target, *redirected, slot, request)?));
        }
        let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
        for (target, _, ebpf) in &mut prepared {
            let Doors { first, second } = program::doors(ebpf)?;
            firsts.push(first);
            seconds.push((target.name.as_str(), second));
        }
        // The kernel verifies a first door for twice as long as a second one: meanwhile everything else is done.
        let (held, loaded) = at_once(
            || self.write(request.chosen, &known).and_then(|()| self.hold(seconds)),
            || firsts.into_iter().try_for_each(program::load_first),
        )?;
        loaded?;
        let mut attached = Vec::new();
        for ((target, slot, mut ebpf), second) in prepared.into_iter().zip(held?) {
            let (mode, name) = put_on(&mut ebpf, target, request.mode, &self.pins.link(slot), output)?;
            second.keep(&mut ebpf, &target.name, &self.pins.egress(slot))?;
            let program = program::id(&mut ebpf, name)?;
            attached.push(Attached { name: target.name.clone(), slot, program, mode, ebpf });
        }
        if !Door::of_this_kernel().is_held() {
            self.list_peers()?;
        }
        Ok(attached)
    }

    /// The slots without a pinned link.
    fn free_slots(&self) -> anyhow::Result<Vec<InterfaceSlot>> {
        let taken = if self.existed { self.pins.slots()? } else { Vec::new() };
        Ok(InterfaceSlot::all().filter(|slot| !taken.contains(slot)).collect())
    }

    /// Everything but loading and attaching: maps, the slot, the program as the kernel is to have it.
    fn prepare(
        &mut self,
        target: &NetworkInterface,
        redirected: bool,
        slot: InterfaceSlot,
        request: &Request<'_>,
    ) -> anyhow::Result<Ebpf> {
        let is_first = !self.existed && self.slots.is_empty();
        self.slots.push(slot);
        self.names.push(target.name.clone());
        if is_first {
            self.pins.create()?;
        }
        let seed = if is_first { program::seed()? } else { Maps::open(self.pins)?.rules()?.seed() };
        let ebpf = program::open(Constants { slot, seed, log_level: request.log_level }, self.pins)?;
        if is_first {
            Maps::open(self.pins)?.set_rules(Rules::new(Preset::default().judgement(), seed))?;
            maps::write_schema(self.pins)?;
        }
        let policy = request.chosen.policy_of(target.index);
        let record = Interface::new(target.index, target.guardable()?, policy, clock::now()?);
        Maps::open(self.pins)?.take_slot(slot, record.where_ports_are_redirected(redirected))?;
        Ok(ebpf)
    }

    /// Writes what the programs are to know, but for their own interfaces.
    fn write(&mut self, chosen: &Chosen, known: &[(IpAddr, Why)]) -> anyhow::Result<()> {
        self.impose(chosen)?;
        self.allow(&chosen.allow)?;
        spared::spare(&mut Maps::open(self.pins)?, known)
    }

    /// Has the kernel verify the programs for these interfaces' second doors, and attaches them as far as they can be held.
    fn hold(&self, seconds: Vec<(&str, &mut SchedClassifier)>) -> anyhow::Result<Vec<Held>> {
        let door = Door::of_this_kernel();
        let mut held = Vec::new();
        for (interface, program) in seconds {
            program::load_second(program)?;
            held.push(door.hold(program, interface)?);
        }
        if door.is_held() {
            self.list_peers()?;
        }
        Ok(held)
    }

    /// Lists the connections that there are, once second doors see those that begin.
    fn list_peers(&self) -> anyhow::Result<()> {
        peers::refresh(&mut Maps::open(self.pins)?)
    }

    /// Has what was chosen for the whole host hold.
    fn impose(&mut self, chosen: &Chosen) -> anyhow::Result<()> {
        let mut maps = Maps::open(self.pins)?;
        if let Some(judgement) = chosen.judgement {
            self.judgement = Some(*maps.rules()?.judgement());
            maps.set_judgement(judgement)?;
        }
        if let Some(ports) = &chosen.ports {
            self.ports = Some(maps.ports()?);
            maps.set_ports(ports)?;
        }
        if let Some(addresses) = chosen.public_addresses {
            let rules = maps.rules()?;
            self.public_addresses = Some(rules.public());
            maps.set_rules(rules.with_public(addresses))?;
        }
        maps.set_rules(maps.rules()?.with_epoch(clock::epoch()?))
    }

    /// Allows those that are not allowed already.
    fn allow(&mut self, prefixes: &[Prefix]) -> anyhow::Result<()> {
        let mut maps = Maps::open(self.pins)?;
        let entry = Listed::new(clock::seconds()?, None);
        self.allowed = maps.enlist(List::Allowed, prefixes, entry)?;
        Ok(())
    }

    /// Takes back what was done: everything where our pins did not exist before.
    pub(super) fn take_back(&self) -> anyhow::Result<()> {
        for name in &self.names {
            Door::of_this_kernel().detach(name)?;
        }
        if !self.existed {
            return if self.pins.exist()? { self.pins.remove_all() } else { Ok(()) };
        }
        let pinned = self.pins.slots()?;
        let mut maps = Maps::open(self.pins)?;
        for slot in &self.slots {
            if pinned.contains(slot) {
                self.pins.remove_link(*slot)?;
            }
            maps.free_slot(*slot)?;
        }
        if let Some(before) = self.judgement {
            maps.set_judgement(before)?;
        }
        if let Some(before) = &self.ports {
            maps.set_ports(before)?;
        }
        if let Some(before) = self.public_addresses {
            maps.set_rules(maps.rules()?.with_public(before))?;
        }
        maps.strike(List::Allowed, &self.allowed)
    }
}

/// Attaches the program, in the driver if it can and nothing else was asked for, and pins the link: how, and which program
/// it was.
///
/// A driver whose frames are too large for one piece wants the program for several, which every frame pays for.
fn put_on(
    ebpf: &mut Ebpf,
    target: &NetworkInterface,
    wanted: Option<XdpMode>,
    pin: &Path,
    output: &mut Output<'_>,
) -> anyhow::Result<(Mode, &'static str)> {
    let name = &target.name;
    let mut mode = if let Some(XdpMode::Skb) = wanted { Mode::Generic } else { Mode::Native };
    let mut program = INGRESS;
    let mut link = program::attach(ebpf, program, target.index, wanted.unwrap_or(XdpMode::Driver));
    if let (Err(AttachError::Refused(_)), Mode::Native) = (&link, mode)
        && program::load_for_pieces(ebpf)?
    {
        let in_pieces = program::attach(ebpf, INGRESS_IN_PIECES, target.index, XdpMode::Driver);
        if !matches!(in_pieces, Err(AttachError::Refused(_))) {
            (program, link) = (INGRESS_IN_PIECES, in_pieces);
        }
    }
    if let (Err(AttachError::Refused(why)), None) = (&link, wanted) {
        output.word(format_args!(
            "{name}: the driver cannot run XDP programs ({why}), so generic mode is used: it protects just as well, \
             but each frame costs more, because the kernel allocates memory for it before it is judged"
        ));
        mode = Mode::Generic;
        link = program::attach(ebpf, program, target.index, XdpMode::Skb);
    }
    let link = link.map_err(|error| match error {
        AttachError::Occupied => foreign_program(name, None, mode).into(),
        AttachError::Refused(why) => {
            Error::ModeRefused { interface: name.clone(), mode: mode.name(), why: why.to_string() }.into()
        }
        AttachError::Other(error) => error.context(format!("attaching to {name}")),
    })?;
    link.pin(pin).with_context(|| format!("pinning the link at {}", pin.display()))?;
    Ok((mode, program))
}
