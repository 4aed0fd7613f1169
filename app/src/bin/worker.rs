//! Worker thread: answers the page's messages. It knows no Yew.

use app::link::{self, Header, Kind};

fn main() {
    let started = link::serve(|bytes| match Header::decode(&bytes) {
        Ok(Header {
            kind: Kind::Ping,
            request,
        }) => {
            let kind = Kind::Pong;
            Some(Header { kind, request }.encode().to_vec())
        }
        Ok(_) | Err(_) => None,
    });
    if let Err(reason) = started {
        panic!("the worker cannot reach its page: {reason}");
    }
}
