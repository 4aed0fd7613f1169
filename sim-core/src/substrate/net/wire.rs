//! What a way through the net does to packets: it delays some and loses others, as a shaper on an
//! interface does (`tc netem`).
//!
//! Owns what follows for one message on a connection that stands, for a short request on a new one,
//! and for a connection on which nothing comes through any more. It knows no machine.
//!
//! ```text
//! sent ─lost─▶ +RTO ─lost─▶ +2 RTO … ─▶ arrives     nothing for 45 s: given up, SYN +1 s, +2 s, …
//! ```
//! Sources: Linux `include/net/tcp.h` (`TCP_RTO_MIN`, `TCP_RTO_MAX`, `TCP_TIMEOUT_INIT`),
//! `net/sched/sch_netem.c`; `golang.org/x/net/http2` as client-go sets it
//! (`staging/src/k8s.io/apimachinery/pkg/util/net/http.go`).

use crate::base::rng::Stream;
use crate::base::time::SimDuration;

/// All packets, in millionths.
pub const WHOLE: u32 = 1_000_000;
/// Least time after which a segment that nobody confirmed is sent again, beside the round trip:
/// `TCP_RTO_MIN`.
const RETRANSMIT: SimDuration = SimDuration::from_millis(200);
/// Longest: `TCP_RTO_MAX`.
const RETRANSMIT_MAX: SimDuration = SimDuration::from_secs(120);
/// The same for the first packet of a connection: `TCP_TIMEOUT_INIT`.
const SYN_RETRANSMIT: SimDuration = SimDuration::from_secs(1);
/// Silence after which a client gives a connection up: 30 s until it asks whether the other side is
/// there, 15 s for the answer.
const CONNECTION_PATIENCE: SimDuration = SimDuration::from_secs(45);
/// Time after which a client gives up the first packet of a connection and begins anew.
/// Source: `golang.org/x/net` dialers as client-go sets them (30 s).
const DIAL_MAX: SimDuration = SimDuration::from_secs(30);
/// Time that a TLS handshake may take: a longer round trip lets no connection come about.
const HANDSHAKE_MAX: SimDuration = SimDuration::from_secs(10);
/// What a receiver lets be under way by default, in bytes: half of the third number of
/// `net.ipv4.tcp_rmem`.
const WINDOW: u64 = 3 << 20;
/// Most losses in a row that are drawn.
const TRIES_MAX: u32 = 64;

/// One direction of a way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Wire {
    /// How much later a packet arrives.
    pub delay: SimDuration,
    /// By how much that varies, either way, each span as likely.
    pub jitter: SimDuration,
    /// Packets that do not arrive, in millionths, at most [`WHOLE`].
    pub loss: u32,
}

impl Wire {
    /// Nothing comes through.
    pub const CUT: Self = Self {
        delay: SimDuration::ZERO,
        jitter: SimDuration::ZERO,
        loss: WHOLE,
    };

    /// Whether packets pass as they are.
    pub fn is_clear(self) -> bool {
        self == Self::default()
    }

    /// Whether connections come about and live, `back` being the other direction.
    pub fn connects(self, back: Self) -> bool {
        self.loss < WHOLE && back.loss < WHOLE && self.delay + back.delay < HANDSHAKE_MAX
    }

    /// Whether each packet's luck is its own.
    pub const fn is_uneven(self) -> bool {
        self.loss > 0 || !self.jitter.is_zero()
    }

    /// One after the other.
    pub fn plus(self, other: Self) -> Self {
        let (a, b) = (u64::from(self.loss), u64::from(other.loss));
        let both = a + b - a * b / u64::from(WHOLE);
        Self {
            delay: self.delay + other.delay,
            jitter: self.jitter + other.jitter,
            loss: u32::try_from(both).unwrap_or(WHOLE),
        }
    }

    /// How much longer a message takes on a connection that stands; `back` is the other direction.
    pub fn transit(self, back: Self, stream: &mut Stream) -> SimDuration {
        if self.is_clear() {
            return SimDuration::ZERO;
        }
        let low = self.delay.saturating_sub(self.jitter);
        let way = stream.duration_between(low, self.delay + self.jitter);
        way + self.held_up(back, stream)
    }

    /// How long segments that are lost hold a connection up.
    pub fn held_up(self, back: Self, stream: &mut Stream) -> SimDuration {
        let mut wait = SimDuration::ZERO;
        let mut timeout = RETRANSMIT + self.delay + back.delay;
        let mut dialled = None;
        for _ in 0..TRIES_MAX {
            if self.loss == 0 || stream.below(WHOLE) >= self.loss {
                break;
            }
            wait += timeout;
            timeout = (timeout * 2).min(RETRANSMIT_MAX);
            // The connection is given up, or the try to make another one.
            let end = dialled.map_or(CONNECTION_PATIENCE, |since| since + DIAL_MAX);
            if wait > end {
                (wait, timeout, dialled) = (end, SYN_RETRANSMIT, Some(end));
            }
        }
        wait
    }

