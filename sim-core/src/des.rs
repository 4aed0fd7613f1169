//! Discrete-event kernel: order, time, causes; knows not what an event means.
