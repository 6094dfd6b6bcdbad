//! The filters of an interface's `clsact` or `ingress` queueing discipline, as the kernel tells of them.

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use rtnetlink::packet_core::{Nla as _, NlasIterator};
use rtnetlink::packet_route::tc::{TcAttribute, TcMessage, TcOption};

use crate::netlink;

/// Where a filter sees packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    /// As they come in.
    Ingress,
    /// As they leave.
    Egress,
}

/// One filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// What kind of filter it is, as `tc filter show` calls it: `bpf`, `flower`, …
    pub(crate) kind: String,
    /// The name that its BPF program was given, where it has one.
    pub(crate) program: Option<String>,
}

/// Lists the filters of the interface with this number; none where it has no such queueing discipline.
pub(crate) async fn list(index: u32, hook: Hook) -> anyhow::Result<Vec<Filter>> {
    let number = i32::try_from(index).context("an interface's number is small")?;
    let answers: Vec<TcMessage> = netlink::ask(async |handle| {
        let question = handle.traffic_filter(number).get();
        let question = match hook {
            Hook::Ingress => question.ingress(),
            Hook::Egress => question.egress(),
        };
        Ok(question.execute().try_collect().await?)
    })
    .await
    .context("listing traffic control filters")?;
    Ok(answers.iter().filter_map(read).collect())
}

/// Reads one answer. For each priority there is one more, which tells of no filter and has no handle.
fn read(message: &TcMessage) -> Option<Filter> {
    if u32::from(message.header.handle) == 0 {
        return None;
    }
    let mut filter = Filter { kind: String::new(), program: None };
    for attribute in &message.attributes {
        if let TcAttribute::Kind(kind) = attribute {
            filter.kind.clone_from(kind);
        } else if let TcAttribute::Options(options) = attribute {
            filter.program = options.iter().find_map(program_name);
        }
    }
    Some(filter)
}

/// The name in the options of a filter of the kind `bpf`, which come as one attribute that is not taken apart.
fn program_name(option: &TcOption) -> Option<String> {
    /// From `linux/pkt_cls.h`.
    const TCA_BPF_NAME: u16 = 7;
    let TcOption::Other(options) = option else { return None };
    let mut bytes = vec![0; options.value_len()];
    options.emit_value(&mut bytes);
    let name = NlasIterator::new(bytes.as_slice()).flatten().find(|option| option.kind() == TCA_BPF_NAME)?;
    let text = name.value().split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(text).into_owned())
}