    /// Time that a new connection and so many answers on it take longer, when the other side's
    /// packets go this way and those to it as they are.
    pub fn exchange(self, answers: u64, stream: &mut Stream) -> SimDuration {
        let mut wait = SimDuration::ZERO;
        let mut timeout = SYN_RETRANSMIT;
        for turn in 0..=answers {
            wait += self.transit(Self::default(), stream);
            // The answer to the first packet is asked for again by the client.
            let mut tries = 0;
            while turn == 0 && tries < 6 && stream.below(WHOLE) < self.loss {
                wait += timeout;
                timeout += timeout;
                tries += 1;
            }
        }
        wait
    }

    /// Of requests on new connections, the share that is answered within the clients' patience, in
    /// millionths: a lost first packet, either way, is sent again too late for them.
    pub fn answered(self, back: Self, patience: SimDuration) -> u64 {
        let whole = u64::from(WHOLE);
        if self.is_clear() && back.is_clear() {
            return whole;
        }
        let round = self.delay + back.delay;
        let timeout = (RETRANSMIT + round).as_micros();
        let part = |share: u64, of: u64| share * of / whole;
        let passes = |wire: Self| whole - u64::from(wire.loss.min(WHOLE));
        let mut sum = 0;
        let mut first = passes(self);
        for lost in 0..4_u32 {
            let mut both = part(first, passes(back));
            for more in 0..4_u32 {
                let tries = (1 << lost) - 1 + (1 << more) - 1;
                let waits = timeout * tries + 2 * round.as_micros();
                if waits < patience.as_micros() {
                    sum += both;
                }
                both = part(both, u64::from(back.loss));
            }
            first = part(first, u64::from(self.loss));
        }
        part(part(sum, passes(self)), passes(back))
    }

    /// Bytes per second that one connection carries, when this is the way of the data.
    pub fn throughput(self, back: Self) -> u64 {
        /// Bytes of a segment.
        const SEGMENT: u64 = 1_460;
        let round = (self.delay + back.delay).as_micros().max(1_000);
        let window = WINDOW.saturating_mul(1_000_000) / round;
        if self.loss == 0 {
            return window;
        }
        // Mathis et al., "The macroscopic behavior of the TCP congestion avoidance algorithm": 1.22
        // segments in a round trip for each root of the loss.
        let root = (u64::from(self.loss) * u64::from(WHOLE)).isqrt();
        window.min(SEGMENT * 1_220_000 * 1_000 / round * 1_000 / root.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Seed;

    fn wire(millis: u64, loss: u32) -> Wire {
        Wire {
            delay: SimDuration::from_millis(millis),
            loss,
            ..Wire::default()
        }
    }

    #[test]
    fn a_lost_segment_is_sent_again_after_the_round_trip_and_200_ms_then_twice_that() {
        let lossy = wire(50, 500_000);
        let mut seen = [0_u64; 3];
        for draw in 0..4_000 {
            let mut stream = Stream::new(Seed(1), "test", 0, draw);
            match lossy.transit(wire(50, 0), &mut stream).as_millis() {
                50 => seen[0] += 1,
                350 => seen[1] += 1,
                950 => seen[2] += 1,
                other => assert!(other == 2_150 || other > 4_000, "{other}"),
            }
        }
        for (count, expected) in seen.into_iter().zip([2_000, 1_000, 500]) {
            assert!(count.abs_diff(expected) < 120, "{seen:?}");
        }
    }

    #[test]
    fn a_connection_is_given_up_after_45_seconds() {
        let nearly_all = wire(0, 999_000);
        let mut stream = Stream::new(Seed(1), "test", 0, 0);
        let held = nearly_all.held_up(Wire::default(), &mut stream);
        // Five first packets of each connection in half a minute.
        assert!(held > CONNECTION_PATIENCE + DIAL_MAX, "{held}");
        assert!(held < CONNECTION_PATIENCE + DIAL_MAX * 13, "{held}");
    }

    #[test]
    fn requests_survive_what_their_clients_wait_for() {
        let second = SimDuration::from_secs(1);
        let clear = Wire::default();
        assert_eq!(clear.answered(clear, second), 1_000_000);
        assert_eq!(wire(499, 0).answered(clear, second), 1_000_000);
        assert_eq!(wire(500, 0).answered(clear, second), 0);
        assert_eq!(Wire::CUT.answered(clear, second), 0);
        // The first packet passes with nine of ten, the request within three tries with 999 of 1,000.
        assert_eq!(wire(0, 100_000).answered(clear, second), 899_100);
    }

    #[test]
    fn a_long_way_carries_a_window_in_each_round_trip() {
        assert_eq!(wire(200, 0).throughput(Wire::default()), WINDOW * 5);
        let lossy = wire(100, 10_000).throughput(Wire::default());
        assert!((170_000..180_000).contains(&lossy), "{lossy}");
    }
}
