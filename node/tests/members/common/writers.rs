//! Clients that write until they are stopped, and what was acknowledged to them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::Client;

/// How long a writer waits before it goes on behind a put that failed.
const SETBACK: Duration = Duration::from_millis(20);

/// Writers at work.
pub struct Writers {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<String>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Writers {
    /// One for each of `clients`: it puts this value to one key of its own after the other, and waits
    /// for `pause` between two puts.
    pub fn start(clients: impl IntoIterator<Item = Client>, value: &str, pause: Duration) -> Self {
        let (stop, acknowledged) = (Arc::default(), Arc::default());
        let start = |(writer, client): (usize, Client)| {
            let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
            tokio::spawn(write(client, writer, value.to_owned(), pause, stop, acknowledged))
        };
        let tasks = clients.into_iter().enumerate().map(start).collect();
        Self { stop, acknowledged, tasks }
    }

    /// How many puts were acknowledged so far.
    pub fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Lets them finish. Returns the keys that were acknowledged.
    pub async fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        std::mem::take(&mut self.acknowledged.lock().unwrap())
    }
}

async fn write(
    client: Client,
    writer: usize,
    value: String,
    pause: Duration,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<String>>>,
) {
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("{writer}/{n}");
        match client.put(&key, &value).await {
            Ok(_) => acknowledged.lock().unwrap().push(key),
            Err(_) => sleep(SETBACK).await,
        }
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
}
