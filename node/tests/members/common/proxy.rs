//! A way to a server whose connections can be cut, while the server lives on.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Forwards connections, as long as the process lives.
pub struct Proxy {
    /// Where it listens.
    pub address: String,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// Forwards to this address.
    pub fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let known = Arc::clone(&connections);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                // Whoever it is that is not there, the client finds a closed connection.
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let ends = [(&client, &server), (&server, &client)];
                for (from, to) in
                    ends.map(|(a, b)| (a.try_clone().unwrap(), b.try_clone().unwrap()))
                {
                    std::thread::spawn(move || forward(&from, &to));
                }
                known.lock().unwrap().extend([client, server]);
            }
        });
        Self { address, connections }
    }

    /// Cuts all connections of the moment.
    pub fn cut(&self) {
        for connection in self.connections.lock().unwrap().drain(..) {
            connection.shutdown(Shutdown::Both).ok();
        }
    }
}

fn forward(mut from: &TcpStream, mut to: &TcpStream) {
    copy(&mut from, &mut to).ok();
    to.shutdown(Shutdown::Both).ok();
}
