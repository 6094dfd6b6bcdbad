//! Programs that everybody uses, as they come, on either side of the guard.

use std::fs;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use scanguard_harness::{Host, Process};

use super::scene::Scene;
use super::stage::{Stage, await_socket};

/// The longest that a program may take for what it is told to do.
const LIMIT: Duration = Duration::from_secs(60);

const WEB: u16 = 80;
/// What there is to download: a small page, and a large file.
const PAGE: u64 = 1_000;
const FILE: u64 = 20_000_000;

#[test]
fn http_in_bulk_over_one_connection_and_over_many() -> Result<()> {
    Scene::play(|stage| {
        let _server = web_server(stage.server)?;
        let address = SocketAddr::from((stage.server_is, WEB));
        let [page, file] = ["page", "file"].map(|name| format!("http://{address}/{name}"));
        fetch(stage, &[&file], FILE, 1).context("bulk")?;
        fetch(stage, &[page.as_str(); 100], 100 * PAGE, 1).context("100 requests over one connection")?;
        for _ in 0..20 {
            fetch(stage, &[&page], PAGE, 1).context("a connection of its own")?;
        }
        Ok(())
    })
}

#[test]
fn thousands_of_short_http_connections() -> Result<()> {
    Scene::play(|stage| {
        let _server = web_server(stage.server)?;
        for (requests, kept) in [(2_000, ""), (2_000, "-k")] {
            let url = format!("http://{}/page", SocketAddr::from((stage.server_is, WEB)));
            let line = format!("-q -s 10 -n {requests} -c 20 {kept} {url}");
            let report = stage.scene.tries(|| {
                let report = stage.client.run("ab", line.split_whitespace())?;
                ensure!(field(&report, "Complete requests:")? == requests, "{report}");
                ensure!(field(&report, "Failed requests:")? == 0, "{report}");
                Ok(report)
            })?;
            // It tells how many requests kept their connection, and each of the others had one of its own.
            let kept = if kept.is_empty() { 0 } else { field(&report, "Keep-Alive requests:")? };
            stage.scene.made(requests - kept);
        }
        Ok(())
    })
}

#[test]
fn a_web_server_that_is_killed_and_started_again() -> Result<()> {
    Scene::play(|stage| {
        let server = web_server(stage.server)?;
        let url = format!("http://{}/page", SocketAddr::from((stage.server_is, WEB)));
        fetch(stage, &[&url], PAGE, 1)?;
        server.signal(Signal::SIGKILL)?;
        drop(server);
        let mut client = stage.client.spawn(
            "curl",
            [
                "-sS",
                "-g",
                "--retry",
                "30",
                "--retry-delay",
                "1",
                "--retry-all-errors",
                "-w",
                "%{http_code}",
                "-o",
            ]
            .into_iter()
            .chain(["/dev/null", url.as_str()]),
        )?;
        sleep(Duration::from_millis(300)); // its first attempt is refused
        let _server = web_server(stage.server)?;
        stage.scene.tries(|| {
            let output = client.wait(LIMIT)?;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            ensure!(said.ends_with("200"), "{said}: {}", String::from_utf8_lossy(&output.stderr));
            Ok(())
        })
    })
}

#[test]
fn a_shell_over_ssh() -> Result<()> {
    Scene::play(|stage| {
        let _server = ssh_server(stage)?;
        for (command, expected) in [
            ("echo hello", "hello"),
            ("head -c 5000000 /dev/zero | wc -c", "5000000"),
            // As somebody types: a little now and then.
            ("for word in one two three; do sleep 0.3; echo $word; done", "one\ntwo\nthree"),
        ] {
            let said = stage.scene.tries(|| ssh(stage, command))?;
            ensure!(said.trim() == expected, "{command}: {said:?}");
        }
        let download = stage.scene.tries(|| ssh(stage, "head -c 2000000 /dev/zero | tr '\\0' a"))?;
        ensure!(download.len() == 2_000_000, "{} bytes came", download.len());
        Ok(())
    })
}

#[test]
fn iperf_both_ways_and_by_udp() -> Result<()> {
    Scene::play(|stage| {
        let address = stage.server_is.to_string();
        let _server = stage.server.spawn("iperf3", ["-s", "-p", "5201", "-B", &address])?;
        await_socket(stage.server, tcp(stage), 5201)?;
        for options in
            ["-n 8M", "-n 8M -R", "-n 8M -P 4", "-u -b 20M -l 1200 -n 500K", "-u -R -b 20M -l 1200 -n 500K"]
        {
            let line = format!("-c {address} -p 5201 -J {options}");
            let report = stage.scene.tries(|| stage.client.run("iperf3", line.split_whitespace()))?;
            let report: serde_json::Value = serde_json::from_str(&report).context("reading a report")?;
            let bytes = report.pointer("/end/sum_received/bytes").or(report.pointer("/end/sum/bytes"));
            let bytes = bytes.and_then(serde_json::Value::as_u64).context("no sum")?;
            // By UDP the kernel loses much where the reader is busy; that no guard does, the scene demands.
            // By TCP it does not wait for what its reader has not read yet.
            let enough = if options.starts_with("-u") { 1 } else { 200_000 };
            ensure!(bytes >= enough, "{options}: {bytes} bytes");
        }
        Ok(())
    })
}

