//! Frames that are lost, doubled and reordered on their way.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;

use anyhow::{Result, ensure};
use scanguard_harness::{Faults, Lab, Relay};

use super::scene::Scene;
use super::stage::{accept, connect, exchange, pour};

#[test]
fn loss() -> Result<()> {
    over_a_bad_cable(Faults { lost: 50, ..Faults::default() }, 1_000_000)
}

#[test]
fn reordering_and_duplicates() -> Result<()> {
    over_a_bad_cable(Faults { doubled: 4, overtaken: 4, ..Faults::default() }, 4_000_000)
}

/// Bulk data both ways, and short connections, whose last segments come late and twice.
fn over_a_bad_cable(faults: Faults, bulk: usize) -> Result<()> {
    let lab = Lab::new()?;
    let relay = Relay::between_the_hosts_of(&lab, faults, 0x5eed)?;
    Scene::play_in(&lab, |stage| {
        let (client, server) = stage.connected()?;
        exchange(&client, &server)?;
        pour(&client, &server, bulk)?;
        pour(&server, &client, bulk)?;
        let listener = stage.listen()?;
        thread::scope(|scope| {
            let short: Vec<_> = (0..40)
                .map(|_| {
                    let at = listener.local_addr()?;
                    Ok(scope.spawn(move || -> Result<()> {
                        let mut client = stage.scene.tries(|| connect(stage.client, at))?;
                        client.write_all(b"ask")?;
                        client.shutdown(Shutdown::Write)?;
                        let mut answer = Vec::new();
                        client.read_to_end(&mut answer)?;
                        ensure!(answer == b"answer", "heard {answer:?}");
                        Ok(())
                    }))
                })
                .collect::<Result<_>>()?;
            for _ in 0..short.len() {
                let mut server = accept(&listener)?;
                server.read_exact(&mut [0; 3])?;
                server.write_all(b"answer")?;
            }
            short.into_iter().try_for_each(|client| client.join().expect("a client does not panic"))
        })
    })?;
    // Even of the fewest frames in which all of this fits, twice as many are lost.
    ensure!(relay.faults_done() > 50, "the cable was good: {} faults", relay.faults_done());
    Ok(())
}
