//! Worker thread: the engine, served to the page. It knows no Yew.

fn main() {
    if let Err(reason) = app::link::serve() {
        panic!("the worker cannot reach its page: {reason}");
    }
}
