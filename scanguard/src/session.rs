//! From where the operator works, if it is by ssh.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

/// The client's address of the ssh session that this command was typed in.
///
/// sshd tells it in the environment, of which sudo keeps little: so the processes above this one are asked too.
pub(crate) fn client() -> Option<IpAddr> {
    if let Ok(connection) = std::env::var("SSH_CONNECTION") {
        return client_of(&connection);
    }
    let mut process = parent("self".as_ref())?;
    while process != "0" {
        let environment = fs::read(Path::new("/proc").join(&process).join("environ")).unwrap_or_default();
        if let Some(client) = client_in(&environment) {
            return Some(client);
        }
        process = parent(process.as_ref())?;
    }
    None
}

/// The process that started another.
fn parent(process: &Path) -> Option<String> {
    let status = fs::read_to_string(Path::new("/proc").join(process).join("status")).ok()?;
    Some(status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().to_owned())
}

/// Looks through the environment of a process, of which each variable ends with a zero.
fn client_in(environment: &[u8]) -> Option<IpAddr> {
    let variables = environment.split(|byte| *byte == 0).filter_map(|bytes| std::str::from_utf8(bytes).ok());
    variables.filter_map(|variable| variable.strip_prefix("SSH_CONNECTION=")).find_map(client_of)
}

/// Reads what sshd says: the client's address and port, then the server's.
fn client_of(connection: &str) -> Option<IpAddr> {
    let address = connection.split_whitespace().next()?;
    let (address, _) = address.split_once('%').unwrap_or((address, ""));
    Some(address.parse::<IpAddr>().ok()?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_address_comes_first() {
        let client = |text: &str| client_of(text).map(|address| address.to_string());
        assert_eq!(client("192.0.2.7 50000 192.0.2.1 22").as_deref(), Some("192.0.2.7"));
        assert_eq!(client("::ffff:192.0.2.7 50000 ::1 22").as_deref(), Some("192.0.2.7"));
        assert_eq!(client("fe80::7%eth0 50000 fe80::1%eth0 22").as_deref(), Some("fe80::7"));
        assert_eq!(client(""), None);
    }

    #[test]
    fn it_is_found_in_the_environment_of_another_process() {
        let environment = b"HOME=/\0SSH_CONNECTION=192.0.2.7 1 192.0.2.1 22\0X=\xff\0";
        assert_eq!(client_in(environment), Some([192, 0, 2, 7].into()));
        assert_eq!(client_in(b"XSSH_CONNECTION=192.0.2.7 1 192.0.2.1 22\0"), None);
    }

    #[test]
    fn each_process_has_a_parent() {
        assert_eq!(parent("self".as_ref()), Some(std::os::unix::process::parent_id().to_string()));
    }
}
