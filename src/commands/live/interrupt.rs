//! Ctrl-C: the first one ends the run in good order, the second one ends the program.

use std::future;
use std::io::Write as _;

use tokio::sync::watch;

/// Exit code of a program that a signal ended: 128 and the number of SIGINT, as shells have it.
const KILLED: i32 = 130;

/// Whether the run was interrupted.
pub(super) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Listens from now on, as long as the runtime lives.
    pub(super) fn listen() -> Interrupt {
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_err() {
                // Without a handler, the system's own ends the program at the first signal.
                return future::pending().await;
            }
            let text = "interrupted: what was collected is kept; once more ends the program at once";
            let _ = writeln!(anstream::stderr(), "{text}");
            let _ = sender.send(true);
            let _ = tokio::signal::ctrl_c().await;
            std::process::exit(KILLED)
        });
        Interrupt(receiver)
    }

    /// Whether it has happened.
    pub(super) fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it happens.
    pub(super) async fn wait(&mut self) {
        if self.0.wait_for(|set| *set).await.is_err() {
            future::pending().await
        }
    }
}