#[test]
fn files_by_active_and_by_passive_ftp() -> Result<()> {
    Scene::play(|stage| {
        let folder = "/run/ftp";
        stage.server.within(|| {
            fs::create_dir_all(folder).and_then(|()| fs::write("/run/ftp/file", [b'.'; 300_000]))
        })?;
        let address = stage.server_is.to_string();
        let words = ["-m", "pyftpdlib", "-i", &address, "-p", "21", "-d", folder];
        let _server = stage.server.spawn("/usr/bin/python3", words)?;
        await_socket(stage.server, tcp(stage), 21)?;
        let url = format!("ftp://{}/file", SocketAddr::from((stage.server_is, 21)));
        for how in ["--ftp-port -", "--ftp-pasv"] {
            for _ in 0..4 {
                let line = format!("-sS -g {how} -o /dev/null -w %{{size_download}} {url}");
                let size = stage.scene.tries(|| stage.client.run("curl", line.split_whitespace()))?;
                ensure!(size == "300000", "{how}: {size} bytes came");
            }
        }
        Ok(())
    })
}

/// Fetches pages by one run of curl, which is to make so many connections.
fn fetch(stage: &Stage<'_>, urls: &[&str], size: u64, connections: u64) -> Result<()> {
    stage.scene.tries(|| {
        let options = ["-sS", "-f", "-g", "-w", "%{num_connects} %{size_download}\\n"];
        let pages = urls.iter().flat_map(|url| ["-o", "/dev/null", url]);
        let said = stage.client.run("curl", options.into_iter().chain(pages))?;
        let numbers: Vec<u64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let sum = |column| numbers.iter().skip(column).step_by(2).sum::<u64>();
        ensure!((sum(0), sum(1)) == (connections, size), "{} connections, {} bytes", sum(0), sum(1));
        Ok(())
    })
}

/// A real web server that keeps connections.
fn web_server(host: &Host) -> Result<Process> {
    const FOLDER: &str = "/run/web";
    let modules = ["mpm_event", "authz_core"];
    let load = modules
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .concat();
    let settings = format!(
        "{load}ServerName guarded\nListen {WEB}\nPidFile {FOLDER}/pid\nDefaultRuntimeDir {FOLDER}\nDocumentRoot {FOLDER}\n\
         ErrorLog /dev/null\nKeepAlive On\nMaxKeepAliveRequests 0\nStartServers 1\nThreadsPerChild 25\n"
    );
    host.within(|| -> Result<()> {
        fs::create_dir_all(FOLDER)?;
        fs::write(format!("{FOLDER}/settings"), settings)?;
        fs::write(format!("{FOLDER}/page"), vec![b'.'; usize::try_from(PAGE)?])?;
        fs::write(format!("{FOLDER}/file"), vec![b'.'; usize::try_from(FILE)?])?;
        Ok(())
    })?;
    let server = host.spawn("apache2", ["-X", "-f", &format!("{FOLDER}/settings")])?;
    await_socket(host, "tcp6", WEB).with_context(|| server.stderr())?;
    Ok(server)
}

/// A real ssh server, which lets in whoever has the key in the client's `/run`.
fn ssh_server(stage: &Stage<'_>) -> Result<Process> {
    const MAKE: &str =
        "rm -rf /run/key /run/key.pub && ssh-keygen -q -t ed25519 -N '' -f /run/key && cat /run/key.pub";
    let public = stage.client.run("sh", ["-c", MAKE])?;
    // A home of its own, so that nobody's real one is touched.
    let prepare = format!(
        "home=$(getent passwd 0 | cut -d : -f 6) && mount -t tmpfs -o mode=700 home $home && mkdir -m 700 $home/.ssh \
         && echo '{}' > $home/.ssh/authorized_keys && rm -f /run/host_key && dropbearkey -t ed25519 -f /run/host_key",
        public.trim(),
    );
    stage.server.run("sh", ["-c", &prepare])?;
    let server = stage.server.spawn("dropbear", ["-F", "-E", "-s", "-p", "22", "-r", "/run/host_key"])?;
    await_socket(stage.server, tcp(stage), 22)?;
    Ok(server)
}

fn ssh(stage: &Stage<'_>, command: &str) -> Result<String> {
    let login = format!("root@{}", stage.server_is);
    let options =
        "-F none -i /run/key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null";
    stage.client.run("ssh", options.split(' ').chain([login.as_str(), command]))
}

/// The table in which a socket is that listens at the server's address only.
fn tcp(stage: &Stage<'_>) -> &'static str {
    if stage.server_is.is_ipv4() { "tcp" } else { "tcp6" }
}

/// A number of a report, by the words before it.
fn field(report: &str, name: &str) -> Result<u64> {
    let line = report.lines().find_map(|line| line.strip_prefix(name));
    line.with_context(|| format!("no {name} in {report}"))?.trim().parse().context("reading a number")
}
